-- expect: exit 2; type_quoted_number%.lua:6: workers: "4" is a string, not an integer; write 4 without quotes
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    workers = "4",
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
