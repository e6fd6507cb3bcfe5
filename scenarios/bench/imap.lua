-- Do ten million items need the memory of ten million, or only of those that are on their way?
--
-- Items come from an iterator that makes each when it is asked. `map` has all results at its end; `imap` gives them one
-- by one, in order, and must not ask for more items than it has room for, however slowly results are taken. `peak
-- memory` is by how much this process grew at its largest: of imap it must not grow with the items, nor may imap be
-- slower than map.
--
--   rig scenarios/bench/imap.lua
--   rig scenarios/bench/imap.lua way=imap slow=true size=1e7

local rig = require "rig"

local function read(path, pattern)
    local file <close> = assert(io.open(path))
    return tonumber(file:read "a":match(pattern))
end

-- From here on the kernel looks for a new peak; where it may not, the old one counts.
local function forget_peak()
    collectgarbage()
    local file <close> = io.open("/proc/self/clear_refs", "w")
    if file then file:write "5" end
    return read("/proc/self/status", "VmRSS:%s*(%d+)")
end

local function count_to(n)
    local i = 0
    return function()
        i = i + 1
        return i <= n and i or nil
    end
end

-- A consumer that is slower than the workers: what they have done meanwhile must wait with them.
local function take(p, index)
    if p.slow and index % 1000 == 0 then rig.spin(0.0005) end
end

local WAYS = {
    map = function(p, pool)
        local total, results = 0, pool:map(count_to(p.size))
        for i, value in ipairs(results) do
            take(p, i)
            total = total + value
        end
        return total
    end,
    imap = function(p, pool)
        local total = 0
        for index, value in pool:imap(count_to(p.size)) do
            take(p, index)
            total = total + value
        end
        return total
    end,
}

return rig.scenario {
    name = "imap",
    about = "Lazy items: the memory and the time of all results at once, and of one by one",

    params = { way = { "map", "imap" }, slow = { false, true } },
    size = { 10000, 100000, 1000000, 10000000 }, -- items
    workers = 4,
    iterations = 1,
    runs = 2,

    memory = function(p) return p.way == "map" and 40 * p.size or 64 << 20 end,
    setup = function(p) return assert(rig.pool { workers = p.workers, map = function(item) return 2 * item end }) end,
    body = function(p, pool)
        local before = forget_peak()
        local total = WAYS[p.way](p, pool)
        rig.metric("peak memory", 1024 * (read("/proc/self/status", "VmHWM:%s*(%d+)") - before), "B")
        return total
    end,
    expect = function(p, total) return total == p.size * (p.size + 1) end,
    work = function(p) return { items = p.size } end,
    teardown = function(_, pool) pool:close() end,
}
