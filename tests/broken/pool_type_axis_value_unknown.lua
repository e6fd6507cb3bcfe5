-- expect: exit 2; pool_type_axis_value_unknown%.lua:8: rig%.pool_type: axes: channel: .*"pip".*; did you mean pipe%?
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.axes = { channel = "pip" }

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
