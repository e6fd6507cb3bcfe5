-- Faults that a scenario makes (faults, retry, expect_outcomes), seen from outside: what the executable says, how it
-- ends, what stands in its results. What may be written is in test_fault_steps.lua, pools that try again in test_retry.

local lu = require "luaunit"
local json = require "rig.json"
local rigtest = require "rigtest"

local N = 24

-- Tasks of some milliseconds, so that every worker gets some; results larger than what a worker keeps for others.
local SCENARIO = [[
local rig = require "rig"
return rig.scenario {
    name = "faulty", workers = 3, iterations = 3, barrier = true, timeout = "20s", chunk = 1,
    params = { bytes = 100000 },
    items = %d,
    map = function(item, _, w) rig.sleep(0.002) return ("%%d:"):format(item) .. ("x"):rep(w.p.bytes) end,
    reduce = function(results) return #results end,
    expect = %d,
    %s
}
]]

---@param text string what to declare beside the rest
---@param ... string words of the command line
---@return table ran
---@return table? doc
local function run(text, ...)
    rigtest.write("faulty.lua", SCENARIO:format(N, N, text))
    local ran = rigtest.rig("faulty.lua", "--no-progress", "--json", "out.json", ...)
    local written = io.open "out.json"
    local doc = written and assert(json.decode(written:read "a"))
    if written then written:close() end
    os.remove "out.json"
    os.remove "faulty.lua"
    return ran, doc
end

local function passes(text, ...)
    local ran, doc = run(text, ...)
    lu.assertEquals(ran.exit, 0, ran.out .. ran.err)
    return doc.cases[1], ran, doc
end

local PRESETS = { "builtin", "custom", "shm", "spawn", "per_task", "builtin+channel=queue", "builtin+channel=pipe" }

TestStages = {}

-- Small results of the C pools lie where others find them; of large ones, and in Lua, the task goes with its worker.
local STAGES = {
    { step = 'kill = "SIGKILL", worker = 2, stage = "init"', died = 0 },
    { step = 'kill = "SIGKILL", worker = 2, stage = "idle", iteration = 2', died = 0 },
    { step = 'kill = "SIGSEGV", worker = 2, at_task = 2, iteration = 2', died = 1 },
    { step = 'exit = 3, worker = 1, stage = "result", iteration = 2', died = 1 },
    { step = 'truncate = 5000, worker = 2, iteration = 2', died = 1 },
}

