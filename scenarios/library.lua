-- Which of a pool's calls suits a program: all results at once, one by one, single calls, or results to ask for later?
--
-- A pool is an object for any program, not only for scenarios. `map` waits for all results, in order; `imap` gives them
-- in order while others are still under way, so that memory stays small; `apply` is one call that is waited for, and
-- never keeps more than one worker busy; `submit` gives a future for each. All count the same primes. A pool that is
-- left by an error or a break ends its workers, because it is `<close>`.
--
--   rig scenarios/library.lua
--   rig scenarios/library.lua call=map,imap size=1e6 workers=1..4

local rig = require "rig"

local BLOCK = 1000

local function count_primes(first)
    local count = 0
    for n = math.max(first, 2), first + BLOCK - 1 do
        local prime, k = n % 2 == 1 or n == 2, 3
        while prime and k * k <= n do prime, k = n % k ~= 0, k + 2 end
        if prime then count = count + 1 end
    end
    return count
end

-- Asked for blocks as they are needed.
local function blocks(p)
    local first = -BLOCK
    return function()
        first = first + BLOCK
        return first < p.size and first or nil
    end
end

local CALLS = {
    map = function(pool, p) return rig.sum((pool:map(blocks(p)))) end,
    imap = function(pool, p)
        local total = 0
        for _, count in pool:imap(blocks(p)) do total = total + count end
        return total
    end,
    apply = function(pool, p)
        local total = 0
        for first in blocks(p) do total = total + pool:apply(first) end
        return total
    end,
    submit = function(pool, p)
        local futures, total = {}, 0
        for first in blocks(p) do futures[#futures + 1] = pool:submit(first) end
        for _, future in ipairs(futures) do total = total + future:get() end
        return total
    end,
}

local calls = {}
do
    local pool <close> = rig.pool { preset = "serial", map = print }
    for _, name in ipairs { "map", "imap", "apply", "submit" } do
        if pool[name] then calls[#calls + 1] = name end -- those that this version has
    end
end

return rig.scenario {
    name = "library",
    about = "The calls of a pool, from a program of its own",

    params = { call = { default = calls, choices = { "map", "imap", "apply", "submit" } } },
    size = 100000,
    workers = 2,
    iterations = 5,

    body = function(p)
        local pool <close> = assert(rig.pool { workers = p.workers, map = count_primes })
        return CALLS[p.call](pool, p)
    end,
    -- π(10^5), where that is what is counted
    expect = function(p, total) return p.size ~= 100000 or total == 9592, "there are 9592 primes" end,
}
