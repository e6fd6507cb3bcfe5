-- expect: exit 4; time
-- args: --timeout 1
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 1,
    map = function() while true do end end,
}
