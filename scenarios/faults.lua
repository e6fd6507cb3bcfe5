-- What does each pool lose when one of its workers is killed, and how soon does another one stand in its place?
--
-- Worker 2 is killed at every stage of its life: before it is ready, while it waits for work, when a task has begun,
-- when its function has returned, and when half of the result is on its way. No other task may be lost, and what comes
-- afterwards must be right. Try it with another attempt for what was lost:
--
--     build/rig scenarios/faults.lua retry=1

local rig = require "rig"

local ITEMS = 60

-- Within a task, its result not yet out, a worker takes the task with it.
local IN_A_TASK = { task = true, result = true, send = true }

return rig.scenario {
    about      = "A worker killed at every stage under each pool, and what is lost with it",
    pool       = { "builtin", "custom", "shm", "spawn", "per_task" },
    params     = {
        stage = { "init", "idle", "task", "result", "send" },
        bytes = { default = 100000, min = 1, max = 1e9, help = "of each result" },
    },
    barrier    = true, -- all workers are there before the first task, so worker 2 gets some
    iterations = 3,
    timeout    = "10s",

    items  = ITEMS,
    map    = function(item, _, w)
        rig.sleep(0.001)
        return ("%d:"):format(item) .. ("x"):rep(w.p.bytes)
    end,
    reduce = function(results)
        local sum = 0
        for _, result in ipairs(results) do sum = sum + tonumber(result:match "^%d+") end
        return sum
    end,
    expect = ITEMS * (ITEMS + 1) // 2,

    faults = function(p)
        -- each of its workers is made for one message, and waits for no other
        if p.stage == "idle" and p.pool == "per_task" then return {} end
        if p.stage == "send" then return { { truncate = p.bytes // 2, worker = 2, at_task = 2, iteration = 2 } } end
        if p.stage == "init" then return { { kill = "SIGKILL", worker = 2, stage = "init" } } end
        local at = IN_A_TASK[p.stage] and 2 or nil
        return { { kill = "SIGKILL", worker = 2, stage = p.stage, at_task = at, iteration = 2 } }
    end,
    expect_outcomes = function(p)
        if p.retry > 0 or not IN_A_TASK[p.stage] then return { died = 0 } end
        -- a small result the pools in C find with the dead worker, and it is not lost
        return { died = p.stage == "send" and p.bytes < 65536 and { 0, 1 } or 1 }
    end,
}
