--- The status line: which case, which iteration, and how long it may still take. On stderr, on a terminal, erased
--- before anything else is printed.
--- Not for results. Neighbours: cli.lua makes it, runner.lua calls back between iterations, estimate.lua says what to
--- expect before anything has been measured.

local core = require "rig.core"
local human = require "rig.report.human"

local M = {}

-- More often than this only makes it flicker, and costs.
local INTERVAL_S = 0.1

---@class rig.Progress
local Progress = {}
Progress.__index = Progress

---@param plan rig.Plan
---@param opts { fd: integer, enabled: boolean, expected: number[]? } expected: seconds for each case, where known
---@return rig.Progress
function M.new(plan, opts)
    return setmetatable({
        fd = opts.fd, enabled = opts.enabled, total = #plan.cases, expected = opts.expected, done = 0, shown = false,
        started = core.now(), spent = 0, last = 0,
    }, Progress)
end

-- What is left: what was expected, corrected by how long the cases that have ended took.
local function seconds_left(self)
    local elapsed = core.now() - self.started
    if not self.expected then
        return self.done > 0 and elapsed / self.done * (self.total - self.done) or nil
    end
    local before, after = 0, 0
    for i, seconds in ipairs(self.expected) do
        if i <= self.done then before = before + seconds else after = after + seconds end
    end
    local pace = before > 0.2 and self.spent / before or 1
    return math.max(0, after * pace - (elapsed - self.spent))
end

-- To the second, and to the minute once that says enough: more digits would be a promise.
local function roughly(seconds)
    if seconds < 120 then return ("%d s"):format(math.ceil(seconds)) end
    return ("%d min"):format(math.ceil(seconds / 60))
end

local function describe(self, case, iteration, iterations)
    local parts = { ("[%d/%d] %s"):format(self.done + 1, self.total, human.clean(case.label)) }
    if iterations > 1 then parts[#parts + 1] = ("iteration %d of %d"):format(iteration + 1, iterations) end
    local left = seconds_left(self)
    if left and left >= 1 then parts[#parts + 1] = ("about %s left"):format(roughly(left)) end
    return table.concat(parts, " · ")
end

local function cut(text, columns)
    local length = utf8.len(text) or #text
    if length <= columns then return text end
    return text:sub(1, utf8.offset(text, columns) - 1) .. "…"
end

---Shows where the run is. To be called between iterations, never in a timed region.
---@param case rig.Case
---@param done integer iterations of this case that have ended
---@param total integer
function Progress:update(case, done, total)
    if not self.enabled then return end
    local now = core.now()
    if self.shown and now - self.last < INTERVAL_S then return end
    self.last, self.shown = now, true
    core.write(self.fd, "\r\27[2K" .. cut(describe(self, case, done, total), (core.columns(self.fd) or 80) - 1))
end

---Takes the line away, so that something can be printed.
function Progress:erase()
    if not self.shown then return end
    self.shown = false
    core.write(self.fd, "\r\27[2K")
end

---A status line for what is no run.
---@param fd integer
---@param enabled boolean
---@return fun(text: string?) step shows what is being done; nothing takes the line away
function M.steps(fd, enabled)
    return function(text)
        if enabled then core.write(fd, "\r\27[2K" .. (text and cut(text, (core.columns(fd) or 80) - 1) or "")) end
    end
end

---Notes that a case has ended.
function Progress:advance()
    self.done = self.done + 1
    self.spent = core.now() - self.started
end

return M
