-- What a scenario may ask of how it is measured: calibrated calls and maps, a collector of its own, thresholds over the
-- whole run. Scenarios are run in this process; what the command makes of them, through the executable.
-- Neighbours: lua/rig/calibrate.lua, collector.lua, runner.lua; test_thresholds has the judging itself.

local lu = require "luaunit"
local json = require "rig.json"
local rig = require "rig"
local rigtest = require "rigtest"

local function source_of(body)
    return 'local rig = require "rig"\nreturn rig.scenario {\n' .. body .. "\n}\n"
end

local function run(body, opts)
    opts = opts or {}
    opts.source = source_of(body)
    local doc, problem = rig.run("test.lua", opts)
    return lu.assertNotNil(doc, tostring(problem)) or doc
end

local SPINS = [[ iterations = 5, body = function(p, _, n)
    local t0 = rig.now()
    for _ = 1, n do rig.spin(0.001) end
    rig.metric("each_s", (rig.now() - t0) / n, "s")
    rig.metric("n", n)
    return n
end, ]]

TestCalibrate = {}

function TestCalibrate.test_a_body_is_called_with_the_n_that_fills_the_time()
    local case = run(SPINS .. "calibrate = true,").cases[1]
    local n = case.calibrated.n
    lu.assertTrue(n >= 1 and n <= 40, n) -- 20 spins of 1 ms take 20 ms, longer on a machine that is busy
    lu.assertTrue(case.calibrated.s >= 0.02)
    lu.assertEquals(case.metrics.n.values, { n, n, n, n, n }) -- and nothing of what was called before
    lu.assertEquals(case.iterations[5].result, n)
end

function TestCalibrate.test_times_are_those_of_one_of_the_n()
    local case = run(SPINS .. 'calibrate = "5ms",').cases[1]
    local close = 0
    for i, seconds in ipairs(case.phases.map_s) do
        local each = case.metrics.each_s.values[i]
        lu.assertTrue(seconds >= each * 0.999)
        if seconds < each * 1.5 then close = close + 1 end
    end
    lu.assertTrue(close >= 1)
    lu.assertTrue(case.s_per_iteration >= 0.000999)
end

function TestCalibrate.test_without_it_and_in_a_smoke_run_n_is_1()
    for _, opts in ipairs { { calibrate = "" }, { calibrate = "calibrate = true,", smoke = true } } do
        local case = run(SPINS .. opts.calibrate, { smoke = opts.smoke }).cases[1]
        lu.assertNil(case.calibrated)
        lu.assertEquals(case.metrics.n.values[1], 1)
    end
end

