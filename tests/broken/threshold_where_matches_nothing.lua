-- expect: exit 2; threshold_where_matches_nothing%.lua:8: thresholds%[1%]: no case is as where says; rig check lists the cases
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { { "map < 1 s", where = { pool = "custom", delivery = "shm" } } },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
