-- expect: exit 2; pool_type_map_missing%.lua:8: rig%.pool_type: map: missing; write map = function%(pool, state, tasks%) end
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.map = nil

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
