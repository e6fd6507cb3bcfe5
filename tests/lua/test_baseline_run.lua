-- `rig compare` and `rig SCENARIO --baseline` as CI meets them: exit statuses, what decides them, what is written and
-- what is not written over, and what is said before anything runs. Runs the executable (path in RIG).
-- Neighbours: test_baseline.lua (what is no baseline), test_compare.lua (verdicts).

local lu = require "luaunit"
local json = require "rig.json"
local results = require "rig.results"
local rigtest = require "rigtest"

if not os.getenv "RIG" then
    print "skipped: RIG does not name the executable"
    os.exit(77)
end

local rig = rigtest.rig
local SCENARIO = "test_baseline_run.scenario.lua"
local BASE, NEW = "base.json", "new.json"

-- So many items are so many messages, and the counters of a release that sends more.
local function scenario(items, more)
    rigtest.write(SCENARIO, ([[
local rig = require "rig"
return rig.scenario { name = "adds", pool = { "serial", "builtin" }, workers = 2, iterations = 7, chunk = 1,
    items = %d, map = function(i) return i end, reduce = rig.sum, %s }
]]):format(items, more or ""))
end

local function wants(result, exit, out, err)
    lu.assertEquals(result.exit, exit, result.out .. result.err)
    if out then lu.assertStrContains(result.out, out) end
    if err then lu.assertStrContains(result.err, err) end
    return result
end

local function read(path)
    return assert(json.decode(rigtest.read(path)))
end

local function write(path, doc)
    rigtest.write(path, assert(json.encode(doc)))
end

-- As a machine would have measured it whose every step takes `factor` times as long.
local function scaled(doc, factor)
    for _, case in ipairs(doc.cases) do
        local phases = case.phases
        for _, list in ipairs { phases.map_s, phases.reduce_s } do
            for i, seconds in ipairs(list) do list[i] = seconds * factor end
        end
        for _, name in ipairs { "start_s", "deliver_s", "close_s" } do
            phases[name] = phases[name] and phases[name] * factor
        end
        case.s_per_iteration, case.total_s = case.s_per_iteration * factor, case.total_s * factor
        results.case(case)
    end
    return doc
end

local Run = {}

function Run.setUp()
    scenario(5)
    wants(rig(SCENARIO, "-q", "--json", BASE), 0)
end

function Run.tearDown()
    for _, path in ipairs { SCENARIO, BASE, NEW, "fifo", "link.json" } do os.remove(path) end
end

TestRun = { setUp = Run.setUp, tearDown = Run.tearDown }

function TestRun.test_the_same_program_passes()
    local result = wants(rig(SCENARIO, "--baseline", BASE, "--json", NEW), 0, "8 exact counters unchanged")
    lu.assertStrContains(result.out, "Against base.json, measured")
    lu.assertStrContains(result.out, "the two sides were not measured together")
    local doc = read(NEW)
    lu.assertTrue(results.check(doc))
    lu.assertEquals({ doc.status, doc.exit, doc.baseline.file }, { "passed", 0, BASE })
    lu.assertEquals(doc.baseline.started, read(BASE).started)
    wants(rig("show", NEW), 0, "8 exact counters unchanged")
end

function TestRun.test_a_changed_counter_is_a_regression_and_named()
    scenario(6)
    local result = wants(rig(SCENARIO, "--baseline", BASE, "--json", NEW), 3, "regressed")
    lu.assertStrMatches(result.out, ".*builtin +tasks +[35 ]*42 +%+7 .*changed\n.*") -- the base where there is room
    lu.assertStrContains(result.out, "the scenario's text is not the one of the base")
    local doc = read(NEW)
    lu.assertEquals({ doc.status, doc.exit }, { "regressed", 3 })
    wants(rig("show", NEW), 0, "changed")
    wants(rig(SCENARIO, "-q", "--baseline", BASE, "--accept-counters"), 0)
end

function TestRun.test_a_failure_goes_before_a_regression()
    scenario(6, "expect = 1")
    wants(rig(SCENARIO, "-q", "--baseline", BASE), 1)
    scenario(6, "expect = function(p) return p.pool ~= 'serial' end")
    local result = wants(rig(SCENARIO, "--baseline", BASE), 1, "serial: failed now, not compared")
    lu.assertStrMatches(result.out, ".*builtin +tasks +[35 ]*42.*")
end

function TestRun.test_time_is_advice_unless_it_gates()
    write(BASE, scaled(read(BASE), 1e-3))
    wants(rig(SCENARIO, "--baseline", BASE), 0, "regressed (advice)")
    wants(rig(SCENARIO, "--baseline", BASE, "--gate", "time"), 3, "--gate time says")
    wants(rig(SCENARIO, "-q", "--baseline", BASE, "--gate", "time", "--min-effect", "50%"), 3)
    wants(rig(SCENARIO, "-q", "--baseline", BASE, "iterations=5", "--gate", "time"), 0)
    wants(rig(SCENARIO, "-q", "--baseline", BASE, "iterations=5", "--gate", "time", "--strict"), 6)
