--- Calls of a scenario's functions in the coordinator, and the one way in which measuring a case ends early: a halt.
--- Not for functions that run in workers: what goes wrong there is a task's outcome, and the pools report it.
--- Neighbours: case.lua and iterate.lua.

local core = require "rig.core"
local memory = require "rig.memory"
local trace = require "rig.trace"

local M = {}

local Halt = { __name = "rig.halt" }

M.handler = trace.handler

---Ends the measuring of this case. Raises, and is caught in case.lua only.
---@param status "error"|"skipped"|"faulted"|"interrupted"
---@param reason string
---@param broken? boolean the scenario itself is at fault: the other cases would end in the same way
function M.halt(status, reason, broken)
    error(setmetatable({ status = status, reason = reason, broken = broken }, Halt), 0)
end

---Ends the case because the scenario is broken.
---@param run table
---@param what string
function M.broken(run, what)
    M.halt("error", ("%s (case %s)"):format(what, run.case.label), true)
end

---@param value any
---@return boolean
function M.is_halt(value)
    return getmetatable(value) == Halt
end

---Message handler: halts pass, anything else is rig's own mistake and keeps its whole traceback.
---@param value any
---@return any
function M.keep_halt(value)
    if M.is_halt(value) then return value end
    return debug.traceback(trace.text(value), 2)
end

---What a failed hook means: we were told to stop, memory is short, or the scenario is broken.
---@param run table
---@param name string
---@param message string
function M.refuse(run, name, message)
    if core.interrupted() then M.halt("interrupted", ("interrupted in %s"):format(name)) end
    local first, rest = trace.first_line(message), message:match("\n.*$") or ""
    if memory.is_shortage(name, message) and not run.case.asked then M.halt("skipped", first) end
    M.halt("error", ("%s (in %s, case %s)%s"):format(first, name, run.case.label, rest), true)
end

local function check(run, name, ok, ...)
    if ok then return ... end
    M.refuse(run, name, core.memory_why((...)))
end

---Ends the case where a pool failed because a function of its pool type is wrong; otherwise does nothing.
---@param run table
---@param message string
---@param code string?
function M.check_pool(run, message, code)
    if code ~= "ESCRIPT" then return end
    local first, rest = trace.first_line(message), message:match("\n.*$") or ""
    M.halt("error", ("%s (case %s)%s"):format(first, run.case.label, rest), true)
end

---Calls a hook of the scenario.
---@param run table
---@param name string which hook
---@param ... any its arguments
---@return ... what it returned
function M.call(run, name, ...)
    return check(run, name, xpcall(run.hooks[name], trace.handler, ...))
end

---Gives back what a hook that the caller called itself (because it is timed) returned, or ends the case.
---@param run table
---@param name string
---@param ok boolean
---@param ... any what xpcall gave
---@return ...
function M.result(run, name, ok, ...)
    return check(run, name, ok, ...)
end

return M
