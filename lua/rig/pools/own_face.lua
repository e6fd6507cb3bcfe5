--- `pool`, what the functions of a pool type are handed: facts about the pool, and the few things that they may ask.
--- Not for doing them. All of it stands behind a metatable, so that a worker which is given it gets none of the pipes
--- that the coordinator holds.
--- Neighbours: own.lua makes one for each pool; own_book.lua keeps the tasks, own_crew.lua the processes.

local crew = require "rig.pools.own_crew"
local mistake = require "rig.mistake"
local names = require "rig.names"
local values = require "rig.values"
local worker = require "rig.pools.own_worker"

local M = {}

-- Where a worker of which a pool type says that it is lost is still there, it gets so long to end by itself.
local LOST_S = 1.0

local OUTCOMES = { "ok", "error", "timeout", "died", "cancelled" }
local is_outcome = {}
for _, outcome in ipairs(OUTCOMES) do is_outcome[outcome] = true end

---@class rig.OwnPool
---@field workers integer  how many there are to be
---@field fixed any        the fixed data
---@field p table          the parameters of the case
---@field timeout number?  seconds for one task; run_task sees to it, and a worker that stands still is ended
---@field axes table<string, any>  what the type declared of them, as this case has it
local face = {}

-- Straight from a method, so that the error stands in the script.
local function refuse(text, ...)
    mistake.raise("pool:" .. text:format(...), 1)
end

local function of(pool)
    local meta = getmetatable(pool)
    local self = type(meta) == "table" and rawget(meta, "self")
    if not self then mistake.raise("pool: call it with a colon, as in pool:assign(task, worker)", 1) end
    return self
end

local function worker_problem(self, id)
    if math.type(id) == "integer" and id >= 1 and id <= self.count then return nil end
    return ("there is no worker %s; there are 1 to %d"):format(values.show(id), self.count)
end

---Starts a worker: fn(...) runs in a process of its own, between `init` and `finish`. As with rig.fork it keeps the
---pipes and queues that it is given.
---@param id integer its number, from 1
---@param fn function
---@param ... any
---@return any? process
---@return string? message
---@return string? code
function face:fork(id, fn, ...)
    local own = of(self)
    local problem = worker_problem(own, id)
    if own.me then problem = "a worker starts no workers" end
    if type(fn) ~= "function" then problem = values.show(fn) .. " is not a function" end
    if not problem and own.workers[id] and not crew.has_ended(own, own.workers[id]) then
        problem = ("worker %d is running"):format(id)
    end
    if problem then refuse("fork: %s", problem) end
    local proc, message, code = crew.start(own, id, fn, ...)
    return proc, message, code
end

---In a worker: its fixed data has come, so `init` runs. Only for deliveries that the pool type sees to itself.
---@param fixed any
function face:hold(fixed)
    local own = of(self)
    if not own.me then refuse("hold: belongs in a worker, which pool:fork starts") end
    if own.me.holds then refuse("hold: this worker has its fixed data already") end
    worker.hold(own, fixed)
end

---In a worker: runs a task here.
---@param index integer
---@param item any
---@return "ok"|"error"|"timeout" outcome
---@return any value the result, or why there is none; both are for pool:finish
function face:run_task(index, item)
    local own = of(self)
    if not own.me then refuse("run_task: belongs in a worker, which pool:fork starts") end
    if math.type(index) ~= "integer" then refuse("run_task: %s is not a task's number", values.show(index)) end
    if not own.me.holds then refuse("run_task: this worker has no fixed data yet; pool:hold(data) gives it") end
    local outcome, value = worker.run(own, index, item)
    return outcome, value
end

---Says which worker has a task; may be said again, of another.
---@param task integer
---@param id integer
function face:assign(task, id)
    local own = of(self)
    local problem = not own.mapping and "only map has tasks" or worker_problem(own, id)
    if problem then refuse("assign: %s", problem) end
    local ok
    ok, problem = own.book:assign(task, id)
    if not ok then refuse("%s", problem) end
end

---Ends a task, which must have been assigned.
---@param task integer
---@param outcome "ok"|"error"|"timeout"|"died"|"cancelled"
---@param value any the result; a message where it did not end ok
function face:finish(task, outcome, value)
    local own = of(self)
    local problem = not own.mapping and "only map has tasks" or nil
    if not is_outcome[outcome] then
        problem = ("%s is not an outcome; %s"):format(values.show(outcome), names.suggest(outcome, OUTCOMES))
    elseif outcome ~= "ok" and value ~= nil and type(value) ~= "string" then
        problem = ("the message is %s, not a text"):format(values.show(value))
    end
    if problem then refuse("finish: %s", problem) end
    local id
    id, problem = own.book:finish(task, outcome, value)
    if not id then refuse("%s", problem) end
    local one = own.workers[id]
    if one and (outcome == "ok" or outcome == "error") then one.tasks = one.tasks + 1 end
end

---Ends the tasks of a worker that has ended as `died`, with what is known of how; where it was ended for the time
---limit, the one that it was at as `timeout`. A worker that is still there is ended.
---@param id integer
---@return integer count how many that were
function face:lost(id)
    local own = of(self)
    local problem = not own.mapping and "only map has tasks" or worker_problem(own, id)
    if not problem and not own.workers[id] then problem = ("worker %d was never started"):format(id) end
    if problem then refuse("lost: %s", problem) end
    local one = own.workers[id]
    if not crew.has_ended(own, one, LOST_S) then
        one.proc:stop(0)
        crew.has_ended(own, one)
    end
    local tasks, how = own.book:held_by(id), one.how or {}
    for _, task in ipairs(tasks) do
        local outcome, message = crew.outcome_of(one, task)
        own.book:finish(task, outcome, message, { pid = one.pid, signal = how.signal, exit = how.exit })
    end
    return #tasks
end

---How many tasks are assigned and have not ended.
---@return integer
function face:out()
    local own = of(self)
    return own.book.out
end

---Makes the object for one pool.
---@param self table
---@return rig.OwnPool
function M.new(self)
    local known = {
        workers = self.count, p = self.options.p, timeout = self.options.timeout, axes = self.axes,
    }
    for name, method in pairs(face) do known[name] = method end
    return setmetatable({}, {
        __name = "pool", self = self,
        __index = function(_, name)
            if known[name] ~= nil then return known[name] end
            if name == "fixed" then return self.options.fixed end
            if name == "timeout" then return nil end
            local all = names.keys(known)
            table.insert(all, "fixed")
            mistake.raise(("pool.%s: no such thing; %s"):format(tostring(name), names.suggest(name, all)))
        end,
        __newindex = function(_, name)
            mistake.raise(("pool.%s: it cannot be changed; keep what is yours in the state that start returns"):format(
                tostring(name)))
        end,
    })
end

return M
