-- `--ab` and `rig ab` as people meet them: real processes, real differences, exit statuses, and what goes wrong on one
-- side. Differences are large, so that no machine is too noisy to see them.

local lu = require "luaunit"
local json = require "rig.json"
local rigtest = require "rigtest"

if not os.getenv "RIG" then
    print "skipped: RIG does not name the executable"
    os.exit(77)
end

local rig, RIG = rigtest.rig, os.getenv "RIG"
local SCENARIO, OUT = "test_ab.scenario.lua", "test_ab.json"

local function scenario(text)
    rigtest.write(SCENARIO, 'local rig = require "rig"\nreturn rig.scenario {\n' .. text .. "\n}\n")
end

local function spins(more)
    scenario([[
        name = "spins", params = { factor = 100, wrong = false }, pool = { "serial", "builtin" }, workers = 2,
        iterations = 2, items = 4,
        map = function(item, _, w) rig.spin(2e-6 * w.p.factor) return w.p.wrong and 0 or item end,
        reduce = rig.sum, expect = 10,
    ]] .. (more or ""))
end

local function remove()
    for _, path in ipairs { SCENARIO, OUT } do os.remove(path) end
end

local function wants(result, exit, out, err)
    lu.assertEquals(result.exit, exit, result.out .. result.err)
    if out then lu.assertStrContains(result.out, out) end
    if err then lu.assertStrContains(result.err, err) end
end

local function document()
    return assert(json.decode(rigtest.read(OUT)))
end

