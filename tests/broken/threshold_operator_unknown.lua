-- expect: exit 2; threshold_operator_unknown%.lua:8: thresholds%[1%]: .*=< is no comparison; write <=
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { "map.median =< 10 ms" },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
