-- Where two change places along a number: found, told with what it rests on, and searched by --find-crossing.
-- Neighbours: lua/rig/findings/crossing.lua, lua/rig/bisect.lua, lua/rig/fits/crossing.lua.

local lu = require("luaunit")
local bisect = require("rig.bisect")
local findings = require("rig.findings")
local plan_of = require("rig.plan")
local rigtest = require("rigtest")
local results = require("rig.results")
local scenario = require("rig.scenario")
local synthetic = require("synthetic")

local function of_kind(doc, kind, opts)
    local found = {}
    for _, finding in ipairs(findings.of(doc, opts)) do
        if finding.kind == kind then found[#found + 1] = finding end
    end
    return found
end

-- builtin takes the same everywhere, custom what the function says.
local function two(sizes, custom, runs)
    local rows, wobble = {}, runs == nil and { 1 } or { 1, 1.02, 0.99, 1.01, 0.98, 1.005, 0.995 }
    for run = 1, runs or 1 do
        for _, size in ipairs(sizes) do
            rows[#rows + 1] = { pool = "builtin", size = size, s = 0.01 * wobble[run], run = run }
            rows[#rows + 1] = { pool = "custom", size = size, s = custom(size) * wobble[#wobble + 1 - run], run = run }
        end
    end
    return synthetic.timed({ "pool", "size" }, rows)
end

local function linear(x) return x * 1e-7 end

TestCrossing = {}

function TestCrossing.test_the_place_between_two_values_is_interpolated()
    local found = of_kind(two({ 1000, 10000, 1000000 }, linear), "crossing")
    lu.assertEquals(#found, 1)
    lu.assertEquals(found[1].text, "builtin and custom change places at about size 100K, between 10K and 1M: "
        .. "below custom is the faster one (10.0 x at 10K), above builtin is the faster one (10.0 x at 1M); "
        .. "--find-crossing size narrows it down (one run, no interval)")
    lu.assertEquals(found[1].evidence.below, "custom")
    lu.assertEquals(found[1].evidence.cases, { 3, 4, 5, 6 })
end

function TestCrossing.test_several_runs_give_an_interval()
    local found = of_kind(two({ 10000, 80000, 120000, 1000000 }, linear, 7), "crossing")[1]
    lu.assertStrContains(found.text, "(7 runs, 95 % interval)")
    lu.assertIsTrue(found.evidence.is_interval)
    lu.assertIsTrue(found.evidence.low < 100000 and found.evidence.high > 100000, found.text)
    lu.assertIsTrue(found.evidence.low > 80000 and found.evidence.high < 120000, found.text)
end

function TestCrossing.test_values_where_they_are_level_are_named()
    local found = of_kind(two({ 10000, 95000, 105000, 1000000 }, linear), "crossing")[1]
    lu.assertStrContains(found.text, "between 10K and 1M")
    lu.assertStrContains(found.text, "; from 95K to 105K they cannot be told apart")
    found = of_kind(two({ 10000, 100000, 1000000 }, linear), "crossing")[1]
    lu.assertStrContains(found.text, "; at 100K they cannot be told apart")
end

function TestCrossing.test_two_places_are_two_findings()
    local found = of_kind(two({ 100, 1000, 10000 }, function(x) return x == 1000 and 0.02 or 0.005 end), "crossing")
    lu.assertEquals(#found, 2)
    lu.assertEquals({ found[1].evidence.below, found[2].evidence.below }, { "custom", "builtin" })
end

function TestCrossing.test_no_place_is_said_only_to_whoever_asked()
    local doc = two({ 1000, 10000 }, linear)
    lu.assertEquals(of_kind(doc, "crossing"), {})
    local found = of_kind(doc, "crossing", { find_crossing = "size" })
    lu.assertEquals(found[1].text, "builtin and custom do not change places from size 1,000 to 10K: custom is the "
        .. "faster one or level with it throughout (one run, no interval)")
    doc = two({ 1000, 10000 }, function() return 0.0101 end)
    lu.assertStrContains(of_kind(doc, "crossing", { find_crossing = "size" })[1].text,
        "they cannot be told apart anywhere")
end

function TestCrossing.test_no_place_in_enough_runs_lacks_no_interval()
    local function text(runs)
        return of_kind(two({ 1000, 10000 }, linear, runs), "crossing", { find_crossing = "size" })[1].text
    end
    lu.assertStrMatches(text(6), ".* throughout %(6 runs%)")
    lu.assertStrMatches(text(3), ".* throughout %(3 runs, no interval%)")
end

function TestCrossing.test_serial_is_the_baseline_of_workers_and_no_contender()
    lu.assertEquals(of_kind(synthetic.scaling(), "crossing"), {})
end

function TestCrossing.test_sizes_of_the_data_have_their_noun()
    local doc = synthetic.document("fixed_data", { "pool", "size" }, synthetic.sweep({
        { "pool", { "builtin", "custom" } }, { "size", { 100000, 1000000 } } }))
    for _, case in ipairs(doc.cases) do
        if case.params.pool == "custom" and case.params.size == 100000 then case.s_per_iteration = 0.001 end
    end
    lu.assertStrMatches(of_kind(doc, "crossing")[1].text, "builtin and custom change places at about %d+K ints, .*")
end

-- ---------------------------------------------------------------------------------------------------------------------

TestMiddle = {}

function TestMiddle.test_the_middle_is_geometric_between_values_far_apart_and_short_to_read()
    lu.assertEquals(bisect.middle(1000, 100000, true), 10000)
    lu.assertEquals(bisect.middle(100000, 630957, true), 251000)
    lu.assertEquals(math.type(bisect.middle(100000, 630957, true)), "integer")
    lu.assertEquals(bisect.middle(1000, 1200, true), 1100)
    lu.assertEquals(bisect.middle(0, 10, true), 5)
    lu.assertEquals(bisect.middle(0.25, 1.0, false), 0.5)
end

function TestMiddle.test_there_is_none_between_neighbours()
    lu.assertNil(bisect.middle(3, 4, true))
    lu.assertEquals(bisect.middle(3, 5, true), 4)
    lu.assertEquals(bisect.middle(1000001, 1000003, true), 1000002)
end

TestSearch = {}

local function plan_for(declared)
    declared.map = declared.map or function() end
    declared.items = 1
    return assert(plan_of.make(assert(scenario.declare(declared))))
end

-- A run that measures nothing: the seconds of a case come from a function.
local function search(plan, name, seconds)
    local doc = synthetic.timed(plan.varying, {})
    local measured = {}
    local function measure(case)
        local s = seconds(case.params)
        measured[#measured + 1] = case
        results.add(doc, results.case({
            index = case.index, run = case.run, params = case.params, verified = 1, s_per_iteration = s,
            status = s and "ok" or "faulted", phases = { map_s = { s } }, iterations = { { ready = 4,
                tasks_by_worker = { 1 } } }, outcomes = { ok = 1 },
        }, case.axes))
        return #measured < 100
    end
    for _, case in ipairs(plan.cases) do measure(case) end
    bisect.run(plan, name, doc, measure)
    return doc, measured
end

local function pools(p, at, exponent)
    return p.pool == "builtin" and 0.01 or 0.01 * (p.size / at) ^ (exponent or 1)
end

function TestSearch.test_the_bracket_shrinks_until_its_ends_are_near_or_cannot_be_told_apart()
    local plan = plan_for { pool = { "builtin", "custom" }, size = { 1000, 10000000 } }
    local doc = search(plan, "size", function(p) return pools(p, 345678) end)
    local found = of_kind(doc, "crossing", { find_crossing = "size" })[1].evidence
    lu.assertIsTrue(found.low < 345678 and found.high > 345678)
    lu.assertIsTrue(found.high / found.low < 2, found.high / found.low)
    lu.assertAlmostEquals(found.at, 345678, 20000)
end

function TestSearch.test_a_steep_change_is_closed_in_to_a_tenth()
    local plan = plan_for { pool = { "builtin", "custom" }, size = { 1000, 5000 } }
    local doc, measured = search(plan, "size", function(p) return pools(p, 2345, 50) end)
    local found = of_kind(doc, "crossing")[1].evidence
    lu.assertIsTrue(found.measured_low < 2345 and found.measured_high > 2345)
    lu.assertIsTrue(found.measured_high / found.measured_low <= 1.10)
    lu.assertIsTrue(#measured < 4 + 2 * bisect.STEPS, #measured)
end

function TestSearch.test_both_are_measured_at_each_value_in_every_run_with_indexes_that_go_on()
    local plan = plan_for { pool = { "builtin", "custom" }, size = { 1000, 100000 }, runs = 2 }
    local doc, measured = search(plan, "size", function(p) return pools(p, 20000) end)
    for i, case in ipairs(measured) do lu.assertEquals(case.index, i) end
    local counts = {}
    for _, case in ipairs(doc.cases) do
        local key = case.params.pool .. case.params.size .. "/" .. case.run
        counts[key] = (counts[key] or 0) + 1
    end
    for key, count in pairs(counts) do lu.assertEquals(count, 1, key) end
    lu.assertEquals(measured[9].label, "builtin, 10,000, run 1")
    lu.assertEquals(measured[12].label, "custom, 10,000, run 2")
    lu.assertEquals(#plan.cases, 8)
end

function TestSearch.test_nothing_is_measured_where_one_is_faster_throughout()
    local plan = plan_for { pool = { "builtin", "custom" }, size = { 1000, 10000 } }
    local _, measured = search(plan, "size", function(p) return pools(p, 1e6) end)
    lu.assertEquals(#measured, 4)
end

function TestSearch.test_whole_numbers_next_to_each_other_end_it()
    local plan = plan_for { pool = { "builtin", "custom" }, size = { 1, 4 } }
    local doc, measured = search(plan, "size", function(p)
        return p.pool == "builtin" and 0.01 or p.size <= 2 and 0.001 or 0.1
    end)
    local found = of_kind(doc, "crossing")[1].evidence
    lu.assertEquals({ found.measured_low, found.measured_high }, { 2, 3 })
    lu.assertIsTrue(#measured <= 8)
end

function TestSearch.test_a_value_that_fails_ends_it()
    local plan = plan_for { pool = { "builtin", "custom" }, size = { 1000, 100000 } }
    local _, measured = search(plan, "size", function(p)
        if p.size == 10000 then return nil end
        return pools(p, 20000)
    end)
    lu.assertEquals(#measured, 6)
end

function TestSearch.test_axes_and_numbers_of_ones_own_can_be_searched_too()
    local plan = plan_for { pool = { "builtin", "shm" }, chunk = { 1, 64 } }
    local doc = search(plan, "chunk", function(p) return p.pool == "shm" and 0.01 or 0.0005 * p.chunk end)
    for _, case in ipairs(doc.cases) do lu.assertEquals(math.type(case.params.chunk), "integer") end
    lu.assertAlmostEquals(of_kind(doc, "crossing")[1].evidence.at, 20, 2)
    plan = plan_for { params = { way = { "a", "b" }, share = { 0.1, 0.9 } } }
    doc = search(plan, "share", function(p) return p.way == "a" and 0.01 or p.share * 0.03 end)
    lu.assertAlmostEquals(of_kind(doc, "crossing")[1].evidence.at, 1 / 3, 0.03)
end

TestRefused = {}

local function problem_of(declared, name)
    return tostring(bisect.problem(plan_for(declared), name))
end

function TestRefused.test_what_cannot_be_searched_is_told_before_anything_runs()
    local both = { "builtin", "custom" }
    lu.assertEquals(problem_of({ pool = both, size = { 1, 2 } }, "sise"),
        "command line: --find-crossing sise: no such parameter; did you mean size?")
    lu.assertEquals(problem_of({ pool = both, size = { 1, 2 } }, "pool"),
        "command line: --find-crossing pool: not a number that can be searched; use size")
    lu.assertEquals(problem_of({ pool = both, chunk = { "auto", 1 }, size = { 1, 2 } }, "chunk"),
        "command line: --find-crossing chunk: not a number that can be searched; use size")
    lu.assertEquals(problem_of({ pool = both }, "size"), "command line: --find-crossing size: has one value, and a "
        .. "crossing lies between two; sweep it, as in size=1e3..1e6:4")
    lu.assertEquals(problem_of({ pool = both, size = { 1, 2 }, workers = { 1, 2 } }, "size"),
        "command line: --find-crossing size: workers varies too; give it one value, as in workers=2")
end

function TestRefused.test_two_must_be_there_to_be_compared()
    lu.assertEquals(problem_of({ size = { 1, 2 } }, "size"), "command line: --find-crossing size: needs two to be "
        .. "compared, and nothing but numbers varies; choose two, as in pool=builtin,custom")
    lu.assertStrContains(problem_of({ pool = { "builtin", "custom", "shm" }, size = { 1, 2 } }, "size"),
      "and there are 3: builtin; custom; shm; choose two")
    lu.assertStrContains(problem_of({ pool = { "serial", "builtin" }, workers = { 1, 2 } }, "workers"),
        "and there is only builtin; choose two")
    lu.assertNil(bisect.problem(plan_for { pool = { "builtin", "custom" }, size = { 1, 2 } }, "size"))
end

TestCommand = {}

local SCENARIO = [[
local rig = require "rig"
return rig.scenario {
    name = "cross", params = { way = { "flat", "grows" } }, size = { 10, 1000 }, iterations = 2, workers = 1,
    items = 2, map = function(_, _, w)
        rig.sleep(w.p.way == "flat" and 0.04 or w.p.size * 4e-4) -- far more than the noise of a busy machine
        return 1
    end,
    reduce = rig.sum, expect = 2,
}
]]

function TestCommand.test_the_command_adds_cases_and_says_where()
    lu.skipIf(rigtest.valgrind, "there the processes take longer than what sleeps, and neither way is the faster one")
    rigtest.write("cross.lua", SCENARIO)
    local ran = rigtest.rig("cross.lua", "--find-crossing", "size", "--json", "out.json")
    lu.assertEquals(ran.exit, 0, ran.err)
    lu.assertStrContains(ran.out, "change places")
    local doc = assert(results.read("out.json"))
    lu.assertIsTrue(#doc.cases > 4)
    local sizes = {}
    for i, case in ipairs(doc.cases) do
        lu.assertEquals({ case.index, case.status }, { i, "ok" })
        sizes[case.params.size] = (sizes[case.params.size] or 0) + 1
    end
    for size, count in pairs(sizes) do lu.assertEquals(count, 2, size) end
    local found
    for _, finding in ipairs(doc.findings) do found = finding.kind == "crossing" and finding or found end
    lu.assertIsTrue(found.evidence.low >= 10 and found.evidence.high <= 1000)
    lu.assertIsTrue(found.evidence.measured_high / found.evidence.measured_low < 100)
end

function TestCommand.test_what_cannot_be_searched_is_a_usage_error()
    rigtest.write("cross.lua", SCENARIO)
    local ran = rigtest.rig("cross.lua", "--find-crossing", "way", "--json", "none.json")
    lu.assertEquals(ran.exit, 2)
    lu.assertStrContains(ran.err, "--find-crossing way: not a number that can be searched; use size")
    lu.assertFalse(rigtest.exists("none.json"))
end

function TestCommand.test_the_budget_bounds_it()
    rigtest.write("cross.lua", (SCENARIO:gsub("iterations = 2", "iterations = 20")))
    local ran = rigtest.rig("cross.lua", "size=10,1000", "iterations=20", "--find-crossing", "size", "--budget", "7s",
        "--json", "out.json")
    lu.assertEquals(ran.exit, 0, ran.err)
    local doc = assert(results.read("out.json"))
    -- it ends in the middle of a case, which says so, or between two
    local last = doc.cases[#doc.cases]
    lu.assertTrue((last.reason or ""):find "budget of 7.00 s spent" ~= nil or doc.duration_s > 6, doc.duration_s)
end

os.exit(lu.LuaUnit.run())
