--- What became of each task of a map: which messages are out, what is still to be sent, the results, and the account
--- that the core keeps, in which every task ends exactly once.
--- Not for moving anything: that is custom.lua.
--- Neighbours: custom.lua; core.account does the counting.

local core = require "rig.core"

local M = {}

---@class rig.Ledger
---@field results table  of the map that is open or was the last
---@field out integer  messages that are out and not settled
local Ledger = {}
Ledger.__index = Ledger

---@param workers integer
---@return rig.Ledger
function M.new(workers)
    return setmetatable({
        account = core.account(workers), results = {}, out = 0, messages = {}, again = {}, number = 0,
    }, Ledger)
end

---Begins a map.
---@param next_item fun(): integer?, any
---@param n integer? nil when it is not known
---@param chunk integer items in a message
function Ledger:open(next_item, n, chunk)
    self.next_item, self.counted, self.chunk = next_item, n ~= nil, chunk
    self.results, self.out, self.messages, self.again = {}, 0, {}, {}
    self.ended, self.more, self.n = {}, true, n or 0
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

---@param task integer
---@return boolean
function Ledger:has_ended(task)
    return self.ended[task] == true
end

---Ends a task with a result.
function Ledger:finish(task, one, value)
    self.ended[task] = true
    self.results[task] = value
    self.account:assign(task, one.id, one.pid)
    self.account:finish(task, "ok", one.id)
end

---Ends a task in any other way.
---@param task integer
---@param outcome "error"|"timeout"|"died"|"cancelled"
---@param one table? the worker that had it
---@param message string
function Ledger:fail(task, outcome, one, message)
    self.ended[task] = true
    if one then self.account:assign(task, one.id, one.pid) end
    self.account:finish(task, outcome, {
        worker = one and one.id, pid = one and one.pid, signal = one and one.signal, exit = one and one.exit_code,
        message = message,
    })
end

---Notes that a task of a message has been answered; the message has gone once all have been.
---@param number integer
---@return boolean known false when the message had been given up
function Ledger:answered(number)
    local message = self.messages[number]
    if not message then return false end
    message.left = message.left - 1
    if message.left == 0 then
        self.messages[number] = nil
        self.out = self.out - 1
    end
    return true
end

---Gives a message up.
---@param number integer
---@return table tasks as next_message gave them
function Ledger:give_up(number)
    local message = self.messages[number]
    self.messages[number] = nil
    self.out = self.out - 1
    return message.tasks
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
