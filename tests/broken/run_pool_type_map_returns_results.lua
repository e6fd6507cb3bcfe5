-- expect: exit 2; pool type plain: map: returned { 1, 2 }; it returns nothing; results are given to pool:finish
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.map = function() return { 1, 2 } end

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
