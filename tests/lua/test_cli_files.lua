-- The command and the files, pipes and descriptors that people give it: what cannot work is said before the run, what
-- was not written is not passed over, and a document on stdout is nothing but that. Also words that contradict each
-- other. Runs the executable (path in RIG). Not for the words themselves: test_cli.lua.

local lu = require "luaunit"
local json = require "rig.json"
local rigtest = require "rigtest"

local RIG = os.getenv "RIG"
if not RIG then
    print "skipped: RIG does not name the executable"
    os.exit(77)
end

local rig = rigtest.rig
local SCENARIO = "test_cli_files.scenario.lua"

local function scenario(text)
    rigtest.write(SCENARIO, 'local rig = require "rig"\n' .. text)
end

local QUICK = "return rig.scenario { workers = 1, iterations = 1, items = 1, map = function(i) return i end }\n"
local PRINTS = [[
print "loading"
return rig.scenario { workers = 1, iterations = 1, items = 1, pool = { "serial", "builtin" },
    setup = function() io.write "setup\n" end, map = function(i) print "mapping" return i end }
]]
local MUST_NOT_RUN = [[
return rig.scenario { pool = "serial", items = 1, map = function(i) return i end,
    setup = function() error "must not run" end }
]]

-- A run in a shell: %s in the words stands for rig and the scenario.
local function shell(words)
    return rigtest.run("timeout", "60", "bash", "-c", (words:gsub("%%s", RIG .. " " .. SCENARIO)))
end

local function remove(...)
    for _, path in ipairs { SCENARIO, ... } do os.remove(path) end
end

local function wants(result, exit, out, err)
    lu.assertEquals(result.exit, exit, result.out .. result.err)
    if out then lu.assertStrContains(result.out, out) end
    if err then lu.assertStrContains(result.err, err) end
end

TestPlaces = {}

function TestPlaces.tearDown() remove("fifo", "fifo.out", "out.json", "loop", "link.json", "blocker") end

function TestPlaces.test_a_fifo_gets_the_results()
    scenario(QUICK)
    wants(shell "mkfifo fifo; cat fifo >fifo.out & %s -q --json fifo; status=$?; wait; exit $status", 0)
    lu.assertEquals(json.decode(rigtest.read "fifo.out").status, "passed")
end

function TestPlaces.test_a_fifo_is_not_opened_before_the_run()
    scenario "return rig.scenario { pool = 'serial', items = 1, map = function() error 'ran' end }\n"
    wants(shell "mkfifo fifo; (sleep 1; cat fifo >fifo.out) & %s --json fifo; status=$?; wait; exit $status", 4, nil,
        "ran")
end

function TestPlaces.test_other_names_of_stdout()
    scenario(PRINTS)
    for _, name in ipairs { "-", "/dev/stdout", "/dev/fd/1" } do
        local result = rig(SCENARIO, "--json", name)
        wants(result, 0, nil, "mapping")
        lu.assertEquals(json.decode(result.out).status, "passed")
    end
    local piped = shell "%s --json /dev/stdout 2>out.json | cat"
    lu.assertEquals(json.decode(piped.out).status, "passed")
end

