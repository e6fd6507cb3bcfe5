-- The pool written in Lua: every delivery over every channel gives the right results; whatever ends a worker, each task
-- ends exactly once, the others complete, and nothing hangs. RIG_FULL: more rounds of killing at random.

local lu = require "luaunit"
local core = require "rig.core"
local rig = require "rig"
local rigtest = require "rigtest"

local CHANNELS = { "queue", "pipe", "socket" }
local DELIVERIES = { "inherit", "send", "queue", "shm" }

local function open(spec)
    spec.preset, spec.workers = "custom", spec.workers or 3
    return assert(rig.pool(spec))
end

-- results and nil, or what results there are and the failure
local function map(pool, items)
    local fine, got = pcall(pool.map, pool, items)
    if fine then return got end
    return got.results, got
end

local function end_this_process()
    local proc <close> = assert(io.open "/proc/self/stat")
    os.execute("kill -9 " .. proc:read "n")
    core.sleep(5)
end

TestResults = {}

for _, channel in ipairs(CHANNELS) do
    for _, delivery in ipairs(DELIVERIES) do
        if not (channel == "queue" and delivery == "send") then
            for _, chunk in ipairs { 1, 4, "auto" } do
                TestResults[("test_%s_%s_chunk_%s"):format(channel, delivery, chunk)] = function()
                    local pool <close> = open {
                        channel = channel, delivery = delivery, chunk = chunk,
                        fixed = { add = rig.array("i64", 1000, 7) },
                        map = function(item, fixed) return item + fixed.add[1000] end,
                    }
                    local results, failure = map(pool, 50)
                    lu.assertNil(failure)
                    for i = 1, 50 do lu.assertEquals(results[i], i + 7) end
                end
            end
        end
    end
end

function TestResults.test_maps_of_all_three_forms_of_items()
    local pool <close> = open { map = function(item) return item * 2 end }
    lu.assertEquals(map(pool, { 5, 6, 7 }), { 10, 12, 14 })
    lu.assertEquals(map(pool, 3), { 2, 4, 6 })
    local left = 4
    lu.assertEquals(map(pool, function()
        left = left - 1
        return left > 0 and left or nil
    end), { 6, 4, 2 })
    lu.assertEquals(map(pool, {}), {})
end

function TestResults.test_results_may_be_nil_false_or_large()
    local pool <close> = open { map = function(item) return item end }
    local large = ("x"):rep(3 << 20)
    local results = map(pool, { false, large, 0 / 1, math.mininteger })
    lu.assertEquals(results[1], false)
    lu.assertTrue(results[2] == large)
    lu.assertEquals(results[4], math.mininteger)
    local nothing, n = (open { map = function() return nil end }):map(3)
    lu.assertEquals(nothing, {})
    lu.assertEquals(n, 3)
end

function TestResults.test_state_index_and_numbers_do_not_depend_on_the_worker()
    local function numbers(workers)
        local pool <close> = open {
            workers = workers, seed = 5, p = { base = 10 }, fixed = 1,
            init = function(p, fixed) return p.base + fixed end,
            map = function(_, _, w) return { w.index, w.state, w.rng:int(1, 1000000), w.rng:int(1, 1000000) } end,
        }
        return map(pool, 20)
    end
    lu.assertEquals(numbers(1), numbers(4))
    lu.assertEquals(numbers(2)[3][2], 11)
end

function TestResults.test_many_large_results_arrive()
    for _, channel in ipairs(CHANNELS) do
        local function large(item) return string.char(item):rep(1 << 20) end
        local pool <close> = open { channel = channel, map = large }
        local results = map(pool, 60)
        for i = 1, 60 do lu.assertTrue(results[i] == large(i), channel) end
    end
end

TestErrors = {}

