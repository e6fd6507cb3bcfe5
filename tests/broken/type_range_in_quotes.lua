-- expect: exit 2; type_range_in_quotes%.lua:6: workers: "1%.%.8" is a string.*; write rig%.range
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    workers = "1..8",
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
