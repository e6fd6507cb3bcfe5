-- expect: exit 2; run_error_in_teardown%.lua:10: broken on purpose in teardown
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
    teardown = function() error "broken on purpose in teardown" end,
}
