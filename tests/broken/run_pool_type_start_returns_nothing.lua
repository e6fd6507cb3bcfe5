-- expect: exit 2; pool type plain: start: returned nothing; return the state
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.start = function() end

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
