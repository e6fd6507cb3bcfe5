-- expect: exit 4; run_global_in_map%.lua:8: total: 1 is assigned to a global; write local total
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 1,
    map = function(item) total = item; return item end,
}
