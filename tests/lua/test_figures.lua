-- Figures of a scenario's own: what rig.metric keeps and refuses, what work turns into rates, and verify, which judges
-- the whole run. Neighbours: lua/rig/metric.lua, case.lua, runner.lua; test_report_text shows them.

local lu = require "luaunit"
local json = require "rig.json"
local results = require "rig.results"
local rig = require "rig"
local text = require "rig.report.text"

local function run(body, opts)
    opts = opts or {}
    opts.source = 'local rig = require "rig"\nreturn rig.scenario {\n' .. body .. "\n}\n"
    local doc, problem = rig.run("test.lua", opts)
    return lu.assertNotNil(doc, tostring(problem)) or doc
end

local function body_case(code)
    return run("iterations = 2, body = function(p, state, n) " .. code .. " end,").cases[1]
end

TestMetric = {}

function TestMetric.test_it_can_be_recorded_in_every_hook_of_the_coordinator()
    local case = run [[ workers = 2, iterations = 2,
        setup = function() rig.metric("setup", 1) end, fixed = function() rig.metric("fixed", 1) return 1 end,
        items = function() rig.metric("items", 1) return 2 end, map = function(i) return i end,
        reduce = function(r) rig.metric("reduce", #r) return #r end,
        expect = function() rig.metric("expect", 1) return true end, ]].cases[1]
    lu.assertEquals(case.status, "ok")
    for name, times in pairs { setup = 1, fixed = 1, items = 2, reduce = 2, expect = 2 } do
        lu.assertEquals(#case.metrics[name].values, times, name)
    end
end

function TestMetric.test_misuse_names_what_is_wrong()
    for code, said in pairs {
        ['rig.metric("a", "1")'] = "rig.metric a: the value is a string; give a number",
        ["rig.metric(1, 1)"] = "rig.metric: the name is 1; give a string",
        ['rig.metric("a", 1, 5)'] = "rig.metric a: the unit is a number",
        ['rig.metric("a", 1, "s") rig.metric("a", 1, "ms")'] = "rig.metric a: the unit was s and is now ms; keep one",
    } do
        local case = body_case(code)
        lu.assertEquals(case.status, "error", code)
        lu.assertStrContains(case.reason, said)
        lu.assertStrContains(case.reason, "test.lua:3:")
    end
    lu.assertErrorMsgContains("no case is being measured", rig.metric, "a", 1)
end

function TestMetric.test_in_a_worker_it_is_an_error_of_the_task()
    for _, pool in ipairs { "builtin", "custom" } do
        local case = run([[ workers = 1, iterations = 1, items = 1, map = function() rig.metric("a", 1) end, ]],
            { params = { pool = pool } }).cases[1]
        lu.assertEquals(case.outcomes.error, 1, pool)
        lu.assertStrContains(case.reason, "called in a worker; return the value and record it in reduce")
    end
end

function TestMetric.test_what_is_no_number_is_kept_as_null_and_counts_in_no_median()
    local doc = run [[ iterations = 3, setup = function() return { i = 0 } end, body = function(_, state)
        state.i = state.i + 1
        rig.metric("loss", state.i == 2 and 0 / 0 or state.i)
        for i, unit in ipairs { "s", "B", "points" } do
            rig.metric("large" .. i, state.i == 2 and -1 / 0 or state.i == 1 and 1 / 0 or math.mininteger, unit)
        end
    end, ]]
    lu.assertEquals(doc.cases[1].metrics.loss.median, 2)
    lu.assertEquals(doc.cases[1].metrics.large1.median, math.mininteger)
    local again = assert(json.decode(assert(require("rig.report.json").render(doc))))
    lu.assertEquals(again.cases[1].metrics.loss.values[2], json.null)
    lu.assertEquals(again.cases[1].metrics.large3.values, { json.null, json.null, math.mininteger })
    lu.assertTrue(results.check(again))
    for _, name in ipairs { "text", "markdown", "csv", "junit" } do
        lu.assertNotNil(require("rig.report." .. name).render(doc, {}), name)
    end
end

function TestMetric.test_what_is_not_finite_breaks_its_thresholds()
    local doc = run [[ iterations = 3, thresholds = { "loss < 10", "loss.max < 10", "loss.count == 3", "fine < 10" },
        setup = function() return { i = 0 } end, body = function(_, state)
            state.i = state.i + 1
            rig.metric("loss", state.i == 2 and -1 / 0 or state.i)
            rig.metric("fine", state.i)
        end, ]]
    for i = 1, 3 do
        lu.assertEquals({ doc.thresholds[i].passed, doc.thresholds[i].judged_by }, { false, "nothing" }, i)
        lu.assertEquals(doc.thresholds[i].reason, "1 value of loss is not finite")
    end
    lu.assertTrue(doc.thresholds[4].passed)
    lu.assertTrue(results.check(assert(json.decode(assert(require("rig.report.json").render(doc))))))
end

TestWork = {}

local function with_work(work)
    local doc = run("iterations = 7, workers = 2, items = 3, map = function(i) return i end,\nwork = " .. work .. ",")
    return doc.cases[1]
end

function TestWork.test_rates_are_those_of_a_median_map_with_its_interval()
    local case = with_work "function() return { bytes = 6000, items = 3 } end"
    local map, rates = case.stats.map, case.rates
    lu.assertAlmostEquals(rates.bytes_per_s * map.median, 6000, 1e-6)
    lu.assertAlmostEquals(rates.items_per_s * map.median, 3, 1e-9)
    lu.assertAlmostEquals(rates.bytes_per_s_ci95[1] * map.ci95[2], 6000, 1e-6)
    lu.assertAlmostEquals(rates.bytes_per_s_ci95[2] * map.ci95[1], 6000, 1e-6)
    lu.assertTrue(rates.items_per_s_ci95[1] <= rates.items_per_s and rates.items_per_s <= rates.items_per_s_ci95[2])
end

function TestWork.test_few_iterations_have_a_rate_without_interval()
    local case = run([[ iterations = 5, body = function() rig.spin(1e-5) end,
        work = function() return { items = 1 } end, ]]).cases[1]
    lu.assertNotNil(case.rates.items_per_s)
    lu.assertNil(case.rates.items_per_s_ci95)
    lu.assertNil(case.rates.bytes_per_s)
end

function TestWork.test_the_terminal_shows_rates_with_their_intervals()
    local doc = run [[ iterations = 7, workers = 2, items = 3, map = function(i) rig.spin(1e-4) return i end,
        work = function() return { bytes = 6000, items = 3 } end, ]]
    lu.assertStrMatches(text.render(doc), ".*bytes/s +items/s\n.*[kMG]B/s %([%d.]+ [kMG]?B to [%d.]+ [kMG]?B%).*")
    doc = run [[ iterations = 7, body = function() rig.spin(1e-4) end, work = function() return { items = 3 } end, ]]
    lu.assertStrMatches(text.render(doc), ".*items/s\n.*/s %([%d.,K]+ to [%d.,K]+%).*")
end

function TestWork.test_what_it_returns_is_checked()
    for work, said in pairs {
        ["function() end"] = "work: returned nil; return { bytes = …, items = … }",
        ["function() return { byte = 1 } end"] = 'the unknown key "byte"; did you mean bytes?',
        ["function() return { items = -1 } end"] = "items is -1; give a finite number of at least 0",
        ["function() return { items = 1 / 0 } end"] = "give a finite number",
        ["function() return { items = 'x' } end"] = "give a finite number",
    } do
        local case = with_work(work)
        lu.assertEquals(case.status, "error", work)
        lu.assertStrContains(case.reason, said)
    end
end

TestVerify = {}

local function verified(judge)
    return run([[ workers = { 1, 2 }, iterations = 1, items = 2, map = function(i) return i end, reduce = rig.sum,
        verify = ]] .. judge .. ",")
end

function TestVerify.test_its_verdict_and_message_are_in_the_results_and_on_the_terminal()
    local doc = verified "function(r) return r.cases[1].s_per_iteration < 0, 'too ' .. 'slow' end"
    lu.assertEquals({ doc.status, doc.exit, doc.verify }, { "failed", 1, { right = false, message = "too slow" } })
    local again = assert(json.decode(assert(require("rig.report.json").render(doc))))
    lu.assertEquals(again.verify, { right = false, message = "too slow" })
    lu.assertStrContains(text.render(again), "verify: too slow")
    lu.assertEquals(verified("function() return true end").verify, { right = true })
end

function TestVerify.test_without_a_message_and_with_one_that_is_no_text()
    lu.assertEquals(verified("function() return false end").verify.message, "verify says that it is wrong")
    lu.assertStrContains(verified("function() return nil, { 1 } end").verify.message, "table")
end

function TestVerify.test_what_it_does_to_the_results_stays_there()
    local doc = verified "function(r) r.cases[1].s_per_iteration = -1 r.cases = nil return true end"
    lu.assertTrue(doc.cases[1].s_per_iteration > 0)
    lu.assertEquals(doc.exit, 0)
end

function TestVerify.test_it_sees_the_statistics_and_metrics_of_every_case()
    local doc = verified [[function(r)
        for _, case in ipairs(r.cases) do
            if not case.stats.map.median or case.iterations[1].result ~= 3 then return false end
        end
        return #r.cases == 2
    end]]
    lu.assertEquals(doc.exit, 0)
end

os.exit(lu.LuaUnit.run())
