-- expect: exit 2; pool_axis_unknown%.lua:6: pool: "delivry" is not an axis of a pool; did you mean delivery%?
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    pool = { base = "custom", delivry = "inherit" },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
