-- expect: exit 2; threshold_where_value_absent%.lua:8: thresholds%[1%]: where: size: 30 is not among its values; use 10 or 20
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { { "map < 1 s", where = { size = 30 } } },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
