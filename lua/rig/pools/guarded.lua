--- How pools written in Lua call a function of the script's: protected, and for no longer than a task may take.
--- Not for what a failure means: the pools say that.
--- Neighbours: serial.lua and own_worker.lua; the C pool ends the worker instead.

local core = require "rig.core"
local trace = require "rig.trace"

local M = {}

local function explained(ok, value, ...)
    if ok then return ok, value, ... end
    return ok, core.memory_why(value), ...
end

---@param timeout? number seconds
---@return fun(fn: function, ...): boolean, any, boolean? call true and what came back, or false, a message, and whether
---  it was the time that ran out
function M.caller(timeout)
    if timeout then
        return function(fn, ...) return core.call_within(timeout, fn, ...) end
    end
    local handler = trace.handler
    return function(fn, ...) return explained(xpcall(fn, handler, ...)) end
end

return M
