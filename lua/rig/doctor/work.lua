--- The same work again and again, and processes that do it at once: what `rig doctor` measures with.
--- Not for what the figures mean: judge.lua. Nothing here outlives a call: whatever is started is waited for or ended.
--- Neighbours: variation.lua, latency.lua and memory.lua measure with it.

local core = require "rig.core"

local M = {}

-- Processes that start together wait so long for the last of them.
local HEAD_START_S = 0.03

-- Longer than anything here takes on a slow machine: what has not come by then is given up.
local PATIENCE_S = 20

---Work of a fixed size that stays in the processor: no memory, no kernel, no allocation.
---@param n integer
---@return integer
function M.fixed(n)
    local x = 0
    for i = 1, n do x = x + i % 7 end
    return x
end

---How much of it takes so long on this machine when nothing gets in its way: the best of several tries.
---@param seconds number
---@return integer n
function M.calibrate(seconds)
    local n, best = 100000, math.huge
    for _ = 1, 10 do
        local t0 = core.now()
        M.fixed(n)
        best = math.min(best, core.now() - t0)
    end
    return math.max(1000, math.floor(n * seconds / best))
end

---Does the work `count` times.
---@param n integer
---@param count integer
---@param into? number[] seconds of each are added here
---@return number[] into
function M.times(n, count, into)
    into = into or {}
    for _ = 1, count do
        local t0 = core.now()
        M.fixed(n)
        into[#into + 1] = core.now() - t0
    end
    return into
end

-- One process that begins at a common time and sends back what its function returned, or why it could not.
local function start(job, at)
    local reader, writer = core.pipe()
    if not reader then return nil, writer end
    local child, problem = core.fork(function()
        local pinned, why = true, nil
        if job.cpu then pinned, why = core.pin(job.cpu) end
        core.sleep(math.max(0, at - core.now()))
        local fine, value = false, why
        if pinned then fine, value = pcall(job.fn) end
        writer:put { fine = fine, value = value }
    end)
    writer:close()
    if child then return { child = child, reader = reader } end
    reader:close()
    return nil, problem
end

local function finish(one, deadline)
    local answer, problem = one.reader:get(math.max(0, deadline - core.now()))
    if answer and not answer.fine then answer, problem = nil, tostring(answer.value) end
    one.reader:close()
    one.child:stop(answer and 1 or 0) -- it ends by itself once it has answered
    one.child:close()
    if answer then return answer.value end
    return nil, problem
end

---Runs functions in processes of their own, at the same time.
---@param jobs { fn: fun(): any, cpu: integer? }[] cpu: the processor to stay on
---@return any[]? values what they returned
---@return string? problem why not all of them did
function M.together(jobs)
    local at = core.now() + HEAD_START_S
    local started, values, problem = {}, {}, nil
    for i, job in ipairs(jobs) do
        started[i], problem = start(job, at)
        if not started[i] then break end
    end
    for i, one in ipairs(started) do
        local why
        values[i], why = finish(one, problem and 0 or at + PATIENCE_S)
        problem = problem or why
    end
    if problem then return nil, problem end
    return values
end

return M
