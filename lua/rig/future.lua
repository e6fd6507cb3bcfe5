--- What `pool:submit` gives: a task that is under way, to be waited for, asked about or cancelled.
--- Not for running it: the pool does that, and fills in `outcome` with `value` or `failure` once it has ended.
--- Neighbours: library.lua makes them; core.pool and pools/one_by_one.lua fill them in.

local failure = require "rig.failure"
local mistake = require "rig.mistake"

---@class rig.Future
---@field package owner rig.Pool     its `pool` is nil once it has closed
---@field package number integer
---@field package outcome string?   nil until it has ended
---@field package value any
---@field package failure table?
local Future = { __name = "rig.future" }
Future.__index = Future

local M = {}

---@param owner rig.Pool that is open
---@param item any
---@return rig.Future? future
---@return string? message
---@return string? code
function M.submit(owner, item)
    local self = setmetatable({ owner = owner }, Future)
    local number, message, code = owner.pool:submit(item, self)
    if not number then return nil, message, code end
    self.number = number
    return self
end

local function closed(self)
    return failure.new { message = ("the pool was closed before task %d had ended"):format(self.number),
        code = "ECANCELED" }
end

---Waits for the task's end.
---@param timeout? number seconds; for ever if nil
---@return any value nil also when the time is over: then with a message
---@return string? message
---@return string? code ETIMEDOUT
function Future:get(timeout)
    if timeout ~= nil and not (type(timeout) == "number" and timeout >= 0) then
        mistake.raise(("future:get: %s is not a time in seconds"):format(tostring(timeout)))
    end
    if self.outcome == nil then
        local pool = self.owner.pool
        if not pool then error(closed(self), 0) end
        local ended, message, code = pool:await(self, timeout)
        if ended == nil then error(failure.new { message = message, code = code }, 0) end
        if not ended then
            return nil, ("task %d had not ended after %g s"):format(self.number, timeout), "ETIMEDOUT"
        end
    end
    if self.outcome ~= "ok" then error(failure.of_task(self.failure), 0) end
    return self.value
end

---Whether the task has ended, in whatever way.
---@return boolean
function Future:done()
    local pool = self.owner.pool
    if self.outcome == nil and pool then pool:await(self, 0) end
    return self.outcome ~= nil
end

---Ends the task. One that runs is stopped together with its worker, which is replaced; the tasks of others go on.
---@return boolean cancelled false when it had ended otherwise before
function Future:cancel()
    if self.outcome ~= nil then return self.outcome == "cancelled" end
    local pool = self.owner.pool
    if not pool then return true end
    local cancelled, message, code = pool:cancel(self.number)
    if cancelled == nil then error(failure.new { message = message, code = code }, 0) end
    return cancelled
end

function Future:__tostring()
    return ("future of task %d (%s)"):format(self.number, self.outcome or "under way")
end

return M
