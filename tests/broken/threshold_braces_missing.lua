-- expect: exit 2; threshold_braces_missing%.lua:8: thresholds: where stands beside the thresholds, not in one; write { { 
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { "map < 1 s", where = { size = 10 } },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
