-- Pools when something goes wrong, over every combination of delivery, channel and chunk where it matters: each task
-- ends exactly once and in the right way, the others are ok, the pool goes on. How pools are used beside and inside
-- each other, and refusals, is in test_pool_use.lua.

local lu = require "luaunit"
local core = require "rig.core"
local outside = require "rigtest.outside"
local pooltest = require "pooltest"
local rigtest = require "rigtest"

local failure_of, check_outcomes, hit_myself = pooltest.failure_of, pooltest.check_outcomes, pooltest.hit_myself

local function fails(item)
    error("cannot take " .. item)
end

TestFaults = {}

function TestFaults.test_an_error_has_the_scripts_own_frames_and_no_others()
    pooltest.each({ delivery = "inherit" }, function(axes)
        local pool <close> = pooltest.open(axes, {
            map = function(item)
                if item % 10 == 3 then fails(item) end
                return item
            end,
        })
        local results, report = pool:run(40)
        check_outcomes(report, 40, { error = 4 }, axes.name)
        lu.assertEquals({ results[12], results[13] }, { 12, nil }, axes.name)
        local failure = failure_of(report, 13)
        lu.assertEquals({ failure.outcome, failure.attempt }, { "error", 1 }, axes.name)
        lu.assertTrue(failure.worker == 1 or failure.worker == 2, axes.name)
        lu.assertStrMatches(failure.message, ".-test_pool_faults%.lua:%d+: cannot take 13\n" ..
            "  in [^\n]-test_pool_faults%.lua:%d+ %([^\n]*fails'%)\n  in [^\n]-test_pool_faults%.lua:%d+[^\n]*")
        assert(pool:close())
        lu.assertEquals(pool:stats().replaced, 0, axes.name)
    end)
end

