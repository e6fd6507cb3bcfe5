-- expect: exit 2; threshold_of_without_ratio%.lua:8: thresholds%[1%]: of belongs to a ratio, and this is a median; use where
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { { "map < 1 s", of = { pool = "custom" } } },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
