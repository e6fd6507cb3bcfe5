-- expect: exit 2; run_error_in_items%.lua:8: broken on purpose in items
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    map = function(item) return item end,
    items = function() error "broken on purpose in items" end,
}
