-- How pools are used: refusals, beside and inside each other, in coroutines and forked children, given up half way,
-- left to the collector. What they do with tasks is in test_pool.lua and test_pool_faults.lua.

local lu = require "luaunit"
local core = require "rig.core"
local pooltest = require "pooltest"
local rigtest = require "rigtest"

local function same(item) return item end

local function pids(pool)
    local list = {}
    for _, worker in ipairs(pool:stats().workers) do list[#list + 1] = worker.pid end
    return list
end

local function check_gone(list)
    for _, pid in ipairs(list) do
        pooltest.wait_until(function() return pooltest.is_gone(pid) end, "the end of a worker")
    end
end

TestRefusals = {}

function TestRefusals.test_misuse_raises_and_names_the_option()
    local wrong = {
        { "map is a nil", {} },
        { "map is a string", { map = "f" } },
        { "init is a table", { map = same, init = {} } },
        { "no start 'teleport'", { map = same, start = "teleport" } },
        { "no channel 'tube'", { map = same, channel = "tube" } },
        { "no delivery 'pigeon'", { map = same, delivery = "pigeon" } },
        { "channel is a table", { map = same, channel = {} } },
        { "workers is -1", { map = same, workers = -1 } },
        { "workers is many", { map = same, workers = "many" } },
        { "timeout is -1", { map = same, timeout = -1 } },
        { "chunk is -7", { map = same, chunk = -7 } },
        { "core.place", { map = same, delivery = "shm", fixed = "not placed" } },
        { "fixed.list[2]", { map = same, delivery = "send", fixed = { list = { 1, print } } } },
        { "fixed", { map = same, delivery = "queue", fixed = setmetatable({}, {}) } },
    }
    for _, case in ipairs(wrong) do lu.assertErrorMsgContains(case[1], core.pool, case[2]) end
    lu.assertError(core.pool, nil)
end

function TestRefusals.test_what_cannot_be_started_is_an_error_value()
    for _, workers in ipairs { 0, 100000 } do
        local pool, message, code = core.pool { map = same, workers = workers }
        lu.assertEquals({ pool, code }, { nil, "EINVAL" })
        lu.assertStrContains(message, workers .. " workers")
    end
    local pool, message = core.pool { map = same, workers = 2, delivery = "send", channel = "queue", fixed = 1 }
    lu.assertNil(pool)
    lu.assertStrContains(message, "channel=queue")
end

function TestRefusals.test_items_of_other_kinds_raise()
    local pool <close> = pooltest.plain { map = same }
    for _, items in ipairs { "abc", -1, 2.5, true } do lu.assertError(pool.run, pool, items) end
    lu.assertError(pool.run, pool)
    lu.assertEquals(pool:run(3), { 1, 2, 3 })
end

function TestRefusals.test_a_closed_or_terminated_pool_maps_no_more()
    local pool = pooltest.plain { map = same }
    lu.assertStrContains(tostring(pool), "open")
    lu.assertTrue(pool:close())
    lu.assertTrue(pool:close())
    local results, message = pool:run(3)
    lu.assertNil(results)
    lu.assertEquals(message, "the pool is closed")
    lu.assertEquals(#pool:stats().workers, 2)
    pool:terminate()
    pool:terminate()
    lu.assertStrContains(tostring(pool), "closed")
    lu.assertErrorMsgContains("terminated", pool.run, pool, 3)
    lu.assertErrorMsgContains("terminated", pool.stats, pool)
end

TestGivingUp = {}

function TestGivingUp.test_terminating_ends_workers_that_are_busy()
    local busy = core.shared_array("u8", 2, 0)
    local pool = pooltest.plain {
        map = same, worker = function(id) busy[id] = 1 return {} end, init = function() while true do end end,
    }
    local list = pids(pool)
    pooltest.wait_until(function() return busy:sum() == 2 end)
    pool:terminate()
    check_gone(list)
    busy:close()
end

function TestGivingUp.test_an_error_in_the_iterator_is_raised_and_the_pool_goes_on()
    pooltest.each({ delivery = "inherit" }, function(axes)
        local pool <close> = pooltest.open(axes, { map = same })
        local i = 0
        local function iterator()
            i = i + 1
            if i > 50 then error "the source is dry" end
            return i
        end
        lu.assertErrorMsgMatches(".-test_pool_use%.lua:%d+: the source is dry.*", pool.run, pool, iterator)
        for _ = 1, 2 do lu.assertEquals(pool:run(3), { 1, 2, 3 }, axes.name) end
    end)
end

function TestGivingUp.test_an_iterator_cannot_use_its_pool()
    local pool <close> = pooltest.plain { map = same }
    for _, method in ipairs { "run", "close", "terminate", "wait_ready" } do
        local done = false
        pool:run(function()
            if done then return nil end
            done = true
            lu.assertErrorMsgContains("running", pool[method], pool, 3)
            return 1
        end)
    end
    lu.assertEquals(pool:run(3), { 1, 2, 3 })
end

function TestGivingUp.test_an_iterator_cannot_give_up_the_lazy_map_that_asks_it()
    local pool <close> = pooltest.plain { map = same }
    local each, handle
    local n = 0
    each, handle = pool:lazy(function()
        n = n + 1
        if n == 3 then local _ <close> = handle end
        return n
    end, true, 4, 1 << 20, error)
    lu.assertErrorMsgContains("its items cannot give it up", function() for _ in each do end end)
    lu.assertNil(each())
    lu.assertEquals((pool:run(3)), { 1, 2, 3 })
end

function TestGivingUp.test_a_pool_that_nobody_holds_is_ended_by_the_collector()
    local list = pids(pooltest.plain { workers = 3, map = same })
    collectgarbage()
    collectgarbage()
    check_gone(list)
end

-- Calls f deeper and deeper inside calls of C, until it raises.
local function break_off(f)
    local raised
    local function down(depth)
        if depth > 150 then
            local fine, message = pcall(f)
            if not fine then raised = message end
        end
        if not raised then ("x"):gsub("x", function() down(depth + 1) end) end
    end
    pcall(down, 1)
    return raised
end

function TestGivingUp.test_a_pool_whose_last_call_was_broken_off_is_ended_by_the_collector()
    local list = pooltest.list(20, same) -- made by a call of Lua's while results are taken
    local pool = pooltest.plain { workers = 1, map = function() return list end }
    assert(pool:wait_ready())
    local before = pids(pool)
    lu.assertStrContains(break_off(function() pool:run(1) end), "C stack overflow")
    lu.assertErrorMsgContains("its last call was broken off", pool.run, pool, 1)
    pool = nil
    collectgarbage()
    collectgarbage()
    check_gone(before)
end

function TestGivingUp.test_an_error_leaves_a_pool_through_its_close()
    local list
    local ok = pcall(function()
        local pool <close> = pooltest.plain { map = same }
        pool:run(10)
        list = pids(pool)
        error "elsewhere"
    end)
    lu.assertFalse(ok)
    check_gone(list)
end

-- Nothing goes out before the first wait, so those that are stopped now have received nothing.
function TestGivingUp.test_what_was_not_delivered_is_counted_and_nobody_died_of_it()
    local size = 32000000
    for _, pair in ipairs {
        { "send", "socket" }, { "send", "pipe" }, { "send", "ring" }, { "queue", "socket" }, { "queue", "ring" },
        { "queue", "queue" },
    } do
        local axes = { delivery = pair[1], channel = pair[2], chunk = 1 }
        local pool <close> = pooltest.open(axes, {
            workers = 4, fixed = core.array("u8", size, 1), map = function(item, fixed) return item + #fixed end,
        })
        for id, pid in ipairs(pids(pool)) do
            if id > 1 then pooltest.stop(pid) end
        end
        local results, report = pool:run(20)
        lu.assertEquals({ results[1], results[20] }, { size + 1, size + 20 }, pair[1])
        pooltest.check_outcomes(report, 20, {}, pair[1])
        lu.assertEquals(report.ready, 1, pair[1])
        lu.assertEquals(report.tasks_by_worker, { 20, 0, 0, 0 }, pair[1])
        lu.assertTrue(pool:close(), pair[1])
        local stats = pool:stats()
        lu.assertEquals(stats.undelivered.workers, 3, pair[1])
        lu.assertTrue(stats.undelivered.bytes > 2 * size and stats.undelivered.bytes < 3.1 * size, pair[1])
        lu.assertEquals(stats.replaced, 0, pair[1])
        for id = 2, 4 do
            lu.assertEquals({ stats.workers[id].exit, stats.workers[id].ready_s }, { "stopped", nil }, pair[1])
        end
    end
end

function TestGivingUp.test_fixed_data_is_frozen_until_it_is_delivered_or_given_up()
    for _, delivery in ipairs { "send", "queue" } do
        local fixed = core.array("i64", 1000000, 1)
        local axes = { delivery = delivery, channel = "socket", chunk = 1 }
        local pool = pooltest.open(axes, { workers = 2, fixed = fixed, map = function(_, data) return data[1] end })
        lu.assertError(function() fixed[1] = 2 end)
        pool:run(5)
        pool:close()
        fixed[1] = 2
        pool:terminate()
    end
end

TestTogether = {}

function TestTogether.test_two_pools_at_once_know_nothing_of_each_other()
    local a <close> = pooltest.plain { map = function(item) return -item end }
    local b <close> = pooltest.open({ delivery = "queue", channel = "queue", chunk = 1 }, {
        workers = 3, fixed = { 5 }, map = function(item, fixed) return item + fixed[1] end,
    })
    for _ = 1, 3 do
        lu.assertEquals(a:run(3), { -1, -2, -3 })
        lu.assertEquals(b:run(3), { 6, 7, 8 })
    end
    -- one as the other's source of items
    local i = 0
    local results = a:run(function()
        i = i + 1
        return i <= 4 and b:run { i }[1] or nil
    end)
    lu.assertEquals(results, { -6, -7, -8, -9 })
    a:terminate()
    lu.assertEquals(b:run(2), { 6, 7 })
end

function TestTogether.test_a_pool_works_in_coroutines()
    local pool
    local co = coroutine.wrap(function()
        pool = pooltest.plain { map = same, init = function() return 1 end }
        coroutine.yield(pool:run(20))
        pooltest.kill(pids(pool)[1], "KILL") -- its replacement is forked from here
        coroutine.yield(pool:run(20))
        error "the coroutine ends"
    end)
    lu.assertEquals(#co(), 20)
    lu.assertEquals(#co(), 20)
    lu.assertError(co)
    co = nil -- luacheck: ignore
    collectgarbage()
    lu.assertEquals(#pool:run(20), 20)
    pool:terminate()
end

function TestTogether.test_a_lazy_map_is_no_further_ahead_than_it_may_be()
    local pool <close> = pooltest.plain { map = same }
    local asked, most = 0, 0
    local each = pool:lazy(function()
        asked = asked + 1
        return asked <= 200 and asked or nil
    end, true, 5, 1 << 20, error)
    for i in each do most = math.max(most, math.min(asked, 200) - i + 1) end
    lu.assertTrue(most <= 5, most)
end

function TestTogether.test_an_iterator_may_be_a_coroutine()
    local pool <close> = pooltest.plain { map = same }
    local results = pool:run(coroutine.wrap(function()
        for i = 1, 100 do coroutine.yield(i) end
    end))
    lu.assertEquals(results, pooltest.list(100, same))
end

function TestTogether.test_workers_may_have_pools_of_their_own()
    pooltest.each({ delivery = "inherit", chunk = 1 }, function(axes)
        local pool <close> = pooltest.open(axes, {
            map = function(item)
                local inner <close> = pooltest.open(axes, { map = function(i) return i * item end })
                local results = inner:run(10)
                lu.assertTrue(inner:close())
                return results[10] + results[1]
            end,
        })
        local results, report = pool:run(8)
        pooltest.check_outcomes(report, 8, {}, axes.name)
        lu.assertEquals(results, pooltest.list(8, function(i) return 11 * i end), axes.name)
    end)
end

function TestTogether.test_a_killed_workers_own_workers_go_with_it()
    local inner_pid = core.shared_array("i64", 1, 0)
    local pool <close> = pooltest.plain {
        workers = 1,
        map = function()
            local inner = pooltest.plain { workers = 1, map = same }
            inner:run(1)
            inner_pid[1] = pids(inner)[1]
            pooltest.hit_myself "KILL"
        end,
    }
    local _, report = pool:run(1)
    lu.assertEquals(report.outcomes.died, 1)
    check_gone { inner_pid[1] }
    inner_pid:close()
end

function TestTogether.test_a_forked_child_cannot_use_or_end_its_parents_pool()
    local pool = pooltest.plain { map = same }
    local child <close> = assert(core.fork(function()
        for _, method in ipairs { "run", "close", "stats", "wait_ready" } do
            local ok, message = pcall(pool[method], pool, 3)
            if ok or not message:find "process that started it" then os.exit(1) end
        end
        pool:terminate()
        pool = nil
        collectgarbage()
        local own <close> = pooltest.plain { map = same }
        os.exit(#own:run(5) == 5 and 0 or 2)
    end))
    lu.assertEquals(assert(child:wait(pooltest.HANG_S)).exit, 0)
    lu.assertEquals(pool:run(3), { 1, 2, 3 })
    lu.assertTrue(pool:close())
    pool:terminate()
end

function TestTogether.test_a_worker_cannot_use_the_pool_it_belongs_to()
    local pool
    pool = pooltest.plain { map = function() return select(2, pcall(pool.run, pool, 1)) end } -- not set yet: inherited
    local _, report = pool:run(1)
    lu.assertEquals(report.n, 1)
    pooltest.kill(pids(pool)[1], "KILL")
    pooltest.kill(pids(pool)[2], "KILL")
    for _, text in ipairs((pool:run(2))) do lu.assertStrContains(text, "process that started it") end
    pool:terminate()
end

function TestTogether.test_workers_print_whole_lines_with_their_number()
    local script = rigtest.write("printing.lua", [[
        local core = require "rig.core"
        local pool = assert(core.pool { workers = 3, map = function(item, _, w)
            for _ = 1, 20 do print(("x"):rep(3000), item, w.id) end
            return item
        end })
        pool:run(9)
        pool:close()
        pool:terminate()
    ]])
    local got = rigtest.run(arg[-1], script)
    os.remove(script)
    lu.assertEquals({ got.exit, got.out }, { 0, "" })
    local lines = 0
    for line in got.err:gmatch "[^\n]+" do
        local number, id = line:match "^%[worker (%d)%] x+\t%d\t(%d)$"
        lu.assertTrue(number ~= nil and number == id and #line == 3015, line)
        lines = lines + 1
    end
    lu.assertEquals(lines, 180)
end

TestWaiting = {}

-- A worker's channel is at its end a good while before its process is: on one processor the two take turns.
function TestWaiting.test_a_close_waits_instead_of_asking_again_and_again()
    local from, to = core.pipe()
    local child = core.fork(function(out)
        core.pin(core.cpus()[1])
        local before = core.syscalls().poll or 0
        for _ = 1, 30 do
            local pool = assert(core.pool { workers = 4, map = function(i) return i end })
            assert(pool:wait_ready())
            assert(pool:run(8))
            assert(pool:close())
            pool:terminate()
        end
        out:put(core.syscalls().poll - before)
    end, to)
    to:close()
    local polls = from:get(60)
    from:close()
    lu.assertEquals(child:wait().exit, 0)
    lu.assertTrue(polls < 30 * 40, ("%d calls of poll for 30 pools"):format(polls))
end

os.exit(lu.LuaUnit.run())
