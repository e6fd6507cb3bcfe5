-- expect: exit 4; run_error_in_finish%.lua:10: broken on purpose in finish
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
    finish = function() error "broken on purpose in finish" end,
}
