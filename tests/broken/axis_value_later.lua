-- expect: exit 2; axis_value_later%.lua:6: channel: channel = ring is not available in this version.*; use pipe, socket or queue
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    channel = "ring",
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