function TestFaults.test_whatever_is_raised_becomes_a_message()
    local values = {
        "text", 42, { code = 1 }, true, setmetatable({}, { __tostring = function() return "an object" end }),
        setmetatable({}, { __tostring = function() error "no" end }), coroutine.create(print), ("x"):rep(300000),
    }
    local pool <close> = pooltest.plain { map = function(item) error(values[item], 0) end }
    local _, report = pool:run(#values + 1) -- the last one raises nil
    check_outcomes(report, #values + 1, { error = #values + 1 }, "")
    local function message(task) return failure_of(report, task).message end
    lu.assertStrContains(message(1), "text")
    lu.assertStrContains(message(2), "42")
    lu.assertStrContains(message(3), "an error value of type table")
    lu.assertStrContains(message(5), "an object")
    lu.assertTrue(#message(8) >= 300000)
    for task = 1, #values + 1 do lu.assertEquals(type(message(task)), "string") end
end

function TestFaults.test_a_stack_overflow_is_that_tasks_error()
    local function deep(n) return n == 0 and 0 or 1 + deep(n - 1) end
    local pool <close> = pooltest.plain { map = function(item) return deep(item == 5 and 1e7 or item) end }
    local results, report = pool:run(10)
    check_outcomes(report, 10, { error = 1 }, "")
    lu.assertStrContains(failure_of(report, 5).message, "stack overflow")
    lu.assertEquals(results[10], 10)
end

function TestFaults.test_what_cannot_cross_is_named_by_its_path()
    pooltest.each({ delivery = "inherit" }, function(axes)
        local pool <close> = pooltest.open(axes, {
            map = function(item)
                if item == "function" then return { list = { 1, 2, { callback = print } } } end
                if item == "metatable" then return setmetatable({}, {}) end
                return item
            end,
        })
        local items = pooltest.list(30, function(i) return i end)
        items[3], items[7], items[8] = { cb = { [2] = print } }, "function", "metatable"
        items[20] = coroutine.create(print)
        local results, report = pool:run(items)
        check_outcomes(report, 30, { error = 4 }, axes.name)
        lu.assertStrContains(failure_of(report, 3).message, "items[3].cb[2]: ")
        lu.assertStrContains(failure_of(report, 7).message, "result.list[3].callback: ")
        lu.assertStrContains(failure_of(report, 8).message, "result: ")
        lu.assertStrContains(failure_of(report, 20).message, "items[20]: ")
        lu.assertNil(failure_of(report, 3).worker, axes.name)
        lu.assertEquals({ results[4], results[30] }, { 4, 30 }, axes.name)
    end)
end

function TestFaults.test_of_many_failures_a_hundred_are_kept_and_all_counted()
    local pool <close> = pooltest.plain { map = fails }
    local results, report = pool:run(250)
    check_outcomes(report, 250, { error = 250 }, "")
    lu.assertEquals({ #report.failures, next(results) }, { 100, nil })
end

-- How a task ends its worker, and what is to be said about it.
local DEATHS = {
    [5] = { how = function() hit_myself "KILL" end, signal = 9 },
    [17] = { how = function() os.exit(7) end, exit = 7 },
    [18] = { how = function() os.exit(true) end, exit = 0 },
    [30] = { how = function() os.exit(false, true) end, exit = 1 },
    [40] = { how = function() hit_myself "TERM" end, signal = 15 },
}

function TestFaults.test_a_worker_that_ends_in_a_task_costs_that_task()
    pooltest.each({}, function(axes)
        local runs = core.shared_array("u8", 40, 0)
        local pool <close> = pooltest.open(axes, {
            workers = 3, fixed = "fixed",
            map = function(item)
                runs[item] = runs[item] + 1
                if DEATHS[item] then DEATHS[item].how() end
                return item
            end,
        })
        local results, report = pool:run(40)
        check_outcomes(report, 40, { died = 5 }, axes.name)
        for i = 1, 40 do
            local death, failure = DEATHS[i], failure_of(report, i)
            lu.assertEquals(runs[i], 1, axes.name)
            lu.assertEquals(results[i], not death and i or nil, axes.name)
            if death then
                lu.assertEquals({ failure.outcome, failure.signal, failure.exit }, { "died", death.signal, death.exit },
                    axes.name)
                lu.assertTrue(failure.pid > 0 and failure.worker >= 1 and failure.worker <= 3, axes.name)
            end
        end
        assert(pool:close())
        lu.assertEquals(pool:stats().replaced, 5, axes.name)
        runs:close()
    end)
end

-- One that has run a task: those that end before their first count as initializers that fail.
local function running(pool)
    for _, worker in ipairs(pool:stats().workers) do
        if worker.exit == "running" and worker.tasks > 0 then return worker.pid end
    end
end

function TestFaults.test_an_idle_worker_that_is_killed_is_replaced()
    pooltest.each({}, function(axes)
        local pool <close> = pooltest.ready(axes, { fixed = "f", map = function(item) return -item end })
        for killed = 1, 3 do
            local results, report = pool:run(20)
            lu.assertEquals(results, pooltest.list(20, function(i) return -i end), axes.name)
            check_outcomes(report, 20, {}, axes.name)
            pooltest.kill(running(pool), "KILL")
            -- with a shared channel the others may be done before anybody notices
            pooltest.wait_until(function()
                lu.assertEquals(#pool:run(20), 20, axes.name)
                return pool:stats().replaced == killed
            end, axes.name)
        end
        assert(pool:close())
    end)
end

-- The chunk that a dead worker had begun goes on elsewhere, its arrays at other places in memory.
function TestFaults.test_arrays_survive_being_given_to_another_worker()
    pooltest.each({ delivery = "inherit", chunk = 7 }, function(axes)
        local pool <close> = pooltest.open(axes, {
            map = function(item)
                if #item.a == 10003 then hit_myself "KILL" end
                return item.a:sum() + item.b:sum()
            end,
        })
        local results, report = pool:run(pooltest.list(14, function(i)
            return { a = core.array("i64", 10000 + i, i), b = core.array("f64", 9000 + i, 1), i = i }
        end))
        check_outcomes(report, 14, { died = 1 }, axes.name)
        for i = 1, 14 do
            lu.assertEquals(results[i], i ~= 3 and (10000 + i) * i + 9000 + i or nil, axes.name)
        end
    end)
end

-- A helper stops this very process, so that the worker's result fills all buffers and stays half written; then it
-- kills the worker and lets us go on.
local function killer(parent, board)
    while board[1] == 0 do core.sleep(0.001) end
    pooltest.stop(parent)
    board[2] = 1
    core.sleep(0.2)
    os.execute(("kill -KILL %d; kill -CONT %d"):format(board[1], parent))
end

function TestFaults.test_a_worker_killed_in_the_middle_of_a_large_result_tears_nothing_else()
    pooltest.each({ delivery = "inherit", chunk = 1 }, function(axes)
        local board = core.shared_array("i64", 2, 0)
        local helper <close> = assert(core.fork(killer, core.getpid(), board))
        local pool <close> = pooltest.open(axes, {
            map = function(item)
                if item ~= 5 then return ("r"):rep(100000) .. item end
                board[1] = core.getpid()
                while board[2] == 0 do core.sleep(0.001) end
                return ("x"):rep(20000000)
            end,
        })
        local results, report = pool:run(50)
        check_outcomes(report, 50, { died = 1 }, axes.name)
        lu.assertEquals({ failure_of(report, 5).outcome, failure_of(report, 5).signal }, { "died", 9 }, axes.name)
        for i = 1, 50 do
            if i ~= 5 then lu.assertTrue(results[i] == ("r"):rep(100000) .. i, axes.name) end
        end
        lu.assertEquals(assert(helper:wait(pooltest.HANG_S)).exit, 0, axes.name)
        board:close()
    end)
end

function TestFaults.test_an_initializer_that_always_fails_ends_the_run_after_three()
    pooltest.each({}, function(axes)
        for _, waits in ipairs { true, false } do
            local pool <close> = pooltest.open(axes, {
                workers = 4, fixed = "f", map = print, init = function() error "no such weights" end,
            })
            local ok, message, code, report
            if waits then ok, message, code = pool:wait_ready() else ok, message, code, report = pool:run(10) end
            lu.assertNil(ok, axes.name)
            lu.assertEquals(code, "ECHILD", axes.name)
            lu.assertStrContains(message, "3 workers in a row ended before their first task")
            lu.assertStrMatches(message, ".*test_pool_faults%.lua:%d+: no such weights.*")
            lu.assertTrue(pool:stats().counters.forks <= 6, axes.name)
            if report then lu.assertEquals(report.outcomes.cancelled, report.n, axes.name) end
        end
    end)
end

function TestFaults.test_a_pool_without_its_last_worker_is_not_waited_for()
    pooltest.each({}, function(axes)
        local pool <close> = pooltest.open(axes, {
            workers = 1, fixed = "f", map = print, init = function() error "no such weights" end,
        })
        lu.assertNil((pool:wait_ready()))
        for _ = 1, 2 do
            local ok, message = pool:run(3)
            lu.assertNil(ok, axes.name)
            lu.assertStrContains(message, "no such weights", false, false, axes.name)
        end
        lu.assertNil((pool:wait_ready()))
    end)
end

function TestFaults.test_an_initializer_that_fails_twice_is_survived()
    pooltest.each({ chunk = 1 }, function(axes)
        local tries = core.shared_array("i64", 64, 0)
        local pool <close> = pooltest.open(axes, {
            workers = 1, fixed = "f", map = function(item) return item end,
            init = function()
                tries[1] = tries[1] + 1
                if tries[1] <= 2 then error "not yet" end
            end,
        })
        local results = pool:run(10)
        lu.assertEquals({ results[10], pool:stats().replaced }, { 10, 2 }, axes.name)
        tries:close()
    end)
end

function TestFaults.test_what_finish_raises_comes_back_from_close()
    pooltest.each({ chunk = 1 }, function(axes)
        local pool <close> = pooltest.ready(axes, {
            fixed = "f", map = function(item) return item end, finish = function() error "cannot finish" end,
        })
        pool:run(5)
        local ok, message, code = pool:close()
        lu.assertNil(ok, axes.name)
        lu.assertStrMatches(message, ".*test_pool_faults%.lua:%d+: cannot finish.*")
        lu.assertEquals(type(code), "string", axes.name)
        for _, worker in ipairs(pool:stats().workers) do lu.assertEquals(worker.exit, "exit 1", axes.name) end
    end)
end

TestTimeLimit = {}

function TestTimeLimit.test_endless_loops_and_stopped_workers_are_ended()
    pooltest.each({ delivery = "inherit" }, function(axes)
        local pool <close> = pooltest.open(axes, {
            workers = 3, timeout = 1,
            map = function(item)
                if item == 4 then while true do end end
                if item == 20 then hit_myself "STOP" end
                if item == 21 then while true do pcall(error) end end
                return item
            end,
        })
        local results, report = pool:run(40)
        check_outcomes(report, 40, { timeout = 3 }, axes.name)
        for _, task in ipairs { 4, 20, 21 } do
            local failure = failure_of(report, task)
            lu.assertEquals(failure.outcome, "timeout", axes.name)
            lu.assertTrue(failure.signal == 15 or failure.signal == 9, axes.name)
            lu.assertNil(results[task], axes.name)
        end
        lu.assertEquals({ results[3], results[40] }, { 3, 40 }, axes.name)
        assert(pool:close())
        lu.assertEquals(pool:stats().replaced, 3, axes.name)
    end)
end

function TestTimeLimit.test_is_for_one_task_and_not_for_a_chunk()
    local limit = rigtest.patience(1)
    local pool <close> = pooltest.plain {
        workers = 1, chunk = 7, timeout = limit, map = function() core.sleep(limit / 4) return true end,
    }
    local _, report = pool:run(7)
    check_outcomes(report, 7, {}, "")
end

function TestTimeLimit.test_workers_stopped_while_idle_are_replaced_and_lose_no_task()
    pooltest.each({ delivery = "inherit", chunk = 1 }, function(axes)
        local pool <close> = pooltest.ready(axes, { timeout = 1, map = function(item) return item end })
        for _, worker in ipairs(pool:stats().workers) do pooltest.stop(worker.pid) end
        local _, report = pool:run(20)
        check_outcomes(report, 20, {}, axes.name)
        assert(pool:close())
    end)
end

local function stop_before_the_data(axes)
    local pool <close> = pooltest.open(axes, {
        workers = 2, timeout = rigtest.patience(0.5), fixed = core.array("i64", 1000000, 1),
        map = function(item) return item end,
    })
    pooltest.stop(outside.children()[1]) -- nothing goes out before we wait
    assert(pool:wait_ready())
    local _, report = pool:run(20)
    check_outcomes(report, 20, {}, axes.name)
    assert(pool:close())
    lu.assertEquals(pool:stats().replaced, 1, axes.name)
end

-- All of them at once: each takes the 10 s that a worker is given to begin.
function TestTimeLimit.test_one_that_is_stopped_before_it_holds_the_data_is_replaced()
    local procs = {}
    for _, delivery in ipairs { "send", "queue" } do
        pooltest.each({ delivery = delivery, chunk = 0 }, function(axes)
            procs[axes.name] = assert(core.fork(function() stop_before_the_data(axes) end))
        end)
    end
    for name, proc in pairs(procs) do lu.assertEquals(proc:wait(pooltest.HANG_S).exit, 0, name) end
end

function TestTimeLimit.test_closing_waits_no_longer_for_a_finish_that_does_not_end()
    local pool <close> = pooltest.plain {
        timeout = 1, map = function(item) return item end, finish = function() while true do end end,
    }
    pool:wait_ready()
    pool:close()
    for _, worker in ipairs(pool:stats().workers) do lu.assertEquals(worker.exit, "signal 9") end
end

-- A coordinator that is busy elsewhere must not take its own absence for the workers'.

function TestTimeLimit.test_workers_that_became_ready_while_nobody_looked_are_left_alone()
    pooltest.each({ delivery = "inherit", chunk = 0 }, function(axes)
        local pool <close> = pooltest.open(axes, { workers = 4, timeout = 1, map = function(item) return item end })
        pooltest.wait_until(function()
            for _, worker in ipairs(pool:stats().workers) do
                if not worker.ready_s then return false end
            end
            return true
        end, "the workers to be ready")
        core.sleep(1.1)
        local _, report = assert(pool:run(20))
        check_outcomes(report, 20, {}, axes.name)
        assert(pool:close())
        lu.assertEquals(pool:stats().replaced, 0, axes.name)
    end)
end

-- 8 MiB are more than any channel holds: the worker waits until somebody takes them.
function TestTimeLimit.test_a_result_that_nobody_takes_is_no_task_that_takes_long()
    local limit = rigtest.patience(1)
    pooltest.each({ delivery = "inherit", chunk = 1 }, function(axes)
        local pool <close> = pooltest.ready(axes, {
            workers = 1, timeout = limit, map = function() return ("x"):rep(8 << 20) end,
        })
        local each = pool:lazy(3, true, 3, 1 << 30, error)
        for i = 1, 3 do
            lu.assertEquals(each(), i, axes.name)
            if i == 1 then core.sleep(limit + 0.1) end
        end
        assert(pool:close())
        lu.assertEquals(pool:stats().replaced, 0, axes.name)
    end)
end

os.exit(lu.LuaUnit.run())
