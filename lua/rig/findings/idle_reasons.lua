-- Why workers had nothing to do in map, in words, and what would help: from the figures of imbalance.lua.
-- Not for whether they had: that is imbalance. Neighbours: imbalance.lua, human.

local human = require("rig.report.human")

local M = {}

-- A task is long when it is this share of the busiest worker's time, and so many times the average task.
local LONG_SHARE, LONG_TIMES = 0.5, 2
-- So many messages for each worker share the work out evenly enough.
local MESSAGES_EACH = 4
-- Shorter work than this in a message may not be worth its way to the worker and back, and this surely is not.
local SHORT_S, TINY_S = 300e-6, 30e-6
-- From this load on each core on, others compete for it, and workers wait for more than messages.
local BUSY_LOAD = 0.75
-- Workers that were interrupted in this share of all messages lacked a core, not messages.
local INTERRUPTED = 0.5

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
    local has_company = idle.chunk > 1 and not idle.moves
    return "long task", text, has_company and "put it first, alone in its message (chunk=1)" or "put it first"
end

local function task_s(idle)
    return idle.busy_s / math.max(1, idle.tasks)
end

-- A chunk that shares the work out evenly, if its messages are worth sending.
local function better_chunk(idle)
    local even = math.floor(idle.tasks / (MESSAGES_EACH * idle.workers))
    local chunk = math.max(1, even, math.ceil(SHORT_S / math.max(1e-9, task_s(idle))))
    return chunk < idle.chunk and chunk or nil
end

local function large_chunks(idle)
    local messages, better = math.ceil(idle.tasks / idle.chunk), better_chunk(idle)
    local text = ("%s of %s each for %s"):format(human.count(messages, "message"),
        human.count(math.floor(idle.chunk + 0.5), "item"), human.count(idle.workers, "worker"))
    if better then
        return "large chunks", text, ("smaller chunks, as chunk=%d, share them out evenly"):format(better)
    end
    return "little work", ("%s, and little to share out: a map has %s of work in all"):format(text,
        human.duration(idle.busy_s)), "more work in a map, or fewer workers"
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
        return "cores", ("they were interrupted %s each: there were not cores enough for all that ran"):format(
            human.count(math.floor(switches + 0.5), "time")), nil
    end
    local work_s, sent = task_s(idle) * idle.chunk, math.max(1, idle.tasks / idle.chunk)
    local text = ("a message brings %s of work, and %s pass before the next one"):format(human.duration(work_s),
        human.duration(math.max(0, idle.full * idle.map_s - idle.busy_s) / sent))
    if work_s >= SHORT_S then return "waiting", text, nil end
    return "short tasks", text, idle.chunk_asked and "larger chunks, or more work in each item"
        or "more work in each item, or fewer workers"
end

--- What a busy machine does to workers looks like waiting, or like an uneven split.
---@param idle rig.Idle
---@param why string
---@param load number|nil  of the machine when the run began, on each core
---@return boolean
function M.is_doubtful(idle, why, load)
    if not load or load < BUSY_LOAD then return false end
    if why == "short tasks" then return task_s(idle) * idle.chunk > TINY_S end
    return why == "waiting" or why == "cores" or why == "uneven"
end

---@param idle rig.Idle
---@return string why  a word for the evidence
---@return string text
---@return string|nil remedy
function M.of(idle)
    if idle.tasks < idle.full then return few_items(idle) end
    if idle.waiting > idle.uneven then return waiting(idle) end
    local is_long = idle.longest_s and idle.longest_s >= LONG_SHARE * idle.most * idle.map_s
        and idle.longest_s >= LONG_TIMES * idle.busy_s / idle.tasks
    if is_long then return long_task(idle) end
    local is_coarse = idle.tasks / idle.chunk < MESSAGES_EACH * idle.workers and idle.chunk >= 1.5
    if is_coarse and not idle.moves then return large_chunks(idle) end
    return uneven_tasks(idle)
end

return M
