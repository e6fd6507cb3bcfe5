-- How much faster do 1 to 8 workers get the same work done, and where does it stop being worth a process more?
--
-- The work is nothing but arithmetic, so the machine's cores are the only limit. `serial` does it without any process
-- and is measured once; what the findings call speed-up is over that.
--
--   rig scenarios/scaling.lua
--   rig scenarios/scaling.lua grain=100         items so small that handing them out is the larger part
--   rig scenarios/scaling.lua chunk=1,auto      one item in a message, or as many as it takes

local rig = require "rig"

local ITEMS = 400

return rig.scenario {
    name = "scaling",
    about = "The same work by 1 to 8 workers, and by none",

    pool = { "serial", "builtin" },
    workers = rig.range(1, 8),
    iterations = 9,
    warmup = 1,

    params = { grain = { default = 20000, min = 2, help = "additions in each item" } },

    items = ITEMS,
    map = function(_, _, w)
        local odd = 0
        for i = 1, w.p.grain do odd = odd + (i & 1) end
        return odd
    end,
    reduce = rig.sum,
    expect = function(p, total) return total == ITEMS * ((p.grain + 1) // 2) end,
    work = function() return { items = ITEMS } end,
}
