--- Which pool it is: the one without processes, the one written in Lua, the one of the C core, or a script's own. All
--- have the same methods (wait_ready, run, sample, close, terminate, stats).
--- Not for what the names mean: axes.lua resolves presets before anything comes here.
--- Neighbours: case.lua (scenarios) and library.lua (`rig.pool`).

local axes_of = require "rig.axes"
local core = require "rig.core"
local custom = require "rig.pools.custom"
local one_by_one = require "rig.pools.one_by_one"
local own = require "rig.pools.own"
local serial = require "rig.pools.serial"

local M = {}

--- The code of what a pool cannot be asked for.
M.REFUSED = "EREFUSED"

---@class rig.PoolOptions
---@field workers integer
---@field map fun(item: any, fixed: any, w: rig.Worker): any
---@field init? fun(p: table, fixed: any): any
---@field finish? fun(w: rig.Worker)
---@field fixed any
---@field p table
---@field timeout? number seconds for one task
---@field max_tasks? integer that a worker runs before another takes its place
---@field retry? integer how often a task that failed, took too long or died is tried again
---@field worker fun(id: integer): rig.Worker makes `w`, in the worker
---@field job? rig.SpawnedJob with start = spawn: in the place of map, init, finish, p and worker

---Starts a pool.
---@param axes rig.Axes
---@param options rig.PoolOptions
---@return table? pool
---@return string? message
---@return string? code
function M.start(axes, options)
    local kind = axes_of.type_of(axes)
    local pool, message, code
    options.start, options.delivery, options.channel = axes.start, axes.delivery, axes.channel
    options.chunk = axes.chunk == "auto" and 0 or axes.chunk
    options.barrier, options.max_messages = axes.barrier, axes.max_messages
    if axes.preset == "serial" then
        pool, message, code = serial.new(options)
    elseif kind and options.max_tasks then
        return nil, ("pool %s keeps its workers: rig cannot replace them after max_tasks = %d"):format(axes.preset,
            options.max_tasks), M.REFUSED
    elseif kind and options.retry then
        return nil, ("pool %s hands out its tasks itself: rig cannot try them again, as retry = %d says"):format(
            axes.preset, options.retry), M.REFUSED
    elseif kind then
        pool, message, code = own.new(kind, axes, options)
    elseif axes.impl == "lua" then
        pool, message, code = custom.new(options)
    else
        return core.pool(options)
    end
    if not pool then return nil, message, code end
    return one_by_one.over(pool, options.workers, options.retry)
end

return M
