-- expect: exit 2; threshold_unit_unknown%.lua:8: thresholds%[1%]: .*unknown unit "msec"; use ns, us, ms, s, min or h
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { "map.median < 10 msec" },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