for _, channel in ipairs(CHANNELS) do
    TestErrors["test_an_error_is_the_tasks_" .. channel] = function()
        local pool <close> = open { channel = channel, map = function(item)
            if item == 3 then error "broken on purpose" end
            return item
        end }
        local results, failure = map(pool, 10)
        lu.assertEquals(#failure.failures, 1)
        lu.assertEquals(failure.failures[1].task, 3)
        lu.assertEquals(failure.failures[1].outcome, "error")
        lu.assertStrContains(tostring(failure), "test_custom.lua")
        lu.assertStrContains(tostring(failure), "broken on purpose")
        lu.assertEquals(results[10], 10)
        lu.assertNil(results[3])
    end

    TestErrors["test_what_cannot_cross_is_named_" .. channel] = function()
        local pool <close> = open { channel = channel, chunk = 2, map = function(item)
            return item == 1 and { callback = print } or item
        end }
        local results, failure = map(pool, { 1, { deep = { call = print } }, 3, 4 })
        lu.assertEquals(failure.report.outcomes.error, 2)
        table.sort(failure.failures, function(a, b) return a.task < b.task end)
        lu.assertStrContains(failure.failures[1].message, "result.callback")
        lu.assertStrContains(failure.failures[2].message, "items[2].deep.call")
        lu.assertEquals(results[3], 3)
        lu.assertEquals(results[4], 4)
    end

    TestErrors["test_an_initializer_that_fails_ends_the_map_" .. channel] = function()
        local pool <close> = open { channel = channel, map = print, init = function() error "no init today" end }
        local _, failure = map(pool, 5)
        lu.assertStrContains(tostring(failure), "3 workers in a row")
        lu.assertStrContains(tostring(failure), "no init today")
    end
end

function TestErrors.test_fixed_data_that_cannot_cross_raises_with_its_path()
    for _, delivery in ipairs { "queue", "send" } do
        local fine, message = pcall(function()
            local pool <close> = open { delivery = delivery, channel = "pipe", fixed = { f = print }, map = print }
            pool:map(1)
        end)
        lu.assertFalse(fine)
        lu.assertStrContains(tostring(message), "fixed.f")
    end
end

-- What a worker was at when the iterator raised is answered in another map: it is free then, like any other.
function TestErrors.test_an_iterator_that_raises_costs_no_worker()
    for _, channel in ipairs { "socket", "pipe" } do
        local met = rig.shared_array("i64", 2, 0)
        local pool <close> = open {
            workers = 2, channel = channel, delivery = "inherit", chunk = 1, timeout = 20,
            map = function(item)
                if item == 0 then return end
                met[item] = 1
                while met:sum() < 2 do core.sleep(0.001) end -- ends only if each worker has one
            end,
        }
        local asked = 0
        lu.assertErrorMsgContains("dry", pool.map, pool, function()
            asked = asked + 1
            return asked == 1 and 0 or error "the source is dry"
        end)
        local _, failure = map(pool, 2)
        lu.assertNil(failure, channel)
        met:close()
    end
end

function TestErrors.test_an_error_in_finish_is_reported_at_the_close()
    local pool = open { map = function() end, finish = function() error "broken at the end" end }
    pool:map(4)
    local ok, message = pool:close()
    lu.assertNil(ok)
    lu.assertStrContains(message, "broken at the end")
end

TestDeaths = {}

for _, channel in ipairs(CHANNELS) do
    for _, chunk in ipairs { 1, 4 } do
        TestDeaths[("test_a_killed_workers_task_died_%s_chunk_%d"):format(channel, chunk)] = function()
            local pool <close> = open { channel = channel, chunk = chunk, map = function(item)
                if item == 17 then end_this_process() end
                return item
            end }
            local results, failure = map(pool, 40)
            lu.assertEquals(failure.report.outcomes, { ok = 39, error = 0, timeout = 0, died = 1, cancelled = 0 })
            lu.assertEquals(failure.failures[1].task, 17)
            lu.assertEquals(failure.failures[1].signal, 9)
            lu.assertEquals(failure.failures[1].outcome, "died")
            lu.assertEquals(results[40], 40)
            local again = map(pool, 16)
            lu.assertEquals(again[16], 16)
            pool:close()
            lu.assertEquals(pool:stats().replaced, 1)
        end
    end

    TestDeaths["test_os_exit_in_a_task_" .. channel] = function()
        local pool <close> = open { channel = channel, map = function(item)
            if item == 2 then os.exit(7) end
            return item
        end }
        local _, failure = map(pool, 10)
        lu.assertEquals(failure.report.outcomes.ok, 9)
        lu.assertEquals(failure.failures[1].exit, 7)
    end

    TestDeaths["test_an_idle_worker_that_is_killed_is_noticed_" .. channel] = function()
        local pool <close> = open { channel = channel, map = function(item, _, w) return { item, w.id } end }
        map(pool, 10)
        pool.pool.workers[1].proc:kill "KILL"
        local results, failure = map(pool, 30)
        lu.assertNil(failure)
        lu.assertEquals(results[30][1], 30)
    end

    TestDeaths["test_a_task_that_takes_too_long_" .. channel] = function()
        local pool <close> = open { channel = channel, timeout = rigtest.patience(0.1), map = function(item)
            while item == 4 do end
            return item
        end }
        local began = core.now()
        local _, failure = map(pool, 10)
        lu.assertTrue(core.now() - began < rigtest.patience(2))
        lu.assertEquals(failure.report.outcomes.timeout, 1)
        lu.assertEquals(failure.report.outcomes.ok, 9)
        lu.assertEquals(failure.failures[1].task, 4)
    end
end

function TestDeaths.test_a_stopped_worker_does_not_hold_up_the_others()
    for _, channel in ipairs(CHANNELS) do
        local pool <close> = open {
            channel = channel, timeout = rigtest.patience(0.2), map = function(item) return item end,
        }
        pool:wait_ready()
        pool.pool.workers[2].proc:kill "STOP"
        local results, failure = map(pool, 30)
        lu.assertNil(failure, channel)
        lu.assertEquals(results[30], 30)
    end
end

-- A process of its own, as a killer in this one would have to be lucky.
local function kill_at_random(seed, parent)
    local rng = core.rng(seed)
    for _ = 1, 3 do
        core.sleep(rng:float() * 0.01)
        local file <close> = assert(io.open(("/proc/%d/task/%d/children"):format(parent, parent)))
        local pids = {}
        for pid in file:read("a"):gmatch "%d+" do
            if math.tointeger(pid) ~= core.getpid() then pids[#pids + 1] = pid end
        end
        if #pids > 0 then os.execute("kill -9 " .. pids[rng:int(1, #pids)] .. " 2>/dev/null") end
    end
end

local function chaos_round(seed)
    local rng = core.rng("chaos", seed)
    local pool <close> = open {
        workers = 4, channel = CHANNELS[rng:int(1, 3)], chunk = rng:int(1, 4), barrier = rng:int(0, 1) == 1,
        delivery = rng:int(0, 1) == 1 and "inherit" or "queue", fixed = { ("x"):rep(rng:int(1, 200000)) },
        map = function(item)
            core.spin(0.0002)
            return { item, ("y"):rep(item % 7 == 0 and 100000 or 10) }
        end,
    }
    local killer <close> = core.fork(kill_at_random, seed, core.getpid())
    lu.assertNotNil(killer)
    for _ = 1, 3 do
        local results, failure = map(pool, 60)
        if failure and not failure.report then return end -- three in a row before their first task: unlucky, no hang
        local ended = failure and failure.report.outcomes or { ok = 60, died = 0 }
        lu.assertEquals(ended.ok + ended.died, 60, "seed " .. seed)
        local count = 0
        for i = 1, 60 do
            if results[i] then
                lu.assertEquals(results[i][1], i)
                count = count + 1
            end
        end
        lu.assertEquals(count, ended.ok)
    end
end

function TestDeaths.test_killing_at_random_loses_no_task_and_never_hangs()
    for seed = 1, os.getenv "RIG_FULL" and 500 or 20 do chaos_round(seed) end
end

TestClose = {}

function TestClose.test_what_was_not_delivered_is_counted_and_nobody_died()
    local data = rig.array("i64", 4 << 20, 1)
    local pool = open { workers = 4, fixed = data, delivery = "queue", map = function(item) return item end }
    lu.assertEquals(#map(pool, 4), 4)
    local began = core.now()
    lu.assertTrue(pool:close())
    lu.assertTrue(core.now() - began < rigtest.patience(2))
    local stats = pool:stats()
    local ready = 0
    for _, one in ipairs(stats.workers) do
        ready = ready + (one.ready_s and 1 or 0)
        lu.assertEquals(one.exit, one.ready_s and "exit 0" or "stopped")
    end
    lu.assertEquals(stats.undelivered.workers, 4 - ready)
    lu.assertEquals(stats.undelivered.bytes > 0, ready < 4)
end

function TestClose.test_close_twice_and_use_after_it()
    local pool = open { map = function() end }
    lu.assertTrue(pool:close())
    lu.assertTrue(pool:close())
    lu.assertErrorMsgContains("the pool is closed", pool.map, pool, 1)
end

function TestClose.test_a_pool_that_is_forgotten_leaves_nothing()
    open { map = function() end }:map(4)
    collectgarbage()
end

function TestClose.test_a_hundred_pools()
    for i = 1, 100 do
        local pool <close> = open { workers = 2, channel = CHANNELS[i % 3 + 1], map = function(item) return item end }
        lu.assertEquals(map(pool, 2), { 1, 2 })
    end
end

os.exit(lu.LuaUnit.run())
