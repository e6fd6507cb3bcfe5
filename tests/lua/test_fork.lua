-- rig.fork: a function in a process of its own, what that process has of its parent's, and the handle on it.
-- Neighbours: test_handles.lua (pipes, queues, poll), test_exec.lua (commands).

local lu = require "luaunit"
local core = require "rig.core"
local pooltest = require "pooltest"
local rigtest = require "rigtest"

local closing = pooltest.closing

local function wait(proc)
    return assert(proc:wait(pooltest.HANG_S))
end

-- Runs fn in a child; fails unless it ends well.
local function check_child(fn, ...)
    local proc <close> = assert(core.fork(fn, ...))
    lu.assertEquals(wait(proc).exit, 0, "the child failed; it says why above")
end

TestFork = {}

function TestFork.test_the_function_gets_its_arguments_as_they_are()
    local meta = setmetatable({}, { __index = { inherited = true } })
    check_child(function(...)
        local n, text, f, t, none, last = ...
        assert(select("#", ...) == 6)
        assert(n == 1 and text == "two" and f(2) == 4 and t.inherited and none == nil and last == false)
    end, 1, "two", function(x) return x * x end, meta, nil, false)
end

function TestFork.test_the_child_never_returns_to_the_code_that_forked_it()
    local returned = core.shared_array("u8", 1, 0)
    local me = core.getpid()
    check_child(function() return "a result that nobody gets" end)
    if core.getpid() ~= me then returned[1] = 1 end
    lu.assertEquals(returned[1], 0)
    returned:close()
end

function TestFork.test_how_it_ended_comes_back()
    local function ending(fn)
        local proc <close> = assert(core.fork(fn))
        local ended = wait(proc)
        return { ended.exit, ended.signal }
    end
    lu.assertEquals(ending(function() end), { 0 })
    lu.assertEquals(ending(function() os.exit(41) end), { 41 })
    lu.assertEquals(ending(function() os.exit(true) end), { 0 })
    lu.assertEquals(ending(function() os.exit(false) end), { 1 })
    lu.assertEquals(ending(function() pooltest.hit_myself "KILL" end), { nil, 9 })
end

function TestFork.test_what_it_used_comes_back_and_can_be_asked_again()
    local proc <close> = assert(core.fork(function()
        core.spin(0.02)
        return ("x"):rep(10000000)
    end))
    local ended = wait(proc)
    lu.assertTrue(ended.user_s + ended.sys_s > 0)
    lu.assertTrue(ended.peak_rss_bytes > 10000000)
    for _, name in ipairs { "minor_faults", "voluntary_switches", "involuntary_switches" } do
        lu.assertTrue(ended[name] >= 0)
    end
    lu.assertEquals(wait(proc), ended)
    lu.assertEquals(proc:stop(), ended)
end

function TestFork.test_an_error_in_the_child_is_on_stderr_with_the_scripts_frames()
    local script = rigtest.write("failing.lua", [[
        local core = require "rig.core"
        local function inner() error "no such luck" end
        local proc <close> = core.fork(function() inner() end)
        os.exit(proc:wait().exit)
    ]])
    local got = rigtest.run(arg[-1], script)
    os.remove(script)
    lu.assertEquals({ got.exit, got.out }, { 1, "" })
    lu.assertStrMatches(got.err, "failing.lua:2: no such luck\n" ..
        "  in failing.lua:2 %([^\n]*inner'%)\n  in failing.lua:3[^\n]*\n")
end

function TestFork.test_buffered_output_is_written_once_by_whoever_wrote_it()
    local script = rigtest.write("buffered.lua", [[
        local core = require "rig.core"
        io.write "parent "
        local proc <close> = core.fork(function() io.write "child " end)
        proc:wait()
        io.write "again"
    ]])
    local got = rigtest.run(arg[-1], script)
    os.remove(script)
    lu.assertEquals(got, { exit = 0, out = "parent child again", err = "" })
end

function TestFork.test_exit_handlers_and_finalizers_of_the_parent_do_not_run_in_the_child()
    local ran = core.shared_array("i64", 1, 0)
    local guard <const> = setmetatable({}, { __gc = function() ran[1] = ran[1] + 1 end })
    check_child(function() os.exit(0, true) end)
    check_child(function() end)
    lu.assertEquals({ ran[1], type(guard) }, { 0, "table" })
