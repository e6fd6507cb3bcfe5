-- expect: exit 2; threshold_of_a_pool_beside_body%.lua:6: thresholds%[1%]: messages belongs to a pool, and body runs without one; use map
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    body = function() end, thresholds = { "messages < 10" },
    setup = function() return rig.now() end,
}
