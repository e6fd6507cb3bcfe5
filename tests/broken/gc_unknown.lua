-- expect: exit 2; gc_unknown%.lua:8: gc: "stopped" is not one of its values; did you mean stop%?
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    gc = "stopped",
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
