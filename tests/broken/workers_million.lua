-- expect: exit 2; workers_million%.lua:6: workers: 1000000 is above 4096; give an integer from 1 to 4096
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    workers = 10^6,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
