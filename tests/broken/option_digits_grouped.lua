-- expect: exit 2; size: "000" has leading zeros; .*without commas between their digits
-- args: size=100,000
local rig = require "rig"

return rig.scenario {
    workers = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
