-- expect: exit 2; threshold_equals_a_time%.lua:8: thresholds%[1%]: .*map is never exactly anything; use <, <=, > or >=
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { "map.median == 10 ms" },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
