-- The table of faults: what must happen when something goes wrong, one test a row, for every pool that it fits; where
-- it does not fit one, the reason is printed. Here what a program sees that uses rig.pool; what people see who run the
-- executable is in test_fault_table_cli.lua. Which test shows which row is in tests/README.md.

local lu = require "luaunit"
local core = require "rig.core"
local jobs = require "fault_jobs"
local outside = require "rigtest.outside"
local pooltest = require "pooltest"
local rig = require "rig"
local rigtest = require "rigtest"

local own = rig.pool_type(require "own_type")

-- Every preset, and the channel that no preset has by itself.
local POOLS = {
    serial = { preset = "serial" }, builtin = { preset = "builtin" }, custom = { preset = "custom" },
    shm = { preset = "shm" }, spawn = { preset = "spawn" }, per_task = { preset = "per_task" },
    queue = { preset = "builtin", channel = "queue", delivery = "queue" }, own = { preset = own },
}
local NAMES = { "serial", "builtin", "custom", "shm", "spawn", "per_task", "queue", "own" }

local NO_WORKER = "there is no worker: what ends it ends the run"
local NOTHING_CROSSES = "nothing crosses to another process"

local rows = 0

---Calls f for each pool, but for those that the row cannot be about. Under valgrind, where each takes seconds, for
---every other one, and in the next row for the others.
---@param row string
---@param cannot table<string, string> the reason for each of these
---@param f fun(name: string)
local function each(row, cannot, f)
    rows = rows + 1
    for i, name in ipairs(NAMES) do
        if rigtest.valgrind and (i + rows) % 2 == 0 then
            print(("fault table: %s: not for %s under valgrind: the next row is"):format(row, name))
        elseif cannot[name] then
            print(("fault table: %s: not for %s: %s"):format(row, name, cannot[name]))
        else
            f(name)
        end
    end
end

local function open(name, job, changes)
    local is_spawn = name == "spawn"
    local spec = { workers = 2, map = is_spawn and job or jobs[job], module = is_spawn and "fault_jobs" or nil }
    for key, value in pairs(POOLS[name]) do spec[key] = value end
    for key, value in pairs(changes or {}) do
        if key == "init" and not is_spawn then value = jobs[value] end
        spec[key] = value
    end
    return assert(rig.pool(spec))
end

-- Results, and the failure of each task that has one; with them what was raised.
local function map(pool, items)
    local fine, got = pcall(pool.map, pool, items)
    if fine then return got, {} end
    local failures = {}
    for _, one in ipairs(got.failures or error(got)) do failures[one.task] = one end
    return got.results, failures, got
end

-- Those of `bad` ended as they should, all others ok.
local function check(name, n, results, failures, bad)
    for task = 1, n do
        local wanted, failure = bad[task], failures[task]
        local what = ("%s, task %d"):format(name, task)
        if wanted then
            lu.assertNotNil(failure, what)
            lu.assertEquals(failure.outcome, wanted.outcome, what .. ": " .. tostring(failure.message))
            lu.assertEquals(failure.attempt, 1, what)
            if wanted.text then lu.assertStrContains(failure.message, wanted.text, false, false, what) end
            lu.assertNil(results[task], what)
        else
            lu.assertNil(failure, what .. ": " .. tostring(failure and failure.message))
            lu.assertNotNil(results[task], what)
        end
    end
end

local function begun()
    local counts = {}
    for item in rigtest.read "begun":gmatch "%d+" do
        counts[tonumber(item)] = (counts[tonumber(item)] or 0) + 1
    end
    return counts
end

local function remove(...)
    for _, path in ipairs { ... } do os.remove(path) end
end

TestWorkers = {}

function TestWorkers.test_a_death_in_a_task_is_that_tasks_and_nothing_runs_twice()
    each("death in a task", { serial = NO_WORKER }, function(name)
        local pool <close> = open(name, "death")
        local results, failures = map(pool, 30)
        local bad = {}
        for task in pairs(jobs.DEATHS) do bad[task] = { outcome = "died" } end
        check(name, 30, results, failures, bad)
        local counts = begun()
        for task = 1, 30 do
            lu.assertEquals(counts[task], 1, ("%s, task %d"):format(name, task))
            local death = jobs.DEATHS[task]
            if death then
                lu.assertEquals({ failures[task].signal, failures[task].exit }, { death.signal, death.exit }, name)
                lu.assertTrue(failures[task].pid > 0, name)
            end
        end
        lu.assertEquals(map(pool, 10)[10], 10, name)
        remove "begun"
    end)
