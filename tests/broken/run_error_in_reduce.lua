-- expect: exit 2; run_error_in_reduce%.lua:9: broken on purpose in reduce
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 4,
    map = function(item) return item end,
    reduce = function() error "broken on purpose in reduce" end,
}
