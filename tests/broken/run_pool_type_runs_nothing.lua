-- expect: exit 4; pool type plain: map: ended 4 tasks as ok, and workers ran 0; run each in a worker, by pool:run_task
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.map = function(pool, _, tasks)
    for index, item in tasks do
        pool:assign(index, 1)
        pool:finish(index, "ok", item)
    end
end

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
