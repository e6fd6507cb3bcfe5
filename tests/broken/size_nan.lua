-- expect: exit 2; size_nan%.lua:6: size: nan is not a whole number; give an integer
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    size = 0 / 0,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
