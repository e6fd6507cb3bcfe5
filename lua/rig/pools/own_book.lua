--- The tasks of a pool type's map: which were taken, which worker has each, what became of it. The account is the
--- core's; what does not add up is noted here, and a map with such a note gives no results.
--- Not for processes: own_crew.lua. Neighbours: own.lua, own_face.lua.

local core = require "rig.core"
local trace = require "rig.trace"
local units = require "rig.units"

local M = {}

---@class rig.OwnBook
---@field results table
---@field out integer     tasks that a worker has
---@field wrong string?   the first thing that cannot be
---@field raised string?  what the iterator of the items raised
local Book = {}
Book.__index = Book

---@param workers integer
---@return rig.OwnBook
function M.new(workers)
    return setmetatable({ account = core.account(workers), out = 0 }, Book)
end

---Begins a map.
---@param next_item fun(): integer?, any
---@param n integer? nil where the end shows it
function Book:open(next_item, n)
    self.next_item, self.n, self.taken, self.ok, self.out = next_item, n, 0, 0, 0
    self.results, self.worker_of, self.outcome_of, self.wrong, self.raised = {}, {}, {}, nil, nil
    self.account:begin(n or 0)
end

---@class rig.OwnTasks  gives the next task when it is called, as in `for index, item in tasks do`
---@field n integer?  how many there are; nil for an iterator

-- An iterator is the script's, and what it raises is not the pool type's fault.
local function guarded(self, next_item)
    if self.n then return next_item end
    return function()
        local fine, index, item = xpcall(next_item, trace.handler)
        if fine then return index, item end
        self.raised = index
        error(index, 0)
    end
end

---The tasks as a pool type takes them.
---@return rig.OwnTasks
function Book:tasks()
    local next_item, counted, account = guarded(self, self.next_item), self.n ~= nil, self.account
    return setmetatable({ n = self.n }, {
        __call = function()
            local index, item = next_item()
            if not index then return nil end
            if not counted then account:add(1) end
            self.taken = index
            return index, item
        end,
        __name = "tasks",
    })
end

-- Notes what cannot be, whatever the script does with the error that it gets.
local function note(self, text, ...)
    text = text:format(...)
    self.wrong = self.wrong or text
    return nil, text
end

---@param task any
---@param worker integer
---@return true?
---@return string? problem
function Book:assign(task, worker)
    if math.type(task) ~= "integer" or task < 1 or task > self.taken then
        return note(self, "assign: there is no task %s: %d have been taken", tostring(task), self.taken)
    elseif self.outcome_of[task] then
        return note(self, "assign: task %d has ended already (%s)", task, self.outcome_of[task])
    end
    if not self.worker_of[task] then self.out = self.out + 1 end
    self.worker_of[task] = worker
    self.account:assign(task, worker)
    return true
end

---@param task any
---@param outcome "ok"|"error"|"timeout"|"died"|"cancelled"
---@param value any the result, or the message
---@param details? table of a worker that ended: pid, signal, exit
---@return integer? worker that had it
---@return string? problem
function Book:finish(task, outcome, value, details)
    if math.type(task) ~= "integer" or task < 1 or task > self.taken then
        return note(self, "finish: there is no task %s: %d have been taken", tostring(task), self.taken)
    elseif self.outcome_of[task] then
        return note(self, "finish: task %d has ended already (%s)", task, self.outcome_of[task])
    end
    local worker = self.worker_of[task]
    if not worker then
        return note(self, "finish: task %d was never assigned to a worker; pool:assign(task, worker) comes first", task)
    end
    self.outcome_of[task], self.out = outcome, self.out - 1
    if outcome == "ok" then
        self.results[task], self.ok = value, self.ok + 1
        self.account:finish(task, "ok", worker)
    else
        details = details or {}
        details.worker, details.message = worker, value
        self.account:finish(task, outcome, details)
    end
    return worker
end

---The tasks that a worker has.
---@param worker integer
---@return integer[]
function Book:held_by(worker)
    local list = {}
    for task = 1, self.taken do
        if self.worker_of[task] == worker and not self.outcome_of[task] then list[#list + 1] = task end
    end
    return list
end

-- The first task that has not ended, in words.
local function first_open(self)
    for task = 1, self.taken do
        if not self.outcome_of[task] then
            local worker = self.worker_of[task]
            return ("task %d, %s"):format(task, worker and "of worker " .. worker or "assigned to nobody")
        end
    end
    return ("task %d, which was never taken"):format(self.taken + 1)
end

---Why the map's end is none; nothing where every task has ended once.
---@param ran integer tasks that workers have run in this map
---@return string?
function Book:problem(ran)
    if self.wrong then return self.wrong end
    local open, n = self.account:open(), self.n or self.taken
    if open > 0 then
        return ("returned, and of %s %d did not end (the first: %s)"):format(units.count(n, "task"), open,
            first_open(self))
    elseif not self.n and self.next_item() then
        self.account:add(1)
        self.more = true
        return ("returned, and there is more to do: it took %s and not the next"):format(units.count(n, "task"))
    elseif ran < self.ok then
        return ("ended %s as ok, and workers ran %d; run each in a worker, by pool:run_task"):format(
            units.count(self.ok, "task"), ran)
    end
end

---Closes the account of a map that is given up: what has not ended is cancelled.
---@param why string
---@return table report
function Book:cancel(why)
    local all = self.n or self.taken + (self.more and 1 or 0)
    self.more = nil
    for task = 1, all do
        if not self.outcome_of[task] then self.account:finish(task, "cancelled", { message = why }) end
    end
    return self.account:report()
end

---Ends the map, which left nothing open.
---@return table report
function Book:report()
    return self.account:report()
end

---Lets go of items and results.
function Book:close()
    self.next_item, self.results, self.worker_of, self.outcome_of = nil, nil, nil, nil
end

return M
