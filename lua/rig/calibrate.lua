--- How often a body must do its thing in one call, or a case map its items, so that the clock can tell it apart:
--- `calibrate = true` wants 20 ms.
--- Not a measurement: what calls are made on the way is in no sample, no metric and no result.
--- Neighbours: case.lua asks, iterate.lua calls the body; scenario.calibrate_s is the time wanted.

local core = require "rig.core"
local hooks = require "rig.hooks"
local metric = require "rig.metric"
local params = require "rig.params"
local units = require "rig.units"

local M = {}

-- A body that is still too fast does not look at n.
local MOST_CALLS = 1 << 30

-- Doubling until the time can be trusted, then straight to the goal and a little beyond.
local TRUSTED_SHARE, BEYOND, LARGEST_STEP = 0.1, 1.1, 10

--- More maps than this are not made to fill the time.
M.MOST_ITERATIONS = 10000

local function next_count(n, seconds, wanted_s)
    if seconds < wanted_s * TRUSTED_SHARE then return n * 2 end
    return math.max(n + 1, math.ceil(n * math.min(LARGEST_STEP, wanted_s / seconds * BEYOND)))
end

local function search(run, call, wanted_s)
    local n = 1
    while true do
        if core.interrupted() then hooks.halt("interrupted", "interrupted while it was calibrated") end
        local seconds, _, fault = call(run, n)
        -- a fault is for the iterations to show, which call it in the same way
        if fault or seconds >= wanted_s then return n, seconds end
        if n >= MOST_CALLS then
            hooks.broken(run, ("calibrate: a call of body takes %s with n = %s; loop n times in it"):format(
                units.format_duration(seconds), units.group(n)))
        end
        n = math.min(MOST_CALLS, next_count(n, seconds, wanted_s))
    end
end

-- All runs of a case do the same, and both sides of an A/B run.
local function key_of(case)
    return (case.label:gsub(", run %d+$", ""))
end

---The n for this case's calls of body, in run.n; recorded as `calibrated`.
---@param run table
---@param call fun(run: table, n: integer): number, any, string? seconds, result, fault
function M.body(run, call)
    local plan = run.plan
    local wanted_s = plan.scenario.calibrate_s
    run.n = 1
    if not wanted_s or plan.smoke then return end
    plan.calibrated = plan.calibrated or {}
    local key = key_of(run.case)
    local known = plan.calibrated[key]
    if not known then
        metric.start()
        local fine, n, seconds = xpcall(search, hooks.keep_halt, run, call, wanted_s)
        metric.take()
        if not fine then error(n, 0) end
        known = { n = n, s = seconds }
        plan.calibrated[key] = known
    end
    run.n, run.record.calibrated = known.n, { n = known.n, s = known.s }
end

---Keeps what a copy of this process found out, for the cases that the next copies measure.
---@param plan rig.Plan
---@param case rig.Case
---@param record table?
function M.remember(plan, case, record)
    if not record or not record.calibrated or not plan.scenario.hooks.body then return end
    plan.calibrated = plan.calibrated or {}
    plan.calibrated[key_of(case)] = record.calibrated
end

-- Not where iterations are what is compared, were asked for, or are found otherwise.
local function may_raise(run)
    local plan = run.plan
    if not plan.scenario.calibrate_s or plan.smoke or plan.ab or run.hooks.body then return false end
    if params.find(plan.scenario.params, "iterations").origin == "command line" then return false end
    for _, name in ipairs(plan.varying) do
        if name == "iterations" then return false end
    end
    return true
end

---Whether a case's maps are to go on beyond its iterations.
---@param run table
---@param done integer
---@return boolean
function M.wants_more(run, done)
    if not may_raise(run) or run.record.fault or done >= M.MOST_ITERATIONS then return false end
    local times, total = run.record.phases.map_s, run.mapped_s or 0
    for i = run.mapped or 1, #times do total = total + times[i] end
    run.mapped, run.mapped_s = #times + 1, total -- what was added up need not be again
    return total < run.plan.scenario.calibrate_s
end

---Notes how many maps it came to.
---@param run table
function M.note_maps(run)
    local record = run.record
    local n, total = #record.phases.map_s, 0
    if n == 0 or not may_raise(run) then return end
    for _, seconds in ipairs(record.phases.map_s) do total = total + seconds end
    record.params.iterations = n
    record.calibrated = { n = n, s = total }
end

return M
