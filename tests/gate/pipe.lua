-- What the gate is tried on: round trips of a byte through two pipes, nearly all of it the scheduler's work. Both
-- processes stay on one processor: left to the kernel, some pairs of them share one and others do not, and a round trip
-- across processors takes six times as long. `extra` adds round trips, in percent.
local rig = require "rig"

local TRIPS = 2000

local cpus = rig.cpus()

local function echo(from, to)
    for value in function() return from:read(1) end do to:write(value) end
end

return rig.scenario {
    name = "gate_pipe",
    about = "Round trips through a pipe, with a known number added",
    params = { extra = 0 },
    iterations = 1,
    setup = function()
        assert(rig.pin(cpus[1]))
        local there_in, there = rig.pipe()
        local back, back_out = rig.pipe()
        local child = rig.fork(echo, there_in, back_out)
        there_in:close()
        back_out:close()
        return { there = there, back = back, child = child }
    end,
    body = function(p, state)
        for _ = 1, math.floor(TRIPS * (1 + p.extra / 100) + 0.5) do
            state.there:write "x"
            state.back:read(1)
        end
    end,
    teardown = function(_, state)
        state.there:close()
        state.back:close()
        state.child:wait()
        rig.pin(cpus)
    end,
}
