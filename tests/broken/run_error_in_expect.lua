-- expect: exit 2; run_error_in_expect%.lua:10: broken on purpose in expect
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
    expect = function() error "broken on purpose in expect" end,
}
