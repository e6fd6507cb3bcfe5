-- What the gate is tried on: 100 tasks of about 50 us (as in the reference experiment) or ten times that, in pools that
-- differ in how much of them is waiting for the kernel. `extra` is work added to every task, in percent.
local rig = require "rig"

local STEPS = 10000 -- about 50 us

return rig.scenario {
    name = "gate_work",
    about = "A map with a known amount of work added to it",
    params = { extra = 0, grain = { 1, 10 } },
    pool = { "serial", "builtin", "custom" },
    workers = 4,
    iterations = 1,
    items = 100,
    map = function(_, _, w)
        local total = 0
        for i = 1, math.floor(STEPS * w.p.grain * (1 + w.p.extra / 100) + 0.5) do total = total + i % 3 end
        return total
    end,
}
