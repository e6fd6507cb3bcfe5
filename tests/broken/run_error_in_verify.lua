-- expect: exit 2; run_error_in_verify%.lua:10: broken on purpose in verify
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
    verify = function() error "broken on purpose in verify" end,
}
