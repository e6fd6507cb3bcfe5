--- The custom pool's processes: how one is started and given its fixed data, what is kept of it once it has ended, and
--- the table of all of them for the statistics.
--- Not for what they are sent or answer: that is custom.lua. What to do when one dies: custom_losses.lua.
--- Neighbours: custom_worker.lua runs in the processes.

local core = require "rig.core"
local worker = require "rig.pools.custom_worker"

local M = {}

local slot = worker.slot

-- Once for each worker. What is put into a queue goes out whenever this process waits; a line of its own is written to
-- the end, which takes as long as the worker takes to read. Raises if the data cannot cross.
local function deliver(pool, one)
    local how = pool.options.delivery
    if how == "inherit" or how == "shm" then return end
    local to = how == "queue" and pool.init_queue or one.line.to
    local can, sent = pcall(to.put, to, { value = pool.options.fixed })
    if not can then error((sent:gsub("value%.value", "fixed", 1)), 0) end
    if not sent and how ~= "queue" then one.proc:kill "KILL" end -- it would wait for ever; its end will be seen
end

---Lines of their own are filled once all workers are there: their delivery is no part of the start.
---@param pool rig.CustomPool
function M.deliver_waiting(pool)
    for _, one in ipairs(pool.waiting) do
        if not one.ended then deliver(pool, one) end
    end
    pool.waiting = {}
end

-- The child keeps the handles that it finds in this table and closes all others of ours. The fixed data stands behind a
-- function: the child has it by inheritance.
local function job_for(pool, id, ends)
    local options, fixed = pool.options, pool.options.fixed
    return {
        id = id, board = pool.board, tasks = ends.tasks, results = ends.results, init_queue = pool.init_queue,
        delivery = options.delivery, fixed = function() return fixed end, p = options.p,
        map = options.map, init = options.init, finish = options.finish, worker = options.worker,
        max_tasks = options.max_tasks, max_messages = options.max_messages,
    }
end

