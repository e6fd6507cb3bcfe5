-- expect: exit 2; run_error_in_memory%.lua:10: broken on purpose in memory
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
    memory = function() error "broken on purpose in memory" end,
}
