-- expect: exit 2; threshold_unit_of_a_counter%.lua:8: thresholds%[1%]: .*messages has no unit, given "ms"; leave the unit out
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { "messages < 10 ms" },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
