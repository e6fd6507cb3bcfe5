--- `require "rig"`: everything that a scenario, or a Lua program that uses rig as a library, may call.
--- Nothing is done here: the primitives are the core's, the language is language.lua's, pools are library.lua's.
--- Neighbours: rig.core (C), language.lua, library.lua (rig.pool), exec.lua, metric.lua, host.lua (rig.run).

local core = require "rig.core"
local exec = require "rig.exec"
local language = require "rig.language"
local library = require "rig.library"
local metric = require "rig.metric"

---@class rig
---@field version string
---@field now fun(): number                           seconds on the monotonic clock
---@field sleep fun(seconds: number)
---@field spin fun(seconds: number)                   keeps this core busy
---@field rng fun(...: integer|string): any           random numbers: r:int(lo, hi), :float(), :normal(), :shuffle(list)
---@field array fun(type: string, n: any, fill?: number): any         packed numbers, private to each process
---@field shared_array fun(type: string, n: any, fill?: number): any  the same in memory that forked processes share
---@field fork fun(fn: function, ...): any            a process that runs fn(...) and never returns from it
---@field pipe fun(): any, any                        reading end, writing end
---@field socketpair fun(): any, any
---@field queue fun(): any                            any number of processes put and get
---@field poll fun(handles: any[], timeout_s?: number): any[]
---@field workload fun(name: string): function        a C function that a host or rig.load registered
---@field cpus fun(): integer[]                       the processors that this process may use
---@field pin fun(cpu: integer|integer[]): boolean?, string?, string?  this process, and what it starts, only there
---@field worker_program fun(path?: string): string?  the executable that start = spawn runs for each worker
---@field fork_with_threads fun(allowed?: boolean): boolean  may this process be copied while it has other threads
---@field load fun(path: string): boolean?, string?, string?  a shared object that exports rig_register
local M = {
    version = core.version, pool = library.pool, exec = exec.run, metric = metric.record,
}

local PRIMITIVES = {
    "now", "sleep", "spin", "rng", "array", "shared_array", "fork", "pipe", "socketpair", "queue", "poll", "workload",
    "load", "cpus", "pin", "worker_program", "fork_with_threads",
}
for _, name in ipairs(PRIMITIVES) do M[name] = core[name] end
for name, fn in pairs(language) do M[name] = fn end

-- `run` brings along all that runs and judges scenarios: a worker that is a fresh process is sooner there without.
-- A misspelt function says so where it is written, and not as a call of nil.
setmetatable(M, {
    __index = function(_, name)
        if name == "run" then
            M.run = require("rig.host").run
            return M.run
        end
        local names, known = require "rig.names", { "run" }
        for key in pairs(M) do known[#known + 1] = key end
        table.sort(known)
        local remedy = names.suggest(name, known)
        require("rig.mistake").raise(("rig.%s: no such function; %s"):format(tostring(name), remedy))
    end,
})

return M
