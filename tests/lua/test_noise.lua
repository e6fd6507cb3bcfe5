-- What disturbed a case: counters before and after it, samples taken while the machine was suspended, and what findings
-- say about either. Nothing is suspended here: the clock that would show it is moved by hand.
-- Neighbours: lua/rig/noise.lua, lua/rig/findings/noise.lua.

local lu = require "luaunit"
local core = require "rig.core"
local findings = require "rig.findings.noise"
local noise = require "rig.noise"
local points = require "rig.findings.points"
local rig = require "rig"
local schema = require "rig.report.schema"

-- Runs with another clock of suspension, and puts the right one back.
local function with_suspension(clock, fn)
    local real = core.suspended_ns
    core.suspended_ns = clock
    local results = table.pack(pcall(fn))
    core.suspended_ns = real
    assert(results[1], results[2])
    return table.unpack(results, 2, results.n)
end

local function run(body)
    local source = 'local rig = require "rig"\nreturn rig.scenario { name = "noise", ' .. body .. " }\n"
    return assert(rig.run("noise.lua", { source = source }))
end

TestCounters = {}

local function mark(change)
    local one = { at = 10, suspended_ns = 0, own_s = 1, runnable = 2, throttled_s = 0, switches = 5,
        times = { busy_s = 100, steal_s = 7, idle_s = 50 } }
    for name, value in pairs(change or {}) do one[name] = value end
    return one
end

function TestCounters.test_what_others_used_is_what_we_did_not()
    local found = noise.between(mark(), mark { at = 12, own_s = 2.5, runnable = 4, throttled_s = 0.25, switches = 9,
        times = { busy_s = 103, steal_s = 7.5, idle_s = 51 } })
    lu.assertEquals(found, { wall_s = 2, steal_s = 0.5, other_cpu_s = 1.5, runnable = 4, throttled_s = 0.25,
        involuntary_switches = 4, suspended_s = 0 })
end

function TestCounters.test_counters_that_are_not_there_are_left_out()
    local nothing = { at = 1, suspended_ns = 0 }
    lu.assertEquals(noise.between(nothing, { at = 2, suspended_ns = 0 }), { wall_s = 1, suspended_s = 0 })
    lu.assertNil(noise.between(mark(), nothing).other_cpu_s)
end

-- steps of 10 ms, and counters that some kernels let fall
function TestCounters.test_nothing_is_ever_negative()
    local found = noise.between(mark(), mark { own_s = 3, times = { busy_s = 100.5, steal_s = 6, idle_s = 50 } })
    lu.assertEquals(found.other_cpu_s, 0)
    lu.assertEquals(found.steal_s, 0)
end

function TestCounters.test_suspension_is_told_from_the_reading_of_two_clocks()
    lu.assertEquals(noise.between(mark(), mark { suspended_ns = 900000 }).suspended_s, 0)
    lu.assertEquals(noise.between(mark(), mark { suspended_ns = -900000 }).suspended_s, 0)
    lu.assertEquals(noise.between(mark(), mark { suspended_ns = 2500000000 }).suspended_s, 2.5)
end

function TestCounters.test_this_machine_tells_them()
    local before = noise.mark()
    core.spin(0.05)
    local found = noise.since(before)
    lu.assertTrue(found.wall_s >= 0.05)
    lu.assertTrue(found.other_cpu_s >= 0 and found.runnable >= 0 and found.involuntary_switches >= 0)
end

TestCases = {}

function TestCases.test_every_case_says_what_disturbed_it()
    local doc = run [[ workers = 2, pool = { "serial", "builtin" }, items = { 1, 2 },
        map = function(i) return i end ]]
    for _, case in ipairs(doc.cases) do
        lu.assertTrue(case.noise.wall_s >= case.total_s)
        lu.assertEquals(case.noise.suspended_s, 0)
        for _, one in ipairs(case.iterations) do lu.assertNil(one.suspended) end
    end
    lu.assertTrue(schema.check(schema.complete(doc)))
    lu.assertNotNil(doc.host.at_end)
end

-- A clock that jumps by 3 s between its fourth and its fifth reading: one is of the case, then there are two around
-- each iteration, so the second is hit.
local function jumping()
    local readings = 0
    return function()
        readings = readings + 1
        return readings >= 5 and 3000000000 or 0
    end
end

local function suspended_ones(case)
    local marks = {}
    for i, one in ipairs(case.iterations) do marks[i] = one.suspended or false end
    return marks
end

