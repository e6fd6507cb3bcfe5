--- Whether a case fits in the memory that there is now: what the scenario declares, asked before `fixed` is called, and
--- the copies of the fixed data, asked before the pool starts.
--- Not a guarantee: `rig.array` checks for itself, and the kernel has the last word.
--- Neighbours: case.lua asks, plan.lua does the arithmetic and words the reason.

local core = require "rig.core"
local equal = require "rig.equal"
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
    if type(fixed) == "table" then return nil, rawlen(fixed), "table" end
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

-- The hooks in which data is made: what is raised elsewhere is never about the size of a case.
local MAKES_DATA = { fixed = true, setup = true, memory = true }

-- The whole of what `rig.array` raises where memory is short. A script's own words that sound alike are its own.
local SHORTAGES = {
    "^array %w+ x %d+ needs [%d.]+ GB and [%d.]+ GB are available; make it smaller, or allow it with %-%-force$",
    "^not enough memory for an array %w+ x %d+$",
}

---Whether what a hook raised says that memory is short, as `rig.array` says it.
---@param hook string
---@param message string
---@return boolean
function M.is_shortage(hook, message)
    if not MAKES_DATA[hook] then return false end
    local first = message:match("^[^\n]*")
    local said = first:match("^.-:%d+: (.*)$")
    for _, pattern in ipairs(SHORTAGES) do
        if first:find(pattern) or said and said:find(pattern) then return true end
    end
    return false
end

---What is wrong with the number of bytes that a scenario's `memory` returned.
---@param bytes any
---@return string? problem
function M.unusable(bytes)
    if type(bytes) ~= "number" then
        return ("returned %s (a %s); return a number of bytes"):format(equal.show(bytes), type(bytes))
    elseif bytes >= 0 and bytes < 2.0 ^ 63 then
        return nil
    end
    return ("returned %s; return a number of bytes from 0 to 2^63"):format(equal.show(bytes))
end

return M
