-- expect: exit 4; run_error_in_map%.lua:8: broken on purpose in map
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 1,
    map = function(item) error "broken on purpose in map" end,
}
