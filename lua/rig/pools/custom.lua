--- A process pool by hand: forked workers, an init queue for the fixed data, a queue of tasks and a queue of answers,
--- all out of rig's public primitives. The example to copy when you build your own; the preset `custom`.
--- Not the fast one: that is the pool of the C core. Where the two share their axes, they differ in the language only.
--- Neighbours: custom_worker.lua (what runs in the processes and the board they share), lines.lua (what messages travel
--- through), ledger.lua (what became of each task).

local core = require "rig.core"
local items_of = require "rig.pools.items"
local ledger = require "rig.pools.ledger"
local lines = require "rig.pools.lines"
local worker = require "rig.pools.custom_worker"

local M = {}

-- So many workers that end before their first task, one after the other, and the next would do the same.
local MOST_EARLY_DEATHS = 3
-- What a worker is given to end by itself, in seconds.
local GRACE_S = 1.0
-- With no word from anyone for so long, it is worth looking whether a task got lost.
local QUIET_S = 0.05
-- Messages with tasks that are out at a time, for each worker: enough to keep it busy, few enough to stay in bounds.
local AHEAD = 16

local slot = worker.slot

---@class rig.CustomPool
local Pool = { __name = "rig.custom_pool" }
Pool.__index = Pool

-- Workers ------------------------------------------------------------------------------------------------------------

-- Once for each worker. What is put into a queue goes out whenever this process waits; a line of its own is written to
-- the end, which takes as long as the worker takes to read. Raises if the data cannot cross.
local function deliver(self, one)
    local how = self.options.delivery
    if how == "inherit" or how == "shm" then return end
    local to = how == "queue" and self.init_queue or one.line.to
    local sent, why = pcall(to.put, to, { value = self.options.fixed })
    if not sent then error((why:gsub("value%.value", "fixed", 1)), 0) end
end

