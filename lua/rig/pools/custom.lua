--- A process pool by hand: forked workers, an init queue for the fixed data, a queue of tasks and a queue of answers,
--- all out of rig's public primitives. The example to copy when you build your own; the preset `custom`.
--- Not the fast one: that is the pool of the C core. Where the two share their axes, they differ in the language only.
--- Neighbours: custom_worker.lua (what runs in the processes), custom_crew.lua (the processes), custom_losses.lua
--- (deaths and time limits), lines.lua (what messages travel through), ledger.lua (what became of each task).

local core = require "rig.core"
local crew = require "rig.pools.custom_crew"
local items_of = require "rig.pools.items"
local ledger = require "rig.pools.ledger"
local lines = require "rig.pools.lines"
local losses = require "rig.pools.custom_losses"
local oom = require "rig.pools.oom"
local worker = require "rig.pools.custom_worker"

local slot = worker.slot

local M = {}

-- What workers are given to finish, in seconds, where no timeout says so.
local FINISH_S = 30.0
-- Messages with tasks that are out at a time, for each worker: enough to keep it busy, few enough to stay in bounds.
local AHEAD = 16

---@class rig.CustomPool
local Pool = { __name = "rig.custom_pool" }
Pool.__index = Pool

-- A call that an error left has stopped in the middle of something, and the message that it had in hand is lost: no map
-- can go on, and nobody waits for what will not come. What an iterator of the script's raises is its own. Does without
-- memory: that may be what was missing.
local BROKEN_OFF = { "an error has broken off what the pool was at: open another one", "EIO" }

local function enter(self)
    if self.inside and not self.asking then self.broken = self.broken or BROKEN_OFF end
    self.inside, self.asking = true, false
end

local function leave(self, ...)
    self.inside = false
    return ...
end

local function start_all(self)
    local message, code
    self.lines, message, code = lines.new(self.options.channel)
    if self.lines and self.options.delivery == "queue" then self.init_queue, message, code = core.queue() end
    for id = 1, message and 0 or self.count do
        local ok
        ok, message, code = crew.start(self, id)
        if not ok then break end
    end
    return message, code
end

---Starts the workers.
---@param options rig.PoolOptions
---@return rig.CustomPool? pool
---@return string? message
---@return string? code
function M.new(options)
    local count = options.workers
    local self = setmetatable({
        options = options, count = count, owner = core.getpid(), started = core.now(), started_ns = core.now_ns(),
        workers = {}, of_proc = {}, past = {}, waiting = {}, forks = 0, replaced = 0, renewed = 0,
        early_deaths = 0, unexplained = 0, moved = 0, broken = false, inside = false, asking = false, oom = oom.new(),
        board = core.shared_array("i64", count * worker.SLOTS, 0), ledger = ledger.new(count, options.retry),
    }, Pool)
    -- its own limits are in custom_losses.lua; nothing there sees one that stands still before it takes anything
    if options.timeout then self.watch = core.watch(self.board, worker.SLOTS, nil, options.timeout, count) end
    local fine, message, code = pcall(start_all, self)
    if fine and not message then return self end
    self:terminate()
    if not fine then error(message, 0) end
    return nil, message, code
end

-- Messages from workers ----------------------------------------------------------------------------------------------

local function take_answer(self, one, message)
    local book = self.ledger
    local number, task, ok, value = message[2], message[3], message[4], message[5]
    local known, all, item = book:answered(number, task)
    if all and one.holds == number then one.holds = nil end
    if not known then return end -- given up before it came
    if one.last ~= number then one.last, one.messages_in = number, one.messages_in + 1 end
    self.early_deaths = 0
    one.tasks = one.tasks + 1
    if ok then
        book:finish(task, one, value)
    else
        book:fail(task, "error", one, value, item)
    end
end

-- Returns whether there was one.
local function take_message(self, message)
    if not message then return false end
    local one = self.workers[message[1]]
    if not one then return true end
    one.messages_out, self.moved = one.messages_out + 1, core.now()
    if message[2] == worker.HAS_FAILED then
        one.last_words = message[3]
    elseif message[2] == worker.IS_READY then
        one.ready = true
    else
        take_answer(self, one, message)
    end
    return true
end

-- What this process lacks, and asking again would not give it: the map cannot go on. Any other reason is a worker's.
local OUR_LACK = { ENOMEM = true, ENOBUFS = true, EMFILE = true, ENFILE = true }
-- Nothing there, or the run is to stop, which whoever waits next is told.
local NO_FAILURE = { ETIMEDOUT = true, ECANCELED = true }

-- A line that has ended or cannot be read is ready for ever, and its worker would be waited for in vain.
local function kill_at(self, from)
    for _, one in pairs(self.workers) do
        if one.line.from == from then one.proc:kill "KILL" end
    end
