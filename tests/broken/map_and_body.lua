-- expect: exit 2; map_and_body%.lua:6: body: map and body exclude each other; keep the one
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    body = function() end,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
