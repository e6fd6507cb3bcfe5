-- expect: exit 2; calibrate: a call of body takes .* with n = 1,073,741,824; loop n times in it
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    body = function() return 1 end, calibrate = true,
    setup = function() return rig.now() end,
}
