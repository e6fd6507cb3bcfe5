-- The files that results are written to beside JSON: checked before the run, one place each, the same from a run and
-- from its saved results. And what GitHub Actions is told. Runs the executable (path in RIG).
-- Neighbours: lua/rig/outputs.lua; what is in the files: test_reports.lua, test_junit.lua.

local lu = require "luaunit"
local json = require "rig.json"
local rigtest = require "rigtest"

local RIG = os.getenv "RIG"
if not RIG then
    print "skipped: RIG does not name the executable"
    os.exit(77)
end

local rig = rigtest.rig
local SCENARIO = "test_outputs.scenario.lua"
local OPTIONS = { "--csv", "--markdown", "--junit" }
-- How each begins.
local HEADS = { ["--csv"] = "case,run,pool,", ["--markdown"] = "### ✅ sums: passed\n", ["--junit"] = "<?xml " }

local function scenario(expected, more)
    rigtest.write(SCENARIO, ([[
local rig = require "rig"
return rig.scenario { name = "sums", workers = 1, iterations = 2, pool = { "serial", "builtin" }, items = 3,
    map = function(i) print "mapping" return i end, reduce = rig.sum, expect = %d, %s }
]]):format(expected, more or ""))
end

local function wants(result, exit, out, err)
    lu.assertEquals(result.exit, exit, result.out .. result.err)
    if out then lu.assertStrContains(result.out, out) end
    if err then lu.assertStrContains(result.err, err) end
end

local function in_actions(value, ...)
    return rigtest.run("env", "GITHUB_ACTIONS=" .. value, RIG, SCENARIO, ...)
end

local function remove()
    for _, path in ipairs { SCENARIO, "a.json", "a.csv", "a.md", "a.xml", "b.csv", "b.md", "b.xml", "link.csv" } do
        os.remove(path)
    end
end

TestFiles = {}

function TestFiles.tearDown() remove() end

function TestFiles.test_one_run_writes_them_all()
    scenario(6)
    local result = rig(SCENARIO, "--json", "a.json", "--csv", "a.csv", "--markdown", "a.md", "--junit", "a.xml")
    wants(result, 0, "passed: 2 cases")
    for option, path in pairs { ["--csv"] = "a.csv", ["--markdown"] = "a.md", ["--junit"] = "a.xml" } do
        lu.assertStrContains(rigtest.read(path), HEADS[option])
    end
    lu.assertEquals(json.decode(rigtest.read "a.json").status, "passed")
end

function TestFiles.test_saved_results_give_the_same_files_as_their_run()
    scenario(6)
    wants(rig(SCENARIO, "-q", "--json", "a.json", "--csv", "a.csv", "--markdown", "a.md", "--junit", "a.xml"), 0)
    wants(rig("show", "a.json", "--csv", "b.csv", "--markdown", "b.md", "--junit", "b.xml"), 0, "passed: 2 cases")
    for _, ending in ipairs { "csv", "md", "xml" } do
        lu.assertEquals(rigtest.read("b." .. ending), rigtest.read("a." .. ending))
    end
end

