-- expect: exit 2; run_error_in_body%.lua:6: broken on purpose in body
local rig = require "rig"

return rig.scenario {
    iterations = 1,
    body = function() error "broken on purpose in body" end,
}
