-- expect: exit 2; threshold_not_a_list%.lua:8: thresholds: "map < 1 s" is not a list of thresholds; write 
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = "map < 1 s",
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
