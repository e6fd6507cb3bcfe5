--- Whether a case fits in the memory that there is now: what the scenario declares, asked before `fixed` is called, and
--- the copies of the fixed data, asked before the pool starts.
--- Not a guarantee: `rig.array` checks for itself, and the kernel has the last word.
--- Neighbours: case.lua asks, plan.lua does the arithmetic and words the reason.

local core = require "rig.core"
local plan = require "rig.plan"

local M = {}

-- What the rest of the machine and the workers' own small needs are left, in bytes.
local RESERVE = 64 << 20

---Size of the fixed data where it can be known without walking through it.
---@param fixed any
---@return integer? bytes
---@return integer? n elements
---@return string? kind
function M.size_of(fixed)
    if core.is_array(fixed) then return fixed:bytes(), #fixed, fixed:type() end
    if type(fixed) == "string" then return #fixed, #fixed, "string" end
    if type(fixed) == "table" then return nil, #fixed, "table" end
    return nil
end

local function finish_growth(before, ...)
    return math.max(0, math.floor((collectgarbage("count") - before) * 1024)), ...
end

---Calls a function and says by how much this Lua state grew: the size of what it made, if little was collected.
---@param fn fun(...): ...
---@return integer grown bytes
---@return ... what the function returned
function M.growth(fn, ...)
    return finish_growth(collectgarbage("count"), fn(...))
end

---Whether the bytes that the scenario says a case needs are there.
---@param case rig.Case
---@param bytes number
---@return string? problem nil when it fits
function M.declared(case, bytes)
    local _, reason = plan.fits(case, bytes, core.memory_available())
    return reason
end

---Whether the copies of the fixed data fit that its delivery is going to make; the coordinator has its own already.
---@param case rig.Case
---@param fixed_bytes integer
---@return string? problem nil when they fit
function M.copies(case, fixed_bytes)
    local more = plan.estimate_memory(case, fixed_bytes) - fixed_bytes
    if more <= 0 then return nil end
    local _, reason = plan.fits(case, more, math.max(0, core.memory_available() - RESERVE))
    return reason
end

---Whether an error says that memory is short, as `rig.array` and Lua itself do.
---@param message string
---@return boolean
function M.is_shortage(message)
    return message:find("not enough memory", 1, true) ~= nil or message:find("needs .- and .- are available") ~= nil
end

return M
