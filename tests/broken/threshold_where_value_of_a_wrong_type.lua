-- expect: exit 2; threshold_where_value_of_a_wrong_type%.lua:8: thresholds%[1%]: where: size: "10" is a string, not an integer; write 10 without quotes
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { { "map < 1 s", where = { size = "10" } } },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
