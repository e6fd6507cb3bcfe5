-- expect: exit 2; threshold_ratio_pairs_nothing%.lua:8: thresholds%[1%]: no two cases differ in just what of and to say
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { { "map.ratio > 2", of = { pool = "custom" }, to = { pool = "custom" } } },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
