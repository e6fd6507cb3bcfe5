-- The command as people and scripts meet it: its words, what it prints where, what it writes, and its exit status.
-- Runs the executable (path in RIG). Not for what single modules decide: they have tests of their own.

local lu = require "luaunit"
local json = require "rig.json"
local rigtest = require "rigtest"

if not os.getenv "RIG" then
    print "skipped: RIG does not name the executable"
    os.exit(77)
end

local rig = rigtest.rig
local SCENARIO = "test_cli.scenario.lua"

local function scenario(text)
    rigtest.write(SCENARIO, 'local rig = require "rig"\nreturn rig.scenario {\n' .. text .. "\n}\n")
end

local function adds()
    scenario [[
        name = "adds", about = "Adds a few numbers",
        params = { step = { default = 1, help = "what is added" } },
        pool = { "serial", "builtin", "custom" }, workers = 2, iterations = 2,
        items = { 1, 2, 3 }, map = function(item, _, w) return item + w.p.step end, reduce = rig.sum, expect = 9,
    ]]
end

local function remove(...)
    for _, path in ipairs { SCENARIO, ... } do os.remove(path) end
end

local function wants(result, exit, out, err)
    lu.assertEquals(result.exit, exit, result.out .. result.err)
    if out then lu.assertStrContains(result.out, out) end
    if err then lu.assertStrContains(result.err, err) end
end

TestWords = {}

function TestWords.tearDown() remove() end

function TestWords.test_version_and_help()
    wants(rig "--version", 0, "rig 0.")
    wants(rig("--help"), 0, "rig show RESULTS.json")
    wants(rig("run", "--help"), 0, "--budget D")
    wants(rig("check", "-h"), 0, "--only")
end

function TestWords.test_nothing_asked_for()
    wants(rig(), 2, nil, "nothing to run")
    wants(rig "show", 2, nil, "nothing to show")
    wants(rig "check", 2, nil, "nothing to check")
end

function TestWords.test_unknown_ones_name_the_nearest()
    adds()
    wants(rig(SCENARIO, "--jsn", "x"), 2, nil, "did you mean '--json'")
    wants(rig(SCENARIO, "wrokers=3"), 2, nil, "did you mean workers?")
    wants(rig(SCENARIO, "another.lua"), 2, nil, "neither an option nor NAME=VALUE")
    wants(rig "shwo", 2, nil, "did you mean rig show?")
    wants(rig(SCENARIO, "--seed", "soon"), 2, nil, "--seed")
    wants(rig(SCENARIO, "--budget", "0"), 2, nil, "--budget")
    wants(rig(SCENARIO, "--color", "blue"), 2, nil, "auto")
end

function TestWords.test_what_comes_later_is_refused()
    adds()
    for _, option in ipairs { "--html", "--trace", "--sandbox" } do
        wants(rig(SCENARIO, option, "x"), 2, nil, option .. ": not available in this version")
    end
    for _, command in ipairs { "report", "new" } do
        wants(rig(command, "x"), 2, nil, command .. ": not available in this version")
    end
end

function TestWords.test_help_of_a_scenario_lists_its_parameters()
    adds()
    local result = rig(SCENARIO, "--help")
    wants(result, 0, "Adds a few numbers")
    lu.assertStrContains(result.out, "what is added")
    lu.assertStrContains(result.out, "iterations")
end

