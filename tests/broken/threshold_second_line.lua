-- expect: exit 2; threshold_second_line%.lua:10: thresholds%[2%]: .*map has no statistic "p59"; did you mean
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = {
        "map < 1 s",
        "map.p59 < 1 s",
    },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
