-- expect: exit 2; run_error_in_setup%.lua:10: broken on purpose in setup
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
    setup = function() error "broken on purpose in setup" end,
}
