-- expect: exit 2; run_pool_type_worker_unknown%.lua:6: pool:assign: there is no worker 3; there are 1 to 2
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.map = function(pool, _, tasks)
    pool:assign(tasks(), 3)
end

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