local function times(doc)
    local list = {}
    for _, verdict in ipairs(doc.verdicts) do
        if verdict.gates then list[#list + 1] = verdict end
    end
    return list
end

TestParameter = {}

function TestParameter.tearDown() remove() end

function TestParameter.test_a_slower_value_ends_with_3_and_names_the_cases()
    spins()
    wants(rig(SCENARIO, "iterations=2", "--ab", "factor=100,1000", "--json", OUT), 3, "regressed")
    local doc = document()
    lu.assertEquals(doc.status, "regressed")
    lu.assertEquals(doc.ab.what, "factor")
    lu.assertTrue(doc.ab.valid)
    local list = times(doc)
    lu.assertEquals({ list[1].case, list[2].case }, { "serial", "builtin" })
    for _, verdict in ipairs(list) do
        lu.assertEquals(verdict.verdict, "regressed")
        lu.assertTrue(verdict.confirmed)
        lu.assertTrue(verdict.low > 1, verdict.text)
        lu.assertEquals(#verdict.log_ratios, verdict.pairs_in_all)
        lu.assertTrue(verdict.pairs_in_all >= 40) -- twice the first look, where nothing disturbed it
    end
end

function TestParameter.test_a_faster_value_passes()
    spins()
    local result = rig(SCENARIO, "iterations=2", "--ab", "factor=1000,100", "--only", "pool=serial", "--json", OUT)
    wants(result, 0, "improved")
    lu.assertEquals(document().status, "passed")
end

function TestParameter.test_the_same_value_twice_is_no_regression()
    spins()
    local result = rig(SCENARIO, "iterations=2", "--ab", "factor=100,100", "--only", "pool=serial", "--json", OUT,
        "--budget", "3s")
    lu.assertEquals(result.exit, 0, result.out .. result.err)
    lu.assertNotEquals(times(document())[1].verdict, "regressed")
end

function TestParameter.test_short_cases_get_the_same_larger_number_of_iterations_on_both_sides()
    scenario 'params = { x = 1 }, iterations = 1, body = function(p) rig.spin(0.01 * p.x) end'
    rig(SCENARIO, "--ab", "x=1,3", "--json", OUT, "--budget", "3s")
    local doc = document()
    lu.assertTrue(#doc.cases[1].phases.map_s >= 2)
    lu.assertEquals(#doc.cases[1].phases.map_s, #doc.cases[2].phases.map_s)
end

function TestParameter.test_random_numbers_are_the_same_on_both_sides()
    scenario [[
        params = { side = { "a", "b" } }, pool = "serial", items = 3,
        map = function(_, _, w) return w.rng:int(1, 1 << 40) end,
        reduce = function(list) return table.concat(list, " ") end,
        expect = function(_, sum) rig.metric("seen", #sum) return true end,
    ]]
    wants(rig(SCENARIO, "--ab", "side=a,b", "--json", OUT, "--budget", "1s"), 0)
    local doc = document()
    lu.assertEquals(doc.cases[1].iterations[1].result, doc.cases[2].iterations[1].result)
end

function TestParameter.test_a_wrong_result_on_one_side_is_a_failed_check()
    spins()
    wants(rig(SCENARIO, "--ab", "wrong=false,true", "--only", "pool=serial", "--json", OUT), 1, nil, "expected 10")
    lu.assertEquals(document().status, "failed")
end

function TestParameter.test_verify_has_its_word_on_both_sides()
    spins [[ verify = function(doc) return doc.cases[1].params.factor < 300, "too far" end ]]
    local result = rig(SCENARIO, "iterations=2", "--ab", "factor=1000,100", "--only", "pool=serial", "--json", OUT)
    wants(result, 1, nil, "1000: too far")
    lu.assertEquals(document().verify.right, false)
    result = rig(SCENARIO, "iterations=2", "--ab", "factor=200,100", "--only", "pool=serial", "--budget", "3s")
    lu.assertEquals(result.exit, 0)
end

function TestParameter.test_teardown_also_when_the_time_is_over()
    spins [[ setup = function() local f = io.open("left.tmp", "w") f:close() end,
        teardown = function() os.remove "left.tmp" end ]]
    rig(SCENARIO, "iterations=100", "--ab", "factor=100,100", "--only", "pool=serial", "--budget", "700ms")
    lu.assertFalse(rigtest.exists "left.tmp")
end

function TestParameter.test_a_coordinator_that_dies_is_a_fault()
    spins [[ setup = function(p) if p.factor > 100 then os.exit(7) end end]]
    wants(rig(SCENARIO, "iterations=2", "--ab", "factor=100,200", "--only", "pool=serial"), 4, nil, "exit status 7")
end

function TestParameter.test_what_cannot_be_told_in_the_time_is_6_when_strict()
    spins()
    -- a block takes 0.3 s: there is no time for as many pairs as an interval needs
    local words = { SCENARIO, "iterations=80", "--ab", "factor=100,102", "--only", "pool=serial" }
    table.move({ "--budget", "1500ms", "--json", OUT }, 1, 4, #words + 1, words)
    wants(rig(table.unpack(words)), 0, "inconclusive")
    lu.assertStrContains(times(document())[1].text, "budget")
    words[#words + 1] = "--strict"
    wants(rig(table.unpack(words)), 6)
end

function TestParameter.test_show_says_it_again()
    spins()
    wants(rig(SCENARIO, "iterations=2", "--ab", "factor=100,1000", "--only", "pool=serial", "--json", OUT), 3)
    wants(rig("show", OUT), 0, "regressed")
end

function TestParameter.test_a_side_that_never_ends_is_a_fault_that_names_it()
    spins [[ setup = function(p) while p.factor == 200 do end end ]]
    local words = { SCENARIO, "iterations=1", "--ab", "factor=100,200", "--only", "pool=serial", "--budget",
        rigtest.budget(1) }
    wants(rig(table.unpack(words)), 4, nil, "new (200): it had not ended after")
end

function TestParameter.test_a_wrong_result_is_one_however_short_the_budget()
    spins()
    wants(rig(SCENARIO, "wrong=true", "pool=serial", "iterations=10000", "--budget", "500ms"), 1, nil, "wrong result")
end

function TestParameter.test_thresholds_hold_for_the_new_side()
    spins [[ thresholds = { "map.median < 0.1 ms" } ]]
    local words = { SCENARIO, "iterations=1", "--ab", "factor=100,100", "--only", "pool=serial", "--budget", "1s" }
    wants(rig(table.unpack(words)), 1, "Thresholds")
end

function TestParameter.test_a_side_is_not_written_over()
    spins()
    scenario 'params = { file = "" }, pool = "serial", items = 1, map = function() return 1 end'
    rigtest.write("side.txt", "mine")
    wants(rig(SCENARIO, "--ab", "file=side.txt,other.txt", "--json", "./side.txt"), 2, nil, "a side of the run itself")
    lu.assertEquals(rigtest.read "side.txt", "mine")
    os.remove "side.txt"
end

TestUsage = {}

function TestUsage.tearDown() remove() end

function TestUsage.test_two_values_are_needed()
    spins()
    wants(rig(SCENARIO, "--ab", "factor"), 2, nil, "not NAME=A,B")
    wants(rig(SCENARIO, "--ab", "factor=1,2", "--smoke"), 2, nil, "--smoke")
    wants(rig(SCENARIO, "--ab", "factor=1,2", "--find-crossing", "size"), 2, nil, "--find-crossing")
    wants(rig(SCENARIO, "--ab", "factor=1"), 2, nil, "one value")
    wants(rig(SCENARIO, "--ab", "factor=1,2,3"), 2, nil, "3 values")
    wants(rig(SCENARIO, "--ab", "fctor=1,2"), 2, nil, "did you mean factor?")
    wants(rig(SCENARIO, "--ab", "iterations=1,2"), 2, nil, "only says how much is measured")
    wants(rig(SCENARIO, "--ab", "factor=100,200", "--min-effect", "three"), 2, nil, "--min-effect")
    wants(rig(SCENARIO, "--ab", "factor=100,200", "--min-effect", "0%"), 2, nil, "--min-effect")
end

TestExecutables = {}

function TestExecutables.tearDown()
    remove()
    os.remove "slow.sh"
end

-- An executable that is rig, with another parameter: as good as a slower build.
local function slower()
    rigtest.write("slow.sh", ([[
#!/bin/sh
case "$1" in run) shift; exec %s run "$@" factor=1000 ;; esac
exec %s "$@"
]]):format(rigtest.quote(RIG), rigtest.quote(RIG)))
    assert(os.execute "chmod +x slow.sh")
    return "./slow.sh"
end

-- Some forty pairs of programs until there is a verdict. Under valgrind, where they take minutes, so many as there is
-- time for.
local function regresses(base, new, ...)
    local words = { "ab", base, new, SCENARIO, "iterations=2", "--json", OUT, ... }
    if not rigtest.valgrind then
        wants(rig(table.unpack(words)), 3, "regressed")
        lu.assertTrue(times(document())[1].low > 1)
        return
    end
    table.move({ "--budget", "60s" }, 1, 2, #words + 1, words)
    local result = rig(table.unpack(words))
    lu.assertTrue(result.exit == 0 or result.exit == 3, result.out .. result.err)
    lu.assertTrue(times(document())[1].pairs > 0, result.out)
end

function TestExecutables.test_a_slower_one_ends_with_3()
    spins()
    regresses(RIG, slower(), "--only", "pool=builtin")
    local doc = document()
    for _, case in ipairs(doc.cases) do lu.assertEquals(case.params.pool, "builtin") end
    lu.assertEquals(doc.ab.what, "executables")
    lu.assertEquals(doc.ab.b, "./slow.sh")
end

function TestExecutables.test_the_same_one_twice_does_not()
    spins()
    local result = rig("ab", RIG, RIG, SCENARIO, "iterations=2", "--only", "pool=serial", "--budget", "4s")
    lu.assertEquals(result.exit, 0, result.out .. result.err)
end

function TestExecutables.test_two_builds_of_a_program_that_embeds_rig()
    scenario 'pool = "serial", items = { 300000 }, map = rig.workload "steps", reduce = rig.sum, expect = 300000'
    local base, slow = os.getenv "RIG_AB_HOST_0", os.getenv "RIG_AB_HOST_200"
    regresses(base, slow)
    lu.assertEquals({ document().ab.a, document().ab.b }, { base, slow })
end

function TestExecutables.test_what_the_older_one_does_not_know_is_left_out_and_said()
    spins()
    -- an older build: without the parameter `wrong`, and without the builtin pool
    rigtest.write("slow.sh", ([[
#!/bin/sh
for word; do case "$word" in wrong=*) echo "rig: command line: wrong: no such parameter" >&2; exit 2;; esac; done
exec %s "$@" --only pool=serial
]]):format(rigtest.quote(RIG)))
    assert(os.execute "chmod +x slow.sh")
    wants(rig("ab", "./slow.sh", RIG, SCENARIO, "wrong=false", "--budget", rigtest.budget(1), "--json", OUT), 0)
    local unknown = table.concat(document().ab.unknown, "\n")
    lu.assertStrContains(unknown, "wrong=false")
    lu.assertStrContains(unknown, "case builtin")
end

function TestExecutables.test_seed_and_verify_are_theirs()
    spins [[ verify = function(doc) return doc.seed == 7, "seed " .. doc.seed end ]]
    local words = { "ab", RIG, RIG, SCENARIO, "iterations=1", "--only", "pool=serial" }
    table.move({ "--budget", rigtest.budget(1) }, 1, 2, #words + 1, words)
    wants(rig(table.unpack(words)), 1, nil, "seed 1")
    words[#words + 1] = "seed=7"
    if not rigtest.valgrind then wants(rig(table.unpack(words)), 0) end
    words[#words] = "--seed=7"
    wants(rig(table.unpack(words)), 0)
end

function TestExecutables.test_a_calibrated_body()
    scenario 'calibrate = "2ms", body = function(_, _, n) local t = 0 for i = 1, n * 10 do t = t + i end end'
    -- so large an effect is told from none at the first look, far within the budget
    wants(rig("ab", RIG, RIG, SCENARIO, "--min-effect", "90%", "--budget", "60s", "--json", OUT), 0)
    lu.assertTrue(times(document())[1].pairs > 0)
end

function TestExecutables.test_one_that_goes_away_is_an_error()
    spins()
    slower()
    local script = rigtest.write("gone.sh", ([[
#!/bin/sh
n=$(cat count 2>/dev/null || echo 0); echo $((n + 1)) > count
[ "$n" -gt 12 ] && rm -f slow.sh
exec %s "$@"
]]):format(rigtest.quote(RIG)))
    assert(os.execute "chmod +x gone.sh")
    local result = rig("ab", "./" .. script, "./slow.sh", SCENARIO, "iterations=1", "--only", "pool=serial")
    os.execute "rm -f gone.sh count"
    lu.assertEquals(result.exit, 2, result.out .. result.err)
    lu.assertStrContains(result.err, "slow.sh")
end

function TestExecutables.test_a_value_that_no_command_line_can_name()
    scenario [[ params = { name = { "a,b", "c" } }, pool = "serial", items = 1, map = function() return 1 end ]]
    wants(rig("ab", RIG, RIG, SCENARIO), 2, nil, "cannot be named on a command line")
end

-- Answers to `run` that are JSON, or an end, but not the results that were asked for.
function TestExecutables.test_answers_that_are_no_results_are_faults()
    spins()
    scenario 'name = "mine", pool = "serial", items = 1, map = function() return 1 end'
    rigtest.write("other.lua", 'return require("rig").scenario { name = "other", body = function() end }')
    local answers = {
        [ [[echo '{"cases":[1]}']] ] = "no results", [ [[echo '{"cases":[{}]}']] ] = "no results",
        ["true"] = "no results",
        ["head -c 100000 /dev/zero"] = "no results", ["exec %s run other.lua --json - -q"] = "the scenario other",
        [ [[%s "$@"; kill -SEGV $$]] ] = "signal 11", [ [[%s "$@"; exit 3]] ] = "exit status 3",
        ["head -c 400000 /dev/zero | tr '\\0' x >&2; echo bye >&2; exit 3"] = "bye",
    }
    if rigtest.valgrind then -- each takes eight programs
        for _, answer in ipairs { "true", [[echo '{"cases":[1]}']], [[%s "$@"; exit 3]] } do answers[answer] = nil end
        answers["head -c 100000 /dev/zero"], answers["exec %s run other.lua --json - -q"] = nil, nil
    end
    for answer, said in pairs(answers) do
        rigtest.write("slow.sh", ("#!/bin/sh\n[ \"$1\" = check ] && exec RIG \"$@\"\n" .. answer .. "\n")
            :gsub("RIG", rigtest.quote(RIG)):gsub("%%s", rigtest.quote(RIG)))
        assert(os.execute "chmod +x slow.sh")
        local result = rig("ab", RIG, "./slow.sh", SCENARIO, "iterations=1", "--budget", rigtest.budget(3))
        lu.assertEquals(result.exit, 4, answer .. result.out .. result.err)
        lu.assertStrContains(result.err, "new (./slow.sh): ")
        lu.assertStrContains(result.err, said)
    end
    os.remove "other.lua"
    local half = '{"cases":[{"label":"x","run":1,"params":{}}],"parameters":3}'
    for _, answer in ipairs { "{}", '{"cases":[{}]}', half } do
        rigtest.write("slow.sh", "#!/bin/sh\necho '" .. answer .. "'\n")
        wants(rig("ab", RIG, "./slow.sh", SCENARIO), 2, nil, "does not answer `check --json` like rig")
    end
end

function TestExecutables.test_one_that_is_none_is_named()
    spins()
    wants(rig("ab", "./nowhere", RIG, SCENARIO), 2, nil, "./nowhere")
    wants(rig("ab", RIG, "/bin/true", SCENARIO), 2, nil, "does not answer `check --json` like rig")
    wants(rig("ab", RIG, RIG), 2, nil, "nothing to ab")
end

os.exit(lu.LuaUnit.run())
