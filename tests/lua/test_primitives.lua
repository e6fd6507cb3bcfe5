-- The small things of rig.core: time, random numbers, files written whole, calls with a limit, what is known about this
-- machine and this rig, and the account of outcomes that pools written in Lua report to.

local lu = require "luaunit"
local core = require "rig.core"
local rigtest = require "rigtest"

TestTime = {}

function TestTime.test_does_not_go_back_and_both_clocks_agree()
    local before, before_ns = core.now(), core.now_ns()
    lu.assertEquals({ math.type(before), math.type(before_ns) }, { "float", "integer" })
    lu.assertTrue(math.abs(before - before_ns / 1e9) < 60)
    for _ = 1, 1000 do
        local now = core.now_ns()
        lu.assertTrue(now >= before_ns)
        before_ns = now
    end
end

function TestTime.test_sleeping_and_spinning_last_as_long_as_asked()
    for _, wait in ipairs { core.sleep, core.spin } do
        local before = core.now()
        wait(0.02)
        lu.assertTrue(core.now() - before >= 0.02)
        wait(0)
        lu.assertError(wait, -1)
        lu.assertError(wait, 0 / 0)
        lu.assertError(wait, "long")
        lu.assertError(wait)
    end
    lu.assertTrue(core.sleep(0))
end

function TestTime.test_spinning_works_and_sleeping_does_not()
    local before = os.clock()
    core.spin(0.05)
    local spun = os.clock() - before
    lu.assertTrue(spun > 0)
    before = os.clock()
    core.sleep(0.3)
    lu.assertTrue(os.clock() - before < 0.2)
end

TestRandom = {}

local function some(r)
    local list = {}
    for i = 1, 50 do list[i] = r:int(math.mininteger, math.maxinteger) end
    list[51], list[52] = r:float(), r:normal()
    return list
end

function TestRandom.test_the_same_seed_gives_the_same_numbers()
    lu.assertEquals(some(core.rng(1, "two", 3.5, true)), some(core.rng(1, "two", 3.5, true)))
    lu.assertEquals(some(core.rng()), some(core.rng()))
end

-- On every machine and in every version: scenarios depend on it.
function TestRandom.test_the_numbers_of_a_seed_never_change()
    local r = core.rng(42)
    lu.assertEquals({ r:int(1, 1000000), r:int(1, 1000000), r:int(-5, 5) }, { 209772, 64547, 4 })
end

function TestRandom.test_any_other_seed_gives_others()
    local seeds = {
        {}, { 1 }, { 2 }, { "1" }, { 1, 2 }, { 2, 1 }, { 12 }, { "" }, { "", "" }, { "ab", "c" }, { "a", "bc" },
        { 1.5 }, { true }, { false }, { -1 }, { math.mininteger },
    }
    local seen = {}
    for i, seed in ipairs(seeds) do
        local first = core.rng(table.unpack(seed)):int(math.mininteger, math.maxinteger)
        lu.assertNil(seen[first], i)
        seen[first] = i
    end
end

function TestRandom.test_integers_are_spread_evenly()
    local r, counts = core.rng(7), {}
    for _ = 1, 60000 do
        local n = r:int(-2, 3)
        counts[n] = (counts[n] or 0) + 1
    end
    for n = -2, 3 do -- 10,000 each, give or take 5 standard deviations
        lu.assertTrue(math.abs(counts[n] - 10000) < 460, n .. ": " .. counts[n])
    end
    lu.assertNil(counts[-3] or counts[4])
    lu.assertEquals(r:int(5, 5), 5)
    lu.assertError(r.int, r, 2, 1)
    lu.assertError(r.int, r, 1.5, 2)
end

function TestRandom.test_floats_lie_between_0_and_1_and_are_spread_evenly()
    local r, sum, least, most = core.rng(7), 0, 1, 0
    for _ = 1, 60000 do
        local x = r:float()
        sum, least, most = sum + x, math.min(least, x), math.max(most, x)
    end
    lu.assertTrue(least >= 0 and most < 1 and least < 0.001 and most > 0.999)
    lu.assertAlmostEquals(sum / 60000, 0.5, 0.006)
