-- expect: exit 2; threshold_unit_missing%.lua:8: thresholds%[1%]: .*the limit 10 has no unit; write 10 ms, or another of 
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { "map.median < 10" },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