end

function TestFork.test_shared_arrays_are_shared_and_others_copied_on_write()
    local shared, private = core.shared_array("i64", 10, 1), core.array("i64", 10, 1)
    check_child(function()
        shared[5], private[5] = 7, 7
        assert(private[5] == 7)
    end)
    lu.assertEquals({ shared[5], private[5] }, { 7, 1 })
    shared:close()
end

function TestFork.test_works_in_a_coroutine()
    local co = coroutine.wrap(function()
        check_child(function() assert(not coroutine.isyieldable()) end)
        coroutine.yield(1)
        check_child(function() end)
        return 2
    end)
    lu.assertEquals({ co(), co() }, { 1, 2 })
end

function TestFork.test_children_have_children()
    local function chain(depth)
        if depth == 0 then os.exit(5) end
        local proc <close> = assert(core.fork(chain, depth - 1))
        os.exit(wait(proc).exit + 1)
    end
    local proc <close> = assert(core.fork(chain, 4))
    lu.assertEquals(wait(proc).exit, 9)
end

function TestFork.test_misuse_raises()
    lu.assertErrorMsgContains("function expected", core.fork)
    lu.assertErrorMsgContains("function expected", core.fork, {})
end

TestGivenHandles = {}

-- The child can use the end that `find` leads to.
local function check_given(hide, find)
    local r, w = core.pipe()
    local _ <close> = closing(r, w)
    local where = hide(w)
    check_child(function(...) assert(find(...):put "found") end, where)
    lu.assertEquals(r:get(pooltest.HANG_S), "found")
end

function TestGivenHandles.test_are_found_in_arguments_and_in_tables()
    check_given(function(w) return w end, function(w) return w end)
    check_given(function(w) return { { ends = { 1, w } } } end, function(t) return t[1].ends[2] end)
    local deep, cyclic = {}, {}
    check_given(function(w)
        local at = deep
        for _ = 1, 10 do at.next = {} at = at.next end
        at.w = w
        cyclic.self, deep.cyclic = cyclic, cyclic
        return deep
    end, function(t)
        while t.next do t = t.next end
        return t.w
    end)
end

function TestGivenHandles.test_are_found_in_upvalues()
    local r, w = core.pipe()
    local _ <close> = closing(r, w)
    local ends = { write = w }
    local function put(value) ends.write:put(value) end
    check_child(function() put "through two functions" end)
    lu.assertEquals(r:get(pooltest.HANG_S), "through two functions")
end

function TestGivenHandles.test_all_others_are_closed_in_the_child_and_say_so()
    local r, w = core.pipe()
    local _ <close> = closing(r, w)
    local q = core.queue()
    local a, b = core.socketpair()
    local proc = assert(core.fork(function() core.sleep(1000) end))
    local _ <close> = closing(q, a, b, proc)
    _G.others = { r, w, q, a, b }
    _G.parents_process = proc
    check_child(function()
        for _, handle in ipairs(_G.others) do
            for _, method in ipairs { "put", "get" } do
                local ok, message = pcall(handle[method], handle, 1)
                assert(not ok and message:find "not open in this process: give it to rig.fork", message)
            end
            handle:close() -- does nothing, and harms nobody
        end
        local ok, message = pcall(_G.parents_process.wait, _G.parents_process)
        assert(not ok and message:find "only its parent can wait for it", message)
        _G.others = nil
        collectgarbage()
    end)
    _G.others, _G.parents_process = nil, nil
    w:put "still here"
    q:put "and here"
    b:put "here too"
    lu.assertEquals({ r:get(1), q:get(1), a:get(1), proc:alive() }, { "still here", "and here", "here too", true })
end

function TestGivenHandles.test_a_hundred_can_be_given()
    local ends = {}
    for i = 1, 100 do
        local r, w = core.pipe(4096)
        ends[i] = { r = r, w = w }
    end
    check_child(function()
        for i = 1, 100 do ends[i].w:put(i * 2) end
    end)
    for i = 1, 100 do
        lu.assertEquals(ends[i].r:get(pooltest.HANG_S), i * 2)
        ends[i].r:close()
        ends[i].w:close()
    end
