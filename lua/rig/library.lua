--- `rig.pool{…}`: pools for programs, beside those that scenarios sweep.
--- Not for measuring: case.lua does that, with the same pools underneath.
--- Neighbours: pools/init.lua starts them, axes.lua knows what they are made of.

local axes = require "rig.axes"
local core = require "rig.core"
local failure = require "rig.failure"
local future = require "rig.future"
local items_of = require "rig.pools.items"
local mistake = require "rig.mistake"
local names = require "rig.names"
local pools = require "rig.pools"
local spawned = require "rig.spawned"
local trace = require "rig.trace"
local worker = require "rig.worker"

local M = {}

---@class rig.PoolSpec
---@field map string|fun(item: any, fixed: any, w: rig.Worker): any
---@field module? string                 with start = spawn: map, init and finish are names of functions in it
---@field workers? integer               as many as there are cores
---@field preset? "serial"|"builtin"|"custom"|"shm"|"spawn"
---@field fixed? any                     handed to every worker
---@field init? string|fun(p: table, fixed: any): any
---@field finish? string|fun(w: rig.Worker)
---@field p? table                       what init and w.p get
---@field timeout? number                seconds for one task
---@field max_tasks? integer             a worker is replaced after so many
---@field retry? integer                 how often a task that failed, took too long or died is tried again; 0
---@field seed? integer                  of w.rng
---@field start? string
---@field delivery? string
---@field channel? string
---@field chunk? integer|"auto"
---@field barrier? boolean
---@field impl? "c"|"lua"

local KNOWN = {
    "map", "module", "workers", "preset", "fixed", "init", "finish", "p", "timeout", "seed", "start", "delivery",
    "channel", "chunk", "barrier", "impl", "max_tasks", "retry",
}
local RETRY_MAX = 1000 -- as in scenarios
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

-- What is wrong with a function of the pool's; with start = spawn it must be the name of one.
local function problem_of(name, given, is_spawn)
    if given == nil and name ~= "map" then return nil end
    if is_spawn and type(given) == "function" then
        return ("a function cannot cross into a fresh process (start = spawn), which has nothing of what lies " ..
            'around it; put it into a module, and give module = "its name", %s = "the function\'s name"'):format(name)
    elseif not is_spawn and type(given) == "string" then
        return ("'%s' is a name; functions are found by name with start = spawn only"):format(given)
    elseif type(given) ~= (is_spawn and "string" or "function") then
        return ("%s is not right"):format(tostring(given))
    end
end

local function check_functions(spec, is_spawn)
    for _, name in ipairs { "map", "init", "finish" } do
        local problem = problem_of(name, spec[name], is_spawn)
        if problem then mistake.raise(("rig.pool: %s: %s"):format(name, problem), 1) end
    end
    if is_spawn and type(spec.module) ~= "string" then
        mistake.raise("rig.pool: module: say which module the functions are in, as in module = \"jobs\"", 1)
    elseif not is_spawn and spec.module ~= nil then
        mistake.raise("rig.pool: module: only fresh processes load one; add start = \"spawn\", or leave it out", 1)
    end
end

---@class rig.Pool
local Pool = { __name = "rig.pool" }
Pool.__index = Pool

-- Calls a method of the pool underneath. What is wrong with its items is the caller's mistake; what an iterator of the
-- script's raises says itself where.
local function call(self, name, method, items, ...)
    if not self.pool then mistake.raise(("pool:%s: the pool is closed"):format(name), 1) end
    local problem = items_of.problem(items)
    if problem then mistake.raise(("pool:%s: %s"):format(name, problem), 1) end
    local answer = table.pack(pcall(method, self.pool, items, ...))
    if answer[1] then return table.unpack(answer, 2, answer.n) end
    local text, ours = answer[2], false
    if type(text) == "string" then text, ours = trace.strip(text) end
    if not ours then error(text, 0) end
    mistake.raise(("pool:%s: %s"):format(name, text), 1)
end

