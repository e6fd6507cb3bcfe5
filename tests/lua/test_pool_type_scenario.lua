-- Pools of a script's own in scenarios and on the command line: swept beside the others, in the results, in check and
-- list; and the tutorial of scenarios/README.md, copied and run.
-- Neighbours: test_pool_type.lua (what such a pool does), tests/broken/*pool_type*.lua (mistakes in scenarios).

local lu = require "luaunit"
local json = require "rig.json"
local rig = require "rig"
local results = require "rig.results"
local rigtest = require "rigtest"

TestScenario = {}

local SCENARIO = [[
local rig = require "rig"
local plain = require "lib.plain_pool"
plain.about, plain.axes = "as plain as can be", { chunk = 1, barrier = { false, true } }
return rig.scenario {
    pool = { "builtin", rig.pool_type(plain) }, workers = 2, iterations = 2, items = 6,
    map = function(item) return item end, reduce = rig.sum, expect = 21,
}
]]

local function with_scenario(take)
    os.execute "mkdir -p lib"
    rigtest.write("lib/plain_pool.lua", rigtest.read(rigtest.source "tests/broken/lib/plain_pool.lua"))
    rigtest.write("own.lua", SCENARIO)
    local fine, problem = pcall(take, "own.lua")
    for _, path in ipairs { "own.lua", "lib/plain_pool.lua", "lib", "own.json" } do os.remove(path) end
    if not fine then error(problem, 0) end
end

local function document(ran)
    lu.assertEquals(ran.exit, 0, ran.err)
    return assert(json.decode(rigtest.read "own.json"))
end

function TestScenario.test_results_call_it_by_its_name_and_are_valid()
    with_scenario(function(path)
        local doc = document(rigtest.rig(path, "--no-progress", "--json", "own.json"))
        lu.assertEquals({ results.check(doc) }, { true })
        local own = doc.cases[2]
        lu.assertEquals({ own.params.pool, own.params.preset, own.params.impl }, { "plain", "plain", "lua" })
        lu.assertEquals({ own.params.chunk, own.params.barrier, own.params.channel }, { 1, false, nil })
        lu.assertEquals(own.outcomes, doc.cases[1].outcomes)
        lu.assertEquals({ own.iterations[1].result, own.verified }, { 21, 2 })
        local shown = rigtest.rig("show", "own.json")
        lu.assertEquals(shown.exit, 0, shown.err)
        lu.assertStrContains(shown.out, "plain")
    end)
end

function TestScenario.test_its_results_satisfy_the_published_schema()
    local python = os.getenv "RIG_JSONSCHEMA_PYTHON" or ""
    lu.skipIf(python == "", "no jsonschema")
    with_scenario(function(path)
        document(rigtest.rig(path, "--no-progress", "--json", "own.json"))
        local ran = rigtest.run(python, "-c", "import json,jsonschema,sys; "
            .. "jsonschema.validate(json.load(open('own.json')), json.load(open(sys.argv[1])))",
            rigtest.source "scenarios/results.schema.json")
        lu.assertEquals(ran.exit, 0, ran.err)
    end)
end

function TestScenario.test_the_command_line_knows_it_and_its_axes()
    with_scenario(function(path)
        local doc = document(rigtest.rig(path, "pool=plain", "chunk=3,7", "barrier=true", "--no-progress", "--json",
            "own.json"))
        lu.assertEquals({ #doc.cases, doc.cases[2].params.chunk, doc.cases[2].params.barrier }, { 2, 7, true })
        doc = document(rigtest.rig(path, "pool=plain+chunk=5", "--no-progress", "--json", "own.json"))
        lu.assertEquals({ doc.cases[1].params.pool, doc.cases[1].params.preset }, { "plain+chunk=5", "plain" })
    end)
end

function TestScenario.test_check_and_list_show_it()
    with_scenario(function(path)
        local checked = rigtest.rig("check", path)
        lu.assertStrMatches(checked.out, ".*\n  plain  as plain as can be  chunk: a number; barrier: false or true\n.*")
        local doc = json.decode(rigtest.rig("check", path, "--json").out)
        lu.assertEquals(doc.pool_types[1].name, "plain")
        local listed = rigtest.rig("list", ".")
        lu.assertStrMatches(listed.out, ".*Pools\n.*\n  plain +as plain as can be %(.*own%.lua%)\n.*")
    end)
end

-- A host runs many scenarios in one process: each file's types are its own, and loading it again is no collision.
function TestScenario.test_a_file_may_be_loaded_twice_and_two_files_may_have_one_name()
    with_scenario(function(path)
        for _ = 1, 2 do lu.assertEquals(assert(rig.run(path, { smoke = true })).exit, 0) end
        lu.assertEquals(assert(rig.run("other.lua", { source = SCENARIO, smoke = true })).exit, 0)
        local by_name = SCENARIO:gsub("rig.pool_type%(plain%)", "'plain'")
        local none, problem = rig.run("third.lua", { source = by_name, smoke = true })
        lu.assertNil(none)
        lu.assertStrContains(tostring(problem), '"plain" is not a pool')
    end)
end

function TestScenario.test_a_type_that_fails_leaves_a_balanced_account()
    local path = rigtest.source "tests/broken/run_pool_type_forgets.lua"
    local ran = rigtest.rig(path, "--no-progress", "--json", "forgets.json")
    lu.assertEquals(ran.exit, 4)
    local case = assert(json.decode(rigtest.read "forgets.json")).cases[1]
    os.remove "forgets.json"
    lu.assertEquals(case.outcomes, { ok = 3, error = 0, timeout = 0, died = 0, cancelled = 1 })
    lu.assertEquals(case.phases.map_s, {})
    lu.assertEquals(case.status, "faulted")
end

TestTutorial = {}

local function block_of_readme()
    local text = rigtest.read(rigtest.source "scenarios/README.md")
    return assert(text:match "\n## A pool of your own\n.-```lua\n(.-)```")
end

function TestTutorial.test_its_pool_runs_and_equals_the_builtin_one()
    rigtest.write("cards.lua", block_of_readme())
    local ran = rigtest.rig("cards.lua", "workers=1,3", "iterations=2", "--no-progress", "--json", "cards.json")
    lu.assertEquals(ran.exit, 0, ran.err)
    local doc = assert(json.decode(rigtest.read "cards.json"))
    os.remove "cards.lua"
    os.remove "cards.json"
    lu.assertEquals(#doc.cases, 4)
    for _, case in ipairs(doc.cases) do
        lu.assertEquals(case.outcomes, { ok = 200, error = 0, timeout = 0, died = 0, cancelled = 0 }, case.label)
        for _, iteration in ipairs(case.iterations) do
            lu.assertEquals(iteration.result, 338350, case.label)
            local sum = 0
            for _, n in ipairs(iteration.tasks_by_worker) do sum = sum + n end
            lu.assertEquals(sum, 100, case.label)
        end
    end
end

function TestTutorial.test_its_pool_is_the_scenarios_and_has_forty_lines()
    local pool = assert(block_of_readme():match "\n\n(local function deal.-\n}\n)")
    local _, lines = pool:gsub("\n", "")
    lu.assertTrue(lines <= 40, ("%d lines"):format(lines))
    lu.assertStrContains(rigtest.read(rigtest.source "scenarios/own_pool.lua"), pool)
end

os.exit(lu.LuaUnit.run())