function TestWords.test_check_runs_nothing()
    scenario [[ workers = { 1, 2 }, items = 1, map = function(i) return i end,
        setup = function() error "must not run" end, ]]
    local result = rig("check", SCENARIO)
    wants(result, 0, "2 cases")
    result = rig("check", SCENARIO, "--json", "workers=1..3")
    wants(result, 0)
    local found = json.decode(result.out)
    lu.assertEquals(#found.cases, 3)
    lu.assertEquals(found.cases[3].params.workers, 3)
    wants(rig("check", SCENARIO, "workers=0"), 2, nil, "workers")
end

function TestWords.test_list_shows_scenarios_and_pools()
    adds()
    local result = rig("list", ".")
    wants(result, 0, "Adds a few numbers")
    lu.assertStrContains(result.out, "builtin")
    wants(rig("list", "--json", "."), 0, '"pools"')
end

TestRun = {}

function TestRun.tearDown() remove("out.json") end

function TestRun.test_a_run_prints_a_table_and_writes_results()
    adds()
    local result = rig(SCENARIO, "--json", "out.json", "--label", "first")
    wants(result, 0, "passed")
    lu.assertEquals(result.err, "")
    lu.assertNil(result.out:find "\27", "no colours where there is no terminal")
    local doc = json.decode(rigtest.read "out.json")
    lu.assertEquals(doc.status, "passed")
    lu.assertEquals(doc.label, "first")
    lu.assertEquals(#doc.cases, 3)
    lu.assertEquals(doc.scenario.name, "adds")
    lu.assertEquals(doc.argv[2], SCENARIO)
    lu.assertEquals(doc.argv[5], "--label")
    for _, case in ipairs(doc.cases) do lu.assertEquals(case.verified, 2) end
    wants(rig("show", "out.json"), 0, "adds")
end

function TestRun.test_results_on_stdout_move_the_table_to_stderr()
    adds()
    local result = rig("run", SCENARIO, "--json", "-", "pool=serial")
    wants(result, 0, nil, "passed")
    lu.assertEquals(json.decode(result.out).status, "passed")
end

function TestRun.test_quiet_says_nothing_when_all_is_well()
    adds()
    local result = rig(SCENARIO, "-q")
    wants(result, 0)
    lu.assertEquals(result.out .. result.err, "")
end

function TestRun.test_colours_when_asked_for()
    adds()
    lu.assertNotNil(rig(SCENARIO, "--color", "always").out:find "\27")
end

function TestRun.test_only_smoke_seed_runs_and_own_parameters()
    adds()
    local function cases(...)
        local result = rig(SCENARIO, "-q", "--json", "-", ...)
        return json.decode(result.out).cases, result
    end
    lu.assertEquals(#cases("--only", "pool=serial,custom"), 2)
    lu.assertEquals(#cases("--only", "pool=serial", "--only=workers=2"), 1)
    local smoke = cases "--smoke"
    lu.assertEquals(#smoke, 1)
    lu.assertEquals(#smoke[1].iterations, 1)
    lu.assertEquals(#cases("--runs", "2", "pool=serial"), 2)
    lu.assertEquals(cases("--seed", "9")[1].params.seed, 9)
    local found, result = cases("step=2", "pool=builtin")
    lu.assertEquals(found[1].status, "failed")
    wants(result, 1, nil, "expected 9")
end

function TestRun.test_a_fault_says_why_on_stderr_and_keeps_the_results()
    scenario [[ workers = 2, iterations = 1, items = 4,
        map = function(i) if i == 2 then os.exit(9) end return i end, ]]
    local result = rig(SCENARIO, "--json", "out.json")
    wants(result, 4, nil, "exit status 9")
    local doc = json.decode(rigtest.read "out.json")
    lu.assertEquals(doc.status, "faulted")
    lu.assertEquals(doc.cases[1].outcomes.ok, 3)
    lu.assertEquals(doc.cases[1].errors[1].exit, 9)
end

function TestRun.test_fail_fast()
    scenario [[ workers = { 1, 2, 3 }, iterations = 1, items = 1, map = function(i) return i end, expect = 5, ]]
    local result = rig(SCENARIO, "-x", "--json", "-")
    wants(result, 1)
    local doc = json.decode(result.out)
    lu.assertEquals(#doc.order, 1)
    for i, case in ipairs(doc.cases) do lu.assertEquals(case.status, i == doc.order[1] and "failed" or "skipped") end
end

function TestRun.test_a_budget_cuts_the_run_and_keeps_what_there_is()
    local naps = [[ workers = { 1, 2 }, iterations = 50, items = 10, map = function(i) rig.sleep(%g) return i end, ]]
    scenario(naps:format(rigtest.patience(0.01)))
    local result = rig(SCENARIO, "--budget", rigtest.patience(300) .. "ms", "-q", "--json", "-")
    wants(result, 0)
    local doc = json.decode(result.out)
    lu.assertEquals(doc.skipped, 2)
    local first = doc.order[1]
    lu.assertStrContains(doc.cases[first].reason, "budget")
    lu.assertTrue(#doc.cases[first].iterations >= 1)
    lu.assertEquals(doc.cases[3 - first].outcomes.ok, 0)
    result = rig(SCENARIO, "--budget", rigtest.patience(300) .. "ms", "-q", "--strict", "--json", "-")
    wants(result, 6)
    doc = json.decode(result.out)
    lu.assertEquals({ doc.status, doc.exit, doc.skipped }, { "inconclusive", 6, 2 })
    wants(rig(SCENARIO, "iterations=1", "-q", "--strict"), 0)
end

TestFiles = {}

function TestFiles.tearDown() remove() end

function TestFiles.test_results_that_cannot_be_written_are_refused_before_the_run()
    scenario [[ iterations = 1, items = 1, map = function(i) return i end,
        setup = function() error "must not run" end, ]]
    for _, path in ipairs { "/no/such/folder/out.json", ".", "./", "/proc/out.json" } do
        local result = rig(SCENARIO, "--json", path)
        wants(result, 5, nil, path)
        lu.assertNil(result.err:find "must not run")
    end
end

function TestFiles.test_results_that_are_none_are_refused()
    wants(rig("show", "no_such.json"), 5, nil, "no_such.json")
    rigtest.write(SCENARIO, "{}")
    wants(rig("show", SCENARIO), 5, nil, "schema")
    rigtest.write(SCENARIO, "not json")
    wants(rig("show", SCENARIO), 5, nil, "not JSON")
end

TestSignals = {}

function TestSignals.tearDown() remove("out.json") end

-- The signal once, to rig alone: without --foreground the whole group would get it again, and a second one ends rig.
local function interrupt(signal, seconds, ...)
    return rigtest.run("timeout", "--foreground", "-s", signal, "--preserve-status", seconds, os.getenv "RIG", SCENARIO,
        "-q", ...)
end

function TestSignals.test_an_interrupted_run_keeps_partial_results()
    for signo, name in pairs { [2] = "INT", [15] = "TERM", [1] = "HUP" } do
        for _, pool in ipairs { "serial", "builtin", "custom" } do
            scenario [[ workers = 2, iterations = 100, items = 20, map = function(i) rig.sleep(0.02) return i end,
                teardown = function() io.stderr:write "tidied up" end, ]]
            local result = interrupt(name, rigtest.patience(0.4), "pool=" .. pool, "--json", "out.json")
            wants(result, 128 + signo, nil, "tidied up")
            local doc = json.decode(rigtest.read "out.json")
            lu.assertEquals(doc.status, "interrupted")
            lu.assertEquals(doc.cases[1].status, "interrupted")
        end
    end
end

function TestSignals.test_a_hook_without_end_is_interrupted_too()
    scenario [[ workers = 1, iterations = 1, items = 1, map = function(i) return i end,
        setup = function() while true do end end, ]]
    wants(interrupt("INT", rigtest.patience(0.3)), 130)
end

os.exit(lu.LuaUnit.run())
