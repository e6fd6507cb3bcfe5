--- The processes of a pool type: those that pool:fork started, with their numbers, and whatever else it forked and left
--- behind. What is known of each, and how all of them come to an end.
--- Not for what they do: own_worker.lua. Neighbours: own.lua, own_face.lua.

local core = require "rig.core"
local names = require "rig.names"
local worker = require "rig.pools.own_worker"

local M = {}

local slot = worker.slot

-- What processes are given to end after `close`, and those that are in `finish`, in seconds.
local GRACE_S, FINISH_S = 5.0, 30.0

---Starts the worker with this number.
---@param self table
---@param id integer
---@param fn function runs in it
---@param ... any
---@return any? process
---@return string? message
---@return string? code
function M.start(self, id, fn, ...)
    local at = slot(id)
    local ran = self.board[at + worker.RAN] -- of all that had this number
    for i = 1, worker.SLOTS do self.board[at + i] = 0 end
    self.board[at + worker.RAN] = ran
    local proc, message, code = core.fork(worker.main, self.face, id, self.words, fn, ...)
    if not proc then return nil, message, code end
    local before = self.workers[id]
    if before then
        M.retire(self, before)
        self.replaced = self.replaced + 1
    end
    if self.watch then self.watch:set(id, proc) end
    self.forks = self.forks + 1
    self.workers[id] = {
        id = id, proc = proc, pid = proc:pid(), started_s = core.now() - self.started, tasks = 0, busy_before = 0,
    }
    return proc
end

---Whether a worker holds the fixed data; it says so on the board itself.
---@param self table
---@param id integer
---@return boolean
function M.is_ready(self, id)
    return self.board[slot(id) + worker.READY] ~= 0
end

---@param self table
---@return integer? count nil where pool:fork started nobody
function M.ready_count(self)
    if self.forks == 0 then return nil end
    local count = 0
    for id, one in pairs(self.workers) do
        if not one.ended and M.is_ready(self, id) then count = count + 1 end
    end
    return count
end

---How many workers are still to hold the fixed data. One that stood still is not waited for: `map` will find it gone.
---@param self table
---@return integer
function M.awaited(self)
    local count = 0
    for id = 1, self.count do
        local one = self.workers[id]
        local is_there = one and (one.fate == "still" or not one.ended and M.is_ready(self, id))
        if not is_there then count = count + 1 end
    end
    return count
end

---Takes what workers have said about themselves.
---@param self table
function M.listen(self)
    repeat
        local message = self.words:get(0)
        local one = message and self.workers[message[1]]
        if one and message[2] then one.last_words = message[2] end
    until not message
end

-- Why it was ended from outside, and at which task: nothing where it was not.
local function note_fate(self, one)
    one.fate = self.watch and self.watch:fate(one.id)
    if not one.fate and not one.stopped then
        local words = self.oom:words(one.how)
        one.why = words and "was ended by signal 9" .. words
    end
    if not one.fate then return end
    local at, limit = slot(one.id), self.options.timeout
    local is_busy, task = self.board[at + worker.BEGAN] ~= 0, self.board[at + worker.TASK]
    if is_busy and task ~= 0 then one.late_at = task end
    one.why = one.fate == "still" and ("stood still for longer than timeout = %g s"):format(limit)
        or ("took longer than timeout = %g s"):format(limit)
    if is_busy and task == 0 then one.why = "init " .. one.why end
end

---What a task of a worker that has ended comes to.
---@param one table
---@param task integer
---@return "died"|"timeout" outcome
---@return string message
function M.outcome_of(one, task)
    if one.fate and one.late_at == task then return "timeout", one.why end
    -- stopped between tasks: none of them was begun
    if one.fate and not one.late_at then return "timeout", M.how_it_ended(one) end
    return "died", M.how_it_ended(one)
end

---How a worker ended, if it has.
---@param self table
---@param one table
---@param patience_s? number to wait for that
---@return boolean
function M.has_ended(self, one, patience_s)
    if one.ended then return true end
    local ended, _, code = one.proc:wait(patience_s or 0)
    if not ended and code ~= "ECHILD" then return false end
    M.listen(self)
    one.ended, one.how = true, ended or nil
    note_fate(self, one)
    return true
end

---@param one table that has ended
---@return string
function M.how_it_ended(one)
    if one.last_words then return one.last_words end
    local how = one.how
    local what = one.why or not how and "ended; how is not known: something else reaped it"
        or how.signal and ("was ended by signal %d"):format(how.signal)
        or ("ended with exit status %d"):format(how.exit)
    return ("worker %d (pid %d) %s"):format(one.id, one.pid, what)
end

---One that ended although nobody had told it to, or said why it could not go on.
---@param self table
---@return table? one
function M.first_dead(self)
    for id = 1, self.count do
        local one = self.workers[id]
        if one and M.has_ended(self, one) then
            local how = one.how
            if one.last_words or not how or how.signal or how.exit ~= 0 then return one end
        end
    end
end

local KEPT = { "user_s", "sys_s", "minor_faults", "voluntary_switches", "involuntary_switches", "peak_rss_bytes" }

