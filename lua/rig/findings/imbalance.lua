-- Workers with nothing to do while a map goes on: how much of their time, and which of them did most.
-- Not for workers that lack the fixed data: that is ready and cause. Neighbours: idle_reasons (why), points, phases,
-- core/pool/worker.c (which measures it: on the clock on the wall, so that more workers than cores seem busier than
-- they are).

local compare = require("rig.findings.compare")
local human = require("rig.report.human")
local phases = require("rig.findings.phases")
local points = require("rig.findings.points")
local reasons = require("rig.findings.idle_reasons")
local stats = require("rig.stats")

local M = {}

local MOST_FINDINGS = 3
-- Below this nobody would act on it; and where its interval reaches down to that, it may be noise.
local WORTH_NAMING, AT_LEAST = 0.15, 0.10
-- One worker did most when it did in this share of all maps.
local SAME_WORKER = 2 / 3

local function sum(list)
    local total = 0.0
    for _, x in ipairs(list or {}) do total = total + x end
    return total
end

local function busiest_of(busy)
    local id = 1
    for i, seconds in ipairs(busy) do
        if seconds > busy[id] then id = i end
    end
    return id, busy[id]
end

-- What one map says: shares of the time that the workers could have worked, at most one a core.
local function map_sample(iteration, map_s, workers, cores)
    local busy = iteration.busy_by_worker_s
    if not busy or #busy ~= workers or not map_s or map_s <= 0 then return nil end
    local full = math.min(workers, cores)
    local total = sum(busy)
    local id, most = busiest_of(busy)
    local least = math.huge
    for i, seconds in ipairs(busy) do
        if i ~= id then least = math.min(least, seconds) end
    end
    local capacity = full * map_s
    return {
        idle = math.max(0, 1 - total / capacity),
        uneven = math.max(0, full * math.min(most, map_s) - total) / capacity,
        waiting = math.max(0, 1 - most / map_s), id = id, most = math.min(1, most / map_s),
        least = math.min(1, least / map_s), busy_s = total, map_s = map_s, longest_s = iteration.longest_task_s,
        tasks = sum(iteration.tasks_by_worker),
    }
end