function TestStages.test_each_stage_under_each_preset_costs_its_task_and_no_other()
    for _, row in ipairs(STAGES) do
        local pools, count = table.concat(PRESETS, ","), #PRESETS
        if row.step:find "idle" then pools, count = pools:gsub("per_task,", ""), count - 1 end
        local text = ("faults = { { %s } }, expect_outcomes = { died = %d }"):format(row.step, row.died)
        local _, ran, doc = passes(text, "pool=" .. pools)
        lu.assertEquals(#doc.cases, count)
        for _, case in ipairs(doc.cases) do
            local what = row.step .. ", " .. case.label
            lu.assertEquals(case.status, "ok", what .. ran.out)
            lu.assertTrue(case.as_expected, what)
            lu.assertEquals(case.outcomes.ok, 3 * N - row.died, what)
            lu.assertEquals(#case.faults, 1, what)
            lu.assertEquals(case.faults[1].worker, row.step:find "worker = 1" and 1 or 2, what)
            lu.assertEquals(case.verified, row.died == 0 and 3 or 2, what)
        end
        lu.assertStrContains(ran.out, "after a fault another worker was ready")
    end
end

function TestStages.test_the_time_until_another_is_ready_is_in_the_results()
    local case = passes 'faults = { { kill = "SIGKILL", worker = 2, iteration = 2 } }, expect_outcomes = { died = 1 }'
    local fault, before, after = case.faults[1], nil, nil
    for _, row in ipairs(case.workers) do
        if row.id == 2 and row.pid == fault.pid then before = row elseif row.id == 2 then after = row end
    end
    lu.assertEquals(before.exit, "signal 9")
    lu.assertEquals(fault.iteration, 2)
    lu.assertAlmostEquals(fault.at_s + fault.recovered_s, after.ready_s, 1e-6)
    lu.assertTrue(fault.recovered_s > 0 and fault.at_s > before.ready_s)
end

function TestStages.test_standing_still_is_a_timeout_or_a_delay()
    local case = passes('faults = { { stop = true, worker = 2, iteration = 2 } }, expect_outcomes = { timeout = 1 }',
        "timeout=" .. rigtest.budget(0.3))
    lu.assertEquals(case.outcomes.timeout, 1)
    case = passes('faults = { { stop = "100ms", worker = 2 }, { hang = "100ms", at_task = 5 } }')
    lu.assertEquals(case.outcomes.ok, 3 * N)
    lu.assertEquals(#case.faults, 2)
    lu.assertEquals(case.replaced, 0)
    lu.assertTrue(case.phases.map_s[1] >= 0.1)
end

function TestStages.test_a_hang_without_workers_ends_at_the_time_limit()
    local case = passes('faults = { { hang = true, at_task = 5, iteration = 2 } }, expect_outcomes = { timeout = 1 }',
        "pool=serial", "timeout=" .. rigtest.budget(0.2))
    lu.assertEquals(case.outcomes.timeout, 1)
    lu.assertEquals(case.outcomes.ok, 3 * N - 1)
end

function TestStages.test_a_pool_of_the_scenarios_own_has_them_too()
    rigtest.write("own_type.lua", rigtest.read(rigtest.source "tests/support/own_type.lua"))
    rigtest.write("faulty.lua", [[
        local rig = require "rig"
        rig.pool_type(require "own_type")
        return rig.scenario {
            pool = "own", workers = 2, iterations = 2, items = 10, map = function(item) return item end,
            faults = { { error = "on purpose", at_task = 3, iteration = 2 } }, expect_outcomes = { error = 1 },
        }]])
    local ran = rigtest.rig("faulty.lua", "--no-progress")
    os.remove "faulty.lua"
    os.remove "own_type.lua"
    lu.assertEquals(ran.exit, 0, ran.out .. ran.err)
    lu.assertStrContains(ran.out, "error on purpose (worker")
end

TestCounts = {}

function TestCounts.test_a_step_happens_once_or_as_often_as_it_says()
    local every = 'faults = { { error = "no", at_task = 4, iteration = "every" } }, expect_outcomes = { error = 3 }'
    local case = passes(every)
    lu.assertEquals(#case.faults, 3)
    case = passes('faults = { { error = "no", at_task = 4, times = 2 } }, retry = 5, expect_outcomes = { retried = 2 }')
    lu.assertEquals({ case.outcomes.ok, case.retried, #case.errors }, { 3 * N, 2, 2 })
    for i, failure in ipairs(case.errors) do
        lu.assertEquals({ failure.task, failure.attempt, failure.retried, failure.outcome }, { 4, i, true, "error" })
    end
end

function TestCounts.test_with_another_attempt_nothing_is_lost_and_results_are_judged()
    local case = passes('faults = { { kill = "SIGKILL", worker = 2, iteration = "every" } }, retry = 1', "pool=shm")
    lu.assertEquals({ case.outcomes.ok, case.verified, case.retried, case.replaced }, { 3 * N, 3, 3, 3 })
    lu.assertTrue(case.as_expected == nil or case.as_expected == json.null) -- nothing was said of them
end

function TestCounts.test_warm_up_has_no_faults()
    local case = passes('faults = { { error = "no", at_task = 1 } }, expect_outcomes = { error = 1 }', "warmup=2")
    lu.assertEquals({ #case.faults, case.faults[1].iteration }, { 1, 1 })
end

function TestCounts.test_smoke_has_one_iteration_and_the_faults_are_in_it()
    local third = 'faults = { { error = "no", at_task = 2, iteration = 3 } }, expect_outcomes = { error = 1 }'
    local case = passes(third, "--smoke")
    lu.assertEquals({ #case.iterations, #case.faults }, { 1, 1 })
end

TestVerdicts = {}

function TestVerdicts.test_without_expect_outcomes_a_fault_is_one()
    local ran, doc = run 'faults = { { kill = "SIGKILL", at_task = 5 } }'
    lu.assertEquals(ran.exit, 4)
    lu.assertEquals(doc.cases[1].outcomes.died, 1)
end

function TestVerdicts.test_outcomes_that_are_others_fail_with_the_difference()
    local ran = run 'faults = { { kill = "SIGKILL", at_task = 5 } }, expect_outcomes = { died = 2 }'
    lu.assertEquals(ran.exit, 4)
    lu.assertStrContains(ran.out, "expect_outcomes: died 1, expected 2")
    ran = run 'expect_outcomes = { died = 1 }'
    lu.assertEquals(ran.exit, 1)
    lu.assertStrContains(ran.out, "expect_outcomes: died 0, expected 1")
end

function TestVerdicts.test_a_fault_that_never_happened_fails()
    local ran = run 'faults = { { error = "no", at_task = 1000 } }'
    lu.assertEquals(ran.exit, 1)
    lu.assertStrContains(ran.out, 'fault 1 (error = "no", task 1000) never happened')
end

function TestVerdicts.test_a_wrong_result_is_one_whatever_was_expected()
    local ran = run('expect_outcomes = { ok = 72 }, verify = function() return false, "no good" end')
    lu.assertEquals(ran.exit, 1)
end

function TestVerdicts.test_what_was_expected_to_fail_is_no_baseline()
    rigtest.write("faulty.lua", SCENARIO:format(N, N,
        'faults = { { kill = "SIGKILL", at_task = 5 } }, expect_outcomes = { died = 1 }'))
    lu.assertEquals(rigtest.rig("faulty.lua", "--no-progress", "--json", "base.json").exit, 0)
    local ran = rigtest.rig("faulty.lua", "--no-progress", "--baseline", "base.json")
    lu.assertEquals(ran.exit, 5)
    lu.assertStrContains(ran.err, "no baseline")
    lu.assertEquals(rigtest.rig("show", "base.json").exit, 0)
    os.remove "base.json"
    os.remove "faulty.lua"
end

function TestVerdicts.test_what_is_told_is_how_a_task_ended_and_not_an_attempt_that_another_followed()
    local ran = run([[retry = 1, faults = {
        { kill = "SIGKILL", at_task = 1 }, { error = "no such host", at_task = 9, times = 2, iteration = 2 },
    }]], "--markdown", "out.md")
    lu.assertEquals(ran.exit, 4)
    lu.assertStrContains(ran.out:match "Findings(.*)", "ended in an error: no such host")
    local told = rigtest.read "out.md"
    os.remove "out.md"
    local list = told:match "Tasks that did not end well(.-)</details>"
    lu.assertStrContains(list, "iteration 2 task 9 error: no such host")
    lu.assertNotStrContains(list, "died")
end

function TestVerdicts.test_what_fails_beside_the_tasks_is_not_excused_by_theirs()
    local ran, doc = run [[finish = function() error "no end" end,
        faults = { { kill = "SIGKILL", worker = 2 } }, expect_outcomes = { died = 1 }]]
    lu.assertEquals(ran.exit, 4)
    lu.assertFalse(doc.cases[1].as_expected)
    lu.assertStrContains(ran.out, "no end")
end

function TestVerdicts.test_an_end_that_was_made_to_fail_is_as_expected()
    for _, pool in ipairs { "builtin", "custom" } do
        local finish = 'faults = { { kill = "SIGKILL", worker = 2, stage = "finish" } }, expect_outcomes = { ok = 72 }'
        local case = passes(finish, "pool=" .. pool)
        lu.assertTrue(case.as_expected)
    end
end

function TestVerdicts.test_attempts_of_the_warm_up_do_not_count()
    local once = 'faults = { { error = "no", at_task = 2 } }, retry = 1, expect_outcomes = { retried = 1 }'
    local case = passes(once, "warmup=1")
    lu.assertEquals({ case.retried, #case.errors }, { 1, 1 })
end

function TestVerdicts.test_how_a_task_ended_is_told_whatever_the_number_of_attempts()
    local ran, doc = run('retry = 150, faults = { { error = "disk full", at_task = 2, times = 1000 } }', "bytes=1")
    lu.assertEquals(ran.exit, 4)
    local last = doc.cases[1].errors[#doc.cases[1].errors]
    lu.assertEquals({ last.attempt, last.retried ~= true, last.message }, { 151, true, "disk full" })
end

TestRefusals = {}

function TestRefusals.test_a_mistake_is_named_with_its_place_before_anything_runs()
    local ran = run 'faults = { { kill = "SIGKIL" } }'
    lu.assertEquals(ran.exit, 2)
    lu.assertStrContains(ran.err, 'faults[1]: kill = "SIGKIL" is no signal')
    lu.assertStrMatches(ran.err, ".*faulty%.lua:9: .*")
    ran = run 'expect_outcomes = { dead = 1 }'
    lu.assertEquals(ran.exit, 2)
    lu.assertStrContains(ran.err, 'expect_outcomes: unknown key "dead"')
    ran = run 'faults = function() return { { exit = 1000 } } end'
    lu.assertEquals(ran.exit, 2)
    lu.assertStrContains(ran.err, "faults[1]: exit = 1000 is no exit status")
end

function TestRefusals.test_serial_and_pools_of_ones_own_refuse_what_they_cannot()
    local ran = run('faults = { { kill = "SIGKILL" } }', "pool=serial")
    lu.assertEquals(ran.exit, 2)
    lu.assertStrContains(ran.err, "would befall the coordinator")
    ran = run('faults = { { stop = true } }', "timeout=none")
    lu.assertEquals(ran.exit, 2)
    lu.assertStrContains(ran.err, "stop = true lasts until somebody ends it")
    ran = run 'faults = { { error = "no", iteration = 4 } }'
    lu.assertEquals(ran.exit, 2)
    lu.assertStrContains(ran.err, "there is no iteration 4 of 3")
    ran = run('faults = { { kill = "SIGKILL", stage = "idle" } }', "pool=per_task")
    lu.assertEquals(ran.exit, 2)
    lu.assertStrContains(ran.err, "no worker of per_task waits for work")
end

os.exit(lu.LuaUnit.run())
