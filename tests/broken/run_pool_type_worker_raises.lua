-- expect: exit 4; pool type plain: map: .*lib/plain_pool%.lua:%d+: attempt to index a nil value %(before that, pool type plain: worker [12]: .*run_pool_type_worker_raises%.lua:9: broken on purpose in a worker
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.start = function(pool)
    local lines = {}
    for id = 1, pool.workers do
        local near, far = rig.socketpair()
        pool:fork(id, function() error("broken on purpose in a worker " .. tostring(far)) end)
        far:close()
        lines[id] = near
    end
    return lines
end

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
