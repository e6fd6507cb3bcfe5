-- expect: exit 2; pool_unknown%.lua:6: pool: "custm" is not a pool; did you mean custom%?
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    pool = { "builtin", "custm" },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
