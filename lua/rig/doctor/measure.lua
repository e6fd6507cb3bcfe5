--- Everything that `rig doctor` wants to know about this machine, measured within a few seconds: facts, no opinions.
--- Not for judging: judge.lua takes what comes from here. What cannot be measured is left out, with the reason.
--- Neighbours: variation, latency and memory of this folder do the work; env.lua has what need not be measured.

local core = require "rig.core"
local env = require "rig.env"
local latency = require "rig.doctor.latency"
local machine = require "rig.machine"
local memory = require "rig.doctor.memory"
local noise = require "rig.noise"
local proc = require "rig.proc"
local variation = require "rig.doctor.variation"

local M = {}

local ROUNDS_OF = 20
local COPIES_OF = 40
local TRIPS = 400
local FORKS = 9
local BUSIEST = 3

local function ask(path, parse)
    local text = machine.read(path)
    return text and parse(text)
end

local function whole(text) return math.tointeger(tonumber(text:match "%d+")) end

local function limits()
    local found = ask("/proc/self/limits", proc.limits) or {}
    local load = ask("/proc/loadavg", proc.load)
    found.pids_max = ask("/proc/sys/kernel/pid_max", whole)
    found.threads = load and load.threads
    found.pipe_user_pages_soft = ask("/proc/sys/fs/pipe-user-pages-soft", whole)
    -- who may take more resources than users may is not held to the limit of pipes: CAP_SYS_RESOURCE is bit 24
    local capabilities = ask("/proc/self/status", function(text) return tonumber(text:match "CapEff:%s*(%x+)", 16) end)
    found.privileged = capabilities and capabilities & (1 << 24) ~= 0
    return found
end

-- Every process by its number. One command reads them all: there is no listing of folders in here.
local function processes()
    local said = core.exec { "sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null", timeout = 5 }
    local by_pid = {}
    -- a name may hold a line's end; what does not look like a process then is one that is left out
    for line in ((said and said.stdout) or ""):gmatch "[^\n]+" do
        local one = proc.process(line)
        if one then by_pid[one.pid] = one end
    end
    return by_pid
end

--- The names of those that used most processor time between two looks; `me` and what it started are not among them.
--- Of each its own time only: a parent is given that of a child when it reaps it, all at once and whenever the child
--- ran, which may have been before the first look and is the child's own here if it was seen.
---@param before table<integer, table>  proc.process, by number
---@param after table<integer, table>
---@param me integer
---@return { name: string, count: integer, cpu_s: number }[] list  the largest first
function M.busiest(before, after, me)
    local list, by_name = {}, {}
    for pid, one in pairs(after) do
        local was = before[pid]
        local same = was and was.name == one.name
        local used = one.cpu_s - (same and was.cpu_s or 0)
        -- the seconds of a process that was there before but is not known were not used while we looked
        if pid ~= me and one.parent ~= me and used > 0 and (same or not was) then
            local entry = by_name[one.name] or { name = one.name, count = 0, cpu_s = 0 }
            entry.count, entry.cpu_s = entry.count + 1, entry.cpu_s + used
            if entry.count == 1 then list[#list + 1] = entry end
            by_name[one.name] = entry
        end
    end
    table.sort(list, function(a, b)
        if a.cpu_s ~= b.cpu_s then return a.cpu_s > b.cpu_s end
        return a.name < b.name
    end)
    for i = #list, BUSIEST + 1, -1 do list[i] = nil end
    return list
end

-- A step that cannot be done says why and does not keep the others from being done.
local function try(facts, name, fn, ...)
    if core.interrupted() then return end
    local fine, value, problem = pcall(fn, ...)
    if not fine then value, problem = nil, value end
    facts[name] = value
    if value == nil then facts.problems[name] = tostring(problem) end
end

local function measure_parallel(facts, cpus)
    local pair, siblings = variation.pair(cpus, variation.siblings_of)
    local n = facts.alone.work_n
    if #pair > 1 then
        try(facts, "two", variation.copies, n, pair, COPIES_OF)
        if facts.two then facts.two.one_core = siblings end
    end
    -- on two processors two copies are all there is; where they are one core, the two above were it
    if #cpus > 2 then try(facts, "all", variation.copies, n, cpus, COPIES_OF) end
    return pair
end

local function measure_all(facts, step)
    local cpus = core.cpus() or { 0 }
    facts.cpus = cpus
    facts.alone = variation.new()
    local function round()
        step "the same work again and again"
        if not core.interrupted() then variation.round(facts.alone, ROUNDS_OF) end
    end
    round()
    step "two copies of the work at once"
    local pair = measure_parallel(facts, cpus)
    round()
    step "the clock and sleeping"
    try(facts, "clock", latency.clock)
    try(facts, "sleep", latency.sleep, 0.001, 50)
    step "messages to a process that waits"
    try(facts, "trips_same", latency.round_trips, pair[1], pair[1], TRIPS)
    if pair[2] then try(facts, "trips_across", latency.round_trips, pair[1], pair[2], TRIPS) end
    round()
    step "memory"
    local bytes = memory.size(core.memory_available())
    if bytes then
        try(facts, "touch", memory.touch, bytes)
        round()
        step "forks"
        try(facts, "forks", memory.forks, bytes, FORKS)
    else
        facts.problems.touch, facts.problems.forks = "too little memory is free", "too little memory is free"
    end
    round()
end

---@class rig.doctor.Facts
---@field host table            env.host
---@field window table          noise.since, over all of it; busiest, swapped_pages
---@field alone rig.doctor.Alone
---@field two? table            two copies of the work, on two cores where there are
---@field all? table            a copy on every processor, where there are more than two
---@field clock? table
---@field sleep? table
---@field trips_same? number[]  round trips between two processes on one processor
---@field trips_across? number[]
---@field touch? table
---@field forks? table
---@field limits table
---@field problems table<string, string>  why something is not there
---@field cpus integer[]        processors that rig may use

---Measures. Takes three to six seconds, one processor most of the time and all of them for a part of it.
---@param step? fun(text: string) told what is being done
---@return rig.doctor.Facts
function M.run(step)
    local facts = { host = env.host(), problems = {}, limits = limits() }
    local before, swapped, mark = processes(), ask("/proc/vmstat", proc.swapped_pages), noise.mark()
    measure_all(facts, step or function() end)
    facts.window = noise.since(mark)
    facts.window.busiest = M.busiest(before, processes(), core.getpid())
    local now = ask("/proc/vmstat", proc.swapped_pages)
    facts.window.swapped_pages = swapped and now and now - swapped
    facts.host.temperature_c = machine.facts().temperature_c or facts.host.temperature_c
    return facts
end

return M
