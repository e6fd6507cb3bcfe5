-- Pipes, socket pairs, queues and rig.poll as scripts use them: bytes, values, arrays; who waits for whom; what closed
-- and torn ends say. Neighbours: test_fork.lua (which process has which), tests/unit/test_queue*.c (deaths).

local lu = require "luaunit"
local core = require "rig.core"
local pooltest = require "pooltest"

local closing, HANG_S = pooltest.closing, pooltest.HANG_S

-- A child that runs fn; its end is checked when the block ends.
local function child(fn, ...)
    local proc = assert(core.fork(fn, ...))
    return setmetatable({ proc = proc }, { __close = function()
        local ended = proc:wait(HANG_S)
        proc:close()
        lu.assertEquals(ended and ended.exit, 0, "the child failed; it says why above")
    end })
end

local CLOSED = { nil, "the other end is closed", "EPIPE" }

TestPipe = {}

function TestPipe.test_bytes_come_through_in_pieces_of_any_size()
    local r, w = core.pipe()
    local _ <close> = closing(r)
    lu.assertTrue(w:write "hello\0world")
    lu.assertEquals({ r:read(5), r:read(1), r:read(3) }, { "hello", "\0", "wor" })
    w:close()
    lu.assertEquals(r:read(100), "ld") -- fewer only at the end
    lu.assertEquals({ r:read(1) }, { nil, CLOSED[2], CLOSED[3], "" })
    lu.assertEquals(r:read "a", "")
end

function TestPipe.test_all_means_until_the_other_end_closes()
    local r, w = core.pipe()
    local _ <close> = closing(r)
    local text = ("0123456789"):rep(300000)
    local _ <close> = child(function() w:write(text) end)
    w:close()
    lu.assertTrue(r:read "a" == text)
end

function TestPipe.test_reading_nothing_ends_at_the_deadline_and_loses_nothing()
    local r, w = core.pipe()
    local _ <close> = closing(r, w)
    w:write "ab"
    local none, message, code, came = r:read(5, 0.02)
    lu.assertEquals({ none, code, came }, { nil, "ETIMEDOUT", "ab" })
    lu.assertStrContains(message, "timed out")
    lu.assertEquals(select(3, r:get(0)), "ETIMEDOUT")
end

function TestPipe.test_writing_where_nobody_reads_is_an_error_and_no_signal()
    local r, w = core.pipe()
    r:close()
    lu.assertEquals({ w:write "x" }, CLOSED)
    lu.assertEquals({ w:put(1) }, CLOSED)
    w:close()
    local a, b = core.socketpair()
    a:close()
    lu.assertEquals({ b:write "x" }, CLOSED)
    lu.assertEquals({ b:put { 1 } }, CLOSED)
    b:close()
end

function TestPipe.test_values_and_bytes_can_take_turns()
    local r, w = core.pipe()
    local _ <close> = closing(r, w)
    local values = { 1, "text", { a = { 1, 2 } }, false, 0.5, ("x"):rep(200000) }
    for i, value in ipairs(values) do
        w:put(value)
        w:write("raw" .. i)
        lu.assertEquals(r:get(HANG_S), value)
        lu.assertEquals(r:read(4), "raw" .. i)
    end
    w:put(nil)
    lu.assertEquals(table.pack(r:get(HANG_S)), { n = 1 })
end

function TestPipe.test_arrays_go_out_and_come_in_without_being_values()
    local r, w = core.pipe()
    local _ <close> = closing(r, w)
    local from, to = core.array("i32", 500000, 3), core.array("i32", 500000)
    local _ <close> = child(function() assert(w:write(from)) end)
    lu.assertEquals(r:read_into(to, HANG_S), 2000000)
    lu.assertEquals({ to[1], to[500000], to:sum() }, { 3, 3, 1500000 })
    w:write "abcdef"
    w:close()
    lu.assertEquals(r:read_into(core.array("u8", 10)), 6)
    lu.assertEquals({ r:read_into(core.array("u8", 10)) }, CLOSED)
end