end

function TestRun.test_when_nothing_decides_strict_is_not_content()
    wants(rig(SCENARIO, "--baseline", BASE, "iterations=8"), 0, "iterations differ: 7 and 8")
    wants(rig(SCENARIO, "-q", "--baseline", BASE, "iterations=8", "--strict"), 6)
    wants(rig(SCENARIO, "-q", "--baseline", BASE, "--strict"), 0)
end

function TestRun.test_a_case_that_was_not_compared_is_counted_and_no_success_to_strict()
    local doc = read(BASE)
    doc.cases[2].params.chunk, doc.scenario.params.chunk = 5, nil
    write(BASE, doc)
    local result = wants(rig(SCENARIO, "--baseline", BASE, "--markdown", NEW), 0, "1 compared, 1 not compared")
    lu.assertStrContains(result.out, "chunk is 5 in the base and 1 now, not compared")
    lu.assertStrContains(rigtest.read(NEW), "### ⚠️ adds: passed")
    lu.assertStrContains(rigtest.read(NEW), "1 compared, 1 not compared")
    wants(rig(SCENARIO, "-q", "--baseline", BASE, "--strict", "--json", NEW), 6)
    local saved = read(NEW)
    lu.assertTrue(results.check(saved))
    lu.assertEquals({ saved.baseline.compared, saved.baseline.not_compared }, { 1, 1 })
    wants(rig("compare", BASE, NEW), 0, "passed: 1 compared, 1 not compared")
    wants(rig("compare", BASE, NEW, "-q", "--strict"), 6)
end

function TestRun.test_the_kernels_counters_decide_when_asked()
    local doc = read(BASE)
    for _, case in ipairs(doc.cases) do
        -- serial has no processes to count for
        for _, worker in ipairs(case.workers) do worker.minor_faults = (worker.minor_faults or 0) * 3 end
    end
    write(BASE, doc)
    wants(rig(SCENARIO, "--baseline", BASE), 0, "changed (advice)")
    wants(rig(SCENARIO, "-q", "--baseline", BASE, "--gate", "counters"), 3)
end