end

-- Everything that has arrived, without waiting.
function Pool:take_messages()
    for _, from in ipairs(self.lines:sources(self.workers)) do
        local message, why, code
        repeat message, why, code = from:get(0) until not take_message(self, message)
        if OUR_LACK[code] or self.lines.shared and not NO_FAILURE[code] then
            self.broken = self.broken or { why, code }
        elseif not NO_FAILURE[code] then
            kill_at(self, from)
        end
    end
end

-- Waiting ------------------------------------------------------------------------------------------------------------

-- Waits for messages and deaths; what was put goes out meanwhile. Returns nil, message, code to give up.
local function wait_and_take(self)
    local patience
    if self.options.timeout then
        local late
        patience, late = losses.next_limit(self)
        if late then losses.stop_late(self, late) end
        if self.broken then return nil, table.unpack(self.broken) end
    end
    if self.unexplained > 0 then patience = math.min(patience or losses.QUIET_S, losses.QUIET_S) end
    local ready, message, code = core.poll(self.lines:watched(self.workers), patience)
    if not ready then return nil, code == "ECANCELED" and "interrupted" or message, code end
    if #ready == 0 and (self.unexplained > 0 or losses.is_stuck(self)) then losses.find_lost(self) end
    if #ready > 0 then self:take_messages() end
    for _, handle in ipairs(ready) do
        local dead = self.of_proc[handle]
        if dead and not self.broken then losses.bury(self, dead, (dead.proc:wait(0))) end
    end
    if self.broken then return nil, table.unpack(self.broken) end
    return true
end

local function wait_until_ready(self)
    if self.broken then return nil, table.unpack(self.broken) end
    crew.deliver_waiting(self)
    while crew.ready_count(self) < self.count do
        local ok, message, code = wait_and_take(self)
        if not ok then
            self.broken = self.broken or { message, code }
            return nil, message, code
        end
    end
    return true
end

---Blocks until every worker holds the fixed data.
---@return true?
---@return string? message
---@return string? code
function Pool:wait_ready()
    enter(self)
    return leave(self, wait_until_ready(self))
end

-- A map --------------------------------------------------------------------------------------------------------------

