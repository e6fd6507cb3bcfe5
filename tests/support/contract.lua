--- What the contract tests of pools run over: every combination of axes that axes.lua allows, every preset, and pool
--- types written in Lua. Also what some of them cannot do, with the reason: it is printed, never passed over.
--- Not for pools of core.pool: pooltest.lua. Neighbours: contract_jobs.lua (the tasks), tests/lua/test_contract*.lua.

local lu = require "luaunit"
local axes = require "rig.axes"
local core = require "rig.core"
local jobs = require "contract_jobs"
local rig = require "rig"
local rigtest = require "rigtest"

local M = { jobs = jobs, HANG_S = 60, full = os.getenv "RIG_FULL" ~= nil }

-- ---- subjects: one for each pool that there is ---------------------------------------------------------------------

---@class contract.Subject
---@field name string
---@field spec table        what it adds to the options of rig.pool
---@field made rig.Axes     what it is made of
---@field kind "combination"|"preset"|"type"
---@field spawns boolean

local AXES = { "start", "delivery", "channel", "impl" }

local function values_of(name)
    if name == "impl" then return { "c", "lua" } end
    return axes.available(axes.axis[name].values)
end

-- Every choice of one value for each of these axes.
local function product(at, chosen, found)
    local name = AXES[at]
    if not name then
        found[#found + 1] = { table.unpack(chosen) }
        return found
    end
    for _, value in ipairs(values_of(name)) do
        chosen[at] = value
        product(at + 1, chosen, found)
    end
    return found
end

local function add(list, name, kind, spec)
    local pool = assert(axes.check_pool(spec.preset or {
        base = "builtin", start = spec.start, delivery = spec.delivery, channel = spec.channel, impl = spec.impl,
    }))
    local made, problem, remedy = axes.resolve(pool, {})
    if not made then return problem, remedy end
    list[#list + 1] = {
        name = name, kind = kind, spec = spec, made = made, spawns = made.start == "spawn",
    }
end

M.subjects, M.refused = {}, {}

for _, chosen in ipairs(product(1, {}, {})) do
    local spec, words = {}, {}
    for i, name in ipairs(AXES) do
        spec[name] = chosen[i]
        words[i] = name .. "=" .. chosen[i]
    end
    local name = table.concat(words, " ")
    local problem, remedy = add(M.subjects, name, "combination", spec)
    if problem then
        M.refused[#M.refused + 1] = { name = name, spec = spec, problem = problem, remedy = remedy }
    end
end
M.combinations = #M.subjects
for _, preset in ipairs(axes.presets) do
    if not preset.later and not preset.own then
        assert(add(M.subjects, "preset=" .. preset.name, "preset", { preset = preset.name }) == nil)
    end
end

local by_turns = require "own_type"
by_turns.name, by_turns.about = "by_turns", "one task at a time to whoever is free"
rig.pool_type(by_turns)
dofile(rigtest.source "scenarios/own_pool.lua")         -- declares the pool type `dealt`
for _, name in ipairs { "by_turns", "dealt" } do
    assert(add(M.subjects, "type=" .. name, "type", { preset = name }) == nil)
end

-- ---- what some of them cannot do -----------------------------------------------------------------------------------

local function is(preset) return function(s) return s.made.preset == preset end end
local function in_lua(s) return s.made.impl == "lua" end

--- What a test may need of a pool, and who does not have it, and why.
M.EXCEPTIONS = {
    { needs = "processes", who = is "serial",
      because = "runs its tasks in the process that asks: none is there to end, to be replaced or to be 64 of" },
    { needs = "background", who = in_lua,
      because = "runs submitted tasks when one of them is waited for: until then none is sent or running, and " ..
          "a wait lasts until all have ended" },
    { needs = "streaming", who = in_lua,
      because = "goes through a lazy map in portions, whose results come all at once and in order" },
    { needs = "running numbers", who = in_lua,
      because = "numbers the tasks of each portion of a lazy map, and of what is submitted, from 1 again: so " ..
          "do w.index and w.rng" },
    { needs = "renewal", who = function(s) return s.made.preset == "serial" or s.kind == "type" end,
      because = "has no max_tasks: serial has no workers, a pool type of a script's own starts its workers itself" },
    { needs = "replacement", who = is "dealt",
      because = "hands out all tasks beforehand and starts nobody in the place of a worker that died: its share " ..
          "is lost" },
    { needs = "sources that raise", who = function(s) return s.kind == "type" end,
      because = "has a map that is left by what the source raises, with answers under way: it is not used again" },
    { needs = "own encoding", who = function(s) return s.kind == "type" end,
      because = "puts items into its pipes itself, so one that cannot cross raises in its map" },
    { needs = "idle deaths", who = is "by_turns",
      because = "notices that a worker has gone by the end of its pipe, once it has handed it a task" },
    { needs = "chunks", who = function(s) return s.made.preset == "serial" or s.kind == "type" end,
      because = "sends no messages of tasks, or does not declare the axis chunk" },
    { needs = "few processes", who = is "per_task", because = "forks for each message of tasks" },
}

local exception_of = {}
for _, one in ipairs(M.EXCEPTIONS) do exception_of[one.needs] = one end

local told = {}

-- Once for each reason, with all whom it concerns in this test.
local function tell(test, needs, who)
    local line = ("%s needs %s: %s %s"):format(test, needs, table.concat(who, "; "), exception_of[needs].because)
    if told[line] then return end
    told[line] = true
    io.stderr:write("exception: ", line, "\n")
end

local function lacks(subject, needs)
    for _, need in ipairs(needs) do
        local one = assert(exception_of[need], need)
        if one.who(subject) then return need end
    end
end

local function describe(subject, problem)
    if type(problem) == "table" and problem.msg then
        return ("%s: %s"):format(subject.name, problem.msg)
    end
    return ("%s: %s"):format(subject.name, tostring(problem))
end

-- What a sample of them must have each of once.
local function values(subject)
    local list = { "preset=" .. subject.made.preset }
    for _, name in ipairs(AXES) do list[#list + 1] = name .. "=" .. tostring(subject.made[name]) end
    return list
end

local function tell_sample(test, chosen, list)
    local names = {}
    for i, subject in ipairs(chosen) do names[i] = subject.name end
    io.stderr:write(("sample: %s: under valgrind %d of %d pools: %s\n"):format(test, #chosen, #list,
        table.concat(names, "; ")))
end

-- For whoever looks for a mistake by hand: only pools with this in their names, each named before it is tried.
local only = os.getenv "RIG_CONTRACT"

---Calls f for every pool that has what the test needs, and says who has not and why. All are tried before it fails.
---Under valgrind, for a sample of them, which it says too.
---@param test string its name, for what is said
---@param needs string[] of M.EXCEPTIONS
---@param f fun(subject: contract.Subject)
function M.each(test, needs, f)
    local having, problems, without = {}, {}, {}
    for _, subject in ipairs(M.subjects) do
        local is_wanted = not only or subject.name:find(only, 1, true)
        local need = is_wanted and lacks(subject, needs)
        if need then
            without[need] = without[need] or {}
            table.insert(without[need], subject.name)
        elseif is_wanted then
            having[#having + 1] = subject
        end
    end
    local chosen = rigtest.valgrind and not only and rigtest.sample(having, values, test) or having
    if #chosen < #having then tell_sample(test, chosen, having) end
    for _, subject in ipairs(chosen) do
        if only then io.stderr:write(test, ": ", subject.name, "\n") end
        local fine, problem = pcall(f, subject)
        if not fine then problems[#problems + 1] = describe(subject, problem) end
    end
    for _, need in ipairs(needs) do
        if without[need] then tell(test, need, without[need]) end
    end
    if #problems > 0 then lu.fail(("%d pools:\n%s"):format(#problems, table.concat(problems, "\n"))) end
end

-- ---- pools ---------------------------------------------------------------------------------------------------------

---Opens a pool of this kind over tasks of contract_jobs, two workers unless `spec` says otherwise.
---@param subject contract.Subject
---@param spec? table options of rig.pool; map, init and finish are names of functions of contract_jobs
---@return rig.Pool
function M.open(subject, spec)
    local options = { workers = 2, map = "play" }
    for name, value in pairs(spec or {}) do options[name] = value end
    for name, value in pairs(subject.spec) do options[name] = options[name] == nil and value or options[name] end
    if subject.spawns then
        options.module = "contract_jobs"
    else
        for _, name in ipairs { "map", "init", "finish" } do options[name] = jobs[options[name]] end
    end
    return assert(rig.pool(options))
end

---Whether a pool of this kind can have this value of an axis.
function M.takes(subject, axis, value)
    local pool = axes.check_pool { base = subject.spec.preset or "builtin", [axis] = value }
    return pool ~= nil
end

---Maps; what is raised comes back instead.
---@return table results
---@return table? failure
function M.map(pool, items)
    local fine, got = pcall(pool.map, pool, items)
    if fine then return got end
    if type(got) ~= "table" then error(got, 0) end
    return got.results, got
end

---Waits until condition() is true; fails when it hangs.
function M.wait_until(condition, what)
    local deadline = core.now() + M.HANG_S
    while not condition() do
        if core.now() > deadline then error("hung: " .. what, 2) end
        core.sleep(0.002)
    end
end

---Lines of a file; none where there is no file. The file is removed.
function M.lines(path)
    local list, file = {}, io.open(path)
    if not file then return list end
    for line in file:lines() do list[#list + 1] = line end
    file:close()
    os.remove(path)
    return list
end

local Counter = {}
Counter.__index = Counter
Counter.__close = function(self) self:close() end

---Counts how often each of n tasks is begun, in whatever process: `p` is for the pool.
---@param subject contract.Subject
---@param n integer
---@param workers? integer
function M.counter(subject, n, workers)
    local self = setmetatable({ n = n, workers = workers or 2 }, Counter)
    if subject.spawns then -- whose arguments are copies
        self.path = "begun"
        self.p = { begun = self.path }
    else
        self.cells = core.shared_array("u8", n * self.workers, 0)
        self.p = { cells = self.cells, n = n }
    end
    return self
end

---How often each task was begun; from 0 again afterwards.
---@return integer[]
function Counter:take()
    local counts = {}
    for i = 1, self.n do counts[i] = 0 end
    if self.path then
        for _, line in ipairs(M.lines(self.path)) do
            local index = math.tointeger(tonumber(line))
            counts[index] = (counts[index] or 0) + 1
        end
        return counts
    end
    for at = 1, #self.cells do
        local i = (at - 1) % self.n + 1
        counts[i] = counts[i] + self.cells[at]
        self.cells[at] = 0
    end
    return counts
end

---Every task was begun once; those in `others` so often as that says.
---@param others? table<integer, integer>
function Counter:check(others)
    local wrong = {}
    for i, count in ipairs(self:take()) do
        local wanted = others and others[i] or 1
        if count ~= wanted then wrong[#wrong + 1] = ("task %d was begun %d times, not %d"):format(i, count, wanted) end
    end
    lu.assertEquals(table.concat(wrong, ", "), "")
end

---How many were begun, whatever their numbers.
---@return integer
function Counter:total()
    local sum = 0
    for _, count in ipairs(self:take()) do sum = sum + count end
    return sum
end

function Counter:close()
    if self.path then os.remove(self.path) end
    if self.cells then self.cells:close() end
    self.cells = nil
end

---The pids of the workers.
function M.pids(pool)
    local list = {}
    for _, worker in ipairs(pool:stats().workers) do list[#list + 1] = worker.pid end
    return list
end

---n items that do this, except those of `others`.
---@param n integer
---@param others? table<integer, table>
function M.twices(n, others)
    local list = {}
    for i = 1, n do list[i] = others and others[i] or { act = "twice", value = i } end
    return list
end

---Results of twices, without those of `others`.
function M.check_twices(results, n, others, name)
    for i = 1, n do
        local wanted = not (others and others[i]) and 2 * i or nil
        if results[i] ~= wanted then
            lu.fail(("%sresult %d is %s, not %s"):format(name and name .. ": " or "", i, tostring(results[i]),
                tostring(wanted)))
        end
    end
end

return M
