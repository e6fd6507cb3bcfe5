-- How long does one item take to a worker and back, beside the same bytes through a bare pipe, socket or memory?
--
-- `map` is a map of one item on a pool of one worker, `apply` a call of it; the result is the item. `raw` is another
-- process that answers with the bytes it hears, read into the same array every time. Over ring, raw is memory that both
-- look at all the time, and what Lua takes to copy the item, in and out on either side. The two stay on two processors
-- (`apart`: a small item is mostly waking up) or on one (`same`, where looking all the time only keeps the other away).
--
--   rig scenarios/bench/round_trip.lua
--   rig scenarios/bench/round_trip.lua over=pipe,socket on=same size=8..8e6:7

local rig = require "rig"
local axes = require "rig.axes" -- which channels this version has

local cpus = rig.cpus()

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
    ring = function(item)
        local turn = rig.shared_array("i64", 1) -- whose it is
        local function side(mine)
            return { put = function() turn[1] = mine return item:sub(1) end,
                get = function() while turn[1] == mine do end return item:sub(1) end }
        end
        local ours, theirs = side(1), side(0)
        return ours, ours, theirs, theirs
    end,
}

local function start_raw(p, item, cpu)
    local to, hear, from, answer = OPEN[p.over](item)
    local bytes = (p.over == "pipe" or p.over == "socket") and rig.array("u8", p.size, 1)
    local child = assert(rig.fork(function()
        rig.pin(cpu)
        while bytes and from:read_into(bytes) and answer:write(bytes) or not bytes and answer:put(from:get()) do end
    end, from, answer))
    return function()
        if bytes then return assert(to:write(bytes)) and assert(hear:read_into(bytes)) end
        return to:put(item) and #hear:get()
    end, function() child:stop() end
end

local function start_pool(p, item, cpu)
    local pool = assert(rig.pool { workers = 1, channel = p.over, map = function(it) return it end,
        init = function() rig.pin(cpu) end })
    assert(pool:wait_ready())
    local function map() return #pool:map({ item })[1] end
    return p.way == "map" and map or function() return #pool:apply(item) end, function() pool:close() end
end

return rig.scenario {
    name = "round_trip",
    about = "One item to a worker and back, beside the same bytes without a pool",

    params = { way = { "raw", "map", "apply" }, over = axes.available(axes.axis.channel.values),
        on = { default = "apart", choices = { "apart", "same" } } },
    size = { 8, 1 << 20 }, -- bytes of the item
    iterations = 9,
    runs = 6,
    calibrate = "5ms",

    setup = function(p)
        if p.on == "same" then rig.pin(cpus[1]) end -- rings look all the time if there is a processor for everybody
        local start = p.way == "raw" and start_raw or start_pool
        local state = table.pack(start(p, ("x"):rep(p.size), p.on == "apart" and cpus[#cpus] or cpus[1]))
        rig.pin(cpus[1])
        return state
    end,
    body = function(_, state, n) local size for _ = 1, n do size = state[1]() end return size end,
    expect = function(p, size) return size == p.size end,
    teardown = function(_, state) state[2]() rig.pin(cpus) end,
}
