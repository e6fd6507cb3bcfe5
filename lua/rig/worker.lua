--- `w`, what a worker's hooks are handed: its number, the parameters, its state, and random numbers that depend on
--- the case and the item, never on which worker took it.
--- Not for running tasks: the pools do that; they set `w.index` before each task and `w.state` once.
--- Neighbours: case.lua and pools/init.lua make the factory, core.pool, pools/serial and pools/custom call it.

local collector = require "rig.collector"
local core = require "rig.core"
local metric = require "rig.metric"

local M = {}

---@class rig.Worker
---@field id integer    number of the worker, from 1
---@field p table       the case's parameters, read-only
---@field state any     what `init` returned
---@field index integer number of the item, from 1
---@field rng any       random numbers, seeded by case and item

local function new(seed, case_index, p, id)
    local rng, current
    -- rng stays out of the table itself, so that reading it always passes here and is seeded afresh for each task;
    -- tasks that never ask for it pay nothing. The index moves out as well: once it stands there again, another task
    -- has begun, be it of the same number.
    local function get(w, name)
        if name == "index" then return current end
        if name ~= "rng" then return nil end
        local index = rawget(w, "index")
        if index ~= nil or rng == nil then
            rng, current, w.index = core.rng(seed, case_index, index or 0), index, nil
        end
        return rng
    end
    return setmetatable({ id = id, p = p }, { __index = get })
end

---What makes `w` in each worker process.
---@param seed integer
---@param case_index integer
---@param p table
---@param gc? string what to do about Lua's collector
---@param pinned? boolean each worker stays on one of the processors that this process may use, in turn
---@return fun(id: integer): rig.Worker
function M.factory(seed, case_index, p, gc, pinned)
    local cpus = pinned and core.cpus() or {}
    return function(id)
        metric.forbid()
        -- one that went away meanwhile is no reason not to work
        if #cpus > 0 then core.pin(cpus[(id - 1) % #cpus + 1]) end
        collector.in_worker(gc)
        core.worker_print(id)
        return new(seed, case_index, p, id)
    end
end

---What makes `w` for tasks that run in the coordinator itself.
---@param seed integer
---@param case_index integer
---@param p table
---@return fun(id: integer): rig.Worker
function M.here(seed, case_index, p)
    return function(id) return new(seed, case_index, p, id) end
end

return M
