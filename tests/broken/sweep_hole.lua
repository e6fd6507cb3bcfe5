-- expect: exit 2; sweep_hole%.lua:6: workers: the list has a hole; give values in a row
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    workers = { 1, nil, 4 },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
