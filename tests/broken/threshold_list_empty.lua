-- expect: exit 2; threshold_list_empty%.lua:8: thresholds: the list is empty; write 
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = {},
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
