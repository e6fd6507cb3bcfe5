-- expect: exit 4; pool type plain: map: returned, and of 4 tasks 1 did not end %(the first: task 4, which was never taken%)
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.map = function(pool, lines, tasks)
    for _ = 1, 3 do
        local index, item = tasks()
        pool:assign(index, 1)
        lines[1]:put { index, item }
        pool:finish(table.unpack(lines[1]:get(), 1, 3))
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