-- What the worker itself counted; nothing where it did not come to that.
local function traffic_of(self, id)
    local at = slot(id)
    local function get(what) return self.board[at + what] end
    if get(worker.COUNTED) == 0 then return {} end
    return {
        bytes_in = get(worker.BYTES_IN), bytes_out = get(worker.BYTES_OUT),
        messages_in = get(worker.MESSAGES_IN), messages_out = get(worker.MESSAGES_OUT),
    }
end

local function row_of(self, one)
    local at, how = slot(one.id), one.how
    local ready = self.board[at + worker.READY]
    local row = traffic_of(self, one.id)
    row.id, row.pid, row.started_s, row.tasks, row.uss_bytes = one.id, one.pid, one.started_s, one.tasks, one.uss_bytes
    row.ready_s = ready ~= 0 and (ready - self.started_ns) * 1e-9 or nil
    row.busy_s = self.board[at + worker.BUSY] * 1e-9
    row.exit = not one.ended and "running" or one.stopped and "stopped"
        or not how and "unknown: reaped by something else" or how.signal and ("signal %d"):format(how.signal)
        or ("exit %d"):format(how.exit)
    for _, name in ipairs(KEPT) do row[name] = how and how[name] end
    return row
end

---Keeps what is known of a worker whose number another gets.
---@param self table
---@param one table
function M.retire(self, one)
    self.past[#self.past + 1] = row_of(self, one)
end

---One row for each worker that there is or was, a replacement behind the one it replaced.
---@param self table
---@return table[]
function M.rows(self)
    local rows = table.move(self.past, 1, #self.past, 1, {})
    for _, one in pairs(self.workers) do rows[#rows + 1] = row_of(self, one) end
    table.sort(rows, function(a, b) return a.id < b.id or a.id == b.id and a.started_s < b.started_s end)
    return rows
end

---A map begins.
---@param self table
function M.begin_busy(self)
    self.ran_before = M.ran(self)
    for id, one in pairs(self.workers) do
        one.busy_before = self.board[slot(id) + worker.BUSY]
        self.board[slot(id) + worker.LONGEST] = 0
    end
end

---What the workers did in this map.
---@param self table
---@return number[]? busy_s by worker
---@return number? longest_s
function M.busy(self)
    if self.forks == 0 then return nil end
    local busy, longest = {}, 0
    for id = 1, self.count do
        local at, one = slot(id), self.workers[id]
        busy[id] = one and (self.board[at + worker.BUSY] - one.busy_before) * 1e-9 or 0.0
        longest = math.max(longest, self.board[at + worker.LONGEST])
    end
    return busy, longest * 1e-9
end

---Tasks that workers have run until now.
---@param self table
---@return integer
function M.ran(self)
    local sum = 0
    for id = 1, self.count do sum = sum + self.board[slot(id) + worker.RAN] end
    return sum
end

-- The end ------------------------------------------------------------------------------------------------------------

---Ends the workers that do not hold the fixed data: nobody needs them to, any more.
---@param self table
---@param all boolean  the others too: the pool is given up
---@return integer count of those that do not hold it
function M.abandon(self, all)
    local count = 0
    for id, one in pairs(self.workers) do
        if not M.has_ended(self, one) and (all or not M.is_ready(self, id)) then
            one.proc:kill "KILL"
            one.stopped, count = true, count + (M.is_ready(self, id) and 0 or 1)
        end
    end
    return count
end

-- Everything that is still running, as processes, and whether one of them is in `finish`.
local function living(self)
    local list, finishing = {}, false
    for id, one in pairs(self.workers) do
        if not M.has_ended(self, one) then
            list[#list + 1] = one.proc
            finishing = finishing or self.board[slot(id) + worker.FINISHING] ~= 0
        end
    end
    for proc in pairs(self.strays) do
        if proc:wait(0) == nil and proc:alive() then list[#list + 1] = proc else self.strays[proc] = nil end
    end
    return list, finishing
end

---Waits until all of them have ended.
---@param self table
function M.wait_for_ends(self)
    local began = core.now()
    while true do
        local list, finishing = living(self)
        local left = (finishing and (self.options.timeout or FINISH_S) or GRACE_S) - (core.now() - began)
        if #list == 0 or left <= 0 then return end
        -- of those that do not finish, none may wait as long as those that do
        if not core.poll(list, math.min(left, 1.0)) then return end
    end
end

-- One that was to finish and ended in another way has not finished.
local function bad_end(self, one)
    if one.last_words then return one.last_words end
    if one.stopped or self.board[slot(one.id) + worker.FINISHING] == 0 or not one.how then return nil end
    if one.how.signal or one.how.exit ~= 0 then return "finish: " .. M.how_it_ended(one) end
end

---Ends whoever is left.
---@param self table
---@return string? left_behind who that was, in words
---@return string? failure of a worker's end
function M.stop_all(self)
    local left, failure = {}, nil
    for id = 1, self.count do
        local one = self.workers[id]
        if one and not M.has_ended(self, one) then
            left[#left + 1] = ("worker %d (pid %d)"):format(id, one.pid)
            one.how, one.ended, one.stopped = one.proc:stop(0) or nil, true, true
        elseif one then
            failure = failure or bad_end(self, one)
        end
    end
    for proc in pairs(self.strays) do
        if proc:alive() then left[#left + 1] = ("pid %s"):format(proc:pid()) end
        proc:stop(0)
    end
    self.strays = {}
    return #left > 0 and names.join(left, "and") or nil, failure
end

return M
