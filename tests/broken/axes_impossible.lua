-- expect: exit 2; axes_impossible%.lua:6: delivery: delivery = send cannot go with channel = queue: .*; use delivery = queue
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    pool = "custom", delivery = "send",
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
