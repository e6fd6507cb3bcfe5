--- Whether it was the kernel that killed a process, because memory had run out. Its control group counts that; a
--- SIGKILL by itself says nothing.
--- Neighbours: custom_losses.lua, own_crew.lua and ab/forked.lua, which ask about theirs; the C core's pools do the
--- same in core/pool/pool.c.

local core = require "rig.core"

local M = {}

---@class rig.OomCount
local Count = {}
Count.__index = Count

---What was counted before our time.
---@return rig.OomCount
function M.new()
    return setmetatable({ known = core.oom_kills() }, Count)
end

---What to say of a process that ended, behind how it ended; nothing where it was not for want of memory. To be asked
---once for each: of several that were killed, as many are the kernel's as it counted.
---@param ended table? as proc:wait gives it
---@return string? words
function Count:words(ended)
    if not self.known or not ended or ended.signal ~= 9 then return nil end
    if (core.oom_kills() or 0) <= self.known then return nil end
    self.known = self.known + 1
    return ", by the kernel's OOM killer: memory had run out; use less data, or fewer workers"
end

return M
