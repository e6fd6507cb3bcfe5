--- The job of a pool with start = spawn: what the coordinator says of it, as plain values, and how a worker, which is
--- a fresh process, makes functions of that again: it loads the scenario anew, or requires a module, and takes the
--- functions by their names.
--- Not for starting anything: core.pool does, and calls `open` in each worker.
--- Neighbours: case.lua and library.lua describe; scenario, worker and readonly do the work.

local boards = require "rig.faults.board"
local inside = require "rig.faults.inside"
local names = require "rig.names"
local readonly = require "rig.readonly"
local scenario = require "rig.scenario"
local worker = require "rig.worker"

local M = {}

---@class rig.SpawnedJob
---@field kind "scenario"|"module"
---@field p table<string, any>
---@field seed integer
---@field index integer   of the case
---@field file? string    the scenario's
---@field source? string  the very text of this run, whatever has become of the file
---@field gc? string
---@field pin? boolean
---@field module? string
---@field path? string    package.path and package.cpath, where that module is looked for
---@field cpath? string
---@field map? string     the names of its functions
---@field init? string
---@field finish? string
---@field faults? rig.FaultStep[]  that are to happen in the workers
---@field workers? integer         with faults: how many there are

---What the workers of a scenario's case are to do.
---@param s rig.Scenario
---@param case table
---@param seed integer
---@return rig.SpawnedJob?
---@return string? problem
function M.of_scenario(s, case, seed)
    if not (s.file and s.source) then
        return nil, "start = spawn: its workers load the scenario themselves, and this one is no file: a program " ..
            "made it, and its functions cannot cross into a fresh process; put it into a file, or use start = fork"
    end
    return {
        kind = "scenario", file = s.file, source = s.source, p = case.params, seed = seed, index = case.index,
        gc = case.params.gc, pin = case.params.pin,
    }
end

---What the workers of a program's pool are to do.
---@param spec rig.PoolSpec
---@param seed integer
---@return rig.SpawnedJob
function M.of_module(spec, seed)
    return {
        kind = "module", module = spec.module, path = package.path, cpath = package.cpath, map = spec.map,
        init = spec.init, finish = spec.finish, p = spec.p or {}, seed = seed, index = 0,
    }
end

local function open_scenario(job)
    local s, mistake = scenario.load(job.file, job.source, true)
    if not s then error("the scenario cannot be loaded in a worker: " .. tostring(mistake), 0) end
    local p, hooks = readonly.params(job.p), s.hooks
    local functions = {
        map = hooks.map, init = hooks.init, finish = hooks.finish,
        worker = worker.factory(job.seed, job.index, p, job.gc, job.pin),
    }
    if job.faults then functions = inside.arm(functions, job.faults, boards.here(job.workers)) end
    functions.p = p
    return functions
end

local function function_of(module, job, name)
    local wanted = job[name]
    if wanted == nil then return nil end
    local found = module[wanted]
    if type(found) == "function" then return found end
    local known = {}
    for key, value in pairs(module) do
        if type(key) == "string" and type(value) == "function" then known[#known + 1] = key end
    end
    table.sort(known)
    local remedy = #known > 0 and names.suggest(wanted, known) or "it has none"
    error(("module '%s' has no function '%s', which %s names; %s"):format(job.module, wanted, name, remedy), 0)
end

local function open_module(job)
    package.path, package.cpath = job.path, job.cpath
    local module = require(job.module)
    if type(module) ~= "table" then
        error(("module '%s' returns a %s; let it return a table of functions"):format(job.module, type(module)), 0)
    end
    return {
        map = function_of(module, job, "map"), init = function_of(module, job, "init"),
        finish = function_of(module, job, "finish"), p = job.p, worker = worker.factory(job.seed, job.index, job.p),
    }
end

---Called in each worker, in a Lua state in which nothing has been done yet.
---@param job rig.SpawnedJob
---@return { map: function, init: function?, finish: function?, worker: fun(id: integer): rig.Worker, p: table }
function M.open(job)
    if job.kind == "scenario" then return open_scenario(job) end
    return open_module(job)
end

return M
