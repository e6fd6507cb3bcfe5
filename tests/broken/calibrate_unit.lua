-- expect: exit 2; calibrate_unit%.lua:8: calibrate: "20 mss" has the unknown unit mss; write true
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    calibrate = "20 mss",
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
