-- What pools say about the time that their workers spend in tasks: who was busy for how long, and the longest task.
-- Neighbours: core/pool/worker.c and lua/rig/pools/custom_worker.lua measure it; findings/imbalance.lua reads it.

local lu = require "luaunit"
local core = require "rig.core"
local pools = require "rig.pools"
local axes = require "rig.axes"
local worker = require "rig.worker"
require "rigtest"

-- A pool of two workers over `map`, in every implementation.
local function each_pool(map, check)
    for _, preset in ipairs { "builtin", "custom" } do
        for _, channel in ipairs(preset == "builtin" and { "socket", "ring", "queue" } or { "socket", "queue" }) do
            local resolved = assert(axes.resolve(preset, { channel = channel, delivery = "inherit", chunk = 1 }))
            local pool <close> = assert(pools.start(resolved, {
                workers = 2, map = map, worker = worker.factory(1, 1, {}), p = {},
            }))
            assert(pool:wait_ready())
            check(pool, preset .. " over " .. channel)
            pool:close()
        end
    end
end

local function sum(list)
    local total = 0.0
    for _, x in ipairs(list) do total = total + x end
    return total
end

local function sleep(item)
    core.sleep(item)
    return core.getpid()
end

TestBusy = {}

function TestBusy.test_a_map_says_how_long_each_worker_was_in_tasks_and_which_task_was_longest()
    each_pool(sleep, function(pool, name)
        local _, report = assert(pool:run { 0.01, 0.06, 0.01, 0.01 })
        lu.assertEquals(#report.busy_by_worker_s, 2, name)
        lu.assertIsTrue(sum(report.busy_by_worker_s) >= 0.09, name)
        lu.assertIsTrue(report.longest_task_s >= 0.06, name)
        lu.assertIsTrue(report.longest_task_s <= math.max(table.unpack(report.busy_by_worker_s)), name)
    end)
end

function TestBusy.test_each_map_is_told_apart_and_the_pool_adds_them_up()
    each_pool(sleep, function(pool, name)
        local _, first = assert(pool:run { 0.2, 0.2 })
        local _, second = assert(pool:run { 0, 0 })
        lu.assertIsTrue(second.longest_task_s < first.longest_task_s, name)
        lu.assertIsTrue(sum(second.busy_by_worker_s) < sum(first.busy_by_worker_s), name)
        pool:close()
        local total = 0.0
        for _, one in ipairs(pool:stats().workers) do total = total + one.busy_s end
        lu.assertAlmostEquals(total, sum(first.busy_by_worker_s) + sum(second.busy_by_worker_s), 1e-6, name)
    end)
end

function TestBusy.test_a_worker_without_tasks_was_not_busy()
    each_pool(sleep, function(pool, name)
        local _, report = assert(pool:run { 0.02 })
        local busy = report.busy_by_worker_s
        lu.assertEquals(math.min(busy[1], busy[2]), 0.0, name)
        lu.assertIsTrue(math.max(busy[1], busy[2]) >= 0.02, name)
    end)
end

function TestBusy.test_a_worker_that_died_takes_only_its_own_time_with_it()
    local function map(item)
        if item < 0 then os.exit(3) end
        core.sleep(item)
    end
    each_pool(map, function(pool, name)
        local _, report = assert(pool:run { 0.02, -1, 0.02, 0.02 })
        lu.assertEquals(report.outcomes.died, 1, name)
        for _, busy_s in ipairs(report.busy_by_worker_s) do lu.assertIsTrue(busy_s >= 0, name) end
        lu.assertIsTrue(report.longest_task_s >= 0.02, name)
    end)
end

os.exit(lu.LuaUnit.run())