end

function TestRandom.test_normal_ones_have_mean_and_deviation()
    local r, sum, squares = core.rng(7), 0, 0
    for _ = 1, 60000 do
        local x = r:normal(10, 3)
        sum, squares = sum + x, squares + (x - 10) ^ 2
    end
    lu.assertAlmostEquals(sum / 60000, 10, 0.07)
    lu.assertAlmostEquals((squares / 60000) ^ 0.5, 3, 0.06)
end

function TestRandom.test_shuffling_keeps_what_there_is()
    local r, list = core.rng(7), {}
    for i = 1, 1000 do list[i] = i end
    local same, moved = r:shuffle(list), 0
    lu.assertTrue(rawequal(same, list))
    for i = 1, 1000 do moved = moved + (list[i] ~= i and 1 or 0) end
    lu.assertTrue(moved > 950)
    table.sort(list)
    for i = 1, 1000 do lu.assertEquals(list[i], i) end
    lu.assertEquals(r:shuffle {}, {})
    lu.assertEquals(r:shuffle { "one" }, { "one" })
end

TestFiles = {}

function TestFiles.test_are_written_whole()
    for _, text in ipairs { "first", "", "a\0b", ("x"):rep(3000000) } do
        lu.assertTrue(core.write_file("file", text))
        lu.assertTrue(rigtest.read "file" == text)
    end
    os.execute "ln -s file link"
    lu.assertTrue(core.write_file("link", "through a link"))
    lu.assertEquals(rigtest.read "file", "through a link")
    os.execute "test -L link || echo 'the link is gone' >&2"
    os.remove "file"
    os.remove "link"
end

function TestFiles.test_what_is_no_file_is_written_to_as_it_is()
    lu.assertTrue(core.write_file("/dev/null", "gone"))
    local ok, message, code = core.write_file("/dev/full", "x")
    lu.assertEquals({ ok, code }, { nil, "ENOSPC" })
    lu.assertStrContains(message, "write '/dev/full'")
end

function TestFiles.test_a_failure_names_the_path_and_the_reason()
    for path, wanted in pairs { ["no/such/folder/x"] = "ENOENT", ["."] = "EISDIR", ["/dev/null/x"] = "ENOTDIR" } do
        local ok, message, code = core.write_file(path, "x")
        lu.assertEquals({ ok, code }, { nil, wanted })
        lu.assertStrContains(message, "write '" .. path .. "'")
    end
end

function TestFiles.test_descriptors_can_be_written_to()
    local script = rigtest.write("writing.lua", [[
        local core = require "rig.core"
        core.write(1, "out")
        core.write(2, "err")
        print(select(3, core.write(1000, "x")), core.isatty(1), core.columns(1))
    ]])
    local got = rigtest.run(arg[-1], script)
    os.remove(script)
    lu.assertEquals(got, { exit = 0, out = "outEBADF\tfalse\tnil\n", err = "err" })
end

TestCallWithin = {}

function TestCallWithin.test_gives_what_the_function_gives()
    lu.assertEquals(table.pack(core.call_within(60, function(...) return select("#", ...), ... end, 1, nil, "x")),
        { n = 5, true, 3, 1, nil, "x" })
    lu.assertEquals({ core.call_within(60, function() end) }, { true })
end

function TestCallWithin.test_an_error_is_a_message_and_no_time_out()
    local ok, message, timed_out = core.call_within(60, function() error "wrong" end)
    lu.assertEquals({ ok, timed_out }, { false, false })
    lu.assertStrMatches(message, ".-test_primitives%.lua:%d+: wrong.*")
end

function TestCallWithin.test_endless_loops_are_ended()
    local loops = {
        function() while true do end end,
        function() while true do pcall(function() while true do end end) end end,
        function() coroutine.wrap(function() while true do end end)() end,
    }
    for i, loop in ipairs(loops) do
        local ok, message, timed_out = core.call_within(0.05, loop)
        lu.assertEquals({ i, ok, timed_out }, { i, false, true })
        lu.assertStrContains(message, "timed out")
    end
