--- A worker of a pool type: holds the fixed data, runs the function that pool:fork was given, and in it the tasks that
--- pool:run_task is asked for. Runs in a forked process.
--- Not for moving tasks or answers: that is what the pool type is about.
--- Neighbours: own_crew.lua starts it, own_face.lua has what a script calls of it.
---
--- The board is a shared array in which each worker says in slots of its own what it does; the coordinator reads there
--- how many are ready, how long they were busy and how many tasks were run at all.

local core = require "rig.core"
local guarded = require "rig.pools.guarded"
local trace = require "rig.trace"

local M = {}

M.SLOTS = 12
-- When it held the fixed data; tasks that it ran; nanoseconds in tasks, and of the longest in this map; whether it is
-- in `finish`.
M.READY, M.RAN, M.BUSY, M.LONGEST, M.FINISHING = 1, 2, 3, 4, 5
-- Written at its orderly end, and only with COUNTED do they mean anything.
M.COUNTED, M.BYTES_IN, M.BYTES_OUT, M.MESSAGES_IN, M.MESSAGES_OUT = 6, 7, 8, 9, 10

-- With a time limit only: since when it has been at a task or in `init` (0: it is not), and at which task (0: `init`).
M.BEGAN, M.TASK = 11, 12

---Where a worker's slots begin on the board.
---@param id integer
---@return integer
function M.slot(id)
    return (id - 1) * M.SLOTS
end

-- Calls a function of the script's for no longer than a task may take. What this hook cannot end, a C function or a
-- process that stands still, is ended from outside: the coordinator watches the board.
local function call(self, task, fn, ...)
    local me = self.me
    if not self.options.timeout then return me.call(fn, ...) end
    local board, at = self.board, M.slot(me.id)
    board[at + M.TASK] = task
    board[at + M.BEGAN] = core.now_ns()
    local ok, value, late = me.call(fn, ...)
    board[at + M.BEGAN] = 0
    return ok, value, late
end

---The worker's own process holds the fixed data from now on.
---@param self table the pool, in this process
---@param fixed any
function M.hold(self, fixed)
    local me, options = self.me, self.options
    me.fixed, me.holds = fixed, true
    if options.init then
        local ok, state, late = call(self, 0, options.init, options.p, fixed)
        if not ok then
            if late == true then state = ("took longer than timeout = %g s"):format(options.timeout) end
            me.failed = "init: " .. state
            error(me.failed, 0)
        end
        me.w.state = state
    end
    self.board[M.slot(me.id) + M.READY] = core.now_ns()
    me.words:put { me.id }
end

-- What another process could not be handed is no result. Numbers, texts and truth values always can.
local function check_result(value)
    local kind = type(value)
    if kind ~= "table" and kind ~= "function" and kind ~= "userdata" and kind ~= "thread" then return true end
    local fine, why = pcall(core.encode, value)
    if fine then return true end
    return false, (trace.first_line(trace.text(why)):gsub("^value", "result"))
end

---Runs one task here.
---@param self table
---@param index integer
---@param item any
---@return "ok"|"error"|"timeout" outcome
---@return any value the result, or why there is none
function M.run(self, index, item)
    local me, board = self.me, self.board
    local at, w = M.slot(me.id), me.w
    w.index = index
    local began = core.now_ns()
    local ok, value, late = call(self, index, self.options.map, item, me.fixed, w)
    local ns = core.now_ns() - began
    board[at + M.BUSY] = board[at + M.BUSY] + ns
    if ns > board[at + M.LONGEST] then board[at + M.LONGEST] = ns end
    board[at + M.RAN] = board[at + M.RAN] + 1
    if not ok and late == true then
        return "timeout", ("took longer than timeout = %g s"):format(self.options.timeout)
    elseif not ok then
        return "error", value
    end
    local can, why = check_result(value)
    if not can then return "error", why end
    return "ok", value
end

-- Messages and bytes in and out, of the pipes and queues that it was given.
local function traffic_of(ends)
    local sums = { 0, 0, 0, 0 }
    for _, handle in ipairs(ends) do
        local there = table.pack(pcall(handle.traffic, handle))
        if not there[1] then return nil end -- closed, and with it what it knew
        for i = 1, 4 do sums[i] = sums[i] + there[i + 1] end
    end
    return sums
end

local function count_traffic(self, before)
    local now = before and traffic_of(self.me.ends)
    if not now then return end
    local board, at = self.board, M.slot(self.me.id)
    board[at + M.MESSAGES_IN], board[at + M.MESSAGES_OUT] = now[1] - before[1], now[2] - before[2]
    board[at + M.BYTES_IN], board[at + M.BYTES_OUT] = now[3] - before[3], now[4] - before[4]
    board[at + M.COUNTED] = 1
end

local function is_end(value)
    local meta = type(value) == "userdata" and getmetatable(value)
    return meta and (meta.__name == "rig.pipe" or meta.__name == "rig.queue")
end

local function ends_among(...)
    local ends = {}
    for i = 1, select("#", ...) do
        local one = select(i, ...)
        if is_end(one) then ends[#ends + 1] = one end
    end
    return ends
end

local function finish(self)
    local me, hook = self.me, self.options.finish
    if not hook or not me.holds then return end
    self.board[M.slot(me.id) + M.FINISHING] = 1
    local ok, message = xpcall(hook, trace.handler, me.w)
    if not ok then me.words:put { me.id, "finish: " .. message } end
end

-- Data that is inherited, or lies where every worker sees it, is there from the start; other data the pool type brings.
local function begin(self)
    local how, fixed = self.axes.delivery, self.options.fixed
    if how == "send" or how == "queue" then return end
    if how == "shm" then fixed = fixed:get() end
    M.hold(self, fixed)
end

---The life of a worker.
---@param pool rig.OwnPool as it was when this process was forked
---@param id integer
---@param words any the queue of what workers say about themselves
---@param fn function of the pool type
---@param ... any its arguments
function M.main(pool, id, words, fn, ...)
    local self = getmetatable(pool).self
    local me = { id = id, words = words, call = guarded.caller(self.options.timeout) }
    self.me = me
    local ok, message = xpcall(function(...)
        me.w = self.options.worker(id)
        me.w.index = 0
        me.ends = ends_among(...)
        local before = #me.ends > 0 and traffic_of(me.ends) or nil
        begin(self)
        fn(...)
        count_traffic(self, before)
    end, trace.placed, ...)
    if not ok then
        words:put { id, me.failed or ("pool type %s: worker %d: %s"):format(self.name, id, message) }
        return
    end
    finish(self)
end

return M
