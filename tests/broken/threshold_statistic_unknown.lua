-- expect: exit 2; threshold_statistic_unknown%.lua:8: thresholds%[1%]: .*map has no statistic "medain"; did you mean median%?
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { "map.medain < 10 ms" },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
