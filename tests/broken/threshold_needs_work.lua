-- expect: exit 2; threshold_needs_work%.lua:8: thresholds%[1%]: items_per_s comes from work, which this scenario lacks; add work
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { "items_per_s > 10" },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
