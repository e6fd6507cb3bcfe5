-- The contract of pools for single tasks: apply, submit, cancelling, and the end of a pool with tasks under way; over
-- every combination of axes, every preset and pool types written in Lua.
-- Neighbours: test_contract.lua and what it names; lua/rig/future.lua, core/bind/futures.c, pools/one_by_one.lua.

local lu = require "luaunit"
local contract = require "contract"
local rigtest = require "rigtest"

local function twice(i) return { act = "twice", value = i } end

local function check_goes_on(pool)
    contract.check_twices(pool:map(contract.twices(5)), 5)
end

-- What is raised is a failure of this one task.
local function check_raises(task, outcome, says, f, ...)
    local fine, problem = pcall(f, ...)
    lu.assertFalse(fine)
    lu.assertEquals(type(problem), "table", tostring(problem))
    lu.assertEquals({ #problem.failures, problem.failures[1].outcome }, { 1, outcome })
    if task then lu.assertEquals(problem.failures[1].task, task) end
    lu.assertStrContains(tostring(problem), says)
end

TestApply = {}

function TestApply.test_gives_the_value_or_raises()
    contract.each("apply", {}, function(subject)
        local counter <close> = contract.counter(subject, 5)
        local pool <close> = contract.open(subject, { p = counter.p })
        lu.assertEquals(pool:apply(twice(21)), 42)
        lu.assertEquals(pool:apply { act = "value", value = false }, false)
        lu.assertNil(pool:apply { act = "value" })
        check_raises(nil, "error", "not this one", pool.apply, pool, { act = "bad", message = "not this one" })
        lu.assertEquals(pool:apply(twice(1)), 2)
        lu.assertErrorMsgContains("pool:apply: give an item; nil is none", pool.apply, pool)
        assert(pool:close())
    end)
end

TestFutures = {}

function TestFutures.test_each_task_runs_once_and_is_waited_for_in_any_order()
    contract.each("submit", {}, function(subject)
        local counter <close> = contract.counter(subject, 30)
        local pool <close> = contract.open(subject, { p = counter.p })
        local futures = {}
        for i = 1, 30 do futures[i] = pool:submit(twice(i)) end
        for i = 30, 1, -1 do
            lu.assertEquals(futures[i]:get(), 2 * i)
            lu.assertTrue(futures[i]:done())
            lu.assertEquals(futures[i]:get(0), 2 * i) -- again
        end
        assert(pool:close())
        lu.assertEquals(counter:total(), 30)
    end)
end

function TestFutures.test_errors_are_raised_by_get_each_with_its_own_words()
    contract.each("failing futures", {}, function(subject)
        local pool <close> = contract.open(subject)
        local futures = {}
        for i = 1, 130 do
            futures[i] = pool:submit(i % 13 == 0 and { act = "value" } or { act = "bad", message = "number " .. i })
        end
        for i, future in ipairs(futures) do
            if i % 13 == 0 then
                lu.assertNil(future:get())
            else
                check_raises(i, "error", "number " .. i, future.get, future)
                check_raises(i, "error", "number " .. i, future.get, future)
            end
            lu.assertTrue(future:done())
        end
        check_goes_on(pool)
    end)
end

function TestFutures.test_what_cannot_cross_is_refused_at_once_and_takes_no_place()
    contract.each("futures that cannot cross", { "background" }, function(subject)
        local pool <close> = contract.open(subject)
        local first = pool:submit(twice(1))
        lu.assertErrorMsgContains("pool:submit: item.at[1]", pool.submit, pool, { act = "twice", at = { print } })
        lu.assertErrorMsgContains("pool:apply: item.at", pool.apply, pool, { act = "twice", at = print })
        lu.assertErrorMsgContains("pool:submit: give an item; nil is none", pool.submit, pool)
        local second = pool:submit(twice(2))
        lu.assertEquals({ first:get(), second:get() }, { 2, 4 })
    end)
end

function TestFutures.test_get_waits_no_longer_than_it_is_told()
    contract.each("get with a time", { "background" }, function(subject)
        local pool <close> = contract.open(subject)
        local future = pool:submit { act = "gate", open = "open", value = 7 }
        for _, seconds in ipairs { 0, 0.01 } do
            local value, message, code = future:get(seconds)
            lu.assertEquals({ value == nil, code }, { true, "ETIMEDOUT" })
            lu.assertStrContains(message, ("task 1 had not ended after %g s"):format(seconds))
            lu.assertFalse(future:done())
        end
        lu.assertStrContains(tostring(future), "under way")
        lu.assertErrorMsgContains("is not a time in seconds", future.get, future, -1)
        rigtest.write("open", "")
        lu.assertEquals(future:get(60), 7)
        lu.assertStrContains(tostring(future), "ok")
        os.remove "open"
    end)
end

function TestFutures.test_tasks_go_on_while_the_pool_is_used_in_other_ways()
    contract.each("futures beside maps", { "background" }, function(subject)
        local pool <close> = contract.open(subject)
        local slow = pool:submit { act = "gate", open = "open", value = 7 }
        local quick = {}
        for i = 1, 10 do quick[i] = pool:submit(twice(i)) end
        lu.assertFalse(slow:done())
        local n = 0
        -- the slow one ends while this map runs: some of its tasks may be behind it
        local results = pool:map(function()
            n = n + 1
            if n == 20 then rigtest.write("open", "") end
            return n <= 20 and twice(n) or nil
        end)
        contract.check_twices(results, 20)
        for i, value in pool:imap(contract.twices(5)) do lu.assertEquals(value, 2 * i) end
        lu.assertEquals(pool:apply(twice(4)), 8)
        lu.assertEquals(slow:get(), 7)
        os.remove "open"
        for i = 1, 10 do lu.assertEquals(quick[i]:get(), 2 * i) end
    end)
end

function TestFutures.test_of_pools_in_lua_run_when_waited_for_also_between_maps()
    contract.each("futures beside maps, waited for", {}, function(subject)
        local pool <close> = contract.open(subject)
        local futures = {}
        for i = 1, 4 do futures[i] = pool:submit(twice(i)) end
        check_goes_on(pool)
        lu.assertEquals(pool:apply(twice(4)), 8)
        futures[5] = pool:submit(twice(5))
        for i = 1, 5 do lu.assertEquals(futures[i]:get(), 2 * i) end
        check_goes_on(pool)
    end)
end

function TestFutures.test_a_worker_that_dies_or_takes_too_long_ends_its_task_alone()
    contract.each("futures with deaths", { "processes", "replacement" }, function(subject)
        local counter <close> = contract.counter(subject, 12)
        local pool <close> = contract.open(subject, { timeout = rigtest.patience(0.2), p = counter.p })
        local futures = {}
        local others = {
            [2] = { act = "signal", name = "KILL" }, [5] = { act = "forever" }, [9] = { act = "exit", code = 4 },
        }
        for i, item in ipairs(contract.twices(12, others)) do futures[i] = pool:submit(item) end
        for i = 1, 12 do
            if not others[i] then lu.assertEquals(futures[i]:get(), 2 * i) end
        end
        check_raises(2, "died", "was ended by signal 9", futures[2].get, futures[2])
        check_raises(5, "timeout", "took longer than", futures[5].get, futures[5])
        check_raises(9, "died", "ended with exit status 4", futures[9].get, futures[9])
        assert(pool:close())
        lu.assertEquals(pool:stats().replaced, subject.kind == "type" and 2 or 3)
    end)
end

TestCancel = {}

function TestCancel.test_a_task_that_waits_is_not_run_and_the_others_are()
    contract.each("cancelling", {}, function(subject)
        local pool <close> = contract.open(subject, { p = {} })
        local futures = {}
        local blocked = subject.made.impl == "c"
        for i = 1, 2 do -- in the pool of the core both workers are busy, so the others wait
            futures[i] = pool:submit(blocked and { act = "gate", open = "open", value = 2 * i } or twice(i))
        end
        for i = 3, 20 do futures[i] = pool:submit(twice(i)) end
        for _, i in ipairs { 5, 20 } do
            lu.assertTrue(futures[i]:cancel())
            lu.assertTrue(futures[i]:done())
            lu.assertTrue(futures[i]:cancel())
        end
        rigtest.write("open", "")
        for i = 1, 20 do
            if i ~= 5 and i ~= 20 then lu.assertEquals(futures[i]:get(), 2 * i) end
        end
        os.remove "open"
        for _, i in ipairs { 5, 20 } do
            check_raises(i, "cancelled", ("cancelled (item %d: cancelled)"):format(i), futures[i].get, futures[i])
        end
        lu.assertFalse(futures[1]:cancel()) -- it has ended
        lu.assertEquals(futures[1]:get(), 2)
        check_goes_on(pool)
        assert(pool:close())
        if subject.made.preset ~= "serial" then lu.assertEquals(pool:stats().replaced, 0) end
    end)
end

-- One worker runs the first task; once it knows how short tasks are, others are sent ahead, and the rest waits.
function TestCancel.test_a_running_task_ends_with_its_worker_and_neither_sent_nor_waiting_ones_suffer()
    contract.each("cancelling what runs", { "background" }, function(subject)
        local counter <close> = contract.counter(subject, 130, 1)
        local pool <close> = contract.open(subject, { p = counter.p, workers = 1 })
        pool:map(contract.twices(100))
        counter:take()
        local futures = { pool:submit { act = "gate", open = "never", started = "started" } }
        for i = 2, 130 do futures[i] = pool:submit(twice(i)) end
        contract.wait_until(function()
            return not futures[1]:done() and rigtest.exists "started"
        end, "the task to start")
        local cancelled = { [1] = 1, [2] = 0, [3] = 0, [129] = 0, [130] = 0 }
        for _, i in ipairs { 2, 3, 129, 130, 1 } do lu.assertTrue(futures[i]:cancel()) end
        for i = 1, 130 do
            if cancelled[i] then
                check_raises(i, "cancelled", "cancelled", futures[i].get, futures[i])
                lu.assertTrue(futures[i]:cancel())
            else
                lu.assertEquals(futures[i]:get(), 2 * i)
                lu.assertFalse(futures[i]:cancel())
            end
        end
        os.remove "started"
        assert(pool:close())
        counter:check(cancelled)
        lu.assertEquals(pool:stats().replaced, 1)
    end)
end

function TestCancel.test_both_running_tasks_while_a_map_follows()
    contract.each("cancelling two that run", { "background" }, function(subject)
        local pool <close> = contract.open(subject)
        local futures = {}
        for i = 1, 2 do futures[i] = pool:submit { act = "gate", open = "never", started = "started" } end
        local lines = 0
        contract.wait_until(function()
            lu.assertFalse(futures[1]:done())
            local file <close> = io.open "started"
            lines = 0
            for _ in (file and file:lines() or function() end) do lines = lines + 1 end
            return lines == 2
        end, "two tasks to start")
        os.remove "started"
        for i = 1, 2 do lu.assertTrue(futures[i]:cancel()) end
        contract.wait_until(function() -- it may take a while until both are seen to have ended
            check_goes_on(pool)
            return pool:stats().replaced == 2
        end, "two workers to be replaced")
        for i = 1, 2 do check_raises(i, "cancelled", "cancelled", futures[i].get, futures[i]) end
        assert(pool:close())
        lu.assertEquals(pool:stats().replaced, 2)
    end)
end

function TestCancel.test_all_that_was_submitted()
    contract.each("cancelling all", {}, function(subject)
        local pool <close> = contract.open(subject)
        for _ = 1, 3 do
            local futures, cancelled = {}, 0
            for i = 1, 50 do futures[i] = pool:submit(twice(i)) end
            for i = 50, 1, -1 do
                if futures[i]:cancel() then cancelled = cancelled + 1 end
            end
            for i = 1, 50 do
                local fine, value = pcall(futures[i].get, futures[i])
                if fine then lu.assertEquals(value, 2 * i) else cancelled = cancelled - 1 end
            end
            lu.assertEquals(cancelled, 0)
        end
        check_goes_on(pool)
        assert(pool:close())
    end)
end

TestEnds = {}

function TestEnds.test_close_does_not_wait_for_tasks_that_were_cancelled()
    contract.each("close after cancelling", {}, function(subject)
        local pool = contract.open(subject)
        local futures = {}
        for i = 1, 300 do futures[i] = pool:submit(twice(i)) end -- too many to have been sent
        for i = 300, 100, -1 do futures[i]:cancel() end
        assert(pool:close())
        for i = 1, 300 do lu.assertTrue(futures[i]:done()) end
        lu.assertEquals(futures[99]:get(), 198)
    end)
end

function TestEnds.test_close_lets_submitted_tasks_end()
    contract.each("close with futures", {}, function(subject)
        local counter <close> = contract.counter(subject, 20)
        local pool = contract.open(subject, { p = counter.p })
        local futures = {}
        for i = 1, 20 do
            futures[i] = pool:submit(i == 7 and { act = "bad", message = "not this one" } or twice(i))
        end
        lu.assertTrue(futures[20]:cancel() or futures[20]:done())
        assert(pool:close())
        for i = 1, 19 do
            lu.assertTrue(futures[i]:done())
            if i ~= 7 then lu.assertEquals(futures[i]:get(), 2 * i) end
        end
        check_raises(7, "error", "not this one", futures[7].get, futures[7])
        pool:terminate()
    end)
end

function TestEnds.test_terminate_gives_them_up()
    contract.each("terminate with futures", { "background" }, function(subject)
        local pool = contract.open(subject)
        local pids = contract.pids(pool)
        local futures = {}
        for i = 1, 5 do futures[i] = pool:submit { act = "gate", open = "never" } end
        pool:terminate()
        for i, future in ipairs(futures) do
            lu.assertFalse(future:done())
            lu.assertErrorMsgContains(("the pool was closed before task %d had ended"):format(i), future.get, future)
            lu.assertTrue(future:cancel())
        end
        for _, pid in ipairs(pids) do
            contract.wait_until(function() return not rigtest.exists("/proc/" .. pid) end, "the end of a worker")
        end
        lu.assertErrorMsgContains("terminated", pool.stats, pool)
        pool:terminate()
    end)
end

function TestEnds.test_a_scope_closes_its_pool_and_an_error_terminates_it()
    contract.each("scopes", { "background" }, function(subject)
        local future
        do
            local pool <close> = contract.open(subject)
            future = pool:submit(twice(4))
        end
        lu.assertEquals(future:get(), 8)
        local fine, problem = pcall(function()
            local pool <close> = contract.open(subject)
            future = pool:submit { act = "gate", open = "never" } -- waiting for it would hang
            error "elsewhere"
        end)
        lu.assertFalse(fine)
        lu.assertStrContains(problem, "elsewhere")
        lu.assertErrorMsgContains("the pool was closed before task 1", future.get, future)
    end)
end

function TestEnds.test_scopes_of_pools_in_lua_and_serial()
    contract.each("scopes, waited for", {}, function(subject)
        local future
        do
            local pool <close> = contract.open(subject)
            future = pool:submit(twice(4))
        end
        lu.assertEquals(future:get(), 8)
        pcall(function()
            local pool <close> = contract.open(subject)
            future = pool:submit(twice(4))
            error "elsewhere"
        end)
        if not future:done() then
            lu.assertErrorMsgContains("the pool was closed before task 1", future.get, future)
            lu.assertTrue(future:cancel())
        end
    end)
end

os.exit(lu.LuaUnit.run())
