-- expect: exit 4; run_error_in_init%.lua:10: broken on purpose in init
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
    init = function() error "broken on purpose in init" end,
}
