-- expect: exit 2; sweep_nested%.lua:6: mix: { 1, 2 } is a list inside a list; .*rig%.value
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    params = { mix = { { 1, 2 }, { 3, 4 } } },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
