-- Where the time of one iteration goes: the phases of a case, with what map loses to data that is still on its way
-- taken apart from the mapping itself.
-- Neighbours: cause.lua and growth.lua say it in sentences.

local M = {}

--- The parts, in the order in which they happen.
M.ORDER = { "start", "deliver", "wait", "fewer", "map", "reduce", "close" }

local function sum(list)
    local total = 0.0
    for _, x in ipairs(list or {}) do total = total + x end
    return total
end

-- When the first worker could begin, counted from the start of the pool.
local function first_ready(case)
    local first
    for _, worker in ipairs(case.workers or {}) do
        if worker.ready_s and (not first or worker.ready_s < first) then first = worker.ready_s end
    end
    return first
end

-- Without a barrier the first map begins before any worker holds the data, and can do nothing until one does.
local function waited(case)
    if case.params.barrier ~= false then return 0.0 end
    local first, map = first_ready(case), case.phases.map_s[1]
    if not first or not map then return 0.0 end
    local begun = (case.phases.start_s or 0)
    return math.max(0.0, math.min(first - begun, map))
end

-- Workers that really worked side by side: all tasks over those of the busiest, at most one a core. Where the split is
-- not known, those that were ready when the map began.
local function parallelism(tasks, ready, cores)
    local total, busiest = 0, 0
    for _, count in ipairs(tasks) do
        total, busiest = total + count, math.max(busiest, count)
    end
    return math.min(busiest > 0 and total / busiest or math.max(1, ready), cores)
end

-- What an iteration lost because only some workers held the data when it began.
local function lost(case, i, map_s, cores)
    local iteration, before, workers = case.iterations[i], case.iterations[i - 1], case.params.workers
    if case.params.barrier ~= false or not iteration or not workers then return 0.0 end
    if before and (before.ready or workers) >= workers then return 0.0 end
    local now = parallelism(iteration.tasks_by_worker or {}, before and before.ready or 1, cores)
    local full = math.min(workers, cores)
    if now >= full then return 0.0 end
    return map_s * (1 - now / full)
end

--- The seconds of an average iteration, by part. They add up to the case's seconds per iteration, where that runs
--- from the start of the pool through its close.
---@param case table  with at least one iteration
---@param cores integer|nil  of the machine
---@return table<string, number>|nil parts  by the names in ORDER; nil where nothing was mapped
function M.of(case, cores)
    local phases = case.phases
    local n = #(phases.map_s or {})
    if n == 0 then return nil end
    local wait = waited(case)
    local fewer = 0.0
    for i, map_s in ipairs(phases.map_s) do
        fewer = fewer + lost(case, i, i == 1 and map_s - wait or map_s, cores or math.huge)
    end
    -- without a barrier delivery lies inside map, and must not be counted twice
    local deliver = case.params.barrier ~= false and phases.deliver_s or 0.0
    return {
        start = (phases.start_s or 0) / n, deliver = deliver / n, wait = wait / n, fewer = fewer / n,
        map = (sum(phases.map_s) - wait - fewer) / n, reduce = sum(phases.reduce_s) / n,
        close = (phases.close_s or 0) / n,
    }
end

-- The runs that the median of a point comes from: the middle one, or the two in the middle.
local function middle_runs(point)
    local order = {}
    for i, case in ipairs(point.cases) do order[i] = { case = case, seconds = point.values[i] } end
    table.sort(order, function(a, b)
        if a.seconds ~= b.seconds then return a.seconds < b.seconds end
        return a.case.index < b.case.index
    end)
    local low, high = order[(#order + 1) // 2], order[#order // 2 + 1]
    return low == high and { low.case } or { low.case, high.case }
end

--- The same for a point: of the runs that its seconds come from, so that the parts add up to them. Averages over all
--- runs do not: one slow run weighs in them and not in the median.
---@param point rig.Point
---@param cores integer|nil
---@return table<string, number>|nil
function M.of_point(point, cores)
    local total, cases = {}, middle_runs(point)
    for _, case in ipairs(cases) do
        local parts = M.of(case, cores)
        if not parts then return nil end
        for name, seconds in pairs(parts) do total[name] = (total[name] or 0) + seconds / #cases end
    end
    return total
end

return M
