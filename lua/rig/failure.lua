--- What is raised when tasks of a pool failed: all that is known about it, and as text the first failure.
--- Neighbours: library.lua and future.lua raise it.

local M = {}

---@class rig.Failure
---@field failures table[]  of the first 100 (50 where others were tried again): task, outcome, message, worker, pid,
---                         signal, exit
---@field count integer     how many tasks failed
---@field results table     the results that there are
---@field report? table
---@field message? string   where the pool failed, and no task
---@field code? string
local Failure = { __name = "rig.failure" }
Failure.__index = Failure

local function words_for(one)
    if one.outcome == "died" and one.signal then
        return ("worker %s was ended by signal %d"):format(one.worker, one.signal)
    end
    if one.outcome == "died" then return ("worker %s ended with exit status %s"):format(one.worker, one.exit or "?") end
    if one.outcome == "timeout" then return "took longer than the time limit" end
    return one.outcome == "cancelled" and "cancelled" or "no message"
end

function Failure:__tostring()
    local first, others = self.failures[1], self.count - 1
    local text = first and ("%s (item %d: %s)"):format(first.message or words_for(first), first.task, first.outcome)
        or self.message
    return others > 0 and ("%s, and %d more"):format(text, others) or text
end

---@param about table fields of rig.Failure; those not given are as of a pool that failed
---@return rig.Failure
function M.new(about)
    about.failures, about.results, about.count = about.failures or {}, about.results or {}, about.count or 1
    return setmetatable(about, Failure)
end

---The failure of one task.
---@param one table
---@return rig.Failure
function M.of_task(one)
    return M.new { failures = { one } }
end

return M
