-- expect: exit 2; calibrate_number%.lua:8: calibrate: 20 is neither true nor a duration; write true, or as in "20ms"
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    calibrate = 20,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
