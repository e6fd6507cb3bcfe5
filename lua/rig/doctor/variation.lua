--- How much the same work varies on this machine: alone, two copies at once, a copy on every processor.
--- Not for what that means: judge.lua. Neighbours: work.lua (the work), measure.lua (when it is done).

local core = require "rig.core"
local machine = require "rig.machine"
local proc = require "rig.proc"
local work = require "rig.doctor.work"

local M = {}

local WORK_S = 0.010

-- A machine with more is told from its first ones as well.
local MOST_COPIES = 64

---@class rig.doctor.Alone
---@field work_n integer       how much work one sample is
---@field rounds number[][]    seconds of samples, by round: rounds lie apart in time
---@field cpu_s number         processor time of all samples
---@field wall_s number
---@field pressure_s number?   in which somebody waited for a processor

---Nothing measured yet, and the size of the work.
---@return rig.doctor.Alone
function M.new()
    return { work_n = work.calibrate(WORK_S), rounds = {}, cpu_s = 0, wall_s = 0 }
end

local function pressure()
    local text = machine.read "/proc/pressure/cpu"
    return text and proc.pressure_s(text)
end

---One more round of the work, alone. While it lasts this process is the only one of ours that runs, so whatever waits
---for a processor is somebody else's, or waits for us.
---@param alone rig.doctor.Alone
---@param count integer samples
function M.round(alone, count)
    local waited, cpu, t0 = pressure(), os.clock(), core.now()
    alone.rounds[#alone.rounds + 1] = work.times(alone.work_n, count)
    alone.wall_s = alone.wall_s + (core.now() - t0)
    alone.cpu_s = alone.cpu_s + (os.clock() - cpu)
    local now = pressure()
    if waited and now then alone.pressure_s = (alone.pressure_s or 0) + (now - waited) end
end

---The processors for two copies: two that are not one core, where there are such.
---@param cpus integer[]
---@param siblings_of fun(cpu: integer): integer[] those that share its core
---@return integer[] pair one where there is but one
---@return boolean siblings whether they share a core
function M.pair(cpus, siblings_of)
    local first = cpus[1]
    local shared = {}
    for _, cpu in ipairs(siblings_of(first)) do shared[cpu] = true end
    for i = 2, #cpus do
        if not shared[cpus[i]] then return { first, cpus[i] }, false end
    end
    return { first, cpus[2] }, #cpus > 1
end

---Those that share a core with a processor, by what the kernel says.
---@param cpu integer
---@return integer[]
function M.siblings_of(cpu)
    local text = machine.read(("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list"):format(cpu))
    return text and proc.cpu_list(text) or { cpu }
end

---The work on several processors at once.
---@param n integer how much work one sample is
---@param cpus integer[] one copy on each
---@param count integer samples of each copy
---@return { cpus: integer[], samples: number[][] }? copies
---@return string? problem
function M.copies(n, cpus, count)
    local jobs, used = {}, {}
    for i = 1, math.min(#cpus, MOST_COPIES) do
        used[i] = cpus[i]
        jobs[i] = { cpu = cpus[i], fn = function() return work.times(n, count) end }
    end
    local samples, problem = work.together(jobs)
    if not samples then return nil, problem end
    return { cpus = used, samples = samples }
end

return M
