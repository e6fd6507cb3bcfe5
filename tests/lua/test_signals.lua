-- What signals do to the executable while it runs: an orderly end with partial results, a quick one when asked again,
-- nothing left in either case. What a host sees of rig_interrupt is in tests/embed/host.c.

local lu = require "luaunit"
local rigtest = require "rigtest"

local json = require "rig.json"

-- Says by a file that it is where it does not end, so that no signal comes too early.
local SCENARIO = [[
local rig = require "rig"
local function here() io.open("started", "w"):close() end
return rig.scenario {
    name = "endless", about = "does not end", workers = 3, iterations = 2, items = 6, params = { mode = "none" },
    setup = function(p)
        if p.mode == "setup" then here() while true do end end
    end,
    map = function(item, _, w)
        if w.p.mode == "sleep" then here() rig.sleep(1000) end
        if w.p.mode == "spin" then here() while true do end end
        return item
    end,
    reduce = function(_, p)
        if p.mode == "reduce" then here() while true do pcall(function() while true do end end) end end
        if p.mode == "deaf" then here() return (("a"):rep(1000000)):find(".-.-.-b") end
        return 0
    end,
    teardown = function() io.open("tidied", "w"):close() end,
}
]]

-- Starts the run, sends the signals as soon as it is in its endless part, waits. The shell's status is 128 + n for a
-- process that signal n ended.
local function run(mode, ...)
    rigtest.write("endless.lua", SCENARIO)
    local lines = {
        ('"$RIG" endless.lua mode=%s --json out.json >out.txt 2>&1 & pid=$!'):format(mode),
        "n=0; while [ ! -e started ] && [ $n -lt 600 ]; do sleep 0.05; n=$((n + 1)); done",
    }
    -- "started" is written just before the endless part: only inside of it is a signal what the test is about.
    lines[#lines + 1] = "sleep 0.2"
    for _, signal in ipairs { ... } do lines[#lines + 1] = ("kill -%s $pid; sleep 0.3"):format(signal) end
    lines[#lines + 1] = "wait $pid 2>/dev/null; exit $?"
    local _, _, status = os.execute(table.concat(lines, "\n"))
    local result = { status = status, tidied = rigtest.exists "tidied", text = rigtest.read "out.txt" }
    if rigtest.exists "out.json" then result.doc = assert(json.decode(rigtest.read "out.json")) end
    for _, name in ipairs { "endless.lua", "out.txt", "out.json", "started", "tidied" } do os.remove(name) end
    return result
end

local function check_orderly(mode, signal, number)
    local result = run(mode, signal)
    lu.assertEquals(result.status, 128 + number, mode .. ": " .. result.text)
    lu.assertEquals(result.doc.status, "interrupted", mode)
    lu.assertEquals(result.doc.exit, 128 + number, mode)
    return result
end

TestSignals = {}

function TestSignals.test_interrupt_ends_a_run_whose_workers_sleep()
    lu.assertTrue(check_orderly("sleep", "INT", 2).tidied)
end

function TestSignals.test_interrupt_ends_a_run_whose_workers_spin()
    lu.assertTrue(check_orderly("spin", "INT", 2).tidied)
end

function TestSignals.test_interrupt_reaches_a_hook_that_catches_errors_for_ever()
    lu.assertTrue(check_orderly("reduce", "INT", 2).tidied)
end

function TestSignals.test_interrupt_reaches_the_first_hook()
    check_orderly("setup", "INT", 2)
end

function TestSignals.test_terminate_and_hang_up_end_a_run_in_order_too()
    check_orderly("spin", "TERM", 15)
    check_orderly("sleep", "HUP", 1)
end

function TestSignals.test_a_second_interrupt_ends_what_the_first_cannot()
    local result = run("deaf", "INT", "INT")
    lu.assertEquals(result.status, 130)
    lu.assertNil(result.doc)
end

function TestSignals.test_no_worker_outlives_a_killed_coordinator()
    lu.assertEquals(run("spin", "KILL").status, 128 + 9)
    lu.assertEquals(run("sleep", "KILL").status, 128 + 9)
end

function TestSignals.test_a_hang_up_that_is_ignored_stays_ignored()
    rigtest.write("short.lua", [[
        local rig = require "rig"
        return rig.scenario { name = "short", about = "ends", workers = 1, iterations = 1, items = 1,
            setup = function() os.execute "kill -HUP $PPID" end, map = function(item) return item end }
    ]])
    local _, _, status = os.execute 'trap "" HUP; "$RIG" short.lua >/dev/null 2>&1'
    os.remove "short.lua"
    lu.assertEquals(status, 0)
end

function TestSignals.test_a_budget_cuts_off_what_takes_longer()
    rigtest.write("endless.lua", SCENARIO)
    local result = rigtest.rig("endless.lua", "mode=spin", "--budget", "0.3s", "--json", "-")
    for _, name in ipairs { "endless.lua", "started", "tidied" } do os.remove(name) end
    lu.assertEquals(result.exit, 4) -- nothing was measured, and it may be that it hangs
    local case = json.decode(result.out).cases[1]
    lu.assertEquals(case.status, "faulted")
    lu.assertStrContains(case.reason, "budget of 300 ms spent before its first iteration ended")
end

os.exit(lu.LuaUnit.run())
