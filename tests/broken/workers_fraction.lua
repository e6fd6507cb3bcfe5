-- expect: exit 2; workers_fraction%.lua:6: workers: 2%.5 is not a whole number; give an integer from 1 to 4096
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    workers = 2.5,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
