-- expect: exit 4; items%[2%]%.point.*metatable
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = { {}, { point = setmetatable({}, { __index = {} }) } },
    map = function() return 1 end,
}