function TestPlaces.test_what_scripts_print_stays_out_of_a_document()
    scenario(PRINTS)
    local result = rig("check", SCENARIO, "--json")
    wants(result, 0, nil, "loading")
    lu.assertEquals(#json.decode(result.out).cases, 2)
end

function TestPlaces.test_the_scenario_is_not_written_over()
    scenario(QUICK)
    local folder = os.getenv "PWD":match "[^/]*$"
    for _, path in ipairs { SCENARIO, "./" .. SCENARIO, "../" .. folder .. "/" .. SCENARIO } do
        if rigtest.exists(path) then wants(rig(SCENARIO, "--json", path), 2, nil, "is the scenario itself") end
    end
    os.execute("ln -s " .. SCENARIO .. " link.json")
    wants(rig(SCENARIO, "--json", "link.json"), 2, nil, "is the scenario itself")
    lu.assertStrContains(rigtest.read(SCENARIO), QUICK)
end

function TestPlaces.test_what_cannot_work_is_said_before_the_run()
    scenario(MUST_NOT_RUN)
    rigtest.write("blocker", "a file")
    os.execute "ln -s loop loop; ln -s no/such/folder/out.json link.json"
    local wrong = {
        [""] = "the file's name is empty", ["no_folder/out.json"] = "its folder does not exist",
        ["blocker/out.json"] = "Not a directory", ["loop"] = "symbolic links", ["link.json"] = "cannot be written",
        [("n"):rep(300)] = "File name too long", [("n/"):rep(3000) .. "n"] = "File name too long",
    }
    for path, why in pairs(wrong) do
        local result = rig(SCENARIO, "--json", path)
        wants(result, 5, nil, why)
        lu.assertNil(result.err:find("must not run", 1, true))
    end
end

function TestPlaces.test_a_folder_that_may_not_be_written_to()
    scenario(MUST_NOT_RUN)
    local result = rig(SCENARIO, "--json", "/proc/self/out.json") -- to nobody, not even root
    wants(result, 5, nil, "cannot be written")
    lu.assertNil(result.err:find("must not run", 1, true))
end

TestOutput = {}

function TestOutput.tearDown() remove("out.json", "fifo.out") end

function TestOutput.test_a_full_device_is_told()
    scenario(QUICK)
    for _, words in ipairs { "%s", "%s --json - 2>&1 >/dev/full | tail -1 >&2; exit ${PIPESTATUS[0]}", RIG .. " list .",
        RIG .. " --version", RIG .. " --help", RIG .. " check " .. SCENARIO } do
        local result = shell(words:find("/dev/full", 1, true) and words or words .. " >/dev/full")
        wants(result, 5, nil, "stdout: cannot be written: No space left on device")
    end
end

function TestOutput.test_a_reader_that_has_seen_enough_is_no_failure()
    scenario(QUICK)
    for _, words in ipairs { "%s", "%s --json - -q", RIG .. " --help" } do
        local result = shell("(sleep 0.3; " .. words .. "; echo $? >fifo.out) | true")
        lu.assertEquals(result.err:find "cannot be written", nil)
        lu.assertEquals(rigtest.read "fifo.out", "0\n")
    end
end

function TestOutput.test_a_file_that_may_not_grow_so_far()
    if rigtest.valgrind then lu.skip "valgrind writes files of its own" end
    scenario(QUICK)
    local result = shell "ulimit -f 1; %s -q --json out.json --label $(head -c 3000 /dev/zero | tr '\\0' x)"
    wants(result, 5, nil, "File too large")
    lu.assertEquals(rigtest.run("sh", "-c", "ls -A | grep tmp$").out, "")
    lu.assertFalse(rigtest.exists "out.json")
end

function TestOutput.test_problems_cannot_drive_a_terminal_and_are_no_longer_than_one_reads()
    scenario [[error("\27[31mred\194\155\7\nsecond " .. ("é"):rep(9000)) ]]
    local result = rig(SCENARIO, "-q")
    wants(result, 2, nil, "\\x1b[31mred\\xc2\\x9b\\x07\n")
    lu.assertNil(result.err:find "[\27\7]")
    lu.assertStrContains(result.err, " more characters)")
    lu.assertTrue(utf8.len(result.err) < 4200)
    scenario [[
return rig.scenario { pool = "serial", iterations = 1, items = 1, map = function() error "\27[31mred" end }
]]
    result = rig(SCENARIO)
    wants(result, 4, nil, "\\x1b[31mred")
    lu.assertNil((result.out .. result.err):find "\27")
end

function TestOutput.test_results_without_end_are_not_read_to_it()
    wants(rig("show", "/dev/zero"), 5, nil, "more than the limit of")
end

TestSurroundings = {}

function TestSurroundings.tearDown() remove() end

function TestSurroundings.test_a_signal_while_the_scenario_loads()
    scenario "while true do pcall(function() while true do end end) end\n"
    for _, command in ipairs { "run", "check" } do
        local result = rigtest.run("timeout", "--foreground", "-s", "INT", "--preserve-status", rigtest.patience(0.4),
            RIG, command, SCENARIO)
        wants(result, 130, nil, "interrupted by signal 2")
    end
end

function TestSurroundings.test_a_parent_that_ignores_its_children()
    scenario(QUICK)
    wants(rigtest.run("env", "--ignore-signal=CHLD", RIG, SCENARIO, "pool=builtin,custom"), 0, "passed")
end

function TestSurroundings.test_no_memory_is_no_internal_error()
    if os.getenv "RIG_SANITIZE" ~= "" or rigtest.valgrind then lu.skip "these need memory of their own" end
    rigtest.write(SCENARIO, "[" .. ("1,"):rep(10000000) .. "1]")
    local result = rigtest.run("bash", "-c", "ulimit -v 120000; " .. RIG .. " show " .. SCENARIO)
    wants(result, 5, nil, "rig: not enough memory\n")
    lu.assertEquals(result.err, "rig: not enough memory\n")
end

function TestSurroundings.test_descriptors_that_are_closed()
    if rigtest.valgrind then lu.skip "valgrind opens files before the program does" end
    scenario(QUICK)
    wants(shell "%s -q --json - 1>&-", 5, nil, "stdout: cannot be written: Bad file descriptor")
    wants(shell "%s -q 0<&- 1>&- 2>&-", 0)
end

TestWords = {}

function TestWords.tearDown() remove() end

function TestWords.test_what_contradicts_itself()
    scenario(QUICK)
    for _, words in ipairs { { "--json", "a", "--export-json", "b" }, { "--seed", "1", "--seed", "2" },
        { "--timeout", "1s", "--timeout", "2s" }, { "--label", "a", "--label", "b" } } do
        wants(rig(SCENARIO, table.unpack(words)), 2, nil, "at most 1 time")
    end
    for _, name in ipairs { "seed", "timeout", "runs", "warmup" } do
        wants(rig(SCENARIO, "--" .. name, "1", name .. "=2"), 2, nil, name .. ": given twice")
    end
end

function TestWords.test_what_was_meant()
    wants(rig("chek", "x.lua"), 2, nil, "did you mean rig check?")
    wants(rig "", 2, nil, "the scenario's name is empty")
    wants(rig("check", ""), 2, nil, "the scenario's name is empty")
    scenario(QUICK)
    wants(rig(SCENARIO, "--seed", "-1"), 2, nil, "'-1' is not a seed")
    wants(rig(SCENARIO, "--seed=-1"), 2, nil, "'-1' is not a seed")
    wants(rig("list", "/nonexistent"), 2, nil, "'/nonexistent': no such folder")
end

os.exit(lu.LuaUnit.run())
