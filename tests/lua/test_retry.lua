-- Tasks that are tried again (retry = N): how often each ran, and that every attempt is in the account, over each
-- channel of the C core, its chunks, the custom pool and serial.

local lu = require "luaunit"
local axes_of = require "rig.axes"
local core = require "rig.core"
local pools = require "rig.pools"
local rig = require "rig"
local rigtest = require "rigtest"
local worker = require "rig.worker"

local N, RETRY = 60, 2

local SUBJECTS = {
    { preset = "serial" }, { preset = "custom" }, { preset = "custom", channel = "pipe", chunk = 5 },
    { preset = "builtin", channel = "pipe" }, { preset = "builtin" }, { preset = "builtin", chunk = 7 },
    { preset = "builtin", channel = "queue" }, { preset = "builtin", channel = "queue", chunk = 4 },
    { preset = "shm" }, { preset = "shm", chunk = 3 }, { preset = "per_task" },
}

local function name_of(subject)
    return ("%s channel=%s chunk=%s"):format(subject.preset, subject.channel, subject.chunk)
end

---Runs the items, of which some fail in their first attempts; how often each ran is counted where no death can undo it.
---@param subject table
---@param fail fun(item: integer, attempt: integer)
---@param changes? table
---@return table results
---@return table report
---@return any ran
---@return table stats
local function run(subject, fail, changes)
    local axes = assert(axes_of.resolve(subject.preset, { channel = subject.channel, chunk = subject.chunk }))
    local ran = core.shared_array("i64", N, 0)
    local options = {
        workers = 3, retry = RETRY, p = {}, worker = worker.factory(1, 1, {}),
        fixed = axes.delivery == "shm" and core.place(true) or nil,
        map = function(item, _, w)
            ran[w.index] = ran[w.index] + 1
            fail(item, ran[w.index])
            return item * 2
        end,
    }
    for key, value in pairs(changes or {}) do options[key] = value end
    if subject.preset == "serial" then options.worker = worker.here(1, 1, {}) end
    local pool <close> = assert(pools.start(axes, options))
    pool:wait_ready()
    local results, report = pool:run(N)
    lu.assertNotNil(results, name_of(subject) .. ": " .. tostring(report))
    assert(pool:close())
    return results, report, ran, pool:stats()
end

