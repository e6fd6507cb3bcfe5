-- expect: exit 2; run_error_in_fixed%.lua:10: broken on purpose in fixed
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
    fixed = function() error "broken on purpose in fixed" end,
}