function TestFiles.test_stdout_gets_the_document_and_nothing_else()
    scenario(6)
    wants(rig(SCENARIO, "-q", "--json", "a.json"), 0)
    for _, option in ipairs(OPTIONS) do
        local ran, shown = rig(SCENARIO, option, "-"), rig("show", "a.json", option, "/dev/stdout")
        wants(ran, 0, nil, "passed: 2 cases")
        wants(shown, 0, nil, "passed: 2 cases")
        for _, result in ipairs { ran, shown } do
            lu.assertEquals(result.out:sub(1, #HEADS[option]), HEADS[option])
            lu.assertNotStrContains(result.out, "mapping")
        end
    end
end

function TestFiles.test_other_names_of_the_options()
    scenario(6)
    wants(rig(SCENARIO, "-q", "--junit-xml", "a.xml", "--export-csv", "a.csv", "--export-markdown", "a.md"), 0)
    for _, path in ipairs { "a.xml", "a.csv", "a.md" } do lu.assertTrue(rigtest.exists(path), path) end
end

function TestFiles.test_two_cannot_have_one_place()
    scenario(6, 'setup = function() error "must not run" end')
    rigtest.write("a.csv", "old")
    os.execute "ln -s a.csv link.csv"
    for _, words in ipairs { { "--json", "-", "--csv", "-" }, { "--markdown", "-", "--junit", "/dev/stdout" },
        { "--csv", "a.csv", "--junit", "a.csv" }, { "--csv", "a.csv", "--markdown", "./a.csv" },
        { "--csv", "a.csv", "--markdown", "link.csv" }, { "--csv", "b.csv", "--junit", "b.csv" } } do
        local result = rig(SCENARIO, table.unpack(words))
        wants(result, 2, nil, ("%s and %s: both "):format(words[1], words[3]))
        lu.assertNotStrContains(result.err, "must not run")
    end
    lu.assertEquals(rigtest.read "a.csv", "old")
end

function TestFiles.test_devices_may_be_named_twice()
    scenario(6)
    wants(rig(SCENARIO, "-q", "--csv", "/dev/null", "--markdown", "/dev/null"), 0)
end

function TestFiles.test_what_cannot_be_written_is_said_before_the_run()
    scenario(6, 'setup = function() error "must not run" end')
    for _, option in ipairs(OPTIONS) do
        for path, why in pairs { ["no_folder/a"] = "its folder does not exist", ["."] = "is a folder",
            [""] = option .. ": the file's name is empty", ["/proc/self/a"] = "cannot be written" } do
            local result = rig(SCENARIO, option, path)
            wants(result, 5, nil, why)
            lu.assertNotStrContains(result.err, "must not run")
        end
        wants(rig(SCENARIO, option, SCENARIO), 2, nil, "is the scenario itself")
    end
end

function TestFiles.test_saved_results_are_not_written_over_by_another_form()
    scenario(6)
    wants(rig(SCENARIO, "-q", "--json", "a.json"), 0)
    local before = rigtest.read "a.json"
    wants(rig("show", "a.json", "--csv", "./a.json"), 2, nil, "name another file")
    wants(rig("show", "a.json", "--csv", "no_folder/a.csv"), 5, nil, "its folder does not exist")
    lu.assertEquals(rigtest.read "a.json", before)
end

function TestFiles.test_one_that_fails_does_not_keep_the_others_from_being_written()
    scenario(6)
    wants(rig(SCENARIO, "-q", "--csv", "/dev/full", "--markdown", "a.md"), 5, nil, "No space left on device")
    lu.assertStrContains(rigtest.read "a.md", HEADS["--markdown"])
end

function TestFiles.test_a_run_that_failed_is_written_too()
    scenario(7)
    wants(rig(SCENARIO, "-q", "--junit", "a.xml", "--markdown", "a.md"), 1)
    lu.assertStrContains(rigtest.read "a.xml", 'failures="2"')
    lu.assertStrContains(rigtest.read "a.md", "### ❌ sums: failed (exit 1)")
end

function TestFiles.test_what_cannot_be_read_is_not_converted()
    wants(rig("show", "a.json", "--csv", "a.csv"), 5, nil, "a.json: No such file")
    lu.assertFalse(rigtest.exists "a.csv")
end

TestGithub = {}

function TestGithub.tearDown() remove() end

function TestGithub.test_failures_are_annotated_where_actions_run()
    scenario(7)
    local said = "::error file=" .. SCENARIO .. ",title=rig%3A sums%3A serial failed::"
    wants(in_actions("true", "-q"), 1, said)
    local beside = in_actions("true", "--csv", "-")
    wants(beside, 1, nil, said)
    lu.assertNotStrContains(beside.out, "::error")
end

function TestGithub.test_nothing_is_annotated_elsewhere_or_when_all_is_well()
    scenario(7)
    for _, value in ipairs { "", "false" } do
        lu.assertNotStrContains(in_actions(value).out, "::error")
    end
    scenario(6)
    local well = in_actions("true", "-q")
    -- what else this machine does is no business of the test
    lu.assertEquals(well.out:gsub("mapping\n", ""):gsub("::warning [^\n]*noise::[^\n]*\n", ""), "")
end

function TestGithub.test_the_summary_of_a_step_is_written_only_when_asked_for()
    scenario(6)
    local words = { "env", "GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY=a.md", RIG, SCENARIO, "-q" }
    wants(rigtest.run(table.unpack(words)), 0)
    lu.assertFalse(rigtest.exists "a.md")
end

TestPlaces = {}

function TestPlaces.test_two_spellings_of_one_file_that_is_not_there_yet()
    rigtest.write("places.lua", 'return require("rig").scenario { body = function() end, iterations = 1 }')
    local result = rigtest.rig("places.lua", "--json", "n1", "--csv", "./n1")
    lu.assertEquals(result.exit, 2, result.err)
    lu.assertStrContains(result.err, "both name ./n1")
    lu.assertEquals(rigtest.rig("places.lua", "--json", "base.json", "-q").exit, 0)
    result = rigtest.rig("compare", "base.json", "base.json", "--csv", "base.json")
    lu.assertEquals(result.exit, 2)
    lu.assertStrContains(result.err, "what is compared itself")
    os.execute "rm -f places.lua base.json n1"
end

os.exit(lu.LuaUnit.run())