function TestRun.test_a_baseline_is_looked_at_before_anything_runs()
    scenario(5, "setup = function() error 'must not run' end")
    local good = rigtest.read(BASE)
    local bad = {
        [good:sub(1, #good // 2)] = "not JSON", [""] = "not JSON",
        [good:gsub('"status": "passed"', '"status": "faulted"', 1)] = "no baseline: a task of its run did not end ok",
        [good:gsub('"name": "adds"', '"name": "others"', 1)] = "the base is of the scenario others",
        [good:gsub('"iterations": 7', '"iterations": "7"', 1)] = "not a whole number",
        [good:gsub('"chunk": %[1%]', '"chunk": [2]', 1):gsub('"chunk": 1', '"chunk": 2')] =
            "chunk is 2 in the base and 1 now",
    }
    for text, why in pairs(bad) do
        rigtest.write(BASE, text)
        local result = wants(rig(SCENARIO, "--baseline", BASE), 5, nil, why)
        lu.assertNil(result.err:find("must not run", 1, true))
        lu.assertEquals(result.out, "")
    end
    for path, why in pairs { [""] = "name is empty", ["."] = "is a folder", ["none.json"] = "No such file" } do
        wants(rig(SCENARIO, "--baseline", path), 5, nil, why)
    end
end

function TestRun.test_a_fifo_as_baseline_does_not_hang()
    assert(os.execute "mkfifo fifo")
    for _, words in ipairs { { SCENARIO, "--baseline", "fifo" }, { "compare", "fifo", BASE },
        { "compare", BASE, "fifo" } } do
        local result = rigtest.run("timeout", "20", os.getenv "RIG", table.unpack(words))
        wants(result, 5, nil, "fifo: is no regular file")
    end
end

TestSameFile = { setUp = Run.setUp, tearDown = Run.tearDown }

function TestSameFile.test_results_that_pass_become_the_next_baseline()
    local before = read(BASE)
    wants(rig(SCENARIO, "-q", "--label", "next", "--baseline", BASE, "--json", BASE), 0)
    local after = read(BASE)
    lu.assertNotEquals(after.cases[1].phases.map_s, before.cases[1].phases.map_s)
    lu.assertEquals(after.label, "next")
    wants(rig(SCENARIO, "-q", "--baseline", BASE), 0) -- and are one
end

function TestSameFile.test_results_that_do_not_pass_leave_it_as_it_was()
    local before = rigtest.read(BASE)
    os.execute("ln -s " .. BASE .. " link.json")
    for _, target in ipairs { BASE, "./" .. BASE, "link.json" } do
        scenario(6)
        wants(rig(SCENARIO, "-q", "--baseline", BASE, "--json", target), 3, nil, "is the baseline and was kept")
        lu.assertEquals(rigtest.read(BASE), before)
        scenario(5, "expect = 1")
        wants(rig(SCENARIO, "-q", "--baseline", BASE, "--json", target), 1, nil, "is the baseline and was kept")
        lu.assertEquals(rigtest.read(BASE), before)
    end
end

TestCompare = { setUp = Run.setUp, tearDown = Run.tearDown }

function TestCompare.test_two_files()
    scenario(6)
    wants(rig(SCENARIO, "-q", "--json", NEW), 0)
    wants(rig("compare", BASE, BASE), 0, "8 exact counters unchanged")
    local result = wants(rig("compare", BASE, NEW), 3, "regressed: ")
    lu.assertStrMatches(result.out, ".*builtin +tasks .*42 +%+7 .*changed\n.*")
    lu.assertEquals(result.err, "")
    wants(rig("compare", BASE, NEW, "--accept-counters"), 0, "changed (advice)")
    lu.assertEquals(wants(rig("compare", BASE, NEW, "-q"), 3).out, "")
end

function TestCompare.test_the_verdicts_as_a_document()
    scenario(6)
    wants(rig(SCENARIO, "-q", "--json", NEW), 0)
    local result = wants(rig("compare", BASE, NEW, "--json", "-"), 3, nil, "regressed: ")
    local doc = assert(json.decode(result.out))
    lu.assertTrue(results.check(doc))
    lu.assertEquals({ doc.status, doc.exit }, { "regressed", 3 })
    local changed = {}
    for _, verdict in ipairs(doc.verdicts) do
        if verdict.gates and verdict.verdict == "changed" then changed[#changed + 1] = verdict.text end
    end
    local was, is = read(BASE).cases[2].counters, doc.cases[2].counters
    lu.assertEquals(is.messages, was.messages + 14)
    lu.assertEquals(#changed, 4)
    lu.assertItemsEquals({ changed[1], changed[2], changed[3] }, { "serial: tasks 35 -> 42", "builtin: tasks 35 -> 42",
        ("builtin: messages %d -> %d"):format(was.messages, is.messages) })
    lu.assertStrContains(changed[4], "builtin: payload_bytes ")
    wants(rig("compare", BASE, NEW, "--json", BASE), 3, nil, "is the baseline and was kept")
    wants(rig("compare", BASE, NEW, "-q", "--json", "no_folder/x.json"), 5, nil, "its folder does not exist")
    wants(rig("compare", BASE, NEW, "-q", "--json", NEW), 3)
    wants(rig("compare", BASE, NEW, "--accept-counters"), 0) -- what it came to before is forgotten
end

function TestCompare.test_what_cannot_be_compared()
    rigtest.write(NEW, "{}")
    wants(rig("compare", BASE, NEW), 5, nil, 'new.json: not a results document of rig: it has no "schema"')
    wants(rig("compare", NEW, BASE), 5, nil, 'new.json: not a results document of rig: it has no "schema"')
    wants(rig("compare", BASE, "none.json"), 5, nil, "none.json: No such file")
    local doc = read(BASE)
    doc.scenario.name = "others"
    write(NEW, doc)
    wants(rig("compare", BASE, NEW), 5, nil, "base.json: the base is of the scenario adds, these results are of others")
end

TestWords = { setUp = Run.setUp, tearDown = Run.tearDown }

function TestWords.test_options_that_have_nothing_to_compare_with()
    for _, words in ipairs { { "--gate", "time" }, { "--accept-counters" }, { "--min-effect", "3%" } } do
        wants(rig(SCENARIO, table.unpack(words)), 2, nil, words[1] .. ": there is no")
    end
end

function TestWords.test_shares()
    for _, text in ipairs { "3%", "3 %", "0.03", "2.5%", "1e-2" } do
        wants(rig("compare", BASE, BASE, "-q", "--min-effect", text), 0)
    end
    for text, why in pairs { ["3"] = "write 3%", ["0"] = "as 3% or 0.03", ["-1%"] = "no share", x = "no share",
        ["100%"] = "no share", ["nan"] = "no share", ["%"] = "no share", ["3%%"] = "no share" } do
        wants(rig("compare", BASE, BASE, "--min-effect=" .. text), 2, nil, why)
    end
    wants(rig("compare", BASE, BASE, "--gate", "space"), 2, nil, "time")
end

function TestWords.test_missing_files()
    wants(rig "compare", 2, nil, "nothing to compare")
    wants(rig("compare", BASE), 2, nil, "name two results, as in rig compare base.json new.json")
    wants(rig("compare", BASE, ""), 2, nil, "the name of the results is empty")
    wants(rig("compare", "--help"), 0, "--accept-counters")
    wants(rig "--help", 0, "rig compare BASE.json NEW.json")
end

os.exit(lu.LuaUnit.run())