local function start_worker(self, id)
    local options, fixed = self.options, self.options.fixed
    local at = slot(id)
    for i = 1, worker.SLOTS do self.board[at + i] = 0 end
    local line, ends = self.lines:open(id)
    if not line then return nil, ends end
    -- The child keeps the handles that it finds in this table and closes all others of ours. The fixed data stands
    -- behind a function: no search through its elements, and the child has it by inheritance.
    local job = {
        id = id, board = self.board, tasks = ends.tasks, results = ends.results, init_queue = self.init_queue,
        delivery = options.delivery, fixed = function() return fixed end, p = options.p,
        map = options.map, init = options.init, finish = options.finish, worker = options.worker,
    }
    local proc, message, code = core.fork(worker.main, job)
    line:after_fork()
    if not proc then
        line:close()
        return nil, message, code
    end
    local one = {
        id = id, proc = proc, line = line, started_s = core.now() - self.started, pid = proc:pid(),
        tasks = 0, messages_in = 0, messages_out = 0,
    }
    self.workers[id], self.of_proc[proc] = one, one
    self.forks = self.forks + 1
    if self.options.delivery == "queue" then deliver(self, one) else self.waiting[#self.waiting + 1] = one end
    return true
end

-- Lines of their own are filled once all workers are there: their delivery is no part of the start.
local function deliver_waiting(self)
    for _, one in ipairs(self.waiting) do
        if not one.ended then deliver(self, one) end
    end
    self.waiting = {}
end

local function is_ready(self, id)
    return self.board[slot(id) + worker.READY] ~= 0
end

local function ready_count(self)
    local count = 0
    for id in pairs(self.workers) do
        if is_ready(self, id) then count = count + 1 end
    end
    return count
end

-- What is kept of a worker's life once it has ended, or for as long as it has been seen.
local function keep_end(self, one, ended, exit)
    one.ended = true
    self.workers[one.id], self.of_proc[one.proc] = nil, nil
    local ready = self.board[slot(one.id) + worker.READY]
    one.ready_s = ready ~= 0 and (ready - self.started_ns) * 1e-9 or nil
    for _, name in ipairs { "user_s", "sys_s", "minor_faults", "voluntary_switches", "involuntary_switches",
        "peak_rss_bytes" } do
        one[name] = ended and ended[name]
    end
    one.signal, one.exit_code = ended and ended.signal, ended and ended.exit
    one.exit = exit or one.signal and ("signal %d"):format(one.signal) or ("exit %d"):format(one.exit_code or 0)
    one.line:close()
    self.past[#self.past + 1] = one
end

---Starts the workers.
---@param options rig.PoolOptions
---@return rig.CustomPool? pool
---@return string? message
---@return string? code
function M.new(options)
    local count = options.workers
    local self = setmetatable({
        options = options, count = count, started = core.now(), started_ns = core.now_ns(),
        workers = {}, of_proc = {}, past = {}, waiting = {}, forks = 0, replaced = 0, early_deaths = 0, unexplained = 0,
        board = core.shared_array("i64", count * worker.SLOTS, 0),
    }, Pool)
    local message, code
    self.lines, message, code = lines.new(options.channel)
    if self.lines and options.delivery == "queue" then self.init_queue, message, code = core.queue() end
    if message then return nil, message, code end
    self.ledger = ledger.new(count)
    for id = 1, count do
        local ok
        ok, message, code = start_worker(self, id)
        if not ok then
            self:terminate()
            return nil, message, code
        end
    end
    return self
end

-- Messages from workers ----------------------------------------------------------------------------------------------

local function take_answer(self, one, message)
    local book = self.ledger
    local number, task, ok, value = message[2], message[3], message[4], message[5]
    if not book:answered(number) then return end -- given up before it came
    self.early_deaths = 0
    one.tasks = one.tasks + 1
    if not book:is_out(number) then one.holds = nil end
    if ok then
        book:finish(task, one, value)
    else
        book:fail(task, "error", one, value)
    end
end

-- Returns whether there was one.
local function take_message(self, message)
    if not message then return false end
    local one = self.workers[message[1]]
    if not one then return true end
    one.messages_out = one.messages_out + 1
    if message[2] == worker.HAS_FAILED then
        one.last_words = message[3]
    elseif message[2] == worker.IS_READY then
        one.ready = true
    else
        take_answer(self, one, message)
    end
    return true
end

-- Everything that has arrived, without waiting.
local function take_messages(self)
    for _, from in ipairs(self.lines:sources(self.workers)) do
        repeat until not take_message(self, (from:get(0)))
    end
end

-- Deaths -------------------------------------------------------------------------------------------------------------

local function how_it_ended(one)
    if one.signal then return ("worker %d (pid %d) was ended by signal %d"):format(one.id, one.pid, one.signal) end
    return ("worker %d (pid %d) ended with exit status %d"):format(one.id, one.pid, one.exit_code or 0)
end

-- The number of the message that a dead worker held: its own line knows; what it took from a shared queue it had noted
-- on the board, unless it ended in the very moment between the two (see find_lost).
local function held_by(self, one)
    if one.holds then return one.holds end
    local noted = self.board[slot(one.id) + worker.MESSAGE]
    if noted ~= 0 and self.ledger:is_out(noted) then return noted end
    if self.lines.shared and is_ready(self, one.id) then self.unexplained = self.unexplained + 1 end
    return nil
end

-- Of the tasks that it held, it had answered some, was at one, and had not begun the others: those go to someone else.
local function settle(self, one, number, outcome, message)
    local book = self.ledger
    local at_work = self.board[slot(one.id) + worker.TASK]
    local tasks = book:give_up(number)
    for i = 3, #tasks do
        local task = tasks[2] + i - 3
        if task == at_work and not book:has_ended(task) then
            book:fail(task, outcome, one, message)
        elseif not book:has_ended(task) then
            book:send_again(task, tasks[i])
        end
    end
end

local function replace(self, one)
    local ok, message, code = start_worker(self, one.id)
    if ok then deliver_waiting(self) end
    if not ok then
        self.broken = { ("worker %d cannot be replaced: %s"):format(one.id, message), code }
        return
    end
    self.replaced = self.replaced + 1
end

-- outcome and message: of the task that it was at, where we ended it ourselves.
local function bury(self, one, ended, outcome, message)
    take_messages(self) -- what it answered before it ended counts
    one.signal, one.exit_code = ended and ended.signal, ended and ended.exit
    message = message or one.last_words or how_it_ended(one)
    local began_a_task = self.board[slot(one.id) + worker.TASK] ~= 0
    local held = held_by(self, one)
    if held then settle(self, one, held, outcome or "died", message) end
    keep_end(self, one, ended)
    self.early_deaths = (began_a_task or held) and 0 or self.early_deaths + 1
    if self.early_deaths >= MOST_EARLY_DEATHS then
        self.broken = {
            ("%d workers in a row ended before their first task; %s"):format(self.early_deaths, message), "ECHILD",
        }
    else
        replace(self, one)
    end
end

-- A task taken from a shared queue by a worker that ended before it could note so on the board. It shows only once
-- nothing moves: what waits is taken out of the queue, what others are at stands on the board, and the rest is lost.
local function find_lost(self)
    local book = self.ledger
    local waiting = self.lines:take_back()
    core.sleep(QUIET_S / 5) -- for those that have just taken something to note it
    take_messages(self)
    local known = {}
    for _, message in ipairs(waiting) do known[message[1]] = true end
    for id in pairs(self.workers) do known[self.board[slot(id) + worker.MESSAGE]] = true end
    for _, number in ipairs(book:all_out()) do
        if not known[number] and self.unexplained > 0 then
            self.unexplained = self.unexplained - 1
            local tasks = book:give_up(number)
            for i = 3, #tasks do book:send_again(tasks[2] + i - 3, tasks[i]) end
        end
    end
    for _, message in ipairs(waiting) do self.lines:send(nil, message) end
end

-- Time limits --------------------------------------------------------------------------------------------------------

local function began(self, id)
    local at = slot(id)
    local since = self.board[at + worker.BEGAN]
    return since ~= 0 and since or nil
end

-- Seconds until the first time limit ends, and the worker that it ends for where it has.
local function next_limit(self)
    local limit, left, late = self.options.timeout, nil, nil
    local now = core.now_ns()
    for id, one in pairs(self.workers) do
        local since = began(self, id)
        if since then
            local rest = limit - (now - since) * 1e-9
            if rest <= 0 then late = one end
            left = math.min(left or limit, math.max(rest, 0))
        end
    end
    return left or limit, late
end

local function stop_late(self, one)
    take_messages(self)
    if not began(self, one.id) then return end -- it has just ended
    local message = ("took longer than timeout = %g s"):format(self.options.timeout)
    bury(self, one, one.proc:stop(0.1), "timeout", message)
end

-- Waiting ------------------------------------------------------------------------------------------------------------

-- Waits for messages and deaths; what was put goes out meanwhile. Returns nil, message, code to give up.
local function wait_and_take(self)
    local patience
    if self.options.timeout then
        local late
        patience, late = next_limit(self)
        if late then stop_late(self, late) end
    end
    if self.unexplained > 0 then patience = math.min(patience or QUIET_S, QUIET_S) end
    local ready, message, code = core.poll(self.lines:watched(self.workers), patience)
    if not ready then return nil, code == "ECANCELED" and "interrupted" or message, code end
    if #ready == 0 and self.unexplained > 0 then find_lost(self) end
    if #ready > 0 then take_messages(self) end
    for _, handle in ipairs(ready) do
        local dead = self.of_proc[handle]
        if dead and not self.broken then bury(self, dead, (dead.proc:wait(0))) end
    end
    if self.broken then return nil, table.unpack(self.broken) end
    return true
end

---Blocks until every worker holds the fixed data.
---@return true?
---@return string? message
---@return string? code
function Pool:wait_ready()
    deliver_waiting(self)
    while ready_count(self) < self.count do
        local ok, message, code = wait_and_take(self)
        if not ok then return nil, message, code end
    end
    return true
end

-- A map --------------------------------------------------------------------------------------------------------------

local function chunk_size(self, n)
    local chunk = self.options.chunk
    if chunk and chunk > 0 then return chunk end
    return n and math.max(1, n // (4 * self.count)) or 1
end

local function send(self, one, message)
    local sent = self.lines:send(one, message)
    local book = self.ledger
    if sent then
        book:begin(message)
        if one then one.holds = message[1] end
        return
    end
    -- one of its items cannot cross: the others go out alone
    for i = 3, #message do
        local task = message[2] + i - 3
        local can, reason = pcall(core.encode, message[i])
        if can then
            book:send_again(task, message[i])
        else
            book:fail(task, "error", nil, (tostring(reason):gsub("value", ("items[%d]"):format(task), 1)))
        end
    end
end

local function next_idle(self)
    for _, one in pairs(self.workers) do
        if one.ready and not one.holds then return one end
    end
end

-- Sends out what there is room for.
local function feed(self, most)
    local book = self.ledger
    while book.out < most do
        local one
        if not self.lines.shared then
            one = next_idle(self)
            if not one then return end
        end
        local message = book:next_message()
        if not message then return end
        send(self, one, message)
    end
end

-- The account is closed also where the map could not be: what has not ended is cancelled.
local function cancel_rest(self, message)
    local book = self.ledger
    book:cancel(message)
    local report = book:report()
    report.ready = ready_count(self)
    return report
end

---Maps the items.
---@param items table|integer|function
---@return table? results results[i] for item i; nothing where its outcome is not ok
---@return table|string report or, without results, the message
---@return string? code
---@return table? report without results
function Pool:run(items)
    if self.broken then return nil, table.unpack(self.broken) end
    deliver_waiting(self)
    local next_item, n = items_of.each(items)
    local book = self.ledger
    book:open(next_item, n, chunk_size(self, n))
    local most = AHEAD * self.count
    feed(self, most)
    while book:is_open() do
        local ok, message, code = wait_and_take(self)
        if not ok then
            self.broken = self.broken or { message, code }
            return nil, message, code, cancel_rest(self, message)
        end
        feed(self, most)
    end
    local report = book:report()
    report.ready = ready_count(self)
    return book.results, report
end

-- The end ------------------------------------------------------------------------------------------------------------

---Reads each living worker's own memory, for the statistics.
function Pool:sample()
    for _, one in pairs(self.workers) do
        local memory = one.proc:memory()
        one.uss_bytes = memory and memory.uss_bytes
    end
end

-- Errors of `finish` come last of all.
local function take_last_words(self, from)
    repeat
        local message = from:get(0)
        if message and message[2] == worker.HAS_FAILED then self.failure = self.failure or message[3] end
    until not message
end

local function wait_for_ends(self, grace_s)
    local deadline = core.now() + grace_s
    while next(self.workers) do
        local procs = {}
        for _, one in pairs(self.workers) do procs[#procs + 1] = one.proc end
        local ready = core.poll(procs, math.max(0, deadline - core.now()))
        if not ready or #ready == 0 then return end
        for _, proc in ipairs(ready) do
            local one = self.of_proc[proc]
            take_last_words(self, one.line.from)
            keep_end(self, one, (proc:wait(0)), one.stopped and "stopped" or nil)
        end
    end
end

local function stop_rest(self)
    for _, one in pairs(self.workers) do one.proc:kill "KILL" end
    for _, one in pairs(self.workers) do keep_end(self, one, (one.proc:stop(0)), "stopped") end
end

local function release(self)
    if self.init_queue then self.init_queue:close() end
    if self.lines then self.lines:close() end
    self.init_queue, self.lines, self.options.fixed = nil, nil, nil
end

-- Bytes of the fixed data that are still to go. To be asked before anyone is killed: what was on its way to a reader
-- goes with it.
local function bytes_to_go(self)
    if not self.init_queue then return 0 end
    local _, bytes = self.init_queue:pending()
    return bytes
end

---Stops the workers. Delivery is abandoned where it has not ended: a worker that has not got its fixed data by now does
---not need it any more.
---@return true
function Pool:close()
    if self.closed then return true end
    self.closed = true
    local missing, bytes = 0, bytes_to_go(self)
    for id, one in pairs(self.workers) do
        if self.broken or not is_ready(self, id) then
            missing = missing + (is_ready(self, id) and 0 or 1)
            one.stopped = true
            one.proc:kill "KILL"
        end
    end
    for _, one in pairs(self.workers) do
        if not one.stopped then self.lines:send(one, {}) end
    end
    wait_for_ends(self, GRACE_S)
    stop_rest(self)
    release(self)
    self.undelivered = { workers = missing, bytes = missing > 0 and bytes or 0 }
    if self.failure then return nil, self.failure, "EREMOTEIO" end
    return true
end

---Ends the workers at once.
function Pool:terminate()
    if self.closed then return end
    self.closed = true
    stop_rest(self)
    release(self)
    self.undelivered = { workers = 0, bytes = 0 }
end

Pool.__close = Pool.terminate
Pool.__gc = Pool.terminate

local function row(one)
    return {
        id = one.id, pid = one.pid, started_s = one.started_s, ready_s = one.ready_s, tasks = one.tasks,
        messages_in = one.messages_in, messages_out = one.messages_out, user_s = one.user_s, sys_s = one.sys_s,
        minor_faults = one.minor_faults, voluntary_switches = one.voluntary_switches,
        involuntary_switches = one.involuntary_switches, peak_rss_bytes = one.peak_rss_bytes,
        uss_bytes = one.uss_bytes, exit = one.exit,
    }
end

---What is known about the workers and the messages; complete after close.
---@return table
function Pool:stats()
    local rows, messages, tasks = {}, 0, 0
    for _, one in ipairs(self.past) do
        rows[#rows + 1] = row(one)
        messages = messages + one.messages_in + one.messages_out
        tasks = tasks + one.tasks
    end
    table.sort(rows, function(a, b) return a.id < b.id or a.id == b.id and a.started_s < b.started_s end)
    return {
        workers = rows, replaced = self.replaced, undelivered = self.undelivered or { workers = 0, bytes = 0 },
        counters = { tasks = tasks, messages = messages, forks = self.forks },
    }
end

return M
