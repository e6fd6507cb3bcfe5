--- `rig.pool{…}`: pools for programs, beside those that scenarios sweep.
--- Not for measuring: case.lua does that, with the same pools underneath.
--- Neighbours: pools/init.lua starts them, axes.lua knows what they are made of.

local axes = require "rig.axes"
local core = require "rig.core"
local items_of = require "rig.pools.items"
local mistake = require "rig.mistake"
local names = require "rig.names"
local pools = require "rig.pools"
local trace = require "rig.trace"
local worker = require "rig.worker"

local M = {}

---@class rig.PoolSpec
---@field map fun(item: any, fixed: any, w: rig.Worker): any
---@field workers? integer               as many as there are cores
---@field preset? "serial"|"builtin"|"custom"|"shm"
---@field fixed? any                     handed to every worker
---@field init? fun(p: table, fixed: any): any
---@field finish? fun(w: rig.Worker)
---@field p? table                       what init and w.p get
---@field timeout? number                seconds for one task
---@field seed? integer                  of w.rng
---@field start? string
---@field delivery? string
---@field channel? string
---@field chunk? integer|"auto"
---@field barrier? boolean
---@field impl? "c"|"lua"

local KNOWN = {
    "map", "workers", "preset", "fixed", "init", "finish", "p", "timeout", "seed", "start", "delivery", "channel",
    "chunk", "barrier", "impl",
}
local AXES = { "start", "delivery", "channel", "chunk", "barrier", "impl" }

-- Straight from M.pool, so that the error stands where the pool was asked for.
local function check(what, given, accepted)
    if given ~= nil and not accepted then
        mistake.raise(("rig.pool: %s: %s is not right"):format(what, tostring(given)), 1)
    end
end

local function check_names(spec)
    local known = {}
    for _, name in ipairs(KNOWN) do known[name] = true end
    for name in pairs(spec) do
        if not known[name] then
            mistake.raise(("rig.pool: no option '%s'; %s"):format(tostring(name), names.suggest(name, KNOWN)), 1)
        end
    end
end

local function resolve(spec)
    local wanted = { base = spec.preset or "builtin" }
    for _, axis in ipairs(AXES) do wanted[axis] = spec[axis] end
    local pool, problem, remedy = axes.check_pool(wanted)
    local resolved
    if pool then resolved, problem, remedy = axes.resolve(pool, {}) end
    if not resolved then
        mistake.raise(("rig.pool: %s%s"):format(problem, remedy and "; " .. remedy or ""), 1)
    end
    return resolved
end

-- What a map raises when tasks of it failed: all that is known, and as text the first failure.
local Failure = { __name = "rig.failure" }
Failure.__index = Failure

function Failure:__tostring()
    local first, others = self.failures[1], self.count - 1
    local text = first and ("%s (item %d: %s)"):format(first.message or "no message", first.task, first.outcome)
        or self.message
    return others > 0 and ("%s, and %d more"):format(text, others) or text
end

---@class rig.Pool
local Pool = { __name = "rig.pool" }
Pool.__index = Pool

---Maps the items over the workers. Raises after all tasks have ended if any of them did not end ok: an error value with
---`failures` (the first 100), `results` (those that there are) and `report`; its text names the first failure.
---@param items table|integer|function a list, n for 1..n, or an iterator
---@return table results results[i] for item i
---@return integer n how many there are, as a result may be nil
function Pool:map(items)
    if not self.pool then mistake.raise "pool:map: the pool is closed" end
    local problem = items_of.problem(items)
    if problem then mistake.raise("pool:map: " .. problem) end
    local fine, results, report, code = pcall(self.pool.run, self.pool, items)
    if not fine then
        local text, ours = results, false
        if type(text) == "string" then text, ours = trace.strip(text) end
        if not ours then error(text, 0) end -- an iterator of the script's, which says where
        mistake.raise("pool:map: " .. text)
    end
    if not results then
        error(setmetatable({ failures = {}, results = {}, count = 1, message = report, code = code }, Failure), 0)
    end
    local bad = report.n - report.outcomes.ok
    if bad > 0 then
        error(setmetatable({ failures = report.failures, results = results, report = report, count = bad }, Failure), 0)
    end
    return results, report.n
end

---Waits until every worker holds the fixed data.
---@return true?
---@return string? message
function Pool:wait_ready()
    if not self.pool then mistake.raise "pool:wait_ready: the pool is closed" end
    return self.pool:wait_ready()
end

---What is known about the workers; complete once the pool is closed.
---@return table
function Pool:stats()
    if self.last then return self.last end
    if not self.pool then mistake.raise "pool:stats: the pool was terminated" end
    return (self.pool:stats())
end

---Lets the workers finish and reaps them. May be called again.
---@return true? ended well
---@return string? message what `finish` raised in a worker
---@return string? code
function Pool:close()
    local pool = self.pool
    self.pool = nil
    if not pool then return true end
    local ok, message, code = pool:close()
    self.last = pool:stats()
    pool:terminate()
    return ok, message, code
end

---Ends the workers at once.
function Pool:terminate()
    local pool = self.pool
    self.pool = nil
    if pool then pool:terminate() end
end

Pool.__close = Pool.close
Pool.__gc = Pool.terminate

function Pool:__tostring()
    return self.pool and ("pool of %s"):format(self.what) or "pool (closed)"
end

---Opens a pool.
---@param spec rig.PoolSpec
---@return rig.Pool? pool
---@return string? message
---@return string? code
function M.pool(spec)
    if type(spec) ~= "table" then mistake.raise "rig.pool: give a table, as in rig.pool{ workers = 4, map = f }" end
    check_names(spec)
    check("map", spec.map or false, type(spec.map) == "function")
    check("workers", spec.workers, math.type(spec.workers) == "integer" and spec.workers >= 1)
    check("timeout", spec.timeout, type(spec.timeout) == "number" and spec.timeout > 0)
    check("init", spec.init, type(spec.init) == "function")
    check("finish", spec.finish, type(spec.finish) == "function")
    local resolved = resolve(spec)
    local p, seed = spec.p or {}, spec.seed or 1
    local serial = resolved.preset == "serial"
    local fixed = spec.fixed
    if resolved.delivery == "shm" then
        local fine, placed, message, code = pcall(core.place, fixed)
        if not fine then mistake.raise("rig.pool: " .. trace.strip(trace.text(placed))) end
        if not placed then return nil, message, code end
        fixed = placed
    end
    local options = {
        workers = serial and 1 or spec.workers or core.cores(), map = spec.map, init = spec.init, finish = spec.finish,
        fixed = fixed, p = p, timeout = spec.timeout,
        worker = (serial and worker.here or worker.factory)(seed, 0, p),
    }
    local count = options.workers
    local fine, pool, message, code = pcall(pools.start, resolved, options)
    if not fine then mistake.raise("rig.pool: " .. trace.strip(trace.text(pool))) end
    if not pool then return nil, message, code end
    return setmetatable({ pool = pool, what = ("%d workers (%s)"):format(count, resolved.preset) }, Pool)
end

return M
