-- expect: exit 2; map_missing%.lua:4: map: missing: nothing would be measured; write map = function
local rig = require "rig"

return rig.scenario {
    items = 4,
    reduce = rig.sum,
}
