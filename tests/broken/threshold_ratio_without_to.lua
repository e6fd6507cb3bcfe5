-- expect: exit 2; threshold_ratio_without_to%.lua:8: thresholds%[1%]: the ratio lacks to; write of = 
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { { "map.ratio > 2", of = { pool = "custom" } } },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
