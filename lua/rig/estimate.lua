--- How long a run may take, before it has begun: the smallest case's data and first items are tried in a process of
--- their own, for a moment, and the rest is arithmetic.
--- Not a measurement, and never in a result. Where it cannot be known it is nil: a body may do anything, even twice.
--- Neighbours: cli.lua prints it, progress.lua counts down from it.

local core = require "rig.core"
local memory = require "rig.memory"
local plan_of = require "rig.plan"
local worker = require "rig.worker"

local M = {}

-- Tried for so long at most, in seconds; and given up, from outside, after so long.
local TRY_S = 0.1
local LIMIT_S = 2

-- What a copy through a channel and a first touch of fresh memory come to on an ordinary machine, in bytes a second.
local COPY_RATE, MAKE_RATE = 1.2e9, 3e9
-- Starting and closing a pool.
local POOL_S = 0.01

local function smallest(plan)
    local best
    for _, case in ipairs(plan.cases) do
        if not best or case.params.size < best.params.size then best = case end
    end
    return best
end

local function each(items)
    return require("rig.pools.items").each(items)
end

-- In the child: what data, items and a task cost.
local function try(plan, case)
    local hooks, p = plan.scenario.hooks, case.p
    local t0 = core.now()
    local fixed = type(hooks.fixed) == "function" and hooks.fixed(p) or hooks.fixed
    local made_s = core.now() - t0
    local w = worker.factory(plan.seed, case.index, p)(1)
    if hooks.init then w.state = hooks.init(p, fixed) end
    local next_item, n = each(type(hooks.items) == "function" and hooks.items(p) or hooks.items)
    local tried, started = 0, core.now()
    for index, item in next_item do
        w.index = index
        hooks.map(item, fixed, w)
        tried = tried + 1
        if core.now() - started > TRY_S then break end
    end
    local spent = core.now() - started
    return { make_s = made_s, bytes = memory.size_of(fixed), n = n, item_s = tried > 0 and spent / tried or 0 }
end

local function child(plan, case, out)
    rawset(_G, "print", function() end) -- nobody wants to read everything twice
    local fine, found = pcall(try, plan, case)
    out:put(fine and found or {})
end

---What a first look at the smallest case shows; nil where it fails or takes too long.
---@param plan rig.Plan
---@return table? found
local function probe(plan, case)
    if plan.scenario.hooks.body or plan.scenario.hooks.setup then return nil end
    local from, to = core.pipe()
    if not from then return nil end
    local proc = core.fork(child, plan, case, to)
    to:close()
    local found = proc and from:get(LIMIT_S)
    if proc then proc:stop(0) end
    from:close()
    return found and found.item_s and found or nil
end

local function seconds_of(case, found, smallest_size)
    local params, axes = case.params, case.axes
    local growth = smallest_size > 0 and params.size / smallest_size or 1
    local bytes = (found.bytes or 0) * growth
    local workers = math.min(params.workers, core.cores())
    local maps = (params.iterations + params.warmup) * (found.n or 1) * found.item_s / workers
    local copied = plan_of.estimate_memory(case, bytes) - bytes
    local pool = axes.preset == "serial" and 0 or POOL_S
    return bytes / MAKE_RATE + (bytes == 0 and found.make_s or 0) + maps + copied / COPY_RATE + pool
end

---Seconds for each case.
---@param plan rig.Plan
---@return number[]? seconds nil where it cannot be told
---@return number? total
function M.run(plan)
    local case = smallest(plan)
    local fine, found = pcall(probe, plan, case)
    if not fine or not found then return nil end
    local list, total = {}, 0
    for i, one in ipairs(plan.cases) do
        list[i] = seconds_of(one, found, case.params.size)
        total = total + list[i]
    end
    return list, total
end

return M
