-- expect: exit 2; type_word_for_number%.lua:6: workers: "four" is a string, not an integer; give an integer from 1 to 4096
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    workers = "four",
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
