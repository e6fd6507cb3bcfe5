-- Is it worth handing out tasks one by one, to whoever is free, or would it do to deal them out beforehand, like cards?
-- `dealt` is a pool of one's own that deals: one message to each worker, one back. With tasks of equal length that is
-- hard to beat; with uneven ones (uneven=true: the first of each four takes ten times as long) somebody holds all the
-- long ones. To make a pool of your own, change what its four functions do: README.md, "A pool of your own".

local rig = require "rig"

local function deal(pool, line)                         -- in a worker: a share of the tasks at a time
    for tasks in function() return line:get() end do
        local answer = {}
        for i, task in ipairs(tasks) do answer[i] = { task[1], pool:run_task(task[1], task[2]) } end
        line:put(answer)
    end
end

local dealt = rig.pool_type {
    name = "dealt", about = "each worker gets its share of the tasks at once, and answers once",
    axes = { start = "fork", delivery = "inherit", channel = "socket", barrier = { true, false } },
    start = function(pool)
        local lines = {}
        for id = 1, pool.workers do
            local near, far = assert(rig.socketpair())
            assert(pool:fork(id, deal, pool, far))
            far:close()
            lines[id] = near
        end
        return lines                                    -- what map and close are given
    end,
    map = function(pool, lines, tasks)
        local shares = {}
        for id = 1, pool.workers do shares[id] = {} end
        for index, item in tasks do
            local id = (index - 1) % pool.workers + 1
            pool:assign(index, id)
            table.insert(shares[id], { index, item })
        end
        for id, line in ipairs(lines) do line:put(shares[id]) end
        for id, line in ipairs(lines) do
            local answer = line:get()
            if not answer then pool:lost(id) end        -- nobody there: its tasks have died
            for _, ended in ipairs(answer or {}) do pool:finish(table.unpack(ended, 1, 3)) end
        end
    end,
    close = function(_, lines)
        for _, line in ipairs(lines) do line:close() end
    end,
}

return rig.scenario {
    name = "own_pool",
    about = "Tasks dealt out beforehand, beside tasks handed to whoever is free",

    pool = { "builtin", "custom", dealt },
    workers = 4,
    params = {
        uneven = { false, true },
        grain = { default = 2000, min = 1, max = 1e7, help = "additions in a short task" },
    },

    items = 100,
    map = function(item, _, w)
        local total, n = 0, w.p.grain
        if w.p.uneven and item % 4 == 1 then n = 10 * n end
        for i = 1, n do total = total + i % 2 end
        return total > 0 and item or item - 1
    end,
    reduce = rig.sum,
    expect = 5050,
}
