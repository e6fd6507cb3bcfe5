--- The custom pool's worker: receives the fixed data, then takes tasks and answers until it is told to stop.
--- Runs in a forked process and never returns to the code that started it.
--- Neighbour: custom.lua, which starts it, and which alone knows how many there are.
---
--- The board is a shared array in which each worker says what it is doing, in slots of its own, so no lock is needed:
--- when it was ready, which message it took, which task it is at and since when. Whoever finds a worker dead reads
--- there what was lost with it.

local core = require "rig.core"
local trace = require "rig.trace"

local M = {}

M.SLOTS = 10
M.READY, M.MESSAGE, M.TASK, M.BEGAN, M.BYTES_IN, M.BYTES_OUT, M.FINISHING = 1, 2, 3, 4, 5, 6, 7
-- Nanoseconds in tasks, and of the longest one in this map.
M.BUSY, M.LONGEST = 8, 9
-- It has run as many tasks as it was to, and leaves.
M.RETIRED = 10

-- Tasks come as { number of the message, number of the first task, item, item, … }; no number means stop. For each task
-- goes back { worker, number of the message, task, ok, value }, and before all of them, once, a message with
M.IS_READY, M.HAS_FAILED = 0, -1 -- in place of the number of the message

---Where a worker's slots begin on the board.
---@param id integer
---@return integer
function M.slot(id)
    return (id - 1) * M.SLOTS
end

local function receive_fixed(job)
    if job.delivery == "inherit" then return job.fixed() end
    if job.delivery == "shm" then return job.fixed():get() end
    local from = job.delivery == "queue" and job.init_queue or job.tasks
    local fixed, message = from:get()
    if fixed == nil then error("fixed data: " .. message, 0) end
    return fixed.value
end

local function prepare(job)
    local fixed = receive_fixed(job)
    local w = job.worker(job.id)
    w.index = 0
    if job.init then
        local began = M.slot(job.id) + M.BEGAN -- init has the time of one task
        job.board[began] = core.now_ns()
        w.state = job.init(job.p, fixed)
        job.board[began] = 0
    end
    return fixed, w
end

-- What went through this worker's ends until now, the fixed data included.
local function count_bytes(job)
    local board, at = job.board, M.slot(job.id)
    local _, _, taken = job.tasks:traffic()
    local _, _, _, given = job.results:traffic()
    if job.init_queue then
        local _, _, fixed = job.init_queue:traffic()
        taken = taken + fixed
    end
    board[at + M.BYTES_IN], board[at + M.BYTES_OUT] = taken, given
end

-- A worker whose answer cannot be sent would be waited for in vain: it ends, with the task that it was at.
local function must_be_sent(sent, why)
    if not sent then error(why, 0) end
end

-- One answer a task, whatever came in one message: if this process ends, only the task it is at is lost.
local function answer(job, number, task, ok, value)
    local can, sent, why = pcall(job.results.put, job.results, { job.id, number, task, ok, value })
    if can then return must_be_sent(sent, why) end
    -- the value cannot cross; the reason names the place in it, which is the fifth thing that we sent
    why = trace.first_line(trace.text(sent)):gsub("^[%w_.]*%[5%]", "result")
    must_be_sent(job.results:put { job.id, number, task, false, why })
end

-- On the board before the answer can be out: with the last answer of a map all is there.
local function note_busy(board, at, ns)
    board[at + M.BUSY] = board[at + M.BUSY] + ns
    if ns > board[at + M.LONGEST] then board[at + M.LONGEST] = ns end
end

local function work_on(job, tasks, fixed, w)
    local board, at = job.board, M.slot(job.id)
    local map, handler, now_ns = job.map, trace.handler, core.now_ns
    local number, first = tasks[1], tasks[2]
    for i = 3, #tasks do
        local task = first + i - 3
        w.index = task
        local began = now_ns()
        board[at + M.BEGAN] = began
        board[at + M.TASK] = task
        local ok, value = xpcall(map, handler, tasks[i], fixed, w)
        note_busy(board, at, now_ns() - began)
        if not ok then value = core.memory_why(value) end
        answer(job, number, task, ok, value)
    end
    board[at + M.BEGAN] = 0
end

-- Whether that is as much as one worker is to do in its life.
local function is_enough(job, messages, tasks)
    return job.max_tasks and tasks >= job.max_tasks or job.max_messages and messages >= job.max_messages
end

---The life of a worker.
---@param job table what custom.lua made for it: id, board, tasks, results, init_queue, delivery, fixed, map, init, …
function M.main(job)
    local at = M.slot(job.id)
    local ok, fixed, w = xpcall(prepare, trace.handler, job)
    if not ok then
        job.results:put { job.id, M.HAS_FAILED, "init: " .. core.memory_why(fixed) }
        return
    end
    job.board[at + M.READY] = core.now_ns()
    must_be_sent(job.results:put { job.id, M.IS_READY })
    count_bytes(job)
    local tasks = job.tasks:get()
    local messages, done = 0, 0
    while tasks and tasks[1] do -- an empty message: there is no more to do
        job.board[at + M.MESSAGE] = tasks[1]
        work_on(job, tasks, fixed, w)
        count_bytes(job)
        messages, done = messages + 1, done + #tasks - 2
        if is_enough(job, messages, done) then
            job.board[at + M.RETIRED] = 1
            break
        end
        tasks = job.tasks:get()
    end
    if not job.finish then return end
    job.board[at + M.FINISHING] = 1
    local finished, message = xpcall(job.finish, trace.handler, w)
    if not finished then job.results:put { job.id, M.HAS_FAILED, "finish: " .. message } end
end

return M
