-- expect: exit 2; items_missing%.lua:4: items: missing: map has nothing to work on; give a list
local rig = require "rig"

return rig.scenario {
    map = function(item) return item end,
}
