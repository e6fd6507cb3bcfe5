-- Workers killed, stopped and continued at random moments of their lives, under every preset that has processes, with
-- maps, lazy maps and futures. Whatever happens: no task is lost, none ends twice, none begins twice, what is
-- given back is right, and nothing is left. Not for what one certain fault leads to: tests/lua/test_fault_table.lua.
-- RIG_SEED repeats the choices (the moments are the machine's); RIG_CHAOS_KILLS is how many kills, 2,000 when not said.

local lu = require "luaunit"
local core = require "rig.core"
local rig = require "rig"
local rigtest = require "rigtest"

package.path = rigtest.source "tests/chaos/?.lua;" .. package.path
local jobs = require "chaos_jobs"
local killer = require "killer"

local sanitized = (os.getenv "RIG_SANITIZE" or "") ~= ""
local KILLS = math.tointeger(tonumber(os.getenv "RIG_CHAOS_KILLS" or "")) or
    os.getenv "RIG_FULL" and 100000 or sanitized and 300 or 2000
local SEED = math.tointeger(tonumber(os.getenv "RIG_SEED" or "")) or core.now_ns() % 1000000000
print(("chaos: %d kills, RIG_SEED=%d"):format(KILLS, SEED))

-- Failures above a hundred are counted only, so a map has no more tasks than that.
local TASKS_MAX, WORKERS_MAX = 100, 4
local TIMEOUT_S = sanitized and 2 or 0.5

-- Two workers at once never write to the same element: of one number there is one worker at a time.
local begun = core.shared_array("u8", TASKS_MAX * WORKERS_MAX, 0)
local LOG = "begun"

local function note_begun(item, w)
    local at = (item - 1) * WORKERS_MAX + w.id
    begun[at] = begun[at] + 1
end

local function forget_begun()
    begun:fill(0)
    rigtest.write(LOG, "")
end

-- How often each task has begun.
local function count_begun()
    local counts = {}
    for item = 1, TASKS_MAX do
        counts[item] = 0
        for id = 1, WORKERS_MAX do counts[item] = counts[item] + begun[(item - 1) * WORKERS_MAX + id] end
    end
    for item in rigtest.read(LOG):gmatch "(%d+)\n" do
        item = tonumber(item)
        counts[item] = counts[item] + 1
    end
    return counts
end

-- The three ways to have tasks run. Each gives the results, the failure of each task that has one, and why the pool
-- gave up, if it did.
local HOW = {}

function HOW.map(pool, n)
    local fine, got, count = pcall(pool.map, pool, n)
    if fine then
        lu.assertEquals(count, n)
        return got, {}
    end
    local failures = {}
    for _, one in ipairs(got.failures) do
        lu.assertNil(failures[one.task], "a task that ended twice")
        failures[one.task] = one
    end
    if got.report then
        local outcomes, sum = got.report.outcomes, 0
        for _, how_many in pairs(outcomes) do sum = sum + how_many end
        lu.assertEquals({ got.report.n, sum }, { n, n })
    end
    return got.results, failures, not got.report and tostring(got) or nil
end

local function lazily(method, pool, n)
    local results, failures = {}, {}
    local fine, each, _, _, handle = pcall(method, pool, n)
    if not fine then return results, failures, tostring(each) end
    local _ <close> = handle
    while true do
        local ok, i, value = pcall(each)
        if ok and i == nil then return results, failures end
        local one = not ok and i.failures and i.failures[1]
        if not ok and not one then return results, failures, tostring(i) end
        local task = ok and i or one.task
        lu.assertTrue(results[task] == nil and failures[task] == nil, "a task that ended twice")
        if ok then results[task] = value else failures[task] = one end
    end
end

function HOW.imap(pool, n) return lazily(pool.imap, pool, n) end
function HOW.imap_unordered(pool, n) return lazily(pool.imap_unordered, pool, n) end

function HOW.submit(pool, n)
    local futures, results, failures = {}, {}, {}
    for i = 1, n do
        local message
        futures[i], message = pool:submit(i)
        if not futures[i] then return results, failures, message end
    end
    for i = 1, n do
        local ok, value = pcall(futures[i].get, futures[i])
        if ok then
            results[i] = value
        elseif value.failures[1] then
            failures[i] = value.failures[1]
        else
            return results, failures, tostring(value)
        end
    end
    return results, failures
end

local NAMES = { "map", "map", "imap", "imap_unordered", "submit" }

-- What must hold for each task, whatever was killed.
local function check_tasks(n, sum, p, results, failures, gave_up, what)
    local counts, bad = count_begun(), 0
    for task = 1, TASKS_MAX do
        local value, failure, where = results[task], failures[task], ("%s, task %d"):format(what, task)
        lu.assertTrue(counts[task] <= 1, where .. " began twice")
        if task > n then
            lu.assertTrue(value == nil and failure == nil and counts[task] == 0, where .. " is none")
        elseif value ~= nil then
            lu.assertNil(failure, where .. " has a result and a failure")
            lu.assertEquals(counts[task], 1, where .. " has a result and never began")
            local wanted = jobs.value(task, sum, p.seed)
            lu.assertTrue(value[1] == wanted[1] and value[2] == wanted[2] and value[3] == wanted[3], where .. ": wrong")
        elseif failure then
            bad = bad + 1
            local kind = failure.outcome
            local known = kind == "died" and failure.signal == 9 or kind == "timeout" or kind == "cancelled" and gave_up
            lu.assertTrue(known, ("%s: %s, signal %s, exit %s, %s"):format(where, kind, failure.signal, failure.exit,
                failure.message))
        else
            lu.assertNotNil(gave_up, where .. " is lost")
        end
    end
    return bad
end

-- A pool may give up for one reason only.
local function check_gave_up(message, what)
    lu.assertStrContains(message, "3 workers in a row ended before their first task", false, false, what)
end

local function open(preset, rng, p)
    local array = core.array("i64", rng:int(1, 100) == 1 and 500000 or rng:int(1, 20000), 3)
    local spec = { workers = rng:int(2, WORKERS_MAX), fixed = array, p = p, timeout = TIMEOUT_S,
        chunk = ({ 1, 3, "auto" })[rng:int(1, 3)] }
    for key, value in pairs(preset) do spec[key] = value end
    if rng:int(1, 4) == 1 then spec.max_tasks = rng:int(1, 40) end
    if spec.preset == "spawn" then
        spec.module, spec.map = "chaos_jobs", "map"
    else
        spec.map = jobs.runner(note_begun)
    end
    local pool, message = rig.pool(spec)
    return pool, #array * 3, message
end

local totals

local function one_pool(preset, rng, name)
    local p = { seed = rng:int(1, 1000), spin_s = rng:int(0, 3) * 0.0001, log = LOG }
    local pool, sum, message = open(preset, rng, p)
    if not pool then -- a fresh process may be killed before it has said that it is one
        lu.assertEquals(preset.preset, "spawn", name .. ": " .. message)
        lu.assertStrContains(message, "was ended by signal 9 while it started", false, false, name)
        totals.unstarted = totals.unstarted + 1
        return
    end
    for _ = 1, rng:int(1, 4) do
        local how, n = NAMES[rng:int(1, #NAMES)], rng:int(1, TASKS_MAX)
        forget_begun()
        local what = ("%s, %s of %d"):format(name, how, n)
        local results, failures, gave_up = HOW[how](pool, n)
        if gave_up then check_gave_up(gave_up, what) end
        totals.tasks = totals.tasks + n
        totals.bad = totals.bad + check_tasks(n, sum, p, results, failures, gave_up, what)
        if gave_up then
            totals.gave_up = totals.gave_up + 1
            break
        end
    end
    if rng:int(1, 3) == 1 then pool:terminate() else pool:close() end
end

-- What may be left by nobody: compared before and after each pool, with nobody being killed.
local function settled()
    collectgarbage()
    collectgarbage()
    return rigtest.inventory.all()
end

local function check_preset(label, share, gap_s, preset)
    totals = { tasks = 0, bad = 0, gave_up = 0, unstarted = 0 }
    local seed = SEED + #label * 1000 + label:byte(1, -1)
    local rng = core.rng("chaos", seed, label)
    local goal = math.max(1, KILLS * share // 100)
    local hunter <close> = killer.start(seed, goal, gap_s)
    local round, before = 0, settled()
    while not hunter:is_done() do
        round = round + 1
        local name = ("RIG_SEED=%d, %s, round %d"):format(SEED, label, round)
        hunter:loose(round)
        one_pool(preset, rng, name)
        hunter:pause()
        if round % 5 == 0 then lu.assertEquals(settled(), before, name) end
    end
    os.remove(LOG)
    print(("chaos: %-8s %6d kills, %4d stops (%d left so), %6d pools (%d gave up, %d did not start), %7d tasks, " ..
        "%d of them died or were late"):format(label, hunter:count(killer.KILLS), hunter:count(killer.STOPS),
        hunter:count(killer.LEFT), round, totals.gave_up, totals.unstarted, totals.tasks, totals.bad))
end

TestWorkers = {}

for _, one in ipairs {
    { "builtin", 20, 0.01, { preset = "builtin" } },
    { "shm", 20, 0.01, { preset = "shm" } },
    { "custom", 15, 0.01, { preset = "custom" } },
    { "queue", 15, 0.01, { preset = "builtin", channel = "queue", delivery = "queue" } },
    { "pipe", 10, 0.01, { preset = "builtin", channel = "pipe", delivery = "send" } },
    { "spawn", 10, 0.03, { preset = "spawn" } },
    { "per_task", 10, 0.01, { preset = "per_task" } },
} do
    TestWorkers[("test_no_task_is_lost_or_doubled_and_nothing_left_%s"):format(one[1])] = function()
        check_preset(table.unpack(one))
    end
end

os.exit(lu.LuaUnit.run())
