-- rig.exec: commands, what goes in and comes out of them, how they end, and that they end. What a command inherits and
-- that it dies with us is in tests/unit/test_os_exec.c and test_lifeline.lua.

local lu = require "luaunit"
local core = require "rig.core"
local pooltest = require "pooltest"
local rigtest = require "rigtest"

local function shell(line, options)
    local command = { "sh", "-c", line }
    for name, value in pairs(options or {}) do command[name] = value end
    return core.exec(command)
end

TestExec = {}

function TestExec.test_output_and_status_come_back()
    local got = assert(shell "echo out; echo err >&2; exit 3")
    lu.assertEquals({ got.status, got.signal, got.stdout, got.stderr }, { 3, nil, "out\n", "err\n" })
    for _, name in ipairs { "wall_s", "user_s", "sys_s", "peak_rss_bytes" } do
        lu.assertTrue(got[name] >= 0, name)
    end
    lu.assertTrue(got.peak_rss_bytes > 0)
end

function TestExec.test_silence_is_an_empty_string()
    local got = assert(core.exec { "true" })
    lu.assertEquals({ got.status, got.stdout, got.stderr }, { 0, "", "" })
end

function TestExec.test_a_signal_comes_back()
    local got = assert(shell "kill -SEGV $$")
    lu.assertEquals({ got.status, got.signal }, { nil, 11 })
end

function TestExec.test_arguments_are_passed_as_they_are()
    local got = assert(core.exec { "printf", "[%s]", "a b", "", "'$HOME'", 42, "x\ny" })
    lu.assertEquals(got.stdout, "[a b][]['$HOME'][42][x\ny]")
end

-- More than pipes hold in every direction: nobody may wait for the other.
function TestExec.test_much_goes_in_and_comes_out_both_ways_at_once()
    local text = ("0123456789abcde\n"):rep(300000)
    local got = assert(shell("tee /dev/stderr", { stdin = text }))
    lu.assertEquals(got.status, 0)
    lu.assertTrue(got.stdout == text)
    lu.assertTrue(got.stderr == text)
end

function TestExec.test_input_that_nobody_reads_is_no_trouble()
    local got = assert(shell("exec <&-; echo done", { stdin = ("x"):rep(1000000) }))
    lu.assertEquals({ got.status, got.stdout }, { 0, "done\n" })
    lu.assertEquals(assert(core.exec { "true", stdin = ("x"):rep(1000000) }).status, 0)
end

function TestExec.test_without_stdin_there_is_none()
    lu.assertEquals(assert(core.exec { "cat" }).stdout, "")
    lu.assertEquals(assert(core.exec { "cat", stdin = "" }).stdout, "")
    lu.assertEquals(assert(core.exec { "cat", stdin = "a\0b" }).stdout, "a\0b")
end

function TestExec.test_folder_and_environment_are_as_asked()
    lu.assertEquals(assert(core.exec { "pwd", cwd = "/" }).stdout, "/\n")
    local line = 'echo "$ONE-$TWO-${HOME-none}"'
    lu.assertEquals(assert(shell(line, { env = { "ONE=1", "TWO=a b" } })).stdout, "1-a b-none\n")
    lu.assertEquals(assert(shell(line, { env = {} })).stdout, "--none\n")
    lu.assertStrContains(assert(core.exec { "env" }).stdout, "PATH=")
end

function TestExec.test_a_command_that_cannot_start_is_an_error_that_names_it()
    local cases = {
        { { "no-such-command-anywhere", "x" }, "ENOENT" },
        { { "/etc/passwd" }, "EACCES" },
        { { "true", cwd = "/no/such/folder" }, "ENOENT" },
    }
    for _, case in ipairs(cases) do
        local got, message, code = core.exec(case[1])
        lu.assertEquals({ got, code }, { nil, case[2] })
        lu.assertStrContains(message, "run '" .. case[1][1] .. "'")
    end
end

function TestExec.test_misuse_raises()
    lu.assertErrorMsgContains("a command is wanted", core.exec, {})
    lu.assertErrorMsgContains("argument 2 is a table", core.exec, { "echo", {} })
    lu.assertErrorMsgContains("stdin is a table", core.exec, { "cat", stdin = {} })
    lu.assertErrorMsgContains("cwd is a boolean", core.exec, { "cat", cwd = true })
    lu.assertErrorMsgContains("variable 1 is a boolean", core.exec, { "env", env = { true } })
    lu.assertErrorMsgContains("0 s or more", core.exec, { "true", timeout = -1 })
    lu.assertError(core.exec, "echo")
