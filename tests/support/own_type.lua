-- A pool type of a script's own that is right, for tests that go through all pools: one task at a time to whoever is
-- free, another worker in the place of one that died. Types with mistakes are in tests/broken; what types may be is
-- tested in tests/lua/test_pool_type.lua.

local rig = require "rig"

local function serve(pool, line)
    for task in function() return line:get() end do
        line:put { task[1], pool:run_task(task[1], task[2]) }
    end
end

local function open_line(pool, lines, id)
    local near, far = assert(rig.socketpair())
    assert(pool:fork(id, serve, pool, far))
    far:close()
    lines[id], lines.id_of[near] = near, id
end

local function take(pool, lines, line)
    local id, answer = lines.id_of[line], line:get()
    if answer then
        pool:finish(table.unpack(answer, 1, 3))
    else
        pool:lost(id)
        line:close()
        lines.id_of[line] = nil
        open_line(pool, lines, id)
    end
    return id
end

return {
    name = "own",
    axes = { start = "fork", delivery = { "inherit", "shm" }, channel = "socket", barrier = { true, false } },
    start = function(pool)
        local lines = { id_of = {} }
        for id = 1, pool.workers do open_line(pool, lines, id) end
        return lines
    end,
    map = function(pool, lines, tasks)
        local ended = false
        local function give(id)
            local index, item
            if not ended then index, item = tasks() end
            ended = index == nil
            if ended then return end
            pool:assign(index, id)
            lines[id]:put { index, item }
        end
        for id = 1, pool.workers do give(id) end
        while pool:out() > 0 do
            for _, line in ipairs(assert(rig.poll(lines))) do give(take(pool, lines, line)) end
        end
    end,
    close = function(_, lines)
        for _, line in ipairs(lines) do line:close() end
    end,
}