-- The attempts at each task, in their order.
local function attempts_of(report)
    local by_task = {}
    for _, failure in ipairs(report.failures) do
        local list = by_task[failure.task] or {}
        by_task[failure.task] = list
        list[#list + 1] = failure
    end
    return by_task
end

local function check_attempts(subject, report, ran, stats, fails)
    local by_task, retried = attempts_of(report), 0
    for task = 1, N do
        local list, wanted = by_task[task] or {}, fails[task] or 0
        lu.assertEquals(#list, wanted, ("%s: failed attempts at task %d"):format(name_of(subject), task))
        local runs = math.min(wanted, RETRY) + 1
        lu.assertEquals(ran[task], runs, ("%s: runs of task %d"):format(name_of(subject), task))
        for i, failure in ipairs(list) do
            lu.assertEquals(failure.attempt, i, name_of(subject))
            lu.assertEquals(failure.retried or false, i <= RETRY, name_of(subject))
            if i <= RETRY then retried = retried + 1 end
        end
    end
    lu.assertEquals(stats.retried, retried, name_of(subject))
end

TestRetry = {}

function TestRetry.test_what_fails_and_then_works_ends_ok_and_each_attempt_is_told()
    for _, subject in ipairs(SUBJECTS) do
        local results, report, ran, stats = run(subject, function(item, attempt)
            if item % 10 == 0 and attempt <= RETRY then error("not yet", 0) end
            if item == 7 then error("never", 0) end
        end)
        local fails = { [7] = RETRY + 1 }
        for task = 10, N, 10 do fails[task] = RETRY end
        check_attempts(subject, report, ran, stats, fails)
        lu.assertEquals(report.outcomes, { ok = N - 1, error = 1, died = 0, timeout = 0, cancelled = 0 })
        for task = 1, N do lu.assertEquals(results[task], task ~= 7 and 2 * task or nil, name_of(subject)) end
    end
end

function TestRetry.test_a_death_in_a_task_is_one_of_its_attempts_and_no_others()
    for _, subject in ipairs(SUBJECTS) do
        if subject.preset ~= "serial" then
            local _, report, ran, stats = run(subject, function(item, attempt)
                if item % 12 == 0 and attempt <= 2 then core.fault_raise "KILL" end
                if item == 5 then os.exit(3) end
            end)
            local fails = { [5] = RETRY + 1 }
            for task = 12, N, 12 do fails[task] = 2 end
            check_attempts(subject, report, ran, stats, fails)
            lu.assertEquals(report.outcomes, { ok = N - 1, error = 0, died = 1, timeout = 0, cancelled = 0 })
        end
    end
end

function TestRetry.test_a_time_limit_ends_an_attempt()
    for _, subject in ipairs { SUBJECTS[1], SUBJECTS[2], SUBJECTS[5], SUBJECTS[9] } do
        local _, report, ran, stats = run(subject, function(item, attempt)
            while item == 20 and attempt == 1 do end -- for ever
        end, { timeout = rigtest.patience(0.5) })
        check_attempts(subject, report, ran, stats, { [20] = 1 })
        lu.assertEquals(attempts_of(report)[20][1].outcome, "timeout")
        lu.assertEquals(report.outcomes.ok, N)
    end
end

function TestRetry.test_without_it_nothing_is_tried_again()
    for _, subject in ipairs(SUBJECTS) do
        local _, report, ran = run(subject, function(item) if item == 3 then error("no", 0) end end, { retry = 0 })
        lu.assertEquals(ran[3], 1, name_of(subject))
        lu.assertEquals(report.failures[1].attempt, 1)
        lu.assertNil(report.failures[1].retried)
    end
end

-- Whoever waits for single results gets those of the last attempt.
function TestRetry.test_lazy_maps_and_submitted_tasks_are_tried_again_too()
    local axes = assert(axes_of.resolve("builtin", {}))
    local ran = core.shared_array("i64", N, 0)
    local pool <close> = assert(pools.start(axes, {
        workers = 2, retry = RETRY, p = {}, worker = worker.factory(1, 1, {}),
        map = function(item)
            ran[item] = ran[item] + 1
            if item % 5 == 0 and ran[item] <= RETRY then error("not yet", 0) end
            return item * 2
        end,
    }))
    pool:wait_ready()
    local seen = 0
    for i, value in pool:lazy(N // 2, true, 16, 1 << 20, error) do
        seen = seen + 1
        lu.assertEquals({ i, value }, { seen, 2 * seen })
    end
    lu.assertEquals(seen, N // 2)
    for item = N // 2 + 1, N // 2 + 10 do lu.assertEquals({ pool:apply(item) }, { true, 2 * item }) end
    for item = 1, N // 2 + 10 do lu.assertEquals(ran[item], item % 5 == 0 and RETRY + 1 or 1) end
    assert(pool:close())
end

-- ---- rig.pool -------------------------------------------------------------------------------------------------------

TestLibrary = {}

local function each_pool(f)
    for _, preset in ipairs { "serial", "custom", "builtin", "shm", "per_task" } do
        local ran = core.shared_array("i64", N, 0)
        local pool <close> = assert(rig.pool {
            preset = preset, workers = 2, retry = RETRY, fixed = preset == "shm" and true or nil,
            map = function(item)
                ran[item] = ran[item] + 1
                if item % 10 == 0 and ran[item] <= RETRY then error("not yet", 0) end
                if item == 7 then error("never", 0) end
                return item * 2
            end,
        })
        f(pool, preset, ran)
        assert(pool:close())
    end
end

function TestLibrary.test_a_map_whose_tasks_all_end_well_raises_nothing()
    each_pool(function(pool, preset, ran)
        local results, n = pool:map { 10, 1, 20, 2 }
        lu.assertEquals({ n, results }, { 4, { 20, 2, 40, 4 } }, preset)
        lu.assertEquals({ ran[10], ran[1] }, { RETRY + 1, 1 }, preset)
    end)
end

function TestLibrary.test_an_error_tells_of_what_ended_a_task_and_the_report_of_every_attempt()
    each_pool(function(pool, preset, ran)
        local ok, problem = pcall(pool.map, pool, 10)
        lu.assertFalse(ok)
        lu.assertEquals({ problem.count, #problem.failures, ran[7], ran[10] }, { 1, 1, RETRY + 1, RETRY + 1 }, preset)
        lu.assertEquals({ problem.failures[1].task, problem.failures[1].attempt }, { 7, RETRY + 1 }, preset)
        lu.assertEquals(#problem.report.failures, RETRY + 1 + RETRY, preset)
        lu.assertStrContains(tostring(problem), "(item 7: error)")
        lu.assertEquals(problem.results[10], 20)
    end)
end

function TestLibrary.test_single_tasks_and_lazy_ones_are_tried_again()
    each_pool(function(pool, preset, ran)
        lu.assertEquals(pool:apply(10), 20, preset)
        lu.assertEquals(pool:submit(20):get(), 40, preset)
        local got = {}
        for _, value in pool:imap { 1, 30, 2 } do got[#got + 1] = value end
        lu.assertEquals(got, { 2, 60, 4 }, preset)
        for item = 10, 30, 10 do lu.assertEquals(ran[item], RETRY + 1, preset) end
        lu.assertErrorMsgContains("never", pool.apply, pool, 7)
        lu.assertEquals(ran[7], RETRY + 1, preset)
    end)
end

-- Fresh processes find the function by its name, and count attempts in a file.
function TestLibrary.test_fresh_processes_try_again_too()
    for _, changes in ipairs { {}, { chunk = 4 }, { channel = "ring" }, { channel = "queue", delivery = "queue" } } do
        local name = ("spawn channel=%s chunk=%s"):format(changes.channel, changes.chunk)
        os.remove "begun"
        local spec = { preset = "spawn", module = "fault_jobs", map = "third", workers = 2, retry = RETRY }
        for key, value in pairs(changes) do spec[key] = value end
        local pool <close> = assert(rig.pool(spec))
        local ok, problem = pcall(pool.map, pool, 20)
        lu.assertFalse(ok, name)
        lu.assertEquals({ #problem.failures, problem.failures[1].task }, { 1, 7 }, name)
        local begun = {}
        for item in rigtest.read "begun":gmatch "%d+" do begun[item] = (begun[item] or 0) + 1 end
        for item = 1, 20 do
            local again = (item == 7 or item == 10 or item == 15) and RETRY or 0
            lu.assertEquals(begun[tostring(item)], 1 + again, name .. " item " .. item)
            lu.assertEquals(problem.results[item], item ~= 7 and 2 * item or nil, name)
        end
        local outcomes = {}
        for _, failure in ipairs(problem.report.failures) do
            local list = outcomes[failure.task] or {}
            outcomes[failure.task], list[failure.attempt] = list, failure.outcome
        end
        lu.assertEquals(outcomes,
            { [7] = { "error", "error", "error" }, [10] = { "error", "error" }, [15] = { "died", "died" } }, name)
        assert(pool:close())
    end
    os.remove "begun"
end

-- However many attempts there are, the one that ends a task is known: more of them than a report keeps.
function TestLibrary.test_no_failure_is_lost_among_many_attempts()
    for _, preset in ipairs { "serial", "custom", "builtin" } do
        for _, retry in ipairs { 1, 99 } do
            local pool <close> = assert(rig.pool {
                preset = preset, workers = 7, retry = retry, map = function() error("never", 0) end,
            })
            local each, raised = pool:imap(112), 0
            for _ = 1, 112 do raised = raised + (pcall(each) and 0 or 1) end
            lu.assertEquals({ raised, (each()) }, { 112 }, preset)
        end
    end
end

function TestLibrary.test_what_is_no_count_is_refused()
    for _, retry in ipairs { -1, 1.5, 1001, "2" } do
        local words = "rig.pool: retry: " .. retry .. " is not right"
        lu.assertErrorMsgContains(words, rig.pool, { map = print, retry = retry })
    end
    rig.pool({ map = print, workers = 1, retry = 0 }):close()
end

os.exit(lu.LuaUnit.run())
