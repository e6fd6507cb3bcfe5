--- The one number that a measured case is worth in an A/B run: seconds for an iteration, from the start of the pool
--- through its close, and what else of a record can be compared between two sides.
--- Pure. Neighbours: run.lua (has cases measured), schedule.lua (takes the numbers).

local stats = require "rig.stats"

local M = {}

local EXACT = { "tasks", "messages", "payload_bytes", "forks" }

--- Seconds for an iteration, from the start of the pool through its close. The mean of the case: where others want the
--- processors too, an iteration takes one time or a longer one, and the mean of a few tells their mixture better than
--- their median does. A case in which the machine stood still is one of many pairs, whose median is taken.
---@param record table  a case as it was measured
---@return number|nil seconds  nil where nothing was measured to its end
function M.seconds(record)
    local seconds = record.status == "ok" and record.s_per_iteration
    return seconds and seconds > 0 and seconds or nil
end

--- Processor time of all workers together for an iteration.
---@param record table
---@return number|nil seconds  nil where there are no workers, or the kernel counted too coarsely to tell
function M.cpu_seconds(record)
    local total = 0
    for _, worker in ipairs(record.workers or {}) do total = total + (worker.user_s or 0) + (worker.sys_s or 0) end
    local n = #record.phases.map_s
    if total <= 0 or n == 0 then return nil end
    return total / n
end

--- Counters that are the same in each run of the same program; none where the clock decides about chunks.
---@param record table
---@return table<string, integer>
function M.exact_counters(record)
    local counters, found = record.counters or {}, {}
    if record.params.pool ~= "none" and math.type(record.params.chunk) == nil then return found end
    if (record.replaced or 0) > 0 then return found end
    -- how much went out before delivery was abandoned is the clock's doing
    local abandoned = ((record.undelivered or {}).workers or 0) > 0
    for _, name in ipairs(EXACT) do
        if not (abandoned and (name == "messages" or name == "payload_bytes")) then found[name] = counters[name] end
    end
    return found
end

--- Figures of the scenario's own that are times.
---@param record table
---@return table<string, number> seconds  by name
function M.metrics(record)
    local found = {}
    for name, metric in pairs(record.metrics or {}) do
        local median = metric.unit == "s" and stats.median(metric.values)
        if median and median > 0 then found[name] = median end
    end
    return found
end

return M