end

-- A child that is given no end holds none open: the end of the stream comes.
function TestGivenHandles.test_a_child_that_was_given_none_keeps_none_open()
    local r, w = core.pipe()
    local _ <close> = closing(r)
    local proc <close> = assert(core.fork(function() core.sleep(1000) end))
    w:close()
    lu.assertEquals({ r:get(pooltest.HANG_S) }, { nil, "the other end is closed", "EPIPE" })
    lu.assertTrue(proc:alive())
end

TestProcess = {}

local function sleeper()
    return assert(core.fork(function() core.sleep(1000) end))
end

function TestProcess.test_waiting_ends_at_the_deadline()
    local proc <close> = sleeper()
    local ended, message, code = proc:wait(0.02)
    lu.assertEquals({ ended, code }, { nil, "ETIMEDOUT" })
    lu.assertStrContains(message, "timed out")
    lu.assertTrue(proc:alive())
    lu.assertErrorMsgContains("0 s or more", proc.wait, proc, -1)
end

function TestProcess.test_signals_go_by_name_or_number()
    for _, signal in ipairs { "TERM", "SIGTERM", 15 } do
        local proc <close> = sleeper()
        lu.assertTrue(proc:kill(signal))
        lu.assertEquals(wait(proc).signal, 15)
    end
    local proc <close> = sleeper()
    lu.assertErrorMsgContains("unknown signal 'PLEASE'", proc.kill, proc, "PLEASE")
    lu.assertTrue(proc:kill "STOP")
    lu.assertTrue(proc:kill "CONT")
    lu.assertTrue(proc:kill "KILL")
    lu.assertEquals(wait(proc).signal, 9)
    lu.assertEquals(select(3, proc:kill()), "ESRCH")
end

function TestProcess.test_stop_asks_first_and_insists_then()
    local polite, stubborn = sleeper(), assert(core.fork(function()
        os.execute "trap '' TERM; while :; do sleep 0.01; done"
    end))
    local _ <close> = closing(polite, stubborn)
    lu.assertEquals(polite:stop(pooltest.HANG_S).signal, 15)
    lu.assertEquals(stubborn:stop(0).signal, 9)
    lu.assertFalse(polite:alive())
end

function TestProcess.test_closing_or_losing_the_handle_ends_the_process()
    local proc = sleeper()
    local first = proc:pid()
    proc:close()
    proc:close()
    lu.assertTrue(pooltest.is_gone(first))
    local second = sleeper():pid()
    collectgarbage()
    collectgarbage()
    lu.assertTrue(pooltest.is_gone(second))
end

function TestProcess.test_says_what_it_is()
    local proc <close> = sleeper()
    lu.assertEquals(tostring(proc), ("rig.process (pid %d)"):format(proc:pid()))
    lu.assertFalse(pooltest.is_gone(proc:pid()))
    local memory = proc:memory()
    lu.assertTrue(memory.rss_bytes >= memory.uss_bytes and memory.uss_bytes > 0)
    proc:stop(0)
    lu.assertEquals({ tostring(proc), proc:pid() }, { "rig.process (ended)", nil })
    lu.assertEquals(select(3, proc:memory()), "ESRCH")
end

TestChildren = {}

function TestChildren.test_are_those_that_nobody_has_reaped()
    local before = core.children()
    local one <close> = assert(core.fork(function() core.sleep(60) end))
    local other <close> = assert(core.fork(function() end))
    lu.assertTrue(core.children()[one] and core.children()[other])
    other:wait()
    one:stop(0)
    lu.assertEquals(core.children(), before)
end

function TestChildren.test_of_the_coordinator_are_none_of_a_childs()
    local one <close> = assert(core.fork(function() core.sleep(60) end))
    local two <close> = assert(core.fork(function() if next(core.children()) then error "not mine" end end))
    lu.assertEquals(two:wait().exit, 0)
    one:stop(0)
end

os.exit(lu.LuaUnit.run())
