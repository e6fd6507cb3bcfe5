-- expect: exit 2; threshold_operator_missing%.lua:8: thresholds%[1%]: .*nothing is compared; write it as map%.median < 10 ms
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { "map.median 10 ms" },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
