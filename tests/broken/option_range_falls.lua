-- expect: exit 2; size: "8%.%.1" runs downwards; write 1%.%.8
-- args: size=8..1
local rig = require "rig"

return rig.scenario {
    workers = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