end

function TestExec.test_many_in_a_row_leave_nothing()
    for i = 1, 100 do lu.assertEquals(assert(core.exec { "echo", i }).stdout, i .. "\n") end
end

function TestExec.test_works_in_children_and_workers()
    local pool <close> = pooltest.plain {
        map = function(item) return assert(core.exec { "echo", "-n", item }).stdout end,
    }
    lu.assertEquals(pool:run { "a", "b", "c" }, { "a", "b", "c" })
end

TestTimeLimit = {}

function TestTimeLimit.test_ends_the_command_and_gives_what_there_was()
    local limit = rigtest.patience(0.5)
    local got, message, code, partly = shell("echo begun; echo oh >&2; sleep 1000", { timeout = limit })
    lu.assertEquals({ got, code }, { nil, "ETIMEDOUT" })
    lu.assertStrContains(message, "run 'sh'")
    lu.assertEquals({ partly.stdout, partly.stderr, partly.signal }, { "begun\n", "oh\n", 15 })
    lu.assertTrue(partly.wall_s >= limit)
end

function TestTimeLimit.test_ends_one_that_ignores_the_request()
    lu.skipIf(rigtest.valgrind, "there is no telling when it begins to ignore it there")
    local _, _, code, partly = shell("trap '' TERM; while :; do sleep 0.01; done", { timeout = 0.1 })
    lu.assertEquals({ code, partly.signal }, { "ETIMEDOUT", 9 })
end

-- The names of the processes, so that the test can look whether they are gone.
local function pids_of(text)
    local pids = {}
    for pid in text:gmatch "%d+" do pids[#pids + 1] = tonumber(pid) end
    return pids
end

local function check_gone(pids)
    for _, pid in ipairs(pids) do
        pooltest.wait_until(function() return pooltest.is_gone(pid) end, "the end of process " .. pid)
    end
end

function TestTimeLimit.test_ends_all_that_the_command_started()
    local _, _, code, partly = shell("sleep 1000 & echo $!; (sleep 1000 & echo $!; wait) & echo $!; wait",
        { timeout = rigtest.patience(1) })
    lu.assertEquals(code, "ETIMEDOUT")
    local pids = pids_of(partly.stdout)
    lu.assertEquals(#pids, 3)
    check_gone(pids)
end

function TestTimeLimit.test_what_a_command_leaves_in_the_background_ends_with_it()
    local got = assert(shell "sleep 1000 >/dev/null 2>&1 & echo $!")
    lu.assertEquals(got.status, 0)
    check_gone(pids_of(got.stdout))
end

-- It left the group and holds the output open; it cannot be found, but nobody may wait for it.
function TestTimeLimit.test_holds_although_somebody_keeps_the_output_open()
    if not os.execute "command -v setsid >/dev/null" then lu.skip "no setsid here" end
    local before = core.now()
    local _, _, code, partly = shell("setsid sh -c 'echo $$; exec sleep 1000' & wait",
        { timeout = rigtest.patience(1) })
    lu.assertEquals(code, "ETIMEDOUT")
    lu.assertTrue(core.now() - before < pooltest.HANG_S)
    local pids = pids_of(partly.stdout)
    os.execute("kill -KILL " .. pids[1])
    check_gone(pids)
end

function TestTimeLimit.test_is_no_matter_to_one_that_is_quick()
    lu.assertEquals(assert(core.exec { "echo", "quick", timeout = 1000 }).stdout, "quick\n")
end

function TestExec.test_a_script_reads_its_own_standard_input_and_the_command_does_not()
    local script = rigtest.write("reading.lua", [[
        local core = require "rig.core"
        io.write(core.exec({ "cat" }).stdout, io.read "a")
    ]])
    local got = assert(core.exec { arg[-1], script, stdin = "for the script" })
    os.remove(script)
    lu.assertEquals({ got.status, got.stdout }, { 0, "for the script" })
end

os.exit(lu.LuaUnit.run())
