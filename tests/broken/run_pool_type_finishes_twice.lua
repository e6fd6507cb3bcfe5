-- expect: exit 4; pool type plain: map: finish: task 2 has ended already %(ok%)
local rig = require "rig"
local plain = require "lib.plain_pool"

local map = plain.map
plain.map = function(pool, lines, tasks)
    map(pool, lines, tasks)
    pcall(pool.finish, pool, 2, "ok", 0)               -- caught, and still no result
end

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