function TestCases.test_a_map_during_which_the_machine_slept_is_marked_and_kept()
    local doc = with_suspension(jumping(), function()
        return run [[ pool = "serial", iterations = 3, items = { 1 }, map = function(i) return i end ]]
    end)
    lu.assertEquals(suspended_ones(doc.cases[1]), { false, true, false })
    lu.assertEquals(doc.cases[1].noise.suspended_s, 3)
    lu.assertEquals(doc.cases[1].stats.map.n, 3)
    lu.assertStrContains(doc.findings[#doc.findings].text, "suspended for 3.00 s, during 1 sample")
end

function TestCases.test_a_call_during_which_the_machine_slept_is_marked()
    local doc = with_suspension(jumping(), function()
        return run [[ iterations = 2, body = function() return 1 end ]]
    end)
    lu.assertEquals(suspended_ones(doc.cases[1]), { false, true })
end

TestFindings = {}

-- A document of cases that took a second each on four processors.
local function document(cases, host)
    for i, case in ipairs(cases) do
        case.index, case.status = i, "ok"
        case.params = case.params or { pool = i == 1 and "builtin" or "custom", workers = 4 }
        case.s_per_iteration = 1
        if case.noise then case.noise.wall_s = case.noise.wall_s or 1 end
        case.iterations = case.iterations or {}
    end
    return { scenario = { name = "n" }, host = host or { cores = 4 }, varying = { "pool" }, cases = cases }
end

local function texts(doc)
    local list = {}
    for i, finding in ipairs(findings.find(points.of(doc))) do
        lu.assertEquals(finding.kind, "noise")
        list[i] = finding.text
    end
    return list, findings.find(points.of(doc))
end

function TestFindings.test_a_quiet_machine_is_not_worth_a_line()
    lu.assertEquals(texts(document { {}, { noise = { steal_s = 0.01, other_cpu_s = 0.05, suspended_s = 0 } } }), {})
end

function TestFindings.test_stolen_time_is_told_with_its_worst_case()
    local list, found = texts(document { { noise = { steal_s = 0 } }, { noise = { steal_s = 0.8 } } })
    lu.assertEquals(#list, 1)
    lu.assertStrContains(list[1], "the hypervisor took 10 % of the processors' time (800 ms, most in custom: 20 %)")
    lu.assertEquals(found[1].evidence.cases, { 2 })
    lu.assertAlmostEquals(found[1].evidence.stolen.share, 0.1, 1e-9)
end

function TestFindings.test_other_programs()
    local both = { { noise = { other_cpu_s = 2 } }, { noise = { other_cpu_s = 2 } } }
    lu.assertEquals(texts(document(both)),
        { "others used 50 % of the 4 processors: small differences may come from that; see rig doctor" })
    lu.assertEquals(texts(document(both, { cores = 4, load = { 6.25, 3, 2 } })), { "others used 50 % of the 4 "
        .. "processors (load 6.2 at the start): small differences may come from that; see rig doctor" })
    both[2].noise.other_cpu_s = 0
    lu.assertStrContains(texts(document(both, { cores = 4, load = { 5, 3, 2 } }))[1],
        "others used 25 % of the 4 processors (load 5.0 at the start, most in builtin: 50 %)")
    -- of all processors that there are, not only of those that rig may use
    local host = { cores = 2, cores_online = 80 }
    lu.assertEquals(texts(document({ { noise = { other_cpu_s = 2 } } }, host)), {})
end

function TestFindings.test_little_is_not_told_however_large_its_share()
    lu.assertEquals(texts(document { { noise = { wall_s = 0.01, other_cpu_s = 0.03, steal_s = 0.01 } } }), {})
end

function TestFindings.test_standstills_by_quota()
    local doc = document({ { noise = { throttled_s = 0.4 } } }, { cores = 4, cgroup_quota = 1.5 })
    lu.assertStrContains(texts(doc)[1], "quota of 1.5 processors made rig stand still for 400 ms, 40 % of the time")
end

function TestFindings.test_suspension()
    local doc = document { { noise = { suspended_s = 2.5 }, iterations = { {}, { suspended = true } } } }
    lu.assertStrContains(texts(doc)[1], "suspended for 2.50 s, during 1 sample")
end

function TestFindings.test_iterations_that_varied_wildly()
    local map = { n = 9, median = 0.010, mad = 0.004, min = 0.005, max = 0.030 }
    local calm = { n = 9, median = 0.010, mad = 0.001, min = 0.009, max = 0.012 }
    local list = texts(document { { stats = { map = calm } }, { stats = { map = map } } })
    lu.assertEquals(list, { "iterations varied wildly in 1 of 2 cases: in custom from 5.00 ms to 30.0 ms around "
        .. "10.0 ms (MAD 40 %)" })
    map.n = 3
    lu.assertEquals(texts(document { { stats = { map = map } } }), {})
end

function TestFindings.test_what_unready_workers_explain_is_not_noise()
    local map = { n = 9, median = 0.010, mad = 0.004, min = 0.005, max = 0.030 }
    local case = { stats = { map = map }, params = { pool = "custom", workers = 4, barrier = false },
        iterations = { { ready = 1 } } }
    lu.assertEquals(texts(document { case }), {})
    case.iterations[1].ready = 4
    lu.assertEquals(#texts(document { case }), 1)
end

os.exit(lu.LuaUnit.run())
