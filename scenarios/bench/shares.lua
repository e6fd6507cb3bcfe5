-- How close does a map come to what this machine gives several processes at all?
--
-- The tasks are those of fixed_data.lua. `one` does them all in one process. `shares` are bare processes, as many as
-- there are processors, each with an equal share that it knows beforehand: one message starts it, one brings its sum.
-- No pool can be much faster; and where processors share caches, clock or a host it takes longer than `one` divided by
-- their number. `pool` is rig's with 4 workers, which hands tasks out as they are asked for.
--
--   rig scenarios/bench/shares.lua
--   rig scenarios/bench/shares.lua size=100 runs=20 workers=2

local rig = require "rig"

local CPUS = #rig.cpus()
local ITEM = rig.fill(100, 1)

local function task(item)
    local total = 0
    for _ = 1, 9999 do total = total + #item end
    return total
end

local function some(first, last)
    local total = 0
    for _ = first, last do total = total + task(ITEM) end
    return total
end

-- One that waits for its share and says what came of it, again and again.
local function start_share(n, k)
    local ours, theirs = assert(rig.socketpair())
    local child = assert(rig.fork(function()
        while theirs:read(1) do theirs:write(("<d"):pack(some((k - 1) * n // CPUS + 1, k * n // CPUS))) end
    end, theirs))
    theirs:close()
    return { line = ours, child = child }
end

local START = {
    one = function(p) return function() return some(1, p.size) end, function() end end,
    shares = function(p)
        local all = {}
        for k = 1, CPUS do all[k] = start_share(p.size, k) end
        return function()
            local total = 0
            for _, share in ipairs(all) do assert(share.line:write "x") end
            for _, share in ipairs(all) do total = total + ("<d"):unpack(assert(share.line:read(8))) end
            return total
        end, function() for _, share in ipairs(all) do share.child:stop() end end
    end,
    pool = function(p)
        local pool = assert(rig.pool { workers = p.workers, map = task })
        assert(pool:wait_ready())
        local items = rig.fill(p.size, ITEM)
        return function()
            local total = 0
            for _, value in ipairs(pool:map(items)) do total = total + value end
            return total
        end, function() pool:close() end
    end,
}

return rig.scenario {
    name = "shares",
    about = "A map beside bare processes that know their share, and beside one process",

    params = { way = { "one", "shares", "pool" } },
    size = { 20, 100, 500 }, -- tasks in a map, of about 0.1 ms each
    workers = 4,
    runs = 6,
    iterations = 9,

    setup = function(p) return table.pack(START[p.way](p)) end,
    body = function(_, state) return state[1]() end,
    expect = function(p, total) return total == p.size * 999900, "not every task was done" end,
    work = function(p) return { items = p.size } end,
    teardown = function(_, state) state[2]() end,
}
