-- expect: exit 1; threshold map%.median < 1 ns: 10: .* not < 1 ns
-- args: --only pool=builtin
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { { "map.median < 1 ns", where = { size = 10 } }, "map < 1 min" },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
