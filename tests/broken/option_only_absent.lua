-- expect: exit 2; pool: custom is not among its values; use builtin
-- args: --only pool=custom
local rig = require "rig"

return rig.scenario {
    workers = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
