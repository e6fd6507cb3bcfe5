--- What became of each task of a map: which messages are out, what is still to be sent, the results, and the account
--- that the core keeps, in which every task ends exactly once.
--- Not for moving anything: that is custom.lua.
--- Neighbours: custom.lua; core.account does the counting.

local core = require "rig.core"

local M = {}

---@class rig.Ledger
---@field results table  of the map that is open or was the last
---@field out integer  messages that are out and not settled
---@field retried integer  attempts that failed and were followed by another, in all maps
local Ledger = {}
Ledger.__index = Ledger

---@param workers integer
---@param retry? integer how often a task that failed is tried again
---@return rig.Ledger
function M.new(workers, retry)
    return setmetatable({
        account = core.account(workers), results = {}, out = 0, messages = {}, again = {}, number = 0, late = {},
        retry = retry or 0, retried = 0,
    }, Ledger)
end

---Begins a map. What is out of one before it, which was given up, may still be answered.
---@param next_item fun(): integer?, any
---@param n integer? nil when it is not known
---@param chunk integer items in a message
function Ledger:open(next_item, n, chunk)
    self.next_item, self.counted, self.chunk = next_item, n ~= nil, chunk
    for number, message in pairs(self.messages) do self.late[number] = message.left end
    self.results, self.out, self.messages, self.again = {}, 0, {}, {}
    self.ended, self.more, self.n, self.attempts = {}, true, n or 0, {}
    self.account:begin(n or 0)
end

-- Numbers are never used twice, not even in another map: what is late must not be taken for something else.
local function new_message(self, task, item)
    self.number = self.number + 1
    return { self.number, task, item }
end

---The next tasks to go out, first those that somebody lost before beginning them.
---@return table? message { its number, number of the first task, item, … }
function Ledger:next_message()
    local lost = table.remove(self.again)
    if lost then return new_message(self, lost.task, lost.item) end
    if not self.more then return nil end
    local message
    for _ = 1, self.chunk do
        local index, item = self.next_item()
        if not index then
            self.more = false
            break
        end
        if not self.counted then
            self.account:add(1)
            self.n = self.n + 1
        end
        if message then
            message[#message + 1] = item
        else
            message = new_message(self, index, item)
        end
    end
    return message
end

---Notes that a message is out.
---@param message table
function Ledger:begin(message)
    self.out = self.out + 1
    self.messages[message[1]] = { tasks = message, left = #message - 2 }
end

---Puts a task back among those to be sent, alone.
---@param task integer
---@param item any
function Ledger:send_again(task, item)
    table.insert(self.again, 1, { task = task, item = item })
end

---Whether a message is out.
---@param number integer
---@return boolean
function Ledger:is_out(number)
    return self.messages[number] ~= nil
end

---The numbers of all messages that are out.
---@return integer[]
function Ledger:all_out()
    local numbers = {}
    for number in pairs(self.messages) do numbers[#numbers + 1] = number end
    return numbers
end

---Ends a task with a result.
function Ledger:finish(task, one, value)
    self.ended[task] = true
    self.results[task] = value
    self.account:assign(task, one.id, one.pid)
    self.account:finish(task, "ok", one.id)
end

---Ends a task in any other way; or only this attempt, if it is to have another one.
---@param task integer
---@param outcome "error"|"timeout"|"died"|"cancelled"
---@param one table? the worker that had it
---@param message string
---@param item any what to send again; nil: no other attempt would do better
function Ledger:fail(task, outcome, one, message, item)
    local attempt = (self.attempts[task] or 0) + 1
    local details = {
        worker = one and one.id, pid = one and one.pid, signal = one and one.signal, exit = one and one.exit_code,
        message = message, attempt = attempt,
    }
    if one then self.account:assign(task, one.id, one.pid) end
    if item ~= nil and attempt <= self.retry then
        self.account:retried(task, outcome, details)
        self.attempts[task], self.retried = attempt, self.retried + 1
        return self:send_again(task, item)
    end
    self.ended[task] = true
    self.account:finish(task, outcome, details)
end

---Notes that a task of a message has been answered, all before it being so already; the message has gone once all have.
---@param number integer
---@param task integer
---@return boolean known false when the message had been given up
---@return boolean all whether that was the last of its tasks
---@return any item of the task
function Ledger:answered(number, task)
    local message, late = self.messages[number], self.late[number]
    if not message then
        if late then self.late[number] = late > 1 and late - 1 or nil end
        return false, late == 1
    end
    local item = message.tasks[task - message.tasks[2] + 3]
    message.left, message.answered = message.left - 1, task
    if message.left > 0 then return true, false, item end
    self.messages[number] = nil
    self.out = self.out - 1
    return true, true, item
end

---Gives a message up.
---@param number integer
---@return table tasks as next_message gave them
---@return integer answered the last task of it that was
function Ledger:give_up(number)
    local message = self.messages[number]
    self.messages[number] = nil
    self.out = self.out - 1
    return message.tasks, message.answered or 0
end

---Ends whatever has not ended: the map was given up.
---@param why string
function Ledger:cancel(why)
    for task = 1, self.n do
        if not self.ended[task] then self:fail(task, "cancelled", nil, why) end
    end
    self.messages, self.out, self.more, self.again = {}, 0, false, {}
end

---Whether there is anything left to do.
---@return boolean
function Ledger:is_open()
    return self.out > 0 or self.more or #self.again > 0
end

---Ends the map.
---@return table report
function Ledger:report()
    return self.account:report()
end

return M
