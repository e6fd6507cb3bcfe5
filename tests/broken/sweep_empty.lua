-- expect: exit 2; sweep_empty%.lua:6: size: the list is empty, so there is nothing to sweep; give at least one value
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    size = {},
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
