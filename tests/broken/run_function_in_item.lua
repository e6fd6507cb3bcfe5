-- expect: exit 4; items%[2%]%.callback.*function
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = { {}, { callback = function() end } },
    map = function() return 1 end,
}
