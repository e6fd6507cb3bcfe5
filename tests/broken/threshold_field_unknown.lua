-- expect: exit 2; threshold_field_unknown%.lua:8: thresholds%[1%]: "when" does not belong in a threshold; use where, of or to
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { { "map < 1 s", when = { size = 10 } } },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
