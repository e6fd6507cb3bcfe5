-- expect: exit 1; expect.*11
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
    expect = 11,
}
