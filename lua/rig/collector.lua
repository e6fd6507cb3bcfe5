--- Lua's collector as a case wants it (the parameter `gc`): left alone, stopped, or in a mode of its own, from the
--- start of the pool to its close, in the coordinator and in the workers, which inherit it.
--- Not for when memory is short: a stopped collector lets every iteration's garbage stand until it has ended.
--- Neighbours: case.lua opens and closes it, iterate.lua calls between iterations, worker.lua sets it in workers.

local M = {}

---@class rig.Collector
---@field mode "default"|"stop"|"incremental"|"generational"
local Collector = {}
Collector.__index = Collector

---@param mode? string
---@return rig.Collector
function M.open(mode)
    local collector = setmetatable({ mode = mode or "default" }, Collector)
    if mode == "stop" then
        collector.ran = collectgarbage("isrunning")
        collectgarbage("stop")
    elseif collector.mode ~= "default" then
        collector.before = collectgarbage(mode)
    end
    return collector
end

---To be called where nothing is timed: what an iteration left behind must not add up over all of them.
function Collector:between()
    if self.mode == "stop" then collectgarbage() end
end

---Puts it back as it was. May be called again.
function Collector:close()
    if self.ran then collectgarbage("restart") end
    if self.before then collectgarbage(self.before) end
    self.ran, self.before = nil, nil
end

---The same in a worker, for good: it has inherited the mode, unless it did not come out of a fork.
---@param mode? string
function M.in_worker(mode)
    if mode and mode ~= "default" then collectgarbage(mode) end
end

return M
