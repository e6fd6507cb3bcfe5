--- What messages travel through: one queue of tasks and one of answers that all workers share, or for each worker a
--- pair of pipes or a socket pair of its own.
--- Not for what the messages say: that is custom.lua and custom_worker.lua.
--- Neighbour: custom.lua. To add a kind, write its open and put it into `kinds`.

local core = require "rig.core"

local M = {}

-- A worker's line as the coordinator holds it: `to` to send tasks, `from` to receive answers, `far` what only the child
-- needs. With shared queues there is nothing of one's own to close.
local Line = {}
Line.__index = Line

function Line:after_fork()
    for _, handle in ipairs(self.far or {}) do handle:close() end
    self.far = nil
end

function Line:close()
    self:after_fork()
    for _, handle in ipairs(self.own or {}) do handle:close() end
    self.own = nil
end

local function own_pipes()
    local tasks, to, code = core.pipe()
    if not tasks then return nil, to, code end
    local from, results, failure = core.pipe()
    if not from then
        tasks:close()
        to:close()
        return nil, results, failure
    end
    local line = { to = to, from = from, own = { to, from }, far = { tasks, results } }
    return setmetatable(line, Line), { tasks = tasks, results = results }
end

local function own_socket()
    local near, far, code = core.socketpair()
    if not near then return nil, far, code end
    return setmetatable({ to = near, from = near, own = { near }, far = { far } }, Line), { tasks = far, results = far }
end

local kinds = { pipe = own_pipes, socket = own_socket }

---@class rig.Lines
---@field shared boolean whether any worker may take what is sent
local Lines = {}
Lines.__index = Lines

---@param channel "queue"|"pipe"|"socket"
---@return rig.Lines?
---@return string? message
---@return string? code
function M.new(channel)
    if channel ~= "queue" then
        local open = kinds[channel] or error(("channel = %s has no lines"):format(tostring(channel)))
        return setmetatable({ shared = false, open_own = open }, Lines)
    end
    local tasks, message, code = core.queue()
    if not tasks then return nil, message, code end
    local results
    results, message, code = core.queue()
    if not results then
        tasks:close()
        return nil, message, code
    end
    return setmetatable({ shared = true, tasks = tasks, results = results }, Lines)
end

---A line for a worker that is about to be started.
---@return table? line
---@return table|string ends what the child needs: tasks to receive from, results to send to
---@return string? code
function Lines:open()
    if not self.shared then return self.open_own() end
    local line = setmetatable({ to = self.tasks, from = self.results }, Line)
    return line, { tasks = self.tasks, results = self.results }
end

---Sends without waiting.
---@param one table? the worker; any takes it where lines are shared
---@param message table
---@return boolean sent
---@return string? why not: something in it cannot cross
function Lines:send(one, message)
    local to = self.tasks or one.line.to
    local can, sent, why = pcall(to.put, to, message)
    -- nothing more can reach it: it goes, what it holds is given to another; its end will be seen
    if can and not sent and not self.tasks then one.proc:kill "KILL" end
    return can, can and why or sent
end

---Where answers come from.
---@param workers table<integer, table>
---@return table[] handles
function Lines:sources(workers)
    if self.shared then return { self.results } end
    local handles = {}
    for _, one in pairs(workers) do handles[#handles + 1] = one.line.from end
    return handles
end

---What to wait for: answers, and the ends of processes.
---@param workers table<integer, table>
---@return table[] handles
function Lines:watched(workers)
    local handles = self:sources(workers)
    for _, one in pairs(workers) do handles[#handles + 1] = one.proc end
    return handles
end

---Takes back the messages that no worker has taken yet.
---@return table[]? waiting
---@return string? message
---@return string? code
function Lines:take_back()
    local waiting = {}
    repeat
        local message, why, code = self.tasks:get(0) -- which also lets out what has not gone yet
        if not message and code ~= "ETIMEDOUT" then return nil, why, code end
        waiting[#waiting + 1] = message
    until not message and self.tasks:pending() == 0
    return waiting
end

---Closes what all workers share.
function Lines:close()
    if self.tasks then self.tasks:close() end
    if self.results then self.results:close() end
end

return M
