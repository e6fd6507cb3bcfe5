-- expect: exit 2; threshold_limit_missing%.lua:8: thresholds%[1%]: .*no limit after the comparison; write a number and its unit
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { "map.median <" },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
