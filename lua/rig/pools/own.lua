--- A pool of a script's own (rig.pool_type), with the methods that every pool has. The script's functions are called
--- here and nowhere else; what they leave undone is found here, named, and never becomes a number.
--- Not for what a type may declare: pool_type.lua. Neighbours: own_face.lua (what the functions are handed),
--- own_book.lua (tasks), own_crew.lua (processes), own_worker.lua (what runs in them).

local book = require "rig.pools.own_book"
local core = require "rig.core"
local crew = require "rig.pools.own_crew"
local face = require "rig.pools.own_face"
local items_of = require "rig.pools.items"
local oom = require "rig.pools.oom"
local trace = require "rig.trace"
local values = require "rig.values"
local worker = require "rig.pools.own_worker"

local M = {}

--- The code of failures that are mistakes in the script, not the world's.
M.BROKEN = "ESCRIPT"
local FAULT = "EPROTO"

---@class rig.TypedPool
local Pool = { __name = "rig.own_pool" }
Pool.__index = Pool

-- Calls a function of the type. Children that it forked past pool:fork are remembered, to be ended with the pool.
local function call(self, name, ...)
    local before = core.children()
    local got = table.pack(xpcall(self.own[name], trace.placed, self.face, ...))
    local known = {}
    for _, one in pairs(self.workers) do known[one.proc] = true end
    for proc in pairs(core.children()) do
        if not before[proc] and not known[proc] then self.strays[proc] = true end
    end
    return got
end

local function say(self, name, text)
    return ("pool type %s: %s: %s"):format(self.name, name, text)
end

-- nil, message, code for what a function raised: we were told to stop, a worker had died under it, or it is wrong.
local function raised(self, name, message)
    if core.interrupted() then return nil, "interrupted", "ECANCELED" end
    local dead = crew.first_dead(self)
    if not dead then return nil, say(self, name, message), M.BROKEN end
    local first, rest = trace.first_line(message), message:match "\n.*$" or ""
    local why = trace.first_line(crew.how_it_ended(dead))
    return nil, ("%s (before that, %s)%s"):format(say(self, name, first), why, rest), FAULT
end

-- What map and close returned: nothing, or nil and why the world did not let them.
local function check_return(self, name, got)
    if not got[1] then return raised(self, name, got[2]) end
    if got[2] == nil and type(got[3]) == "string" then
        if core.interrupted() then return nil, "interrupted", "ECANCELED" end
        return nil, say(self, name, got[3]), type(got[4]) == "string" and got[4] or FAULT
    elseif got[2] ~= nil and got[2] ~= true then
        local remedy = name == "map" and "it returns nothing; results are given to pool:finish" or "it returns nothing"
        return nil, say(self, name, ("returned %s; %s"):format(values.show(got[2]), remedy)), M.BROKEN
    end
    return true
end

local function begin(self)
    local got = call(self, "start")
    if not got[1] then return raised(self, "start", got[2]) end
    if got[2] == nil and type(got[3]) == "string" then return check_return(self, "start", got) end
    if got[2] == nil then
        local problem = "returned nothing; return the state that map and close are to be given"
        return nil, say(self, "start", problem), M.BROKEN
    end
    self.state = got[2]
    return true
end

-- What the type declared, as this case has it.
local function declared_axes(kind, axes)
    local own = {}
    for name in pairs(kind.understands) do own[name] = axes[name] end
    return own
end

---Starts a pool.
---@param kind rig.TypePreset
---@param axes rig.Axes
---@param options rig.PoolOptions
---@return rig.TypedPool? pool
---@return string? message
---@return string? code
function M.new(kind, axes, options)
    local count = options.workers
    local self = setmetatable({
        name = kind.name, own = kind.own, axes = declared_axes(kind, axes), options = options, count = count,
        owner = core.getpid(), started = core.now(), started_ns = core.now_ns(), workers = {}, past = {}, strays = {},
        forks = 0, replaced = 0, board = core.shared_array("i64", count * worker.SLOTS, 0), book = book.new(count),
        oom = oom.new(),
    }, Pool)
    local message, code
    self.words, message, code = core.queue()
    if not self.words then
        self.closed = true
        return nil, message, code
    end
    if options.timeout then
        self.watch = core.watch(self.board, worker.SLOTS, worker.BEGAN, options.timeout, count)
    end
    self.face = face.new(self)
    local ok
    ok, message, code = begin(self)
    if ok then return self end
    self:terminate()
    return nil, message, code
end

