-- expect: exit 2; gc_boolean%.lua:8: gc: false is a boolean, not one of its choices; give default, stop, incremental or generational
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    gc = false,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
