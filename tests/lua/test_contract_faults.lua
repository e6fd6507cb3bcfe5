-- The contract of pools where things go wrong, over every combination of axes, every preset and pool types written in
-- Lua: errors, deaths, time limits, values that cannot cross, sources that raise, and workers that are renewed.
-- Neighbours: test_contract.lua and what it names; test_pool_faults.lua has the hard cases of the C pool.

local lu = require "luaunit"
local contract = require "contract"
local rigtest = require "rigtest"

-- Runs n tasks of which some do something else; gives the failure, and has looked at all the others.
local function map_with(pool, n, others)
    local results, failure = contract.map(pool, contract.twices(n, others))
    contract.check_twices(results, n, others)
    return assert(failure, "nothing failed")
end

local function check_outcomes(failure, n, bad)
    local wanted, failed = { ok = n, error = 0, timeout = 0, died = 0, cancelled = 0 }, 0
    for kind, count in pairs(bad) do
        wanted[kind], wanted.ok, failed = count, wanted.ok - count, failed + count
    end
    lu.assertEquals(failure.report.outcomes, wanted)
    lu.assertEquals({ failure.report.n, failure.count, #failure.failures }, { n, failed, failed })
end

-- The pool works as before.
local function check_goes_on(pool)
    contract.check_twices(pool:map(contract.twices(8)), 8)
end

TestErrors = {}

function TestErrors.test_an_error_is_its_tasks_with_the_place_and_the_item_and_the_others_complete()
    contract.each("errors", {}, function(subject)
        local counter <close> = contract.counter(subject, 10)
        local pool <close> = contract.open(subject, { p = counter.p })
        local failure = map_with(pool, 10, { [4] = { act = "bad", message = "not this one" } })
        check_outcomes(failure, 10, { error = 1 })
        local one = failure.failures[1]
        lu.assertEquals({ one.task, one.outcome }, { 4, "error" })
        lu.assertTrue(one.worker == 1 or one.worker == 2)
        lu.assertStrMatches(one.message, "%S*contract_jobs%.lua:%d+: not this one" ..
            "\n  in %S*contract_jobs%.lua:%d+[^\n]*\n  in %S*contract_jobs%.lua:%d+[^\n]*")
        lu.assertStrMatches(tostring(failure), "%S*contract_jobs%.lua:%d+: not this one.*%(item 4: error%)")
        counter:check()
        check_goes_on(pool)
        assert(pool:close())
        lu.assertEquals(pool:stats().replaced, 0)
    end)
end

function TestErrors.test_any_value_may_be_raised()
    contract.each("raised values", {}, function(subject)
        local pool <close> = contract.open(subject)
        local failure = map_with(pool, 3, {
            { act = "bad", message = { code = 5 } }, { act = "bad" }, { act = "bad", message = 7 },
        })
        check_outcomes(failure, 3, { error = 3 })
        for _, one in ipairs(failure.failures) do lu.assertEquals(type(one.message), "string") end
        check_goes_on(pool)
    end)
end

function TestErrors.test_of_many_errors_all_are_counted()
    contract.each("many errors", {}, function(subject)
        local items = {}
        for i = 1, 150 do items[i] = { act = "bad", message = "number " .. i } end
        items[151] = { act = "twice", value = 4 }
        local pool <close> = contract.open(subject, { chunk = subject.made.preset == "per_task" and 20 or nil })
        local results, failure = contract.map(pool, items)
        lu.assertEquals({ failure.count, failure.report.n, #failure.failures }, { 150, 151, 100 })
        lu.assertEquals({ next(results) }, { 151, 8 })
        lu.assertStrContains(tostring(failure), ", and 149 more")
    end)
end

function TestErrors.test_a_result_that_cannot_cross_is_an_error_that_names_the_place()
    contract.each("results that cannot cross", { "processes" }, function(subject)
        local pool <close> = contract.open(subject)
        local failure = map_with(pool, 5, { [2] = { act = "uncrossable" } })
        check_outcomes(failure, 5, { error = 1 })
        lu.assertEquals(failure.failures[1].task, 2)
        lu.assertStrContains(failure.failures[1].message, "result.at[1]")
        check_goes_on(pool)
    end)
end

function TestErrors.test_an_item_that_cannot_cross_is_an_error_that_names_the_place()
    contract.each("items that cannot cross", { "processes", "own encoding" }, function(subject)
        local pool <close> = contract.open(subject)
        local failure = map_with(pool, 5, { [3] = { act = "twice", value = { print } } })
        check_outcomes(failure, 5, { error = 1 })
        lu.assertEquals(failure.failures[1].task, 3)
        lu.assertStrContains(failure.failures[1].message, "items[3].value[1]")
        check_goes_on(pool)
    end)
end

function TestErrors.test_what_the_source_raises_is_raised_and_the_pool_goes_on()
    contract.each("sources that raise", { "sources that raise" }, function(subject)
        local pool <close> = contract.open(subject)
        local i = 0
        local fine, problem = pcall(pool.map, pool, function()
            i = i + 1
            if i > 20 then error "the source is dry" end
            return { act = "twice", value = i }
        end)
        lu.assertFalse(fine)
        lu.assertStrMatches(tostring(problem), "%S*test_contract_faults%.lua:%d+: the source is dry.*")
        check_goes_on(pool)
        assert(pool:close())
    end)
end

TestDeaths = {}

local ENDS = {
    { item = { act = "signal", name = "KILL" }, signal = 9, says = "was ended by signal 9" },
    { item = { act = "signal", name = "ABRT" }, signal = 6, says = "was ended by signal 6" },
    { item = { act = "exit", code = 7 }, exit = 7, says = "ended with exit status 7" },
    { item = { act = "exit", code = 0 }, exit = 0, says = "ended with exit status 0" },
}

function TestDeaths.test_take_one_task_with_them_and_the_worker_is_replaced()
    contract.each("deaths", { "processes", "replacement" }, function(subject)
        local counter <close> = contract.counter(subject, 12)
        local pool <close> = contract.open(subject, { p = counter.p })
        for n, ending in ipairs(ENDS) do
            local failure = map_with(pool, 12, { [5] = ending.item })
            check_outcomes(failure, 12, { died = 1 })
            local one = failure.failures[1]
            lu.assertEquals({ one.task, one.outcome, one.signal, one.exit or false },
                { 5, "died", ending.signal, ending.exit or false }, ending.says)
            lu.assertStrContains(tostring(failure), ending.says)
            lu.assertStrContains(tostring(failure), "(item 5: died)")
            counter:check()
            lu.assertEquals(pool:stats().replaced, n)
        end
        check_goes_on(pool)
        assert(pool:close())
        lu.assertEquals(pool:stats().replaced, #ENDS)
    end)
end

function TestDeaths.test_of_every_worker_at_once_take_one_task_each()
    contract.each("deaths of all workers", { "processes", "replacement" }, function(subject)
        local counter <close> = contract.counter(subject, 20, 3)
        local pool <close> = contract.open(subject, { workers = 3, p = counter.p })
        local kill = { act = "signal", name = "KILL" }
        local failure = map_with(pool, 20, { kill, kill, kill, [20] = kill })
        check_outcomes(failure, 20, { died = 4 })
        counter:check()
        assert(pool:close())
        lu.assertEquals(pool:stats().replaced, 4)
    end)
end

function TestDeaths.test_between_maps_cost_no_task()
    contract.each("deaths between maps", { "processes", "replacement", "idle deaths" }, function(subject)
        local pool <close> = contract.open(subject)
        check_goes_on(pool)
        for _, pid in ipairs(contract.pids(pool)) do os.execute(("kill -KILL %d 2>/dev/null"):format(pid)) end
        check_goes_on(pool)
        check_goes_on(pool)
        assert(pool:close())
    end)
end

TestTimeouts = {}

function TestTimeouts.test_a_task_that_takes_too_long_ends_and_the_others_complete()
    contract.each("time limits", {}, function(subject)
        local counter <close> = contract.counter(subject, 8)
        local pool <close> = contract.open(subject, { p = counter.p, timeout = rigtest.patience(0.25) })
        local failure = map_with(pool, 8, { [3] = { act = "forever" } })
        check_outcomes(failure, 8, { timeout = 1 })
        local one = failure.failures[1]
        lu.assertEquals({ one.task, one.outcome }, { 3, "timeout" })
        lu.assertStrContains(tostring(failure), "(item 3: timeout)")
        lu.assertStrMatches(tostring(failure), "took longer than .*")
        counter:check()
        check_goes_on(pool)
        assert(pool:close())
        local ends_worker = subject.made.preset ~= "serial" and subject.kind ~= "type"
        -- the worker of a pool type, like serial, ends the task's code itself
        lu.assertEquals(pool:stats().replaced, ends_worker and 1 or 0)
    end)
end

TestRenewal = {}

function TestRenewal.test_workers_leave_after_max_tasks_and_others_go_on()
    contract.each("max_tasks", { "renewal" }, function(subject)
        local counter <close> = contract.counter(subject, 20)
        local pool <close> = contract.open(subject, { p = counter.p, max_tasks = 3, chunk = 1, finish = "finish" })
        for _ = 1, 2 do
            contract.check_twices(pool:map(contract.twices(20)), 20)
            counter:check()
        end
        assert(pool:close())
        local stats = pool:stats()
        lu.assertEquals(stats.replaced, 0)
        lu.assertTrue(stats.renewed >= 11, stats.renewed .. " were renewed") -- 40 tasks need 14 workers, two were there
        local tasks = 0
        for _, one in ipairs(stats.workers) do
            lu.assertTrue(one.tasks <= 3, one.tasks .. " tasks in one worker")
            tasks = tasks + one.tasks
        end
        lu.assertEquals({ tasks, stats.counters.tasks }, { 40, 40 })
    end)
end

function TestRenewal.test_with_chunks_of_any_size()
    contract.each("max_tasks with chunks", { "renewal" }, function(subject)
        for _, chunk in ipairs { "auto", 5 } do
            local counter <close> = contract.counter(subject, 40)
            local pool <close> = contract.open(subject, { p = counter.p, max_tasks = 7, chunk = chunk })
            for _ = 1, 2 do -- the second meets workers that leave with the last task of the first
                contract.check_twices(pool:map(contract.twices(40)), 40)
                counter:check()
            end
            contract.wait_until(function() -- one may run so much, and be seen to have left only now
                contract.check_twices(pool:map(contract.twices(40)), 40)
                return pool:stats().renewed >= 1
            end, "a worker to be renewed")
            assert(pool:close())
            lu.assertEquals(pool:stats().replaced, 0)
        end
    end)
end

function TestRenewal.test_together_with_errors_and_deaths()
    contract.each("max_tasks and faults", { "renewal" }, function(subject)
        local counter <close> = contract.counter(subject, 30)
        local pool <close> = contract.open(subject, { p = counter.p, max_tasks = 2, chunk = 1 })
        local kill, bad = { act = "exit", code = 3 }, { act = "bad", message = "no" }
        local failure = map_with(pool, 30, { [2] = kill, [7] = bad, [8] = kill, [20] = kill, [30] = kill })
        check_outcomes(failure, 30, { died = 4, error = 1 })
        counter:check()
        assert(pool:close())
        lu.assertEquals(pool:stats().replaced, 4)
    end)
end

os.exit(lu.LuaUnit.run())
