-- What a pool type that is right is made of, for files that put one mistake into it.
local rig = require "rig"

local function serve(pool, line)
    for task in function() return line:get() end do
        line:put { task[1], pool:run_task(task[1], task[2]) }
    end
end

return {
    name = "plain",
    start = function(pool)
        local lines = {}
        for id = 1, pool.workers do
            local near, far = rig.socketpair()
            pool:fork(id, serve, pool, far)
            far:close()
            lines[id] = near
        end
        return lines
    end,
    map = function(pool, lines, tasks)
        for index, item in tasks do
            local id = index % pool.workers + 1
            pool:assign(index, id)
            lines[id]:put { index, item }
            pool:finish(table.unpack(lines[id]:get(), 1, 3))
        end
    end,
    close = function(_, lines)
        for _, line in ipairs(lines) do line:close() end
    end,
}
