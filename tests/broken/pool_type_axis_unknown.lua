-- expect: exit 2; pool_type_axis_unknown%.lua:8: rig%.pool_type: axes: "chanel" is not an axis of a pool; did you mean channel%?
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.axes = { chanel = "pipe" }

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
