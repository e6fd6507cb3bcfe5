-- How fast does fixed data reach the workers, beside the same bytes written into bare pipes?
--
-- Every way delivers one array to each of 4 processes, into memory that they have never touched, and is timed from the
-- first fork until the last process holds all of it. `raw` is what the kernel can do: a pipe for each process, a write
-- at one end, a read straight into a fresh array at the other. The rate counts all copies: 4 of 200 MB here. Ways take
-- turns, `runs` times, so that what else the machine does meets them all.
--
--   rig scenarios/bench/delivery.lua
--   rig scenarios/bench/delivery.lua size=158489319 runs=3

local rig = require "rig"

local POOLS = {
    custom = { preset = "custom" }, -- one queue for all, in Lua
    custom_c = { preset = "custom", impl = "c" },
    send_pipe = { preset = "builtin", delivery = "send", channel = "pipe" },
    send_socket = { preset = "builtin", delivery = "send", channel = "socket" },
}

local function receive(from, ready, n)
    local mine = rig.array("i64", n)
    ready:put(assert(from:read_into(mine)))
    from:read(1) -- like a worker, it stays until it is told to go: the other end closes
end

local function deliver_raw(p, data)
    local heard, say = assert(rig.pipe())
    local ends, procs = {}, {}
    for i = 1, p.workers do
        local from, to = assert(rig.pipe())
        ends[i], procs[i] = to, assert(rig.fork(receive, from, say, p.size))
        from:close()
    end
    for _, to in ipairs(ends) do assert(to:write(data)) end
    for _ = 1, p.workers do assert(heard:get() == data:bytes()) end
    return function()
        for i, to in ipairs(ends) do to:close() procs[i]:wait() end
        heard:close() say:close()
    end
end

local function deliver_by_pool(p, data)
    local spec = { workers = p.workers, fixed = data, map = function() end }
    for name, value in pairs(POOLS[p.way]) do spec[name] = value end
    local pool = assert(rig.pool(spec))
    assert(pool:wait_ready())
    return function() pool:close() end
end

return rig.scenario {
    name = "delivery",
    about = "Fixed data on its way to 4 workers, beside the same bytes in bare pipes",

    params = { way = { "raw", "custom", "custom_c", "send_pipe", "send_socket" } },
    size = 25118864,
    workers = 4,
    iterations = 1,
    runs = 6,

    memory = function(p) return 8 * p.size * (1 + p.workers) end,
    setup = function(p)
        -- a virtual machine may have given idle memory back to its host, and waits for it when it is touched again
        rig.fork(function() rig.array("i64", p.size * (1 + p.workers), 1) end):wait()
        return { data = rig.array("i64", p.size, 50) }
    end,
    body = function(p, state)
        state.stop = (p.way == "raw" and deliver_raw or deliver_by_pool)(p, state.data)
    end,
    work = function(p) return { bytes = 8 * p.size * p.workers } end,
    teardown = function(_, state) if state.stop then state.stop() end end,
}
