-- expect: exit 2; axis_value_unknown%.lua:6: channel: "teleport" is not one of its values; use pipe, socket
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    start = "fork", channel = "teleport",
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
