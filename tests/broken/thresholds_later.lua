-- expect: exit 2; thresholds_later%.lua:6: thresholds: not available in this version of rig; remove it
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    thresholds = { { "map.median < 10 ms" } },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
