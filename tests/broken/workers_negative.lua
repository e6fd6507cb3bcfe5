-- expect: exit 2; workers_negative%.lua:6: workers: %-1 is below 1; give an integer from 1 to 4096
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    workers = -1,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
