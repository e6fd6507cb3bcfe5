--- What the custom pool does when a worker dies or takes too long: which task was lost with it, which tasks go to
--- someone else, and when to give up.
--- The board tells what a dead worker was at; a message to a line of its own is known here. Only a worker that ends
--- between taking from a shared queue and noting so leaves a riddle, and find_lost solves it by exclusion.
--- Neighbours: custom.lua calls this from its loop; custom_crew.lua starts replacements; ledger.lua.

local core = require "rig.core"
local crew = require "rig.pools.custom_crew"
local worker = require "rig.pools.custom_worker"

local M = {}

-- So many workers that end before their first task, one after the other, and the next would do the same.
local MOST_EARLY_DEATHS = 3
-- What a worker is given to end after SIGTERM, in seconds.
local TERM_GRACE_S = 0.1

-- With no word from anyone for so long, it is worth looking whether a task got lost.
M.QUIET_S = 0.05

local slot = worker.slot

local function how_it_ended(pool, one)
    if pool.watch and pool.watch:fate(one.id) then
        local what = "worker %d (pid %d) stood still for longer than timeout = %g s"
        return what:format(one.id, one.pid, pool.options.timeout)
    end
    if one.signal then
        local words = pool.oom:words(one) or ""
        return ("worker %d (pid %d) was ended by signal %d%s"):format(one.id, one.pid, one.signal, words)
    end
    if one.exit_code then
        return ("worker %d (pid %d) ended with exit status %d"):format(one.id, one.pid, one.exit_code)
    end
    return ("worker %d (pid %d) ended; how is not known: something else reaped it"):format(one.id, one.pid)
end

-- The number of the message that a dead worker held, if any.
local function held_by(pool, one)
    if one.holds then return pool.ledger:is_out(one.holds) and one.holds or nil end
    local noted = pool.board[slot(one.id) + worker.MESSAGE]
    if noted ~= 0 and pool.ledger:is_out(noted) then return noted end
    if pool.lines.shared and crew.is_ready(pool, one.id) and not crew.has_retired(pool, one.id) then
        pool.unexplained = pool.unexplained + 1
    end
    return nil
end

-- Of the tasks that it held, it had answered some, was at one, and had not begun the others: those go to someone else.
local function settle(pool, one, number, outcome, message)
    local book, at = pool.ledger, slot(one.id)
    local at_work = pool.board[at + worker.BEGAN] ~= 0 and pool.board[at + worker.TASK]
    local tasks, answered = book:give_up(number)
    for i = 3, #tasks do
        local task = tasks[2] + i - 3
        if task == at_work and task > answered then
            book:fail(task, outcome, one, message, tasks[i])
        elseif task > answered then
            book:send_again(task, tasks[i])
        end
    end
end

local function replace(pool, id, retired)
    local ok, message, code = crew.start(pool, id)
    if not ok then
        pool.broken = { ("worker %d cannot be replaced: %s"):format(id, message), code }
        return
    end
    local count = retired and "renewed" or "replaced"
    pool[count] = pool[count] + 1
    crew.deliver_waiting(pool)
end

---Settles what a worker left that has ended, and starts another in its place.
---@param pool rig.CustomPool
---@param one table
---@param ended table? how it ended
---@param outcome? string of the task that it was at, where we ended it ourselves
---@param message? string likewise
function M.bury(pool, one, ended, outcome, message)
    pool:take_messages() -- what it answered before it ended counts
    one.signal, one.exit_code = ended and ended.signal, ended and ended.exit
    message = message or one.last_words or how_it_ended(pool, one)
    outcome = outcome or pool.watch and pool.watch:fate(one.id) and "timeout"
    local ever_worked = pool.board[slot(one.id) + worker.TASK] ~= 0
    local held, was_ready = held_by(pool, one), crew.is_ready(pool, one.id)
    local retired = crew.has_retired(pool, one.id)
    if held then settle(pool, one, held, outcome or "died", message) end
    crew.retire(pool, one, ended)
    -- one that we ended at work says nothing about the next
    pool.early_deaths = (ever_worked or outcome and was_ready) and 0 or pool.early_deaths + 1
    if pool.early_deaths < MOST_EARLY_DEATHS then return replace(pool, one.id, retired) end
    local what = "%d workers in a row ended before their first task; %s"
    pool.broken = { what:format(pool.early_deaths, message), "ECHILD" }
