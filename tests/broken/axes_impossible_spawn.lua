-- expect: exit 2; axes_impossible_spawn%.lua:6: start: start = spawn cannot go with delivery = inherit: .*; use delivery = send
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    start = "spawn",
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
