-- expect: exit 4; pool type plain: map: finish: there is no task 5: 4 have been taken
local rig = require "rig"
local plain = require "lib.plain_pool"

local map = plain.map
plain.map = function(pool, lines, tasks)
    map(pool, lines, tasks)
    pool:finish(5, "ok", 0)
end

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
