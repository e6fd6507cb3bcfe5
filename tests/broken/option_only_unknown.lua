-- expect: exit 2; pool: "custm" is not a pool; did you mean custom%?
-- args: --only pool=custm
local rig = require "rig"

return rig.scenario {
    workers = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
