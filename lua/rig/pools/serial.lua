--- The pool without processes: `map` in a loop, here. The baseline of every speed-up, and what a pool must agree with.
--- Not for isolation: a task that ends the process ends the run, and a task that never returns is only stopped
--- where the core can do that (`timeout`).
--- Neighbours: the same methods as core.pool and pools/custom; case.lua knows only those.

local core = require "rig.core"
local items_of = require "rig.pools.items"
local guarded = require "rig.pools.guarded"
local trace = require "rig.trace"

local M = {}

---@class rig.SerialPool
local Pool = { __name = "rig.serial_pool" }
Pool.__index = Pool

---@param options table as for core.pool: map, init, finish, fixed, p, timeout; worker makes `w`
---@return rig.SerialPool? pool
---@return string? message
---@return string? code
function M.new(options)
    local pool = setmetatable({
        options = options, call = guarded.caller(options.timeout), account = core.account(1), w = options.worker(1),
        started = core.now(), tasks = 0, retried = 0,
    }, Pool)
    if options.init then
        local ok, state = xpcall(options.init, trace.handler, options.p, options.fixed)
        if not ok then return nil, "init: " .. state, "EINIT" end
        pool.w.state = state
    end
    pool.ready_s = core.now() - pool.started
    return pool
end

---@return true
function Pool.wait_ready() return true end

-- The account is closed also where the map was given up: what has not ended is cancelled.
local function cancel_rest(account, from, n)
    for task = from, n or from do account:finish(task, "cancelled", { message = "interrupted" }) end
    local report = account:report()
    report.ready = 1
    return report
end

---@param items table|integer|function
---@return table? results
---@return table|string report or, without results, the message
---@return string? code
---@return table? report without results
function Pool:run(items)
    local account, call, w = self.account, self.call, self.w
    local map, fixed, pid = self.options.map, self.options.fixed, core.getpid()
    local next_item, n = items_of.each(items)
    local results, retry = {}, self.options.retry or 0
    account:begin(n)
    for index, item in next_item do
        w.index = index
        if not n then account:add(1) end
        account:assign(index, 1, pid)
        for attempt = 1, retry + 1 do
            local ok, value, timed_out = call(map, item, fixed, w)
            if ok then
                results[index] = value
                account:finish(index, "ok", 1)
                break
            elseif core.interrupted() then
                return nil, "interrupted", "ECANCELED", cancel_rest(account, index, n)
            end
            if timed_out then value = ("took longer than timeout = %g s"):format(self.options.timeout) end
            local failure = { worker = 1, pid = pid, message = value, attempt = attempt }
            local outcome = timed_out and "timeout" or "error"
            if attempt > retry then
                account:finish(index, outcome, failure)
            else
                account:retried(index, outcome, failure)
                self.retried, w.index = self.retried + 1, index
            end
        end
    end
    local report = account:report()
    report.ready = 1
    self.tasks = self.tasks + report.n
    return results, report
end

-- There is no memory here that is not the coordinator's.
function Pool.sample() end

---@return true?
---@return string? message what finish raised
---@return string? code
function Pool:close()
    if self.closed then return true end
    self.closed = true
    local finish = self.options.finish
    self.options = nil
    if not finish then return true end
    local ok, message = xpcall(finish, trace.handler, self.w)
    if not ok then return nil, "finish: " .. message, "EREMOTEIO" end
    return true
end

function Pool:terminate()
    self.closed = true
    self.options = nil
end

---@return table
function Pool:stats()
    return {
        workers = { { id = 1, pid = core.getpid(), started_s = 0, ready_s = self.ready_s, tasks = self.tasks } },
        replaced = 0, renewed = 0, retried = self.retried,
        undelivered = { workers = 0, bytes = 0 },
        counters = { tasks = self.tasks, messages = 0, payload_bytes = 0, forks = 0 },
    }
end

Pool.__close = Pool.terminate

return M
