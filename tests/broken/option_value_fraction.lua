-- expect: exit 2; workers: 2%.5 is not a whole number; give an integer from 1 to 4096
-- args: workers=2.5
local rig = require "rig"

return rig.scenario {
    workers = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
