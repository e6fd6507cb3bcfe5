-- The harness itself: leaves_nothing must notice what a test leaves behind, and rigtest what a test case does.
-- A checker that never objects would let everything else pass.

local lu = require "luaunit"
local rigtest = require "rigtest"

---@param script string for sh
---@param options string|nil for leaves_nothing
---@return integer exit, string text what it printed
local function leaves_nothing(script, options)
    local program = rigtest.quote(assert(os.getenv "LEAVES_NOTHING"))
    local command = ("%s %s -- sh -c %s 2>&1; echo $?"):format(program, options or "", rigtest.quote(script))
    local pipe <close> = assert(io.popen(command))
    local text, status = pipe:read "a":match "^(.-)(%d+)\n$"
    return math.tointeger(tonumber(status)), text
end

TestLeavesNothing = {}

function TestLeavesNothing.test_passes_on_the_status_of_a_clean_test()
    lu.assertEquals({ leaves_nothing "exit 0" }, { 0, "" })
    lu.assertEquals({ leaves_nothing "exit 3" }, { 3, "" })
end

function TestLeavesNothing.test_names_and_ends_a_process_left_running()
    local status, text = leaves_nothing "sleep 1000 & echo $!"
    local pid = text:match "^%d+"
    lu.assertEquals(status, 70)
    -- by its name, or still by that of the shell that was about to become it
    lu.assertStrMatches(text, "%d+\nleaves_nothing: left behind: process " .. pid .. " %(%l+%), still running\n")
    lu.assertFalse(rigtest.exists("/proc/" .. pid))
end

function TestLeavesNothing.test_finds_a_process_that_hid_in_a_session_of_its_own()
    local status, text = leaves_nothing "setsid sleep 1000 & exec true"
    lu.assertEquals(status, 70)
    lu.assertStrContains(text, "still running")
end

function TestLeavesNothing.test_names_a_temporary_file()
    local status, text = leaves_nothing 'touch "$TMPDIR/forgotten"'
    lu.assertEquals(status, 70)
    lu.assertStrContains(text, "TMPDIR/forgotten")
end

function TestLeavesNothing.test_names_a_shared_memory_file()
    local name = "/dev/shm/rigtest-forgotten-" .. os.time()
    -- gone again long before the patience of the tests that run beside this one ends
    local status, text = leaves_nothing("touch " .. name, "--grace 0.1")
    os.remove(name)
    lu.assertEquals(status, 70)
    lu.assertStrContains(text, name)
end

function TestLeavesNothing.test_ends_a_test_that_takes_too_long()
    local status, text = leaves_nothing("sleep 1000", "--seconds 0.2")
    lu.assertEquals(status, 124)
    lu.assertStrContains(text, "not done after 0.2 s")
end

function TestLeavesNothing.test_names_the_signal_that_ended_a_test()
    local status, text = leaves_nothing "kill -SEGV $$"
    lu.assertEquals(status, 128 + 11)
    lu.assertStrContains(text, "signal 11")
end

function TestLeavesNothing.test_gives_a_clean_working_directory()
    local status, text = leaves_nothing "ls -A; ls -A $TMPDIR; touch a-file-here-is-fine"
    lu.assertEquals({ status, text }, { 0, "" })
end

TestRigtest = {}

-- runs a file of test cases in an interpreter of its own
local function run_cases(text)
    local file = rigtest.write("cases.lua", 'local lu = require "luaunit"\n' .. text .. "\nos.exit(lu.LuaUnit.run())\n")
    local pipe <close> = assert(io.popen(rigtest.quote(arg[-1]) .. " " .. file .. " 2>&1; echo $?"))
    local output, status = pipe:read "a":match "^(.-)(%d+)\n$"
    return tonumber(status), output
end

function TestRigtest.test_a_descriptor_left_open_fails_the_test_case()
    local failures, output = run_cases 'function test_it() Kept = io.open "/dev/null" end'
    lu.assertEquals(failures, 1)
    lu.assertStrContains(output, "left behind: descriptor")
end

function TestRigtest.test_a_descriptor_closed_that_was_not_its_own_fails_the_test_case()
    local failures, output = run_cases 'local f = io.open "/dev/null" function test_it() f:close() end'
    lu.assertEquals(failures, 1)
    lu.assertStrContains(output, "was there before the test: descriptor")
end

function TestRigtest.test_a_child_not_waited_for_fails_the_test_case()
    -- cat (or the shell on its way there) ends by itself when the interpreter that holds its input does
    local failures, output = run_cases 'function test_it() Kept = io.popen("exec cat", "w") end'
    lu.assertEquals(failures, 1)
    lu.assertStrContains(output, "still running")
end

function TestRigtest.test_what_the_collector_closes_is_no_leak()
    lu.assertEquals((run_cases 'function test_it() io.open "/dev/null" end'), 0)
end

os.exit(lu.LuaUnit.run())
