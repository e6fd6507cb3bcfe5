-- expect: exit 2; threshold_metric_misspelt%.lua:8: thresholds%[1%]: "mpa%.median < 10 ms": no metric "mpa"; did you mean map%?
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { "mpa.median < 10 ms" },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