-- Waits for a word of a worker, or the end of one. Returns nil, message, code to give up.
local function wait_for_words(self)
    local handles = { self.words }
    for id = 1, self.count do
        local one = self.workers[id]
        if not one then
            local problem = ("barrier = true waits for all workers, and pool:fork started no worker %d"):format(id)
            return nil, say(self, "start", problem), M.BROKEN
        elseif not crew.has_ended(self, one) then
            handles[#handles + 1] = one.proc
        elseif one.fate ~= "still" then
            return nil, crew.how_it_ended(one), "ECHILD"
        end
    end
    if crew.awaited(self) == 0 then return true end
    local ready, message, code = core.poll(handles)
    if not ready then return nil, code == "ECANCELED" and "interrupted" or message, code end
    crew.listen(self)
    return true
end

---Blocks until every worker holds the fixed data, but for those that stood still and were ended.
---@return true?
---@return string? message
---@return string? code
function Pool:wait_ready()
    while crew.awaited(self) > 0 do
        local ok, message, code = wait_for_words(self)
        if not ok then return nil, message, code end
    end
    return true
end

-- What map did: true, or nil, message, code, and how the account was closed.
local function map(self)
    self.mapping = true
    local got = call(self, "map", self.state, self.book:tasks())
    self.mapping = false
    if self.book.raised then -- by the items, not by the type; answers to what it had sent may still come
        self.broken = { "the items of an earlier map raised: " .. self.book.raised, FAULT }
        error(self.book.raised, 0)
    end
    local wrong = self.book.wrong
    if wrong and not core.interrupted() then return nil, say(self, "map", wrong), FAULT end
    local ok, message, code = check_return(self, "map", got)
    if not ok then return nil, message, code end
    wrong = self.book:problem(crew.ran(self) - self.ran_before)
    if wrong then return nil, say(self, "map", wrong), FAULT end
    return true
end

---Maps the items.
---@param items table|integer|function
---@return table? results results[i] for item i; nothing where its outcome is not ok
---@return table|string report or, without results, the message
---@return string? code
---@return table? report without results
function Pool:run(items)
    if core.getpid() ~= self.owner then error("a pool can only be used by the process that started it", 0) end
    if self.broken then return nil, table.unpack(self.broken) end
    local next_item, n = items_of.each(items)
    self.book:open(next_item, n)
    crew.begin_busy(self)
    local ok, message, code = map(self)
    if not ok then
        self.broken = { message, code }
        local report = self.book:cancel(message)
        report.ready = crew.ready_count(self)
        return nil, message, code, report
    end
    local results, report = self.book.results, self.book:report()
    report.ready = crew.ready_count(self)
    report.busy_by_worker_s, report.longest_task_s = crew.busy(self)
    self.tasks = (self.tasks or 0) + report.n
    self.book:close()
    return results, report
end

---Reads each living worker's own memory, for the statistics.
function Pool:sample()
    for _, one in pairs(self.workers) do
        local memory = not one.ended and one.proc:memory()
        one.uss_bytes = memory and memory.uss_bytes or nil
    end
end

local function release(self)
    crew.listen(self)
    if self.watch then self.watch:close() end
    self.rows = crew.rows(self)
    self.words:close()
    self.state, self.options.fixed, self.workers = nil, nil, {}
end

-- Bytes under way are known only where there are none: what the type delivers itself it does not tell.
local function undelivered(self, workers)
    local how = self.axes.delivery
    return { workers = workers, bytes = (workers == 0 or how ~= "send" and how ~= "queue") and 0 or nil }
end

---Has the type end its workers, waits for them, and ends those that are left, which is a fault.
---@return true?
---@return string? message
---@return string? code
function Pool:close()
    if self.closed then return true end
    self.closed = true
    self.undelivered = undelivered(self, crew.abandon(self, self.broken ~= nil))
    local got = call(self, "close", self.state)
    local ok, message, code = check_return(self, "close", got)
    if ok then crew.wait_for_ends(self) end
    local left, failure = crew.stop_all(self)
    release(self)
    if self.broken then return true end -- what came first has been told
    if not ok then return nil, message, code end
    if failure then return nil, failure, "EREMOTEIO" end
    if left then
        return nil, say(self, "close", ("left %s behind; ended by force"):format(left)), FAULT
    end
    return true
end

---Ends the workers at once. Does nothing in a process that did not start them: a forked child has this table too.
function Pool:terminate()
    if self.closed or core.getpid() ~= self.owner then return end
    self.closed = true
    crew.stop_all(self)
    release(self)
end

Pool.__close = Pool.terminate
Pool.__gc = Pool.terminate

-- A sum of what all rows have; nothing where one of them does not have it.
local function sum_of(rows, ...)
    local sum = 0
    for _, row in ipairs(rows) do
        for _, name in ipairs { ... } do
            if not row[name] then return nil end
            sum = sum + row[name]
        end
    end
    return #rows > 0 and sum or nil
end

---What is known about the workers and the messages; complete after close.
---@return table
function Pool:stats()
    local rows = self.rows or crew.rows(self)
    return {
        workers = rows, replaced = self.replaced, undelivered = self.undelivered or { workers = 0, bytes = 0 },
        counters = {
            tasks = self.tasks or 0, messages = sum_of(rows, "messages_in", "messages_out"),
            payload_bytes = sum_of(rows, "bytes_in", "bytes_out"), forks = self.forks > 0 and self.forks or nil,
        },
    }
end

return M
