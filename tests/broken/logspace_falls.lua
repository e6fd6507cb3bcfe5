-- expect: exit 2; logspace_falls%.lua:6: rig%.logspace: 100000 to 10 does not rise; give the smaller number first
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    size = rig.logspace(1e5, 10, 5),
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