-- Those that ended a task; attempts that were followed by another are in the report, too.
local function last_ones(failures)
    local list = {}
    for _, one in ipairs(failures) do
        if not one.retried then list[#list + 1] = one end
    end
    return list
end

---Maps the items over the workers. Raises after all tasks have ended if any of them did not end ok: an error value with
---`failures` (the first 50 to 100), `results` (those that there are) and `report`; its text names the first failure.
---@param items table|integer|function a list, n for 1..n, or an iterator
---@return table results results[i] for item i
---@return integer n how many there are, as a result may be nil
function Pool:map(items)
    local results, report, code = call(self, "map", self.pool and self.pool.run, items)
    if not results then
        error(failure.new { message = report, code = code }, 0)
    end
    local bad = report.n - report.outcomes.ok
    if bad > 0 then
        error(failure.new { failures = last_ones(report.failures), results = results, report = report, count = bad }, 0)
    end
    return results, report.n
end

-- Tasks under way in a lazy map, where nothing else is asked for: enough for the shortest tasks, and little memory.
local AHEAD, AHEAD_BYTES = 16384, 16 << 20

local function raise_failure(one) error(failure.of_task(one), 0) end

local function lazily(self, name, items, options, ordered)
    options = options or {}
    for key, value in pairs(options) do
        if key ~= "ahead" and key ~= "ahead_bytes" then
            mistake.raise(("pool:%s: no option '%s'; %s"):format(name, tostring(key),
                names.suggest(key, { "ahead", "ahead_bytes" })), 1)
        elseif math.type(value) ~= "integer" or value < 1 then
            mistake.raise(("pool:%s: %s = %s is no whole number from 1 on"):format(name, key, tostring(value)), 1)
        end
    end
    local ahead, bytes = options.ahead or AHEAD, options.ahead_bytes or AHEAD_BYTES
    local each, handle, code = call(self, name, self.pool and self.pool.lazy, items, ordered, ahead, bytes,
        raise_failure)
    if not each then error(failure.new { message = handle, code = code }, 0) end
    return each, nil, nil, handle
end

---Maps the items lazily: `for i, value in pool:imap(items) do`. Items are asked for, and results kept, only as far
---ahead as `options` say, so the source may have no end. A task that failed raises when its turn comes; the
---iterator may be called again after that. Leaving the loop gives up what has not ended.
---@param items table|integer|function
---@param options? { ahead?: integer, ahead_bytes?: integer } tasks, and about how many bytes of items and results, that
---  are under way or wait to be taken; 16,384 and 16 MiB
---@return fun(): integer?, any  gives the number of the item and its value, in the order of the items
---@return nil
---@return nil
---@return any handle
function Pool:imap(items, options)
    return lazily(self, "imap", items, options, true)
end

---The same in the order in which tasks end.
---@param items table|integer|function
---@param options? { ahead?: integer, ahead_bytes?: integer }
---@return fun(): integer?, any
---@return nil
---@return nil
---@return any handle
function Pool:imap_unordered(items, options)
    return lazily(self, "imap_unordered", items, options, false)
end

local function check_item(self, name, item)
    if not self.pool then mistake.raise(("pool:%s: the pool is closed"):format(name), 1) end
    if item == nil then mistake.raise(("pool:%s: give an item; nil is none"):format(name), 1) end
end

-- Raises for an item that cannot cross.
local function hand_in(name, fine, ...)
    if fine then return ... end
    mistake.raise(("pool:%s: %s"):format(name, (trace.strip(trace.text((...))))), 1)
end

---Runs one task and waits for it.
---@param item any
---@return any value; raises where the task failed
function Pool:apply(item)
    check_item(self, "apply", item)
    local ok, value, code = hand_in("apply", pcall(self.pool.apply, self.pool, item))
    if ok then return value end
    if ok == nil then error(failure.new { message = value, code = code }, 0) end
    raise_failure(value)
end

---Hands in one task. It goes on while the pool is used in whatever way; nothing does while it is not.
---@param item any
---@return rig.Future? future
---@return string? message
---@return string? code
function Pool:submit(item)
    check_item(self, "submit", item)
    return hand_in("submit", pcall(future.submit, self, item))
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

---Lets submitted tasks and the workers finish, and reaps these. May be called again.
---@return true? ended well
---@return string? message what `finish` raised in a worker
---@return string? code
function Pool:close()
    local pool = self.pool
    if pool then pool:drain() end
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

-- Where an error leaves the scope, nobody waits for what was submitted.
function Pool:__close(problem)
    if problem ~= nil then self:terminate() else self:close() end
end
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
    check("workers", spec.workers, math.type(spec.workers) == "integer" and spec.workers >= 1)
    check("max_tasks", spec.max_tasks, math.type(spec.max_tasks) == "integer" and spec.max_tasks >= 1)
    check("retry", spec.retry, math.type(spec.retry) == "integer" and spec.retry >= 0 and spec.retry <= RETRY_MAX)
    check("timeout", spec.timeout, type(spec.timeout) == "number" and spec.timeout > 0)
    local resolved = resolve(spec)
    local is_spawn = resolved.start == "spawn"
    check_functions(spec, is_spawn)
    local p, seed = spec.p or {}, spec.seed or 1
    local serial = resolved.preset == "serial"
    local fixed = spec.fixed
    if resolved.delivery == "shm" then
        local fine, placed, message, code = pcall(core.place, fixed, is_spawn)
        if not fine then mistake.raise("rig.pool: " .. trace.strip(trace.text(placed))) end
        if not placed then return nil, message, code end
        fixed = placed
    end
    local options = {
        workers = serial and 1 or spec.workers or core.cores(), map = spec.map, init = spec.init, finish = spec.finish,
        fixed = fixed, p = p, timeout = spec.timeout, max_tasks = spec.max_tasks,
        retry = spec.retry ~= 0 and spec.retry or nil, job = is_spawn and spawned.of_module(spec, seed) or nil,
        worker = (serial and worker.here or worker.factory)(seed, 0, p),
    }
    local count = options.workers
    local fine, pool, message, code = pcall(pools.start, resolved, options)
    if not fine then mistake.raise("rig.pool: " .. trace.strip(trace.text(pool))) end
    if not pool then return nil, message, code end
    return setmetatable({ pool = pool, what = ("%d workers (%s)"):format(count, resolved.preset) }, Pool)
end

return M