---Starts the worker with this number.
---@param pool rig.CustomPool
---@param id integer
---@return true?
---@return string? message
---@return string? code
function M.start(pool, id)
    local at = slot(id)
    for i = 1, worker.SLOTS do pool.board[at + i] = 0 end
    local line, ends, code = pool.lines:open()
    if not line then return nil, ends, code end
    local proc, message
    proc, message, code = core.fork(worker.main, job_for(pool, id, ends))
    line:after_fork()
    if not proc then
        line:close()
        return nil, message, code
    end
    local one = {
        id = id, proc = proc, line = line, started_s = core.now() - pool.started, pid = proc:pid(), tasks = 0,
        messages_in = 0, messages_out = 0,
    }
    pool.workers[id], pool.of_proc[proc] = one, one
    if pool.watch then pool.watch:set(id, proc) end
    pool.forks = pool.forks + 1
    if pool.options.delivery == "queue" then deliver(pool, one) else pool.waiting[#pool.waiting + 1] = one end
    return true
end

---Whether a worker has run as many tasks as it was to.
---@param pool rig.CustomPool
---@param id integer
---@return boolean
function M.has_retired(pool, id)
    return pool.board[slot(id) + worker.RETIRED] ~= 0
end

---Whether a worker holds the fixed data; it says so on the board itself.
---@param pool rig.CustomPool
---@param id integer
---@return boolean
function M.is_ready(pool, id)
    return pool.board[slot(id) + worker.READY] ~= 0
end

---@param pool rig.CustomPool
---@return integer
function M.ready_count(pool)
    local count = 0
    for id in pairs(pool.workers) do
        if M.is_ready(pool, id) then count = count + 1 end
    end
    return count
end

local KEPT = { "user_s", "sys_s", "minor_faults", "voluntary_switches", "involuntary_switches", "peak_rss_bytes" }

local function bytes_of(pool, one)
    local at = slot(one.id)
    return pool.board[at + worker.BYTES_IN], pool.board[at + worker.BYTES_OUT]
end

---Takes a worker that has ended off the list of the living, and keeps what is known of it.
---@param pool rig.CustomPool
---@param one table
---@param ended table? how it ended, as proc:wait says it
---@param exit? string in place of how it ended
function M.retire(pool, one, ended, exit)
    one.ended = true
    pool.workers[one.id], pool.of_proc[one.proc] = nil, nil
    local ready = pool.board[slot(one.id) + worker.READY]
    one.ready_s = ready ~= 0 and (ready - pool.started_ns) * 1e-9 or nil
    for _, name in ipairs(KEPT) do one[name] = ended and ended[name] end
    one.bytes_in, one.bytes_out = bytes_of(pool, one)
    one.busy_ns = pool.board[slot(one.id) + worker.BUSY]
    one.signal, one.exit_code = ended and ended.signal, ended and ended.exit
    one.exit = exit or one.signal and ("signal %d"):format(one.signal)
        or one.exit_code and ("exit %d"):format(one.exit_code) or "unknown: reaped by something else"
    one.line:close()
    pool.past[#pool.past + 1] = one
end

---Kills whoever is left.
---@param pool rig.CustomPool
function M.stop_all(pool)
    for _, one in pairs(pool.workers) do one.proc:kill "KILL" end
    for _, one in pairs(pool.workers) do M.retire(pool, one, (one.proc:stop(0)), "stopped") end
end

---The same where nothing more can be done about them, not even to remember them: needs no memory.
---@param pool rig.CustomPool
function M.abandon(pool)
    for _, one in pairs(pool.workers) do one.proc:close() end
end

---A map begins: how long each worker has been busy until now, to tell afterwards what it did in this one.
---@param pool rig.CustomPool
function M.begin_busy(pool)
    for _, one in pairs(pool.workers) do
        one.busy_before = pool.board[slot(one.id) + worker.BUSY]
        pool.board[slot(one.id) + worker.LONGEST] = 0
    end
end

---What the workers that are still there did in this map.
---@param pool rig.CustomPool
---@return number[] busy_s  by worker
---@return number longest_s  the longest task of all
function M.busy(pool)
    local busy, longest = {}, 0
    for id = 1, pool.count do
        local one = pool.workers[id]
        busy[id] = one and (pool.board[slot(id) + worker.BUSY] - (one.busy_before or 0)) * 1e-9 or 0.0
        longest = math.max(longest, pool.board[slot(id) + worker.LONGEST])
    end
    return busy, longest * 1e-9
end

local function row(pool, one)
    local ready = one.ready_s
    if not one.ended and M.is_ready(pool, one.id) then
        ready = (pool.board[slot(one.id) + worker.READY] - pool.started_ns) * 1e-9
    end
    local bytes_in, bytes_out = one.bytes_in, one.bytes_out
    if not one.ended then bytes_in, bytes_out = bytes_of(pool, one) end
    local kept = {
        id = one.id, pid = one.pid, started_s = one.started_s, ready_s = ready, tasks = one.tasks,
        messages_in = one.messages_in, messages_out = one.messages_out, bytes_in = bytes_in, bytes_out = bytes_out,
        uss_bytes = one.uss_bytes, busy_s = (one.busy_ns or pool.board[slot(one.id) + worker.BUSY]) * 1e-9,
        exit = one.exit or "running",
    }
    for _, name in ipairs(KEPT) do kept[name] = one[name] end
    return kept
end

---One row for each worker that there is or was, a replacement behind the one it replaced.
---@param pool rig.CustomPool
---@return table[]
function M.rows(pool)
    local rows = {}
    for _, one in ipairs(pool.past) do rows[#rows + 1] = row(pool, one) end
    for _, one in pairs(pool.workers) do rows[#rows + 1] = row(pool, one) end
    table.sort(rows, function(a, b) return a.id < b.id or a.id == b.id and a.started_s < b.started_s end)
    return rows
end

return M