function TestCalibrate.test_all_runs_of_a_case_do_the_same()
    local doc = run(SPINS .. 'calibrate = "3ms", runs = 3, params = { kind = { "a", "b" } },')
    lu.assertEquals(#doc.cases, 6)
    for _, case in ipairs(doc.cases) do
        local first = case.params.kind == "a" and doc.cases[1] or doc.cases[2]
        lu.assertEquals(case.calibrated, first.calibrated)
    end
end

function TestCalibrate.test_an_error_in_a_calibrated_body_is_the_scenarios()
    local doc = run [[ calibrate = true, body = function() error "broken on purpose" end, ]]
    lu.assertEquals(doc.exit, 2)
    lu.assertStrContains(doc.cases[1].reason, "broken on purpose")
end

function TestCalibrate.test_a_call_that_takes_too_long_is_a_fault_of_the_iterations()
    local doc = run [[ calibrate = true, iterations = 2, timeout = "10ms",
        body = function(_, _, n)
            local t0 = rig.now()
            while rig.now() - t0 < n * 0.02 do end
        end, ]]
    lu.assertEquals(doc.exit, 4)
    lu.assertEquals(doc.cases[1].outcomes.timeout, 1)
end

function TestCalibrate.test_a_body_that_takes_long_by_itself_is_called_once_at_a_time()
    local case = run [[ calibrate = "1ms", iterations = 2, body = function(_, _, n) rig.spin(0.002) return n end,
        expect = 1, ]].cases[1]
    lu.assertEquals({ case.status, case.calibrated.n }, { "ok", 1 })
end

local MAPS = [[ workers = 2, iterations = 3, items = 4, map = function(i) rig.spin(0.0005) return i end,
    reduce = rig.sum, expect = 10, ]]

function TestCalibrate.test_maps_go_on_until_the_time_is_filled_and_all_are_checked()
    for _, pool in ipairs { "serial", "builtin", "custom" } do
        local case = run(MAPS .. 'calibrate = "50ms",', { params = { pool = pool } }).cases[1]
        local n, sum = #case.phases.map_s, 0
        for i, seconds in ipairs(case.phases.map_s) do
            if i < n then sum = sum + seconds end
        end
        lu.assertTrue(n >= 3, pool)
        lu.assertTrue(n == 3 or sum < 0.05, pool) -- not one more than it takes
        lu.assertTrue(sum + case.phases.map_s[n] >= 0.05, pool)
        lu.assertEquals({ #case.iterations, case.verified, case.params.iterations, case.calibrated.n }, { n, n, n, n })
        lu.assertEquals(case.outcomes.ok, 4 * n)
    end
end

function TestCalibrate.test_maps_are_as_many_as_asked_for_on_the_command_line_and_in_a_smoke_run()
    lu.assertEquals(#run(MAPS .. 'calibrate = "50ms",', { params = { iterations = 2 } }).cases[1].iterations, 2)
    lu.assertEquals(#run(MAPS .. 'calibrate = "50ms",', { smoke = true }).cases[1].iterations, 1)
end

function TestCalibrate.test_a_fault_is_not_repeated_to_fill_the_time()
    local case = run([[ workers = 1, iterations = 2, items = 2, calibrate = "10s",
        map = function(i) if i == 2 then error "no" end return i end, ]]).cases[1]
    lu.assertEquals({ case.status, #case.iterations }, { "faulted", 2 })
end

-- ---------------------------------------------------------------------------------------------------------------------

TestCollector = {}

local MODE = [[ (function()
    if not collectgarbage "isrunning" then return "stopped" end
    local mode = collectgarbage "incremental"
    collectgarbage(mode)
    return mode
end)() ]]

local function mode_of(pool, gc)
    local case = run(([[ pool = %q, gc = %q, workers = 2, iterations = 2, items = 2,
        map = function() return %s end, reduce = function(r) return r[1] .. " " .. %s end, ]]):format(
        pool, gc, MODE, MODE)).cases[1]
    lu.assertEquals(case.params.gc, gc)
    return case.iterations[2].result
end

function TestCollector.test_it_is_as_asked_for_in_workers_and_where_it_is_timed_here()
    for _, pool in ipairs { "serial", "builtin", "custom", "shm" } do
        lu.assertEquals(mode_of(pool, "stop"), "stopped stopped", pool)
        lu.assertEquals(mode_of(pool, "generational"), "generational generational", pool)
        lu.assertEquals(mode_of(pool, "incremental"), "incremental incremental", pool)
        lu.assertEquals(mode_of(pool, "default"), "incremental incremental", pool)
        lu.assertTrue(collectgarbage "isrunning")
    end
end

function TestCollector.test_it_is_put_back_after_a_case_however_that_ended()
    for _, gc in ipairs { "stop", "generational" } do
        local doc = run(([[ gc = %q, iterations = 1, body = function() error "broken on purpose" end, ]]):format(gc))
        lu.assertEquals(doc.exit, 2)
        lu.assertTrue(collectgarbage "isrunning")
        local mode = collectgarbage "incremental"
        collectgarbage(mode)
        lu.assertEquals(mode, "incremental")
    end
end

function TestCollector.test_a_host_that_uses_another_mode_gets_it_back()
    collectgarbage "generational"
    run [[ gc = "stop", iterations = 1, body = function() end, ]]
    run [[ gc = "incremental", iterations = 1, body = function() end, ]]
    lu.assertEquals(collectgarbage "incremental", "generational")
end

function TestCollector.test_a_stopped_one_collects_between_iterations()
    -- each leaves 8 MB behind; what stands at its beginning is what those before it left
    local case = run [[ gc = "stop", iterations = 6, body = function()
        rig.metric("before_kb", collectgarbage "count")
        local t = {}
        for i = 1, 1000 do t[i] = ("x"):rep(8000 + i) end
    end, ]].cases[1]
    local kb = case.metrics.before_kb.values
    lu.assertTrue(kb[6] < kb[1] + 8000, kb[6] - kb[1])
end

function TestCollector.test_it_can_be_swept()
    local doc = run [[ gc = { "default", "stop" }, iterations = 1, body = function() end, ]]
    lu.assertEquals({ doc.cases[1].label, doc.cases[2].label }, { "gc default", "gc stop" })
end

-- ---------------------------------------------------------------------------------------------------------------------

TestLimits = {}

local LIMITS = [[ pool = { "serial", "builtin" }, size = { 1, 2 }, workers = 2, iterations = 2, items = 2,
    map = function(i) return i end,
    reduce = function(r) rig.metric("sum", rig.sum(r), "points") return rig.sum(r) end,
    expect = 3, thresholds = { "map < 1 min", { "sum > %s", where = { size = 2 } },
        { "map.ratio < 1e9", of = { pool = "serial" }, to = { pool = "builtin" } } }, ]]

function TestLimits.test_a_run_that_keeps_them_passes()
    local doc = run(LIMITS:format "2")
    lu.assertEquals({ doc.status, doc.exit, #doc.thresholds }, { "passed", 0, 4 + 2 + 2 })
    for _, entry in ipairs(doc.thresholds) do lu.assertTrue(entry.passed, entry.text) end
end

function TestLimits.test_a_broken_one_fails_the_run()
    local doc = run(LIMITS:format "4")
    lu.assertEquals({ doc.status, doc.exit }, { "failed", 1 })
    lu.assertFalse(doc.thresholds[5].passed)
    lu.assertEquals(doc.thresholds[5].case, "serial, 2")
    lu.assertEquals({ doc.thresholds[5].value, doc.thresholds[5].unit }, { 3, "points" })
end

function TestLimits.test_a_fault_goes_before_a_broken_one()
    local doc = run [[ iterations = 1, workers = 1, items = 1, map = function() error "no" end,
        thresholds = { "map < 1 min" }, ]]
    lu.assertEquals({ doc.exit, doc.thresholds[1].passed }, { 4, false })
end

function TestLimits.test_what_was_left_out_does_not_fail()
    local doc = run(LIMITS:format "4", { only = { { name = "size", text = "1" } } })
    lu.assertEquals(doc.exit, 0)
    lu.assertEquals(doc.thresholds[3].reason, "not judged: left out by the command line")
    doc = run(LIMITS:format "4", { smoke = true })
    lu.assertEquals({ doc.exit, #doc.thresholds }, { 0, 3 })
    lu.assertStrContains(doc.thresholds[1].reason, "--smoke")
end

function TestLimits.test_the_command_exits_with_1_says_why_and_writes_them()
    rigtest.write("limits.lua", source_of(LIMITS:format "4"))
    local ran = rigtest.rig("limits.lua", "--json", "out.json")
    lu.assertEquals(ran.exit, 1)
    lu.assertStrContains(ran.err, "rig: threshold sum > 4: serial, 2: 3 points (2 samples), not > 4")
    local doc = assert(json.decode(rigtest.read "out.json"))
    lu.assertEquals({ #doc.thresholds, doc.status }, { 8, "failed" })
    ran = rigtest.rig("show", "out.json")
    lu.assertEquals(ran.exit, 0)
    os.remove "out.json"
    os.remove "limits.lua"
end

function TestLimits.test_check_lists_them_and_where_they_apply()
    rigtest.write("limits.lua", source_of(LIMITS:format "4"))
    local said = rigtest.rig("check", "limits.lua", "--only", "size=1")
    lu.assertEquals(said.exit, 0)
    lu.assertStrMatches(said.out, ".*\nThresholds\n  map < 1 min +in 2 cases\n"
        .. "  sum > 4 +left out by the command line +where size 2\n"
        .. "  map%.ratio < 1e9 +in 1 pair +of pool serial to pool builtin\n")
    local listed = assert(json.decode(rigtest.rig("check", "limits.lua", "--json").out)).thresholds
    lu.assertEquals(listed[2], { text = "sum > 4", where = { size = 2 }, cases = { "serial, 2", "builtin, 2" } })
    os.remove "limits.lua"
end

os.exit(lu.LuaUnit.run())