end

function TestWorkers.test_initializers_that_fail_end_the_run_with_their_words()
    each("initializer fails", {}, function(name)
        local fine, got = pcall(function()
            local pool <close> = open(name, "echo", { init = "init_fails", workers = 4 })
            return pool:map(10)
        end)
        lu.assertFalse(fine, name)
        lu.assertStrContains(tostring(got), "no such weights", false, false, name)
        if name ~= "serial" and name ~= "own" then
            lu.assertStrContains(tostring(got), "3 workers in a row", false, false, name)
        end
    end)
end

local function idle_pid(pool)
    for _, worker in ipairs(pool:stats().workers) do
        if worker.exit == "running" and worker.pid then return worker.pid end
    end
end

function TestWorkers.test_an_idle_one_that_is_killed_is_noticed_and_the_next_maps_complete()
    each("idle worker killed", { serial = NO_WORKER }, function(name)
        local pool <close> = open(name, "echo")
        assert(pool:wait_ready())
        -- where each has one message of tasks, nobody is idle but before the first
        if name ~= "per_task" then lu.assertEquals(#map(pool, 20), 20, name) end
        local pid = idle_pid(pool)
        local aim = pid and outside.aim(pid, core.getpid())
        lu.assertNotNil(aim, name .. ": no worker to kill")
        outside.hit(aim, 9)
        outside.drop(aim)
        for round = 1, 3 do
            local results, failures = map(pool, 20)
            -- this type hands out tasks without a look at who is there: one goes with the dead, and no other
            local with_it = name == "own" and round == 1 and next(failures)
            check(name, 20, results, failures, { [with_it or 0] = { outcome = "died" } })
        end
    end)
end

local function kill_writer(parent)
    pooltest.wait_until(function() return rigtest.exists "writer" end, "a writer")
    pooltest.stop(parent)
    rigtest.write("go", "")
    core.sleep(0.1)
    os.execute(("kill -KILL %s; kill -CONT %d"):format(rigtest.read "writer", parent))
end

function TestWorkers.test_one_killed_in_the_middle_of_a_large_result_tears_nothing_else()
    each("killed while writing a large result", { serial = NO_WORKER }, function(name)
        local helper <close> = assert(core.fork(kill_writer, core.getpid()))
        local pool <close> = open(name, "large", { chunk = name ~= "own" and 1 or nil })
        local results, failures = map(pool, 20)
        check(name, 20, results, failures, { [5] = { outcome = "died" } })
        lu.assertEquals(failures[5].signal, 9, name)
        for i = 1, 20 do
            lu.assertTrue(i == 5 or results[i] == ("r"):rep(100000) .. i, name)
        end
        lu.assertEquals(assert(helper:wait(pooltest.HANG_S)).exit, 0, name)
        remove("writer", "go")
    end)
end

TestValues = {}

function TestValues.test_an_error_has_its_index_and_the_workers_traceback()
    each("error in map", {}, function(name)
        local pool <close> = open(name, "error")
        local results, failures, raised = map(pool, 12)
        local bad = {}
        for _, task in ipairs { 3, 8 } do bad[task] = { outcome = "error", text = "cannot take " .. task } end
        check(name, 12, results, failures, bad)
        lu.assertStrMatches(failures[8].message, ".-fault_jobs%.lua:%d+: cannot take 8\n" ..
            "  in [^\n]-fault_jobs%.lua:%d+ %([^\n]*raises'%)\n  in [^\n]-fault_jobs%.lua:%d+[^\n]*", nil, nil, name)
        lu.assertStrMatches(tostring(raised), ".*%(item [38]: error%), and 1 more", nil, nil, name) -- who was first
    end)
end

function TestValues.test_what_cannot_cross_is_its_tasks_error_with_the_path()
    each("cannot cross", { serial = NOTHING_CROSSES }, function(name)
        local pool <close> = open(name, "cannot_cross")
        local results, failures = map(pool, 10)
        check(name, 10, results, failures, {
            [3] = { outcome = "error", text = "result.list[2].callback" }, [4] = { outcome = "error", text = "result" },
        })
        if name ~= "own" then
            local items = { 1, { deep = { call = print } }, 5 }
            results, failures = map(pool, items)
            check(name, 3, results, failures, { [2] = { outcome = "error", text = "items[2].deep.call" } })
        end
    end)
end

function TestValues.test_depth_over_a_hundred_is_an_error()
    each("depth over 100", { serial = NOTHING_CROSSES }, function(name)
        local pool <close> = open(name, "deep")
        local results, failures = map(pool, 3)
        check(name, 3, results, failures, { [2] = { outcome = "error" } })
    end)
end

function TestValues.test_cycles_shared_tables_and_numbers_come_back_exactly()
    each("exact values", {}, function(name)
        local pool <close> = open(name, "twist")
        local shared = { 1 }
        local item = {
            shared = shared, again = shared, nan = 0 / 0, inf = 1 / 0, less = -1 / 0, zero = -0.0,
            int = math.mininteger, most = math.maxinteger, bytes = "a\0b\255", large = ("z"):rep(3000000) .. "\0",
        }
        item.self = item
        local results, failures = map(pool, { item })
        check(name, 1, results, failures, {})
        local got = results[1]
        lu.assertEquals({ got.seen[1], got.seen[2] }, { true, "integer" }, name)
        lu.assertTrue(got.self == got and got.shared == got.again, name)
        lu.assertEquals(string.pack("nnnn", got.nan, got.inf, got.less, got.zero),
            string.pack("nnnn", item.nan, 1 / 0, -1 / 0, -0.0), name)
        lu.assertEquals({ got.int, got.most, got.bytes }, { math.mininteger, math.maxinteger, "a\0b\255" }, name)
        lu.assertTrue(got.large == item.large, name)
    end)
end

TestTime = {}

function TestTime.test_an_endless_task_is_a_timeout_and_the_others_complete()
    each("task hangs", {}, function(name)
        local pool <close> = open(name, "loops", { timeout = rigtest.patience(0.5) })
        local results, failures = map(pool, 12)
        check(name, 12, results, failures, { [4] = { outcome = "timeout" } })
    end)
end

function TestTime.test_a_task_that_stands_still_is_a_timeout_and_the_others_complete()
    each("worker stops in a task", { serial = NO_WORKER }, function(name)
        local pool <close> = open(name, "stops", { timeout = rigtest.patience(0.5) })
        local results, failures = map(pool, 12)
        check(name, 12, results, failures, { [4] = { outcome = "timeout" } })
        lu.assertTrue(failures[4].signal == 9 or failures[4].signal == 15, name)
        lu.assertEquals(map(pool, 3)[3], 3, name)
    end)
end

-- Its large item fills all buffers: nobody may wait for it.
function TestTime.test_a_worker_that_reads_no_more_holds_up_nobody()
    each("worker stops reading", { serial = NO_WORKER }, function(name)
        local pool <close> = open(name, "echo", { timeout = rigtest.patience(0.5), chunk = name ~= "own" and 1 or nil })
        assert(pool:wait_ready())
        local aim = outside.aim(idle_pid(pool), core.getpid())
        outside.hit(aim, 19)
        outside.drop(aim)
        local items = {}
        for i = 1, 20 do items[i] = ("i"):rep(2000000) .. i end
        local results, failures = map(pool, items)
        -- this type gives whoever is free a task without a look at who moves: one goes with it, and no other
        local with_it = name == "own" and next(failures) or 0
        check(name, 20, results, failures, { [with_it] = { outcome = "timeout", text = "stood still" } })
        for i = 1, 20 do lu.assertTrue(i == with_it or results[i] == items[i], name) end
    end)
end

local AFTER_A_WHILE = "it is given 10 s to begin; shown by pool_faults"
local WRITTEN_IN_C = { serial = NO_WORKER, builtin = AFTER_A_WHILE, shm = AFTER_A_WHILE, per_task = AFTER_A_WHILE,
    spawn = AFTER_A_WHILE, queue = AFTER_A_WHILE }

function TestTime.test_a_worker_that_stands_still_before_it_holds_the_data_is_replaced()
    each("worker stops before it is ready", WRITTEN_IN_C, function(name)
        local pool <close> = open(name, "sum", {
            timeout = rigtest.patience(0.5), fixed = core.array("i64", 200000, 2),
        })
        local aim = outside.aim(idle_pid(pool), core.getpid())
        outside.hit(aim, 19)
        outside.drop(aim)
        assert(pool:wait_ready())
        local results, failures = map(pool, 12)
        local with_it = name == "own" and next(failures) or 0
        check(name, 12, results, failures, { [with_it] = { outcome = "timeout", text = "stood still" } })
        lu.assertEquals(pool:stats().replaced, 1, name)
    end)
end

TestDelivery = {}

function TestDelivery.test_sixty_four_workers_start_with_data_larger_than_any_pipe()
    each("large fixed data, 64 workers", { serial = "there is one worker" }, function(name)
        local count = (os.getenv "RIG_SANITIZE" or "") ~= "" and 8 or rigtest.many(64, 8)
        local pool <close> = open(name, "sum", { workers = count, fixed = core.array("i64", 200000, 2) })
        assert(pool:wait_ready())
        lu.assertEquals(map(pool, 128)[128], 400000, name)
    end)
end

local GIVEN = { serial = NO_WORKER, builtin = "inherited: nothing is sent", shm = "mapped: nothing is sent",
    per_task = "inherited: nothing is sent", own = "inherited: nothing is sent" }

function TestDelivery.test_what_readers_never_got_is_counted_when_all_are_gone()
    each("readers gone while data is sent", GIVEN, function(name)
        local pool = open(name, "nothing", { workers = 3, fixed = core.array("i64", 4000000, 1) })
        for _, pid in ipairs(outside.children()) do
            local aim = outside.aim(pid, core.getpid())
            if aim then
                outside.hit(aim, 19)
                outside.drop(aim)
            end
        end
        assert(pool:close())
        local stats = pool:stats()
        lu.assertEquals(stats.undelivered.workers, 3, name)
        lu.assertTrue(stats.undelivered.bytes >= 32000000, name)
        for _, worker in ipairs(stats.workers) do
            lu.assertEquals({ worker.exit, worker.ready_s }, { "stopped" }, name)
        end
    end)
end

TestKernel = {}

local function lines(n)
    local items = {}
    for i = 1, n do items[i] = { i, ("text"):rep(i % 10 == 0 and 20000 or i % 50) } end
    return items
end

local function check_lines(name, items, results, failures)
    check(name, #items, results, failures, {})
    for i, item in ipairs(items) do
        local right = results[i][1] == 2 * item[1] and results[i][2] == item[2]:upper()
        lu.assertTrue(right, ("%s, item %d"):format(name, i))
    end
end

function TestKernel.test_a_storm_of_signals_changes_nothing()
    print "fault table: storm of signals: in workers of spawn: not there: a fresh program has no handler for them"
    each("storm of signals", {}, function(name)
        outside.storm(true)
        local fine, problem = pcall(function()
            local pool <close> = open(name, "stormy", { fixed = core.array("i64", 300000, 1) })
            local items = lines(200)
            for _ = 1, 3 do check_lines(name, items, map(pool, items)) end
            assert(pool:close())
        end)
        lu.assertTrue(outside.storm(false) > 0, name)
        lu.assertTrue(fine, problem)
    end)
end

function TestKernel.test_pipes_and_sockets_of_4_kib_change_nothing()
    each("4 KiB pipes", { serial = NOTHING_CROSSES, shm = "rings are memory, of the size that they were made with" },
        function(name)
            local pool <close> = open(name, "stormy", { fixed = core.array("i64", 300000, 1) })
            lu.assertTrue(outside.shrink() > 0, name)
            local items = lines(200)
            check_lines(name, items, map(pool, items))
        end)
end

os.exit(lu.LuaUnit.run())
