-- expect: exit 2; size_huge%.lua:6: size: 1e%+99 is above 9007199254740992; give an integer
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    size = 1e99,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