local function samples_of(point, cores)
    local list, unready, mapped = {}, 0.0, 0.0
    for _, case in ipairs(point.cases) do
        for i, iteration in ipairs(case.iterations) do
            list[#list + 1] = map_sample(iteration, case.phases.map_s[i], case.params.workers or 0, cores)
        end
        local parts = phases.of(case, cores)
        if parts then
            unready = unready + (parts.wait + parts.fewer) * #case.phases.map_s
            mapped = mapped + sum(case.phases.map_s)
        end
    end
    return list, mapped > 0 and unready / mapped or 0
end

local function median_of(samples, name)
    local values = {}
    for _, sample in ipairs(samples) do values[#values + 1] = sample[name] end
    return stats.median(values)
end

local function interval_of(samples)
    local values = {}
    for i, sample in ipairs(samples) do values[i] = sample.idle end
    table.sort(values)
    local low, high = stats.median_interval(values)
    return low or values[1], high or values[#values], low ~= nil
end

-- The worker that did most in most maps; nil where it is now this one and now that.
local function usual_worker(samples)
    local counts = {}
    for _, sample in ipairs(samples) do counts[sample.id] = (counts[sample.id] or 0) + 1 end
    for id, count in pairs(counts) do
        if count >= SAME_WORKER * #samples then return id end
    end
end

-- Tasks in a message: what was asked for, else what went through.
local function chunk_of(point)
    local chunk = point.params.chunk
    if type(chunk) == "number" and chunk > 0 then return chunk, true end
    local tasks, messages = 0, 0
    for _, case in ipairs(point.cases) do
        for _, worker in ipairs(case.workers) do
            tasks, messages = tasks + (worker.tasks or 0), messages + (worker.messages_in or 0)
        end
    end
    return messages > 0 and math.max(1, tasks / messages) or 1, false
end

-- The pool gives an idle worker what another has not begun: the size of messages keeps nobody idle.
local function moves_tasks(point)
    for _, case in ipairs(point.cases) do
        for _, iteration in ipairs(case.iterations) do
            if iteration.chunks and iteration.chunks.stolen then return true end
        end
    end
    return false
end

---@class rig.Idle  what is known of one point; medians over its maps
---@field point rig.Point
---@field idle number  share of the time that the workers could have worked, at most one a core
---@field uneven number  the part of it that an even split would have saved
---@field waiting number  the part in which even the busiest worker had no task
---@field most number  share of the map in which the busiest worker had tasks
---@field least number
---@field tasks number
---@field chunk number  tasks in a message
---@field moves boolean  tasks that one worker has and has not begun go to another that is idle
---@field full integer  workers that can work at a time
local function judge(point, cores)
    if point.serial or (point.params.workers or 1) < 2 then return nil end
    local samples, unready = samples_of(point, cores)
    if #samples == 0 then return nil end
    local idle = median_of(samples, "idle")
    local low, high, is_interval = interval_of(samples)
    if idle <= WORTH_NAMING or low < AT_LEAST or unready >= idle / 2 then return nil end
    local found = { point = point, idle = idle, low = low, high = high, is_interval = is_interval, maps = #samples,
        id = usual_worker(samples), workers = point.params.workers, full = math.min(point.params.workers, cores) }
    for _, name in ipairs({ "uneven", "waiting", "most", "least", "map_s", "busy_s", "tasks", "longest_s" }) do
        found[name] = median_of(samples, name)
    end
    found.chunk, found.chunk_asked = chunk_of(point)
    found.moves = moves_tasks(point)
    return found
end

local function differ_in_chunk_only(model, a, b)
    for _, dim in ipairs(model.dims) do
        if dim.name ~= "chunk" and a.params[dim.name] ~= b.params[dim.name] then return false end
    end
    return a ~= b
end

-- Other chunks of the same, where they were measured: one that is faster beyond doubt is better than any advice, and
-- where none is, no advice about chunks is any good.
local function measured_remedy(model, point, advice)
    local best, ratio, tried
    for _, other in ipairs(model.points) do
        if differ_in_chunk_only(model, point, other) then
            local r = compare.ratio(point, other)
            tried = true
            if not r.level and r.ratio < (ratio or 1) then best, ratio = other, r.ratio end
        end
    end
    if not best then return not (tried and advice and advice:find("chunk", 1, true)) and advice or nil end
    return ("chunk=%s takes %s as long"):format(human.value(best.params.chunk), human.ratio(ratio))
end

local function who_text(idle)
    if idle.uneven < idle.waiting then
        return ("even the busiest worker had a task for only %s of it"):format(human.percent(idle.most))
    end
    local who = idle.id and "worker " .. idle.id or "the busiest worker"
    local other = idle.workers == 2 and "the other" or "the least busy one"
    return ("%s had tasks for %s of it, %s for %s"):format(who, human.percent(idle.most), other,
        human.percent(idle.least))
end

local function place(model, idle)
    local at = points.place_text(model, idle.point.params)
    return at and " " .. at or ""
end

local function share_text(idle)
    local text = human.percent(idle.idle)
    if idle.is_interval then
        local low, high = human.percent(idle.low), human.percent(idle.high)
        if low ~= high then text = ("%s (%s to %s)"):format(text, low:gsub(" %%$", ""), high) end
    end
    -- a worker that waits for a core counts as busy
    return idle.full < idle.workers and "at least " .. text or text
end

local function evidence_of(label, worst, all, why)
    local rows, cases = {}, {}
    for i, idle in ipairs(all) do
        rows[i] = { workers = idle.workers, idle = idle.idle, low = idle.low, high = idle.high, uneven = idle.uneven,
            waiting = idle.waiting, most = idle.most, least = idle.least, busiest = idle.id, maps = idle.maps,
            longest_task_s = idle.longest_s, map_s = idle.map_s, busy_s = idle.busy_s, cases = idle.point.indexes }
        for _, index in ipairs(idle.point.indexes) do cases[#cases + 1] = index end
    end
    table.sort(cases)
    return { label = label, why = why, idle = worst.idle, points = rows, cases = cases }
end

local function say(model, label, all, of)
    local worst = all[1]
    for _, idle in ipairs(all) do
        if idle.idle > worst.idle then worst = idle end
    end
    local why, text, remedy = reasons.of(worst)
    remedy = measured_remedy(model, worst.point, remedy)
    local words = { ("%s%s: %s of the workers' time in map was idle: %s"):format(label, place(model, worst),
        share_text(worst), who_text(worst)), text }
    words[#words + 1] = remedy
    local said = table.concat(words, "; ")
    local evidence = evidence_of(label, worst, all, why)
    if #all > 1 then
        said = ("%s (so in %d of %s; this is the worst)"):format(said, #evidence.cases, human.count(of, "case"))
    end
    return { kind = "imbalance", text = said, evidence = evidence }
end

---@param model rig.Model
---@return table[] findings
function M.find(model)
    if model.of_body or model.metric then return {} end
    local host = model.doc.host or {}
    local cores = host.cores or math.huge
    local load = host.load and host.load[1] and host.load[1] / cores
    local labels, found, counts = {}, {}, {}
    for _, point in ipairs(model.points) do
        counts[point.label] = (counts[point.label] or 0) + #point.cases
        local idle = judge(point, cores)
        if idle and reasons.is_doubtful(idle, (reasons.of(idle)), load) then idle = nil end
        if idle and not found[point.label] then
            found[point.label] = {}
            labels[#labels + 1] = point.label
        end
        if idle then table.insert(found[point.label], idle) end
    end
    local list = {}
    for _, label in ipairs(labels) do list[#list + 1] = say(model, label, found[label], counts[label]) end
    table.sort(list, function(a, b) return a.evidence.idle > b.evidence.idle end)
    return table.move(list, 1, math.min(#list, MOST_FINDINGS), 1, {})
end

return M
