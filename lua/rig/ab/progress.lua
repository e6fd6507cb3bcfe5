--- The status line of an A/B run: how many cases are decided, and how well the others are known.
--- Neighbours: cli.lua makes it, run.lua calls back after each block.

local core = require "rig.core"
local human = require "rig.report.human"

local M = {}

local INTERVAL_S = 0.1

---@class rig.AbProgress
local Progress = {}
Progress.__index = Progress

---@param opts { fd: integer, enabled: boolean }
---@return rig.AbProgress
function M.new(opts)
    return setmetatable({ fd = opts.fd, enabled = opts.enabled, shown = false, last = 0 }, Progress)
end

local function describe(done)
    if done.warming then
        return ("[%d/%d] first values: %s"):format(done.warming, done.cases, human.clean(done.label))
    end
    local parts = { ("%d of %s decided"):format(done.decided, human.count(done.cases, "case")),
        human.count(done.pairs, "pair") }
    if done.widest then parts[#parts + 1] = ("widest interval ±%.1f %%"):format(done.widest * 100) end
    return table.concat(parts, " · ")
end

---Shows where the run is; never called while something is timed.
---@param done table
function Progress:update(done)
    if not self.enabled then return end
    local now = core.now()
    if self.shown and now - self.last < INTERVAL_S then return end
    self.last, self.shown = now, true
    local text, columns = describe(done), (core.columns(self.fd) or 80) - 1
    if (utf8.len(text) or #text) > columns then text = text:sub(1, utf8.offset(text, columns) - 1) .. "…" end
    core.write(self.fd, "\r\27[2K" .. text)
end

---Takes the line away, so that something can be printed.
function Progress:erase()
    if not self.shown then return end
    self.shown = false
    core.write(self.fd, "\r\27[2K")
end

return M
