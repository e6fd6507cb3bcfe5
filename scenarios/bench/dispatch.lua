-- What does a pool add to a task that does nothing, beside the bare messages that it cannot do without?
--
-- A task is a message to a worker and one back (chunk 1). `raw` are two processes that pass as many messages of that
-- size through the same thing, with as many on their way at a time. How many times as long the pool takes is what rig
-- costs beside its limit; an exponent of 1 says that every task costs the same. Larger chunks: no_op.lua.
--
--   rig scenarios/bench/dispatch.lua
--   rig scenarios/bench/dispatch.lua over=socket size=1e3..1e6:4 runs=3       a million: minutes

local rig = require "rig"
local axes = require "rig.axes" -- which channels this version has

local cpus = rig.cpus() -- both processes stay where they are, on two processors if there are two
local MESSAGE = ("x"):rep(72) -- an integer in its frame
local AHEAD = 64 -- messages on their way, at the most: as many as a pool sends ahead of short tasks

-- Memory that two processes look at all the time.
local function counter()
    local n = rig.shared_array("i64", 2) -- put, taken
    return { put = function() n[1] = n[1] + 1 return true end,
        get = function() while n[2] == n[1] do end n[2] = n[2] + 1 return true end }
end

-- What this process sends to and hears from, and what the other hears from and answers to.
local OPEN = {
    pipe = function()
        local from, to = assert(rig.pipe())
        local hear, answer = assert(rig.pipe())
        return to, hear, from, answer
    end,
    socket = function()
        local ours, theirs = assert(rig.socketpair())
        return ours, ours, theirs, theirs
    end,
    queue = function() local to, back = assert(rig.queue()), assert(rig.queue()) return to, back, to, back end,
    ring = function() local to, back = counter(), counter() return to, back, to, back end,
}

local function echo(from, answer, bytes)
    rig.pin(cpus[#cpus])
    while bytes and answer:write(assert(from:read(bytes))) or not bytes and answer:put(from:get()) do end
end

local function start_raw(p)
    local to, hear, from, answer = OPEN[p.over]()
    local ahead, bytes = AHEAD, (p.over == "pipe" or p.over == "socket") and #MESSAGE
    local child = assert(rig.fork(echo, from, answer, bytes))
    return function(n)
        for i = 1, n + ahead do
            if i > ahead then assert(bytes and hear:read(bytes) or not bytes and hear:get()) end
            if i <= n then assert(bytes and to:write(MESSAGE) or not bytes and to:put(i)) end
        end
        return n
    end, function() child:stop() end
end

local function start_pool(p)
    local pool = assert(rig.pool { workers = 1, channel = p.over, chunk = 1, map = function(item) return item end,
        init = function() rig.pin(cpus[#cpus]) end })
    assert(pool:wait_ready())
    return function(n) return #pool:map(n) end, function() pool:close() end
end

return rig.scenario {
    name = "dispatch",
    about = "Tasks that do nothing, a message each, beside bare messages",

    params = { way = { "raw", "pool" }, over = axes.available(axes.axis.channel.values) },
    size = { 10, 100, 1000, 10000 }, -- tasks in a map
    runs = 6,
    iterations = 1,
    calibrate = "10ms",

    setup = function(p)
        local state = table.pack((p.way == "raw" and start_raw or start_pool)(p))
        rig.pin(cpus[1]) -- only now: with a processor for everybody rings look all the time
        return state
    end,
    body = function(p, state, n) local done for _ = 1, n do done = state[1](p.size) end return done end,
    expect = function(p, done) return done == p.size, "not every task has a result" end,
    work = function(p) return { items = p.size } end,
    teardown = function(_, state) state[2]() rig.pin(cpus) end,
}
