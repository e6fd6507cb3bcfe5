-- What does it cost to hand every worker the same large data, and what happens to results when it comes too late?
--
-- Four workers map 100 items; every task is also given fixed data that never changes. `builtin` lets the workers
-- inherit it, `custom` sends each of them a copy through one queue and does not wait until it has arrived.
--
--   rig scenarios/fixed_data.lua                            the experiment as the article made it
--   rig scenarios/fixed_data.lua reads=true                 each task looks at the data, too
--   rig scenarios/fixed_data.lua kind=table size=1e5..2.5e7:4 pool=builtin      a Lua table in place of an array
--   rig scenarios/fixed_data.lua pool=shm,builtin           one shared mapping beside inherited memory

local rig = require "rig"

-- 1,000 elements from one end of the data to the other. They add nothing to the result, but must be what was put there.
local function read(fixed)
    local n, seen = #fixed, 0
    for k = 0, 999 do seen = seen + fixed[1 + k * n // 1000] end
    if seen ~= 50000 then error(("the fixed data is damaged: 1,000 times 50 came to %d"):format(seen)) end
end

return rig.scenario {
    name = "fixed_data",
    about = "Fixed data of growing size, handed to 4 workers in two ways",

    pool = { "builtin", "custom" },
    size = rig.logspace(1e5, 10 ^ 8.2, 5), -- 100000, 630957, 3981071, 25118864, 158489319
    workers = 4,
    iterations = 9,

    params = {
        reads = { default = false, help = "every task also reads 1,000 elements spread over the fixed data" },
        kind = { default = "array", choices = { "array", "table" }, help = "packed numbers, or a Lua table" },
    },

    -- an element takes 8 bytes in an array and 16 in a table, which is copied once more each time it has to grow
    memory = function(p) return p.size * (p.kind == "array" and 8 or 32) end,

    fixed = function(p)
        if p.kind == "table" then return rig.fill(p.size, 50) end
        return rig.array("i64", p.size, 50)
    end,

    items = function() return rig.fill(100, rig.fill(100, 1)) end,

    map = function(item, fixed, w)
        local total = 0
        for _ = 1, 9999 do total = total + #item end
        if w.p.reads then read(fixed) end
        return total
    end,

    -- 100 items, and each is 100 ones whose number is added up 9,999 times
    reduce = rig.sum,
    expect = 99990000,
}