local function chunk_size(self, n)
    local chunk = self.options.chunk
    if chunk and chunk > 0 then return chunk end
    return n and math.max(1, n // (4 * self.count)) or 1
end

local function send(self, one, message)
    local sent, why = self.lines:send(one, message)
    local book = self.ledger
    if sent then
        self.moved = core.now()
        book:begin(message)
        if one then one.holds, one.sent_ns = message[1], core.now_ns() end
        return
    end
    -- one of its items cannot cross: the others go out alone. One that was alone and can cross had no memory, and would
    -- have none the next time
    for i = 3, #message do
        local task = message[2] + i - 3
        local can, reason = pcall(core.encode, message[i])
        if can and #message > 3 then
            book:send_again(task, message[i])
        elseif can then
            book:fail(task, "error", nil, tostring(why))
        else
            book:fail(task, "error", nil, (tostring(reason):gsub("value", ("items[%d]"):format(task), 1)))
        end
    end
end

-- It leaves when it has run as many tasks as it was to.
local function is_spent(self, one)
    local tasks, messages = self.options.max_tasks, self.options.max_messages
    return tasks and one.tasks >= tasks or messages and one.messages_in >= messages
end

local function next_idle(self)
    for _, one in pairs(self.workers) do
        if one.ready and not one.holds and not is_spent(self, one) then return one end
    end
end

local function note_chunk(chunks, n)
    chunks.messages, chunks.most = chunks.messages + 1, math.max(chunks.most, n)
    chunks.least = chunks.least == 0 and n or math.min(chunks.least, n)
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
        note_chunk(self.chunks, #message - 2)
        send(self, one, message)
    end
end

-- The account is closed also where the map could not be: what has not ended is cancelled.
local function cancel_rest(self, message)
    local book = self.ledger
    book:cancel(message)
    local report = book:report()
    report.ready = crew.ready_count(self)
    return report
end

-- The source, which says of itself whether it is being asked: what it raises then is its own.
local function watch_source(self, next_item)
    return function()
        self.asking = true
        local index, item = next_item()
        self.asking = false
        return index, item
    end
end

local function run(self, items)
    if self.broken then return nil, table.unpack(self.broken) end
    crew.deliver_waiting(self)
    local next_item, n = items_of.each(items)
    local book = self.ledger
    crew.begin_busy(self)
    self.chunks = { messages = 0, least = 0, most = 0 }
    book:open(watch_source(self, next_item), n, chunk_size(self, n))
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
    report.ready, report.chunks = crew.ready_count(self), self.chunks
    report.busy_by_worker_s, report.longest_task_s = crew.busy(self)
    return book.results, report
end

---Maps the items.
---@param items table|integer|function
---@return table? results results[i] for item i; nothing where its outcome is not ok
---@return table|string report or, without results, the message
---@return string? code
---@return table? report without results
function Pool:run(items)
    if core.getpid() ~= self.owner then error("a pool can only be used by the process that started it", 0) end
    enter(self)
    return leave(self, run(self, items))
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

-- One that was to finish and ended in another way has not finished.
local function note_bad_end(self, one)
    local bad = one.signal and ("was ended by signal %d"):format(one.signal)
        or (one.exit_code or 0) ~= 0 and ("ended with exit status %d"):format(one.exit_code)
    if one.stopped or not bad or self.board[slot(one.id) + worker.FINISHING] == 0 then return end
    self.failure = self.failure or ("finish: worker %d %s"):format(one.id, bad)
end

-- That there is no more to do. One that cannot be told would be waited for in vain.
local function tell_to_leave(self, one)
    local sent, why = self.lines:send(one, {})
    if sent then return end
    one.stopped = true
    one.proc:kill "KILL"
    self.failure = self.failure or ("finish: worker %d could not be told to: %s"):format(one.id, tostring(why))
end

-- Returns nil and why when it cannot wait.
local function wait_for_ends(self, grace_s)
    local deadline = core.now() + grace_s
    while next(self.workers) do
        local procs = {}
        for _, one in pairs(self.workers) do procs[#procs + 1] = one.proc end
        local ready, why = core.poll(procs, math.max(0, deadline - core.now()))
        if not ready then return nil, why end
        if #ready == 0 then return nil, ("had not ended after %g s"):format(grace_s) end
        for _, proc in ipairs(ready) do
            local one = self.of_proc[proc]
            take_last_words(self, one.line.from)
            crew.retire(self, one, (proc:wait(0)), one.stopped and "stopped" or nil)
            note_bad_end(self, one)
            -- it may have taken the word that was for another
            local _, another = next(self.workers)
            if self.lines.shared and another then tell_to_leave(self, another) end
        end
    end
    return true
end

local function release(self)
    if self.watch then self.watch:close() end
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

local function close(self)
    local missing, bytes = 0, bytes_to_go(self)
    for id, one in pairs(self.workers) do
        if self.broken or not crew.is_ready(self, id) then
            missing = missing + (crew.is_ready(self, id) and 0 or 1)
            one.stopped = true
            one.proc:kill "KILL"
        end
    end
    for _, one in pairs(self.workers) do
        if not one.stopped then tell_to_leave(self, one) end
    end
    local all, why = wait_for_ends(self, self.options.timeout or FINISH_S)
    local id = next(self.workers)
    -- one that stands still, has no task and nothing to finish leaves nothing undone: it is ended like the others
    if not all and id and self.options.finish then
        self.failure = self.failure or ("finish: worker %d %s"):format(id, why)
    end
    crew.stop_all(self)
    release(self)
    self.undelivered = { workers = missing, bytes = missing > 0 and bytes or 0 }
    if self.failure then return nil, self.failure, "EREMOTEIO" end
    return true
end

local function terminate(self)
    crew.stop_all(self)
    release(self)
    self.undelivered = { workers = 0, bytes = 0 }
    return true
end

-- Passes on what a protected call gave; one that raised leaves no worker behind. Must do without memory, too.
local function and_nobody_is_left(self, fine, ...)
    if fine then return ... end
    crew.abandon(self)
    error((...), 0)
end

---Stops the workers. Delivery is abandoned where it has not ended: a worker that has not got its fixed data by now does
---not need it any more.
---@return true? ended well
---@return string? message
---@return string? code
function Pool:close()
    if self.closed then return true end
    self.closed = true
    enter(self)
    return and_nobody_is_left(self, pcall(close, self))
end

---Ends the workers at once. Does nothing in a process that did not start them: a forked child has this table too.
function Pool:terminate()
    if self.closed or core.getpid() ~= self.owner then return end
    self.closed = true
    and_nobody_is_left(self, pcall(terminate, self))
end

Pool.__close = Pool.terminate
Pool.__gc = Pool.terminate

---What is known about the workers and the messages; complete after close.
---@return table
function Pool:stats()
    local rows, messages, tasks, bytes = crew.rows(self), 0, 0, 0
    for _, one in ipairs(rows) do
        bytes = bytes + one.bytes_in + one.bytes_out
        messages = messages + one.messages_in + one.messages_out
        tasks = tasks + one.tasks
    end
    return {
        workers = rows, replaced = self.replaced, renewed = self.renewed, retried = self.ledger.retried,
        undelivered = self.undelivered or { workers = 0, bytes = 0 },
        counters = { tasks = tasks, messages = messages, payload_bytes = bytes, forks = self.forks },
    }
end

return M
