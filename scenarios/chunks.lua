-- How many tasks should go in one message, when some take much longer than others?
--
-- Small chunks cost a message for every few tasks, large ones leave workers with nothing to do while another has the
-- long tasks. Tasks are `even`, `rising` (each longer than the one before, so the last chunk is the heaviest), or `few`
-- (one in fifty is a hundred times as long); the work is the same in all. Findings name workers that had nothing to do
-- for much of the time, and why.
--
--   rig scenarios/chunks.lua
--   rig scenarios/chunks.lua skew=few chunk=1..8 workers=2

local rig = require "rig"

-- How much work task i of n is, in parts whose mean is about 100.
local WEIGHT = {
    even = function() return 100 end,
    rising = function(i, n) return 200 * i // n end,
    few = function(i) return i % 50 == 25 and 3355 or 33 end,
}

return rig.scenario {
    name = "chunks",
    about = "Chunks of tasks that take unlike long",

    chunk = { "auto", 1, 4, 16, 64, 256 },
    params = {
        skew = { "rising", "few", "even" },
        grain = { default = 100, min = 1, help = "additions in each part of the work" },
    },
    size = 1000, -- tasks
    workers = 4,
    iterations = 5,

    items = function(p)
        local items = {}
        for i = 1, p.size do items[i] = WEIGHT[p.skew](i, p.size) end
        return items
    end,
    map = function(parts, _, w)
        local total = 0
        for i = 1, parts * w.p.grain do total = total + i % 3 end
        return parts
    end,
    reduce = rig.sum,
    expect = function(p, total)
        local parts = 0
        for i = 1, p.size do parts = parts + WEIGHT[p.skew](i, p.size) end
        return total == parts
    end,
}
