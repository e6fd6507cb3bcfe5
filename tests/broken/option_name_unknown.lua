-- expect: exit 2; wrkers: no such parameter; did you mean workers%?
-- args: wrkers=2
local rig = require "rig"

return rig.scenario {
    workers = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
