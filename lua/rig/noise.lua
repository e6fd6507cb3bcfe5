--- What disturbed a case: processor time stolen or used by others, standstills by quota, suspension of the machine.
--- Reads a handful of small files before and after a case (about 0.1 ms in all), and two clocks around a sample, never
--- in a timed region. Not for judging: findings/noise.lua says when it matters.
--- Neighbours: case.lua and iterate.lua call it, proc.lua reads the kernel's texts, machine.lua knows where they lie.

local core = require "rig.core"
local machine = require "rig.machine"
local proc = require "rig.proc"

local M = {}

-- Less than this between the two clocks is the reading of them; nothing suspends a machine for so short a time.
local SUSPENDED_FROM_NS = 1000000

-- All that is asked for stands within one buffer of stdio; more would be garbage for the collector of the case.
local BUFFER = 4096

local function ask(path, parse)
    local text = path and machine.read(path, BUFFER)
    return text and parse(text)
end

-- Where the quota is accounted does not change while we run; false where it is not.
local throttle_file

-- Processor time of this process and of those children that were waited for.
local function own_cpu_s()
    local me = ask("/proc/self/stat", proc.process)
    return me and me.cpu_s + me.children_s
end

---@class rig.NoiseMark
---@field at number
---@field times table?
---@field own_s number?
---@field runnable integer?
---@field throttled_s number?
---@field switches integer?
---@field suspended_ns integer

---Reads the counters.
---@return rig.NoiseMark
function M.mark()
    if throttle_file == nil then throttle_file = machine.throttle_file() or false end
    local now = ask("/proc/loadavg", proc.load)
    return {
        at = core.now(), suspended_ns = core.suspended_ns(), own_s = own_cpu_s(),
        times = ask("/proc/stat", proc.cpu_times), runnable = now and math.max(0, now.runnable - 1),
        throttled_s = ask(throttle_file, proc.throttled_s), switches = ask("/proc/self/status",
            proc.involuntary_switches),
    }
end

local function grown(after, before)
    return after and before and math.max(0, after - before) or nil
end

local function larger(a, b)
    return a and b and math.max(a, b) or a or b
end

---What happened between two marks, as `case.noise` of the results has it.
---@param before rig.NoiseMark
---@param after rig.NoiseMark
---@return table noise wall_s, suspended_s; where this machine tells also steal_s and other_cpu_s (over all processors),
---   throttled_s, runnable (the larger of two looks, without us), involuntary_switches (of the coordinator)
function M.between(before, after)
    local was, is = before.times or {}, after.times or {}
    local busy, own = grown(is.busy_s, was.busy_s), grown(after.own_s, before.own_s)
    local suspended = after.suspended_ns - before.suspended_ns
    return {
        wall_s = after.at - before.at, steal_s = grown(is.steal_s, was.steal_s),
        other_cpu_s = busy and own and math.max(0, busy - own), runnable = larger(before.runnable, after.runnable),
        throttled_s = grown(after.throttled_s, before.throttled_s),
        involuntary_switches = grown(after.switches, before.switches),
        suspended_s = suspended > SUSPENDED_FROM_NS and suspended / 1e9 or 0,
    }
end

---What happened since a mark.
---@param before rig.NoiseMark
---@return table noise see M.between
function M.since(before)
    return M.between(before, M.mark())
end

---Whether the machine was suspended since `core.suspended_ns()` gave this: true or nil, as iterations have it.
---@param before_ns integer
---@return true?
function M.suspended_since(before_ns)
    return core.suspended_ns() - before_ns > SUSPENDED_FROM_NS or nil
end

return M