end

-- Since when a worker has been at what it is at, in ns: the task on the board, or a message that it has not begun.
local function busy_since(pool, one)
    local began = pool.board[slot(one.id) + worker.BEGAN]
    if began ~= 0 then return began end
    return one.holds and one.sent_ns or nil
end

-- The numbers of messages that are neither waiting nor noted by a living worker.
local function lost_messages(pool, waiting)
    local known, lost = {}, {}
    for _, message in ipairs(waiting) do known[message[1]] = true end
    for id in pairs(pool.workers) do known[pool.board[slot(id) + worker.MESSAGE]] = true end
    for _, number in ipairs(pool.ledger:all_out()) do
        if not known[number] then lost[#lost + 1] = number end
    end
    return lost
end

-- One of those that seem idle holds a message and does not move: it was stopped in the moment of taking it.
local function replace_idle(pool)
    for id = 1, pool.count do
        local one = pool.workers[id]
        if one and crew.is_ready(pool, id) and not busy_since(pool, one) and not pool.broken then
            M.bury(pool, one, one.proc:stop(0), "timeout")
        end
    end
end

---Whether nothing has moved for longer than any task may take, although there are tasks out.
---@param pool rig.CustomPool
---@return boolean
function M.is_stuck(pool)
    local limit = pool.options.timeout
    if not limit or not pool.lines.shared or pool.ledger.out == 0 then return false end
    if core.now() - pool.moved < limit then return false end
    for _, one in pairs(pool.workers) do
        if busy_since(pool, one) then return false end
    end
    return true
end

---Looks for messages that a worker took from the shared queue and never noted on the board. To be called when nothing
---moves: what waits is taken out of the queue, what others are at stands on the board; the rest is lost, and was not
---begun.
---@param pool rig.CustomPool
function M.find_lost(pool)
    local book, stuck = pool.ledger, M.is_stuck(pool)
    local waiting, why, code = pool.lines:take_back()
    if not waiting then
        pool.broken = pool.broken or { why, code }
        return
    end
    core.sleep(M.QUIET_S / 5) -- for those that have just taken something to note it
    pool:take_messages()
    local lost = lost_messages(pool, waiting)
    if stuck and #lost > pool.unexplained then replace_idle(pool) end
    -- more than there are riddles: a living worker has one of them, and will say which
    if #lost <= pool.unexplained then
        for _, number in ipairs(lost) do
            local tasks = book:give_up(number)
            for i = 3, #tasks do book:send_again(tasks[2] + i - 3, tasks[i]) end
        end
        pool.unexplained = 0
    end
    for _, message in ipairs(waiting) do pool.lines:send(nil, message) end
    pool.moved = core.now()
end

---Seconds until the next time limit ends.
---@param pool rig.CustomPool
---@return number seconds
---@return table? late a worker whose time has run out
function M.next_limit(pool)
    local limit, late, now = pool.options.timeout, nil, core.now_ns()
    local left = limit
    for _, one in pairs(pool.workers) do
        local since = busy_since(pool, one)
        if since then
            local rest = limit - (now - since) * 1e-9
            if rest <= 0 then late = one end
            left = math.min(left, math.max(rest, 0))
        end
    end
    return left, late
end

---Ends a worker whose task takes too long.
---@param pool rig.CustomPool
---@param one table
function M.stop_late(pool, one)
    pool:take_messages()
    if not busy_since(pool, one) then return end -- it has just ended
    local message = ("took longer than timeout = %g s"):format(pool.options.timeout)
    if not crew.is_ready(pool, one.id) then message = "init " .. message end
    -- a message that it never began is lost to it all the same
    if pool.board[slot(one.id) + worker.BEGAN] == 0 then message = nil end
    M.bury(pool, one, one.proc:stop(TERM_GRACE_S), "timeout", message)
end

return M
