-- expect: exit 2; type_hook%.lua:6: init: "fast" is a string, not a function; write init = function%(p, fixed%)
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    init = "fast",
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
