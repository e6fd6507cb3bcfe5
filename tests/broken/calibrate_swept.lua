-- expect: exit 2; calibrate_swept%.lua:8: calibrate: beside map it sets iterations, and those are swept; remove one of them
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = { 2, 3 },
    pool = { "builtin", "custom" },
    calibrate = true,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
