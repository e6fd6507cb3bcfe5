-- expect: exit 2; threshold_text_missing%.lua:8: thresholds%[1%]: the text is missing; write { "map%.median < 10 ms"
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { { where = { size = 10 } } },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
