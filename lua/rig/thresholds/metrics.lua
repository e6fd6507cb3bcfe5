-- The metrics that a threshold may name, and their samples in the cases of a results document.
-- Not for statistics of them: interval.lua and stats. Names that are not here are a scenario's own (rig.metric).
-- Neighbours: text.lua (reads thresholds), thresholds.lua (judges them).

local stats = require("rig.stats")

local M = {}

---@class rig.ThresholdMetric
---@field name string
---@field dimension "time"|"bytes"|"rate"|"byte_rate"|"count"
---@field pooled boolean?  means something only where there is a pool
---@field bare boolean?    a limit without a unit can mean only one thing
---@field exact boolean?   counted, so that == means something
---@field needs string?    the hook that it comes from
---@field by_run boolean?  one sample a run, so that two cases can be compared run by run
---@field of fun(case: table): number[]

local function one(value)
    return type(value) == "number" and value == value and { value } or {}
end

local function phase(name)
    return function(case) return one(case.phases[name]) end
end

local function counter(name)
    return function(case) return one((case.counters or {})[name]) end
end

-- Of all workers of a case: the sum, or the largest.
local function of_workers(name, fold)
    return function(case)
        local total
        for _, worker in ipairs(case.workers or {}) do
            local value = worker[name]
            if type(value) == "number" then total = total and fold(total, value) or value end
        end
        return one(total)
    end
end

local function add(a, b) return a + b end

-- The document keeps the rate of a median map: its work is that rate times that median.
local function rate(name)
    return function(case)
        local whole = case.rates and case.rates[name]
        local times, list = case.phases.map_s, {}
        if type(whole) ~= "number" then return list end
        local work = whole * stats.median(times)
        for _, seconds in ipairs(times) do
            if seconds > 0 then list[#list + 1] = work / seconds end
        end
        return list
    end
end

---@type rig.ThresholdMetric[]
local METRICS = {
    { name = "map", dimension = "time", of = function(case) return case.phases.map_s end },
    { name = "reduce", dimension = "time", pooled = true, needs = "reduce",
      of = function(case) return case.phases.reduce_s end },
    { name = "start", dimension = "time", pooled = true, by_run = true, of = phase "start_s" },
    { name = "deliver", dimension = "time", pooled = true, by_run = true, of = phase "deliver_s" },
    { name = "close", dimension = "time", pooled = true, by_run = true, of = phase "close_s" },
    { name = "make", dimension = "time", pooled = true, by_run = true, needs = "fixed",
      of = function(case) return one(case.make_s) end },
    { name = "s_per_iteration", dimension = "time", bare = true, by_run = true,
      of = function(case) return one(case.s_per_iteration) end },
    { name = "items_per_s", dimension = "rate", bare = true, needs = "work", of = rate "items_per_s" },
    { name = "bytes_per_s", dimension = "byte_rate", bare = true, needs = "work", of = rate "bytes_per_s" },
    { name = "messages", dimension = "count", bare = true, exact = true, pooled = true, by_run = true,
      of = counter "messages" },
    { name = "payload_bytes", dimension = "bytes", bare = true, exact = true, pooled = true, by_run = true,
      of = counter "payload_bytes" },
    { name = "forks", dimension = "count", bare = true, exact = true, pooled = true, by_run = true,
      of = counter "forks" },
    { name = "tasks", dimension = "count", bare = true, exact = true, by_run = true, of = counter "tasks" },
    { name = "minor_faults", dimension = "count", bare = true, exact = true, pooled = true, by_run = true,
      of = of_workers("minor_faults", add) },
    { name = "peak_rss", dimension = "bytes", pooled = true, by_run = true,
      of = of_workers("peak_rss_bytes", math.max) },
    { name = "uss", dimension = "bytes", pooled = true, by_run = true, of = of_workers("uss_bytes", math.max) },
}

local by_name = {}
for _, metric in ipairs(METRICS) do by_name[metric.name] = metric end

---@param name string
---@return rig.ThresholdMetric? metric nil for one of a scenario's own
function M.of(name)
    return by_name[name]
end

---@return string[] names in the order of help
function M.names()
    local list = {}
    for i, metric in ipairs(METRICS) do list[i] = metric.name end
    return list
end

local function own(case, name)
    local metric, list = (case.metrics or {})[name], {}
    local values = metric and metric.values or {}
    for _, value in ipairs(values) do
        if type(value) == "number" and value == value then list[#list + 1] = value end
    end
    return list, metric and metric.unit, #values - #list
end

---The samples of a case.
---@param case table
---@param name string
---@return number[] samples
---@return string? unit of a metric of the scenario's own
---@return integer? unfit how many of its values are not finite numbers
function M.samples(case, name)
    local metric = by_name[name]
    if not metric then return own(case, name) end
    return metric.of(case)
end

return M
