-- expect: exit 2; axis_value_later%.lua:6: start: start = thread is not available in this version.*; use fork
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    start = "thread",
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