function TestPipe.test_large_values_pass_between_processes()
    for _, make in ipairs { core.pipe, core.socketpair } do
        local r, w = make()
        local _ <close> = closing(r, w)
        local big = { core.array("f64", 700000, 1.5), ("s"):rep(3000000) }
        do
            local _ <close> = child(function()
                for i = 1, 3 do
                    big[3] = i
                    assert(w:put(big))
                end
            end)
            for i = 1, 3 do
                local got = r:get(HANG_S)
                lu.assertEquals({ #got[1], got[1]:sum(), #got[2], got[3] }, { 700000, 1050000.0, 3000000, i })
            end
        end
    end
end

function TestPipe.test_a_socket_pair_goes_both_ways()
    local a, b = core.socketpair()
    local _ <close> = closing(a, b)
    local _ <close> = child(function()
        while true do
            local value = b:get()
            if value == "end" then return end
            b:put { "back", value }
        end
    end)
    for i = 1, 100 do
        a:put(i)
        lu.assertEquals(a:get(HANG_S), { "back", i })
    end
    a:put "end"
end

-- A pipe takes 1 MB: the child is in the middle of its value as long as nobody reads.
function TestPipe.test_a_value_torn_by_its_writers_death_is_an_end_and_no_value()
    for _, peek in ipairs { false, true } do
        local r, w = core.pipe()
        local _ <close> = closing(r)
        local proc <close> = assert(core.fork(function() w:put(("x"):rep(20000000)) end))
        w:close()
        lu.assertEquals(core.poll({ r }, HANG_S), { r })
        if peek then lu.assertEquals(#r:read(1000), 1000) end
        proc:stop(0)
        if peek then
            lu.assertTrue(#r:read "a" < 20000000)
        else
            lu.assertEquals({ r:get(HANG_S) }, CLOSED)
        end
    end
end

function TestPipe.test_bytes_that_are_no_value_are_refused()
    local r, w = core.pipe()
    local _ <close> = closing(r, w)
    w:write(("noise"):rep(100))
    lu.assertEquals(select(3, r:get(HANG_S)), "EBADMSG")
end

function TestPipe.test_misuse_raises()
    local r, w = core.pipe()
    lu.assertErrorMsgContains("only reads", r.write, r, "x")
    lu.assertErrorMsgContains("only writes", w.read, w, 1)
    lu.assertErrorMsgContains("1 or more", r.read, r, 0)
    lu.assertErrorMsgContains("value.f[1]: ", w.put, w, { f = { print } })
    lu.assertErrorMsgContains("value expected", w.put, w)
    lu.assertErrorMsgContains("capacity", core.pipe, 0)
    lu.assertStrContains(tostring(r), "open")
    r:close()
    r:close()
    w:close()
    lu.assertStrContains(tostring(r), "closed")
    lu.assertErrorMsgContains("this pipe end is closed", r.read, r, 1)
    lu.assertErrorMsgContains("this pipe end is closed", w.put, w, 1)
end

TestQueue = {}

function TestQueue.test_values_of_any_size_come_in_order()
    local q <close> = core.queue()
    local sizes = { 0, 1, 1000, 61000, 62000, 65536, 70000, 5000000, 3, 300000, 2 }
    for i, size in ipairs(sizes) do q:put { i, ("q"):rep(size) } end
    for i, size in ipairs(sizes) do
        local got = q:get(HANG_S)
        lu.assertEquals({ got[1], #got[2] }, { i, size })
    end
    lu.assertEquals({ q:pending() }, { 0, 0 })
    lu.assertEquals(select(3, q:get(0)), "ETIMEDOUT")
end

-- 200 MB with nobody reading: by reference, at once.
function TestQueue.test_its_maker_never_waits_in_a_put()
    local q = core.queue()
    local data = core.array("u8", 50000000, 1)
    for _ = 1, 4 do lu.assertTrue(q:put(data)) end
    q:put "small"
    local messages, bytes = q:pending()
    lu.assertEquals(messages, 5)
    lu.assertTrue(bytes >= 200000000 and bytes < 200010000)
    lu.assertErrorMsgContains("queue", function() data[1] = 2 end)
    lu.assertEquals(select(3, q:flush(0.01)), "ETIMEDOUT")
    local left, left_bytes = q:close()
    lu.assertTrue(left == 5 and left_bytes <= bytes)
    data[1] = 2 -- nobody will get it any more
    lu.assertEquals({ q:close() }, { 0, 0 })
end

function TestQueue.test_an_array_is_frozen_as_long_as_it_waits()
    local q <close> = core.queue()
    local data = core.array("i64", 1000000, 1)
    q:put(data)
    lu.assertError(function() data[1] = 2 end)
    lu.assertError(data.fill, data, 2)
    lu.assertEquals({ data[1], #data }, { 1, 1000000 }) -- reading is allowed
    local got = q:get(HANG_S)
    got[1] = 5 -- it is another
    data[1] = 2
    lu.assertEquals({ got:sum(), data:sum() }, { 1000004, 1000001 })
end

function TestQueue.test_what_waits_goes_out_whenever_its_maker_waits_for_anything()
    local ways = {
        function() core.sleep(0.05) end,
        function(proc) core.poll({ proc }, 0.05) end,
        function(proc) proc:wait(0.05) end,
        function(_, q) q:flush(HANG_S) end,
        function() core.exec { "sleep", "0.05" } end,
    }
    for _, wait in ipairs(ways) do
        local q <close> = core.queue()
        local proc <close> = assert(core.fork(function() os.exit(#q:get()) end))
        q:put(("x"):rep(3000000) .. "\0")
        local deadline = core.now() + HANG_S
        while q:pending() > 0 and core.now() < deadline do wait(proc, q) end
        lu.assertEquals(assert(proc:wait(HANG_S)).exit, 3000001 & 255)
    end
end

function TestQueue.test_each_value_goes_to_one_of_its_readers()
    local q, back = core.queue(), core.queue()
    local _ <close> = closing(q, back)
    local procs = pooltest.list(3, function(id)
        return assert(core.fork(function()
            while true do
                local value = q:get()
                if value == "end" then return end
                back:put { id, value, ("r"):rep(value % 50 == 0 and 200000 or 10) }
            end
        end))
    end)
    for i = 1, 600 do q:put(i) end
    local seen, count = {}, 0
    for _ = 1, 600 do
        local got = back:get(HANG_S)
        lu.assertNil(seen[got[2]])
        seen[got[2]], count = got[1], count + 1
    end
    lu.assertEquals(count, 600)
    for _ = 1, 3 do q:put "end" end
    for _, proc in ipairs(procs) do
        lu.assertEquals(assert(proc:wait(HANG_S)).exit, 0)
        proc:close()
    end
end

function TestQueue.test_a_child_that_puts_has_put_when_it_goes_on()
    local q <close> = core.queue()
    local _ <close> = child(function()
        assert(q:put(("x"):rep(2000000)))
        assert(q:pending() == 0)
        q:put "second"
    end)
    lu.assertEquals({ #q:get(HANG_S), q:get(HANG_S) }, { 2000000, "second" })
end

function TestQueue.test_what_the_parent_had_put_is_not_the_childs_to_send()
    local q <close> = core.queue()
    for i = 1, 3 do q:put { i, ("x"):rep(3000000) } end
    local _ <close> = child(function() assert(select(2, q:pending()) == 0) end)
    for i = 1, 3 do lu.assertEquals(q:get(HANG_S)[1], i) end
    lu.assertEquals(select(3, q:get(0)), "ETIMEDOUT")
end

function TestQueue.test_misuse_raises()
    local q = core.queue()
    lu.assertErrorMsgContains("value[2]: ", q.put, q, { 1, print })
    lu.assertErrorMsgContains("value expected", q.put, q)
    lu.assertErrorMsgContains("0 s or more", q.get, q, -1)
    lu.assertEquals({ q:pending() }, { 0, 0 })
    q:close()
    lu.assertErrorMsgContains("this queue is closed", q.put, q, 1)
    lu.assertErrorMsgContains("rig.queue", q.put, io.stdout, 1)
    lu.assertStrContains(tostring(q), "closed")
end

TestKinds = {}

TestPoll = {}

function TestPoll.test_says_which_are_ready_in_their_order()
    local q, r, w = core.queue(), core.pipe()
    local a, b = core.socketpair()
    local proc = assert(core.fork(function() core.sleep(1000) end))
    local _ <close> = closing(q, r, w, a, b, proc)
    local all = { proc, a, q, r }
    lu.assertEquals(core.poll(all, 0), {})
    b:put(1)
    lu.assertEquals(core.poll(all, HANG_S), { a })
    q:put(1)
    w:put(1)
    lu.assertEquals(core.poll(all, HANG_S), { a, q, r })
    a:get()
    q:get()
    r:get()
    lu.assertEquals(core.poll(all, 0.01), {})
    proc:kill "KILL"
    lu.assertEquals(core.poll(all, HANG_S), { proc })
    proc:wait()
    lu.assertEquals(core.poll(all, HANG_S), { proc }) -- it has ended, and stays so
    b:close()
    lu.assertEquals(core.poll(all, 0), { proc, a })
end

function TestPoll.test_values_read_ahead_are_not_forgotten()
    local r, w = core.pipe()
    local _ <close> = closing(r, w)
    for i = 1, 10 do w:put(i) end
    for i = 1, 10 do
        lu.assertEquals(core.poll({ r }, HANG_S), { r })
        lu.assertEquals(r:get(0), i)
    end
    lu.assertEquals(core.poll({ r }, 0), {})
end

-- get(0) takes in what there is of a large value; poll must then wait for the rest of it.
function TestPoll.test_large_values_that_come_piece_by_piece_are_seen()
    local q, r, w = core.queue(), core.pipe()
    local _ <close> = closing(q, r, w)
    local _ <close> = child(function()
        for _ = 1, 3 do
            q:put(("q"):rep(4000000))
            w:put(("w"):rep(4000000))
        end
    end)
    local got = { [q] = 0, [r] = 0 }
    local deadline = core.now() + HANG_S
    while got[q] + got[r] < 6 do
        lu.assertTrue(core.now() < deadline)
        for _, handle in ipairs(core.poll({ q, r }, HANG_S)) do
            local value = handle:get(0)
            if value then got[handle] = got[handle] + 1 end
        end
    end
    lu.assertEquals({ got[q], got[r] }, { 3, 3 })
end

function TestPoll.test_nothing_to_wait_for_waits_as_long_as_asked()
    local before = core.now()
    lu.assertEquals(core.poll({}, 0.02), {})
    lu.assertTrue(core.now() - before >= 0.02)
end

-- What a method is given that is another thing's.
function TestKinds.test_a_method_of_one_kind_refuses_the_others()
    local r, w = core.pipe()
    local q = core.queue()
    local _ <close> = closing(r, w, q)
    local proc = assert(core.fork(function() end))
    lu.assertErrorMsgContains("rig.pipe expected", w.close, q)
    lu.assertErrorMsgContains("rig.queue expected", q.close, w)
    lu.assertErrorMsgContains("rig.process expected", proc.wait, r)
    lu.assertErrorMsgContains("rig.process expected", proc.wait, nil)
    w:write "x" -- and nothing was closed
    lu.assertEquals(proc:wait(HANG_S).exit, 0)
    lu.assertEquals(proc:finish(HANG_S).exit, 0) -- how it ended is told as often as one asks
    proc:close()
end

function TestKinds.test_a_process_that_is_no_worker_has_no_board()
    lu.assertErrorMsgContains("there is no board here", core.board_get, 1)
    lu.assertErrorMsgContains("there is no board here", core.board_set, 1, 1)
end

function TestPoll.test_misuse_raises()
    local q = core.queue()
    lu.assertError(core.poll)
    lu.assertErrorMsgContains("open queues, pipe ends and processes", core.poll, { q, "text" }, 0)
    q:close()
    lu.assertErrorMsgContains("open queues, pipe ends and processes", core.poll, { q }, 0)
end

os.exit(lu.LuaUnit.run())
