-- expect: exit 4; pool type plain: map: finish: task 1 was never assigned to a worker; pool:assign%(task, worker%) comes first
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.map = function(pool, _, tasks) pool:finish(tasks(), "ok", 1) end

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
