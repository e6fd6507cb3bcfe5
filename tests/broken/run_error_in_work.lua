-- expect: exit 2; run_error_in_work%.lua:10: broken on purpose in work
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
    work = function() error "broken on purpose in work" end,
}
