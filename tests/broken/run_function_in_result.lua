-- expect: exit 4; function
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 1,
    map = function() return { callback = print } end,
}
