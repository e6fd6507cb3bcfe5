-- expect: exit 2; threshold_metric_unknown%.lua:8: thresholds%[1%]: .*: no metric "latency"; use map, .*, or record it with rig%.metric
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { "latency < 10 ms" },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
