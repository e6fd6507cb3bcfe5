-- expect: exit 2; threshold_where_unknown_parameter%.lua:8: thresholds%[1%]: where: no parameter worker; did you mean workers%?
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { { "map < 1 s", where = { worker = 4 } } },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
