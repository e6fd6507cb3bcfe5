-- expect: exit 2; calibrate_too_long%.lua:8: calibrate: "5min" is not from 1 ns to 60 s; write true
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    calibrate = "5min",
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
