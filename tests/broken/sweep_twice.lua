-- expect: exit 2; sweep_twice%.lua:6: workers: 2 is given twice; give it once
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    workers = { 1, 2, 2 },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
