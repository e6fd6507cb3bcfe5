-- Workers with nothing to do while a map goes on: how much of their time, which of them did most, and why: one long
-- task, chunks too large to share out, too few items, or tasks so short that handing them out takes longer.
-- Not for workers that lack the fixed data: that is ready and cause. Neighbours: points, phases, core/pool/worker.c
-- (which measures it: on the clock on the wall, so that more workers than cores seem busier than they are).

local compare = require("rig.findings.compare")
local human = require("rig.report.human")
local phases = require("rig.findings.phases")
local points = require("rig.findings.points")
local stats = require("rig.stats")

local M = {}

local MOST_FINDINGS = 3
-- Below this nobody would act on it; and where its interval reaches down to that, it may be noise.
local WORTH_NAMING, AT_LEAST = 0.15, 0.10
-- A task is long when it is this share of the busiest worker's time, and so many times the average task.
local LONG_SHARE, LONG_TIMES = 0.5, 2
-- So many messages for each worker share the work out evenly enough.
local MESSAGES_EACH = 4
-- Shorter work than this in a message is not worth its way to the worker and back.
local SHORT_S = 300e-6
-- Workers that were interrupted in this share of all messages lacked a core, not messages.
local INTERRUPTED = 0.5
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
        idle = math.max(0, 1 - total / capacity), uneven = math.max(0, full * math.min(most, map_s) - total) / capacity,
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
    for i, sample in ipairs(samples) do values[i] = sample[name] end
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

---@class rig.Idle  what is said of one point
local function judge(point, cores)
    if point.serial or (point.params.workers or 1) < 2 then return nil end
    local samples, unready = samples_of(point, cores)
    if #samples == 0 then return nil end
    local idle = median_of(samples, "idle")
    local low, high, is_interval = interval_of(samples)
    if idle <= WORTH_NAMING or low < AT_LEAST or unready >= idle / 2 then return nil end
    local chunk, asked = chunk_of(point)
    local longest = samples[1].longest_s and median_of(samples, "longest_s")
    return {
        point = point, idle = idle, low = low, high = high, is_interval = is_interval, maps = #samples,
        uneven = median_of(samples, "uneven"), waiting = median_of(samples, "waiting"), id = usual_worker(samples),
        most = median_of(samples, "most"), least = median_of(samples, "least"), map_s = median_of(samples, "map_s"),
        busy_s = median_of(samples, "busy_s"), tasks = median_of(samples, "tasks"), longest_s = longest,
        workers = point.params.workers, full = math.min(point.params.workers, cores), chunk = chunk,
        chunk_asked = asked,
    }
end

-- Why, as a word for the evidence, and in words for people; then what would help.

local function few_items(idle)
    local text = ("%s cannot keep %s busy"):format(human.count(idle.tasks, "item"), human.count(idle.workers, "worker"))
    return "few items", text, "more and smaller items, or fewer workers"
end

local function long_task(idle)
    local text = ("one task takes %s of the %s of a map"):format(human.duration(idle.longest_s),
        human.duration(idle.map_s))
    -- what an even split would take
    if idle.longest_s >= 0.9 * idle.busy_s / idle.full then
        return "long task", text, "no map is shorter than its longest task: split that one up"
    end
    return "long task", text, idle.chunk > 1 and "put it first, alone in its message (chunk=1)" or "put it first"
end

local function large_chunks(idle)
    local messages = math.ceil(idle.tasks / idle.chunk)
    local text = ("%s of %s each for %s"):format(human.count(messages, "message"),
        human.count(math.floor(idle.chunk + 0.5), "item"), human.count(idle.workers, "worker"))
    local better = math.max(1, math.floor(idle.tasks / (MESSAGES_EACH * idle.workers)))
    return "large chunks", text, ("smaller chunks, as chunk=%d, share them out evenly"):format(better)
end

local function uneven_tasks(idle)
    if idle.tasks < MESSAGES_EACH * idle.workers then
        return "few items", ("%s cannot be shared out evenly among %s"):format(human.count(idle.tasks, "item"),
            human.count(idle.workers, "worker")), "more and smaller items"
    end
    return "uneven", "the tasks went to some workers more than to others", nil
end

-- How often each worker lost its core to somebody else, and the messages that it took.
local function interruptions(point)
    local switches, messages, workers = 0, 0, 0
    for _, case in ipairs(point.cases) do
        for _, worker in ipairs(case.workers) do
            workers = workers + 1
            switches = switches + (worker.involuntary_switches or 0)
            messages = messages + (worker.messages_in or 0)
        end
    end
    return switches / math.max(1, workers), messages / math.max(1, workers)
end

local function waiting(idle)
    local switches, messages = interruptions(idle.point)
    if switches >= math.max(1, INTERRUPTED * messages) then
        return "cores", ("they were interrupted %s times each: there were not cores enough for all that ran"):format(
            human.short(math.floor(switches + 0.5))), nil
    end
    local task_s = idle.busy_s / math.max(1, idle.tasks)
    if task_s * idle.chunk >= SHORT_S then
        return "waiting", "between tasks they wait for the coordinator, which hands out items and takes in results", nil
    end
    local text = ("a task takes %s, handing it out and taking in its result more than that"):format(
        human.duration(task_s))
    return "short tasks", text, idle.chunk_asked and "larger chunks, or more work in each item"
        or "more work in each item, or fewer workers"
end

local function reason(idle)
    if idle.tasks < idle.full then return few_items(idle) end
    if idle.waiting > idle.uneven then return waiting(idle) end
    local is_long = idle.longest_s and idle.longest_s >= LONG_SHARE * idle.most * idle.map_s
        and idle.longest_s >= LONG_TIMES * idle.busy_s / idle.tasks
    if is_long then return long_task(idle) end
    if idle.tasks / idle.chunk < MESSAGES_EACH * idle.workers and idle.chunk >= 1.5 then return large_chunks(idle) end
    return uneven_tasks(idle)
end

local function differ_in_chunk_only(model, a, b)
    for _, dim in ipairs(model.dims) do
        local x, y = a.params[dim.name], b.params[dim.name]
        if (x == y) == (dim.name == "chunk") then return false end
    end
    return true
end

-- Another chunk of the same, where it was measured and is faster beyond doubt.
local function measured_remedy(model, point)
    local best, ratio
    for _, other in ipairs(model.points) do
        if differ_in_chunk_only(model, point, other) and (not best or other.seconds < best.seconds) then
            local r = compare.ratio(point, other)
            if not r.level and r.ratio < 1 then best, ratio = other, r end
        end
    end
    if not best then return nil end
    return ("chunk=%s takes %s as long"):format(human.value(best.params.chunk), human.ratio(ratio.ratio))
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
    local why, text, remedy = reason(worst)
    remedy = measured_remedy(model, worst.point) or remedy
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
    local cores = model.doc.host and model.doc.host.cores or math.huge
    local labels, found, counts = {}, {}, {}
    for _, point in ipairs(model.points) do
        counts[point.label] = (counts[point.label] or 0) + #point.cases
        local idle = judge(point, cores)
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