end

function TestCallWithin.test_the_limit_is_over_with_the_call()
    core.call_within(0.001, function() end)
    local before = core.now()
    while core.now() - before < 0.02 do end
    local co = coroutine.wrap(function()
        core.call_within(0.001, coroutine.yield)
    end)
    pcall(co)
end

TestMachine = {}

-- The timer is the process's: here it is luaunit's host that has it, and only the executable `rig` lends it.
function TestMachine.test_a_time_limit_of_the_whole_process_is_refused_where_the_timer_is_not_ours()
    local none, message, code = core.alarm(1000)
    lu.assertEquals({ none, code }, { nil, "ENOTSUP" })
    lu.assertStrContains(message, "not available in a host")
end

function TestMachine.test_says_what_it_is_and_what_there_is()
    lu.assertStrMatches(core.version, "%d+%.%d+%.%d+")
    for _, name in ipairs { "commit", "compiler", "flags" } do lu.assertEquals(type(core.build[name]), "string") end
    lu.assertTrue(core.cores() >= 1)
    lu.assertTrue(core.memory_available() > 0)
    lu.assertNil(core.interrupted())
    lu.assertTrue(rigtest.exists(("/proc/%d/stat"):format(core.getpid())))
end

function TestMachine.test_system_calls_are_counted_by_name()
    local before = core.syscalls()
    local r, w = core.pipe()
    w:write "x"
    r:read(1)
    r:close()
    w:close()
    local after = core.syscalls()
    for _, name in ipairs { "pipe", "writev_quiet", "read", "close" } do
        lu.assertTrue(after[name] > (before[name] or 0), name)
    end
    lu.assertNil(after.malloc)
end

TestAccount = {}

function TestAccount.test_adds_up()
    local a = core.account(2)
    a:begin(4)
    lu.assertEquals({ a:open(), a:open(4) }, { 4, true })
    lu.assertTrue(a:assign(1, 2))
    lu.assertTrue(a:finish(1, "ok", { worker = 2 }))
    lu.assertTrue(a:finish(2, "error", { worker = 1, message = "no" }))
    lu.assertTrue(a:finish(3, "died", { worker = 1, pid = 77, signal = 9 }))
    lu.assertEquals(a:add(), 5)
    lu.assertTrue(a:finish(4, "cancelled"))
    lu.assertTrue(a:finish(5, "timeout", { worker = 2 }))
    local report = a:report()
    lu.assertEquals(report.outcomes, { ok = 1, error = 1, died = 1, timeout = 1, cancelled = 1 })
    lu.assertEquals({ report.n, report.tasks_by_worker, #report.failures }, { 5, { 1, 1 }, 4 })
    lu.assertEquals(report.failures[2],
        { task = 3, outcome = "died", worker = 1, pid = 77, signal = 9, attempt = 1 })
    a:begin()
    lu.assertEquals(a:report().n, 0)
end

function TestAccount.test_a_second_end_does_not_count()
    local a = core.account(1)
    a:begin(1)
    lu.assertTrue(a:finish(1, "ok", { worker = 1 }))
    lu.assertFalse(a:finish(1, "error", { worker = 1 }))
    lu.assertFalse(a:assign(1, 1))
    lu.assertEquals({ a:report().outcomes.ok, a:report().failures }, { 1, {} })
end

function TestAccount.test_what_does_not_add_up_raises()
    local a = core.account(2)
    a:begin(2)
    lu.assertErrorMsgContains("2 of 2 tasks have not ended", a.report, a)
    lu.assertErrorMsgContains("no task 3", a.finish, a, 3, "ok")
    lu.assertErrorMsgContains("no worker 3", a.assign, a, 1, 3)
    lu.assertErrorMsgContains("must be ok, error", a.finish, a, 1, "lost")
    lu.assertTrue(a:finish(1, "ok", 2))
    lu.assertErrorMsgContains("task 1 has ended", a.retried, a, 1, "error", {})
    lu.assertError(a.begin, a, -1)
    lu.assertError(core.account, 0)
end

os.exit(lu.LuaUnit.run())
