-- expect: exit 2; pool_beside_body%.lua:6: pool: belongs to a pool, and body runs without one
local rig = require "rig"

return rig.scenario {
    body = function() end,
    pool = "custom",
}
