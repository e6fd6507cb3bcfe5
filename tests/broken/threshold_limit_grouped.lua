-- expect: exit 2; threshold_limit_grouped%.lua:8: thresholds%[1%]: .*"1,000" has a comma in it; write the number without
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { "messages < 1,000" },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
