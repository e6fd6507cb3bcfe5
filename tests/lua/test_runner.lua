-- Running a plan: what hooks are called when, what a case keeps, how each kind of failure ends a case and a run.
-- Scenarios are given as text and run in this process, through rig.run.

local lu = require "luaunit"
local core = require "rig.core"
local rig = require "rig"
local rigtest = require "rigtest"

local function run(body, opts)
    opts = opts or {}
    opts.source = 'local rig = require "rig"\nreturn rig.scenario {\n' .. body .. "\n}\n"
    local doc, problem = rig.run("test.lua", opts)
    return lu.assertNotNil(doc, tostring(problem)) or doc
end

local function only_case(body, opts)
    local doc = run(body, opts)
    lu.assertEquals(#doc.cases, 1)
    return doc.cases[1], doc
end

local ADDS = [[
    name = "adds", workers = 2, iterations = 3,
    items = { 1, 2, 3 }, map = function(item) return item end, reduce = rig.sum, expect = 6,
]]

TestCases = {}

function TestCases.test_all_iterations_are_run_checked_and_timed()
    local case, doc = only_case(ADDS)
    lu.assertEquals(case.status, "ok")
    lu.assertEquals(case.verified, 3)
    lu.assertEquals(#case.iterations, 3)
    lu.assertEquals(#case.phases.map_s, 3)
    lu.assertEquals(#case.phases.reduce_s, 3)
    lu.assertEquals(case.outcomes.ok, 9)
    lu.assertEquals(case.iterations[2].result, 6)
    lu.assertEquals(doc.status, "passed")
    lu.assertEquals(doc.exit, 0)
end

function TestCases.test_seconds_per_iteration_add_up()
    for _, pool in ipairs { "serial", "builtin", "custom" } do
        local case = only_case(ADDS, { params = { pool = pool } })
        local phases, sum = case.phases, 0
        for i = 1, 3 do sum = sum + phases.map_s[i] + phases.reduce_s[i] end
        sum = sum + phases.start_s + phases.close_s + (case.params.barrier and phases.deliver_s or 0)
        lu.assertAlmostEquals(case.s_per_iteration, sum / 3, 1e-9, pool)
        lu.assertTrue(case.total_s >= sum)
    end
end

function TestCases.test_workers_and_counters_are_kept()
    for _, pool in ipairs { "builtin", "custom" } do
        local case = only_case(ADDS, { params = { pool = pool, barrier = true } })
        lu.assertEquals(#case.workers, 2, pool)
        local tasks = 0
        for _, one in ipairs(case.workers) do
            tasks = tasks + one.tasks
            lu.assertEquals(one.exit, "exit 0")
            lu.assertNotNil(one.ready_s)
            lu.assertNotNil(one.user_s)
        end
        lu.assertEquals(tasks, 9)
        lu.assertEquals(case.counters.tasks, 9)
        lu.assertEquals(case.counters.forks, 2)
        lu.assertEquals(case.counters.syscalls.fork, 2)
        lu.assertEquals(case.ready_at_last_result, 2)
        lu.assertEquals(case.phases.deliver_s and case.phases.deliver_s >= 0, true)
    end
end

function TestCases.test_warm_up_iterations_are_kept_apart()
    local case = only_case(ADDS, { params = { warmup = 2 } })
    lu.assertEquals(#case.warmup, 2)
    lu.assertEquals(#case.iterations, 3)
    lu.assertEquals(case.outcomes.ok, 9)
    lu.assertEquals(case.verified, 3)
end

function TestCases.test_fixed_data_is_made_once_and_measured()
    local case = only_case([[
        workers = 2, size = 1000, iterations = 2,
        fixed = function(p) rig.metric("made", 1) return rig.array("i32", p.size, 2) end,
        items = 4, map = function(item, fixed) return fixed[item] end, reduce = rig.sum, expect = 8,
    ]])
    lu.assertEquals(case.verified, 2)
    lu.assertEquals(case.fixed_bytes, 4000)
    lu.assertEquals(case.fixed_n, 1000)
    lu.assertEquals(case.fixed_type, "i32")
    lu.assertEquals(case.metrics.made.values, { 1 })
    lu.assertTrue(case.make_s > 0)
end

function TestCases.test_every_delivery_gives_the_same_results()
    local doc = run([[
        workers = 2, iterations = 2, size = 5000,
        pool = { "serial", "builtin", "custom", "shm", { base = "builtin", impl = "lua" },
                 { base = "builtin", delivery = "send" }, { base = "custom", delivery = "send", channel = "pipe" },
                 { base = "custom", impl = "c" }, { base = "custom", delivery = "shm" } },
        fixed = function(p) return { data = rig.array("i64", p.size, 3), name = "x" } end,
        items = 10, map = function(item, fixed) return #fixed.data + fixed.data[item] + #fixed.name end,
        reduce = rig.sum, expect = 50040,
    ]])
    for _, case in ipairs(doc.cases) do lu.assertEquals(case.verified, 2, case.label) end
    lu.assertEquals(doc.exit, 0)
end

function TestCases.test_random_numbers_do_not_depend_on_the_worker()
    local doc = run([[
        workers = { 1, 3 }, iterations = 2, items = 20, seed = 7, runs = 2,
        map = function(item, _, w) return w.rng:int(1, 1000) end, reduce = rig.sum,
    ]])
    local case = doc.cases[1]
    lu.assertEquals(case.iterations[1].result, case.iterations[2].result)
end

function TestCases.test_metrics_and_rates()
    local case = only_case([[
        workers = 2, iterations = 3, items = 4, map = function(item) return item end,
        reduce = function(results) rig.metric("best", results[1] * 0.5, "s") return #results end,
        work = function() return { bytes = 1000, items = 4 } end,
    ]])
    lu.assertEquals(case.metrics.best, { unit = "s", values = { 0.5, 0.5, 0.5 }, median = 0.5 })
    lu.assertTrue(case.rates.bytes_per_s > 0)
    lu.assertTrue(case.rates.items_per_s > 0)
end

function TestCases.test_expect_compares_deeply_or_judges()
    local case = only_case [[ workers = 2, iterations = 1, items = 2, map = function(i) return { i, { x = i } } end,
        expect = { { 1, { x = 1 } }, { 2, { x = 2 } } }, ]]
    lu.assertEquals(case.verified, 1)
    case = only_case [[ workers = 2, iterations = 2, items = 2, map = function(i) return i end, reduce = rig.sum,
        expect = function(p, result) return result == p.workers + 1, "is " .. result end, ]]
    lu.assertEquals(case.verified, 2)
end

TestBody = {}

function TestBody.test_a_body_is_called_for_each_iteration()
    local case = only_case [[ iterations = 4, setup = function() return { calls = 0 } end,
        body = function(p, state, n) state.calls = state.calls + n rig.metric("calls", state.calls) return 5 end,
        expect = 5, ]]
    lu.assertEquals(case.status, "ok")
    lu.assertEquals(case.verified, 4)
    lu.assertEquals(#case.phases.map_s, 4)
    lu.assertEquals(case.metrics.calls.values, { 1, 2, 3, 4 })
end

function TestBody.test_the_result_of_a_command_is_what_it_printed()
    local case = only_case [[ iterations = 1, body = function() return rig.exec { "echo", "17" } end, expect = "17", ]]
    lu.assertEquals(case.iterations[1].result, "17")
    lu.assertEquals(case.verified, 1)
    case = only_case [[ iterations = 1, body = function() return rig.exec { "echo", "[17]", parse = "json" } end,
        expect = { 17 }, ]]
    lu.assertEquals(case.verified, 1)
end

function TestBody.test_a_command_that_fails_is_a_fault()
    local case, doc = only_case [[ iterations = 2, body = function() return rig.exec { "sh", "-c", "exit 3" } end, ]]
    lu.assertEquals(case.status, "faulted")
    lu.assertStrContains(case.reason, "exit status 3")
    lu.assertEquals(doc.exit, 4)
end

TestFailures = {}

function TestFailures.test_a_wrong_result_fails_and_the_others_are_still_measured()
    local case, doc = only_case [[ workers = 2, iterations = 3, items = { 1, 2 }, map = function(i) return i end,
        reduce = rig.sum, expect = 4, ]]
    lu.assertEquals(case.status, "failed")
    lu.assertEquals(case.verified, 0)
    lu.assertEquals(#case.iterations, 3)
    lu.assertEquals(case.iterations[3].right, false)
    lu.assertStrContains(case.reason, "result is 3, expected 4")
    lu.assertEquals(doc.exit, 1)
end

function TestFailures.test_an_error_in_a_hook_ends_the_run_with_its_place()
    for _, hook in ipairs { "setup", "fixed", "items", "reduce", "expect", "teardown", "memory", "work" } do
        local doc = run(([[ workers = { 1, 2 }, iterations = 2, %s map = function(i) return i end, reduce = %s,
            ]]):format(hook == "items" and "" or "items = 2,",
            hook == "reduce" and "function() error 'broken in reduce' end" or "rig.sum")
            .. (hook == "reduce" and "" or hook .. " = function() error 'broken in " .. hook .. "' end,"))
        lu.assertEquals(doc.exit, 2, hook)
        local first, other = doc.cases[doc.order[1]], doc.cases[3 - doc.order[1]]
        lu.assertEquals(first.status, "error", hook)
        lu.assertStrContains(first.reason, "broken in " .. hook)
        lu.assertStrContains(first.reason, "test.lua:")
        lu.assertEquals(other.status, "skipped", hook)
    end
end

function TestFailures.test_teardown_comes_after_a_failure_and_sees_the_state()
    local path = os.tmpname()
    local doc = run(([[ workers = 1, iterations = 1, items = 1, map = function(i) return i end,
        setup = function() return "the state" end, reduce = function() error "broken" end,
        teardown = function(p, state) local f = io.open(%q, "w") f:write(state) f:close() end, ]]):format(path))
    lu.assertEquals(doc.exit, 2)
    local file <close> = assert(io.open(path))
    lu.assertEquals(file:read "a", "the state")
    os.remove(path)
end

function TestFailures.test_an_error_in_a_task_is_a_fault_and_the_rest_is_kept()
    for _, pool in ipairs { "serial", "builtin", "custom" } do
        local case, doc = only_case([[ workers = 2, iterations = 3, items = 10,
            map = function(i) if i == 4 then error "bad item" end return i end, reduce = rig.sum, ]],
            { params = { pool = pool } })
        lu.assertEquals(case.status, "faulted", pool)
        lu.assertEquals(case.outcomes, { ok = 27, error = 3, timeout = 0, died = 0, cancelled = 0 })
        lu.assertEquals(#case.errors, 3)
        lu.assertEquals(case.errors[1].task, 4)
        lu.assertEquals(case.errors[3].iteration, 3)
        lu.assertStrContains(case.reason, "bad item")
        lu.assertEquals(doc.exit, 4)
    end
end

function TestFailures.test_a_task_without_end_stops_the_case()
    for _, pool in ipairs { "serial", "builtin", "custom" } do
        local began = core.now()
        local case, doc = only_case([[ workers = 2, iterations = 5, items = 4,
            map = function(i) while i == 2 do end return i end,
            timeout = "]] .. rigtest.patience(100) .. [[ms", ]], { params = { pool = pool } })
        lu.assertTrue(core.now() - began < rigtest.patience(3), pool)
        lu.assertEquals(case.outcomes.timeout, 1, pool)
        lu.assertEquals(case.outcomes.ok, 3, pool)
        lu.assertEquals(doc.exit, 4)
    end
end

function TestFailures.test_fail_fast_leaves_the_rest_out()
    local doc = run([[ workers = { 1, 2, 3 }, iterations = 1, items = 1, map = function(i) return i end,
        reduce = rig.sum, expect = function(p) return p.workers ~= 2 end, ]], { fail_fast = true })
    local measured = {}
    for _, i in ipairs(doc.order) do measured[i] = true end
    lu.assertEquals(doc.order[#doc.order], 2)
    lu.assertEquals(doc.cases[2].status, "failed")
    for _, i in ipairs { 1, 3 } do lu.assertEquals(doc.cases[i].status, measured[i] and "ok" or "skipped") end
    lu.assertEquals(doc.exit, 1)
end

TestPin = {}

function TestPin.test_workers_stay_on_the_processors_in_turn()
    local cpus = core.cpus()
    for _, pool in ipairs { "builtin", "custom" } do
        local doc = run([[ workers = 3, iterations = 1, items = 30, chunk = 1, pin = { false, true },
            map = function(_, _, w) rig.sleep(0.001) return { w.id, table.concat(require("rig.core").cpus(), " ") } end,
            reduce = function(list)
                for _, pair in ipairs(list) do rig.metric("on " .. pair[2], pair[1]) end
            end, ]], { params = { pool = pool } })
        for _, case in ipairs(doc.cases) do
            for name, metric in pairs(case.metrics) do
                for _, id in ipairs(metric.values) do
                    local wanted = case.params.pin and tostring(cpus[(id - 1) % #cpus + 1]) or table.concat(cpus, " ")
                    lu.assertEquals(name, "on " .. wanted, pool)
                end
            end
        end
    end
    lu.assertEquals(core.cpus(), cpus)
end

TestOrder = {}

local FOUR = [[ workers = { 1, 2, 3, 4 }, runs = 3, iterations = 1, items = 1, map = function(i) return i end, ]]

function TestOrder.test_is_drawn_anew_in_each_round_and_rounds_follow_each_other()
    local doc = run(FOUR, { seed = 5 })
    lu.assertEquals(#doc.order, 12)
    local rounds = {}
    for i, index in ipairs(doc.order) do
        local round = (i - 1) // 4 + 1
        lu.assertEquals((index - 1) // 4 + 1, round)
        rounds[round] = (rounds[round] or "") .. (index - 1) % 4
    end
    for _, words in ipairs(rounds) do lu.assertEquals(#words, 4) end
    lu.assertFalse(rounds[1] == rounds[2] and rounds[2] == rounds[3], table.concat(rounds, " "))
end

function TestOrder.test_is_that_of_the_seed_and_cases_are_told_in_theirs()
    local told = {}
    local doc = run(FOUR, { seed = 5, on_case = function(case) told[#told + 1] = case.index end })
    lu.assertEquals(run(FOUR, { seed = 5 }).order, doc.order)
    lu.assertEquals(told, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 })
    for i, case in ipairs(doc.cases) do lu.assertEquals(case.index, i) end
end

TestVerify = {}

local function verified(judge)
    return run([[ workers = { 1, 2 }, iterations = 1, items = 2, map = function(i) return i end, reduce = rig.sum,
        verify = ]] .. judge .. ",")
end

function TestVerify.test_it_sees_all_cases()
    lu.assertEquals(verified("function(results) return #results.cases == 2 end").exit, 0)
end

function TestVerify.test_false_fails_and_an_error_is_the_scenarios()
    local doc = verified "function() return false, 'not so' end"
    lu.assertEquals(doc.exit, 1)
    lu.assertEquals(doc.verify.message, "not so")
    lu.assertEquals(verified("function() error 'broken' end").exit, 2)
    lu.assertEquals(verified("function() end").exit, 2)
end

TestMemory = {}

function TestMemory.test_a_default_that_does_not_fit_is_skipped()
    local doc = run [[ size = { 10, 1000 }, workers = 1, iterations = 1, items = 1, map = function(i) return i end,
        memory = function(p) return p.size == 1000 and 2^60 or 0 end, ]]
    lu.assertEquals(doc.cases[1].status, "ok")
    lu.assertEquals(doc.cases[2].status, "skipped")
    lu.assertStrContains(doc.cases[2].reason, "memory")
    lu.assertEquals(doc.exit, 0)
end

function TestMemory.test_one_that_was_asked_for_is_refused_and_force_overrides()
    local body = [[ size = 10, workers = 1, iterations = 1, items = 1, map = function(i) return i end,
        memory = function() return 2^60 end, ]]
    local case, doc = only_case(body, { params = { size = 11 } })
    lu.assertEquals(case.status, "error")
    lu.assertEquals(doc.exit, 2)
    case = only_case(body, { params = { size = 11 }, force = true })
    lu.assertEquals(case.status, "ok")
end

function TestMemory.test_an_array_that_does_not_fit_counts_the_same()
    local body = [[ size = 1 << 40, workers = 1, iterations = 1, items = 1, map = function(i) return i end,
        fixed = function(p) return rig.array("i64", p.size) end, ]]
    lu.assertEquals(only_case(body).status, "skipped")
    local case, doc = only_case(body, { params = { size = (1 << 40) + 1 } })
    lu.assertEquals(case.status, "error")
    lu.assertEquals(doc.exit, 2)
end

TestOptions = {}

function TestOptions.test_unknown_ones_are_refused_with_the_nearest()
    lu.assertErrorMsgContains("label", rig.run, "x.lua", { lable = "x" })
    lu.assertErrorMsgContains("workers", rig.pool, { map = print, worker = 2 })
    lu.assertErrorMsgContains("did you mean logspace", function() return rig.logspce end)
end

function TestOptions.test_a_missing_scenario_is_a_value()
    local doc, problem = rig.run "no_such_file.lua"
    lu.assertNil(doc)
    lu.assertStrContains(tostring(problem), "no_such_file.lua")
end

function TestOptions.test_overrides_as_on_the_command_line()
    local doc = run(ADDS, { overrides = { "workers=1,2" }, label = "a label" })
    lu.assertEquals(#doc.cases, 2)
    lu.assertEquals(doc.label, "a label")
end

os.exit(lu.LuaUnit.run())
