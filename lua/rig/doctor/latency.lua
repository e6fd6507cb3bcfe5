--- How long small things take here: reading the clock, waking from a sleep, a message to a process that waits for it.
--- Not for what that means: judge.lua. Neighbours: work.lua starts the processes, measure.lua asks for all of it.

local core = require "rig.core"
local work = require "rig.doctor.work"

local M = {}

---@return { read_s: number, step_s: number } clock read_s: one reading, the call from Lua included; step_s: the
---   smallest step that it was seen to take
function M.clock()
    local count, now, best = 2000, core.now_ns, math.huge
    for _ = 1, 10 do -- the fastest of ten is what it costs; the others were interrupted
        local t0 = now()
        for _ = 1, count do now() end
        best = math.min(best, (now() - t0) / count)
    end
    local step, last = math.huge, now()
    for _ = 1, 20000 do
        local t = now()
        if t > last and t - last < step then step = t - last end
        last = t
    end
    return { read_s = best / 1e9, step_s = step / 1e9 }
end

---@param asked_s number
---@param count integer
---@return { asked_s: number, late_s: number[] } sleep late_s: how much later than asked for it ended, each time
function M.sleep(asked_s, count)
    local late = {}
    for i = 1, count do
        local t0 = core.now()
        if not core.sleep(asked_s) then break end -- told to stop
        late[i] = core.now() - t0 - asked_s
    end
    return { asked_s = asked_s, late_s = late }
end

local WARM = 50

local function ask_and_time(to, from, count)
    local times = {}
    for i = 1, WARM + count do
        local t0 = core.now()
        to:write "x"
        if not from:read(1) then break end
        times[i - WARM] = core.now() - t0
    end
    for i = 1 - WARM, 0 do times[i] = nil end
    return times
end

---Round trips of one byte between two processes through rig's own pipes; each of them sleeps until its byte comes.
---@param cpu_a integer where the one that asks stays
---@param cpu_b integer where the one that answers stays
---@param count integer
---@return number[]? seconds of each round trip
---@return string? problem
function M.round_trips(cpu_a, cpu_b, count)
    local there_r, there_w = core.pipe()
    if not there_r then return nil, there_w end
    local back_r <close>, back_w = core.pipe()
    if not back_r then
        there_r:close()
        there_w:close()
        return nil, back_w
    end
    local values, problem = work.together {
        { cpu = cpu_a, fn = function() return ask_and_time(there_w, back_r, count) end },
        { cpu = cpu_b, fn = function()
            for _ = 1, WARM + count do
                if not there_r:read(1) then break end
                back_w:write "x"
            end
            return true
        end },
    }
    for _, one in ipairs { there_r, there_w, back_w } do one:close() end
    return values and values[1], problem
end

return M
