-- Workers that are fresh processes (start = spawn): scenarios give what they give with forked workers, because each
-- worker loads the very source of the run; nothing else of the coordinator is in them; what cannot cross is refused
-- with the reason. The same from C, and every axis: tests/unit/test_pool_spawn.c.

local lu = require "luaunit"
local core = require "rig.core"
local rig = require "rig"
local pooltest = require "pooltest"
local rigtest = require "rigtest"

-- Writes a scenario into the working directory, runs it here, and gives the document.
local function run(body, params)
    rigtest.write("fresh.lua", 'local rig = require "rig"\n' .. body)
    local doc, problem = rig.run("fresh.lua", { params = params })
    os.remove "fresh.lua"
    return assert(doc, tostring(problem))
end

local function first(doc)
    return doc.cases[1].iterations[1].result
end

local function assert_passed(doc)
    for _, case in ipairs(doc.cases) do
        local failure = case.errors[1]
        lu.assertEquals({ case.label, case.status, failure and failure.message or case.reason }, { case.label, "ok" })
    end
    lu.assertEquals(doc.exit, 0)
end

TestScenario = {}

function TestScenario.test_every_delivery_and_channel_gives_what_a_fork_gives()
    local doc = run([[
        return rig.scenario {
            workers = 3, iterations = 2, size = 1000, params = { factor = 3, words = { "a", "b" } },
            fixed = function(p) return { rig.array("i64", p.size, 2), name = "fixed" } end,
            init = function(p, fixed) return { sum = fixed[1]:sum() * p.factor, name = fixed.name } end,
            items = 100, chunk = 7,
            map = function(item, fixed, w)
                local s = w.state
                return ("%d %d %d %s %d %s %d"):format(item, #fixed[1], s.sum, s.name, w.index, w.p.words, w.p.size)
            end,
            reduce = function(results, p)
                for i = 1, 100 do
                    local wanted = ("%d 1000 6000 fixed %d %s 1000"):format(i, i, p.words)
                    if results[i] ~= wanted then return results[i] end
                end
                return #results
            end,
            expect = 100,
        }]], {
            pool = "builtin,spawn,spawn+delivery=queue,spawn+delivery=shm,spawn+channel=pipe," ..
                "spawn+delivery=queue+channel=queue,spawn+delivery=shm+channel=queue",
        })
    assert_passed(doc)
    lu.assertEquals(#doc.cases, 14)
end

local RANDOM = [[
    return rig.scenario {
        workers = 2, items = 20, seed = 5,
        map = function(_, _, w) return w.rng:int(1, 1000000) end,
        reduce = function(results) return table.concat(results, " ") end,
    }]]

function TestScenario.test_random_numbers_are_those_of_a_fork()
    local forked, fresh = run(RANDOM, { pool = "builtin" }), run(RANDOM, { pool = "spawn" })
    assert_passed(fresh)
    lu.assertEquals(first(fresh), first(forked))
end

function TestScenario.test_a_worker_reads_the_source_of_the_run_and_not_the_file_again()
    local doc = run [[
        return rig.scenario {
            pool = "spawn", workers = 2, items = 4,
            setup = function() io.open("fresh.lua", "w"):write("this is no Lua"):close() end,
            map = function(item) return item end, reduce = rig.sum, expect = 10,
        }]]
    assert_passed(doc)
end

function TestScenario.test_modules_beside_the_scenario_are_found()
    os.execute "mkdir beside"
    rigtest.write("beside/helper.lua", "return { twice = function(x) return 2 * x end }")
    rigtest.write("beside/fresh.lua", [[
        local rig, helper = require "rig", require "helper"
        return rig.scenario {
            pool = "spawn", workers = 2, items = 4, map = helper.twice, reduce = rig.sum, expect = 20,
        }]])
    local doc = assert(rig.run "beside/fresh.lua")
    os.execute "rm -r beside"
    assert_passed(doc)
end

function TestScenario.test_nothing_that_happened_in_the_coordinator_is_seen()
    local doc = run [[
        local count = 0
        return rig.scenario {
            pool = "spawn", workers = 2, items = function() count = count + 1; return 4 end,
            setup = function() count = 100; return count end,
            map = function() return count end, reduce = rig.sum, expect = 0,
        }]]
    assert_passed(doc)
end

function TestScenario.test_only_what_a_worker_needs_is_open_in_it()
    local doc = run [[
        return rig.scenario {
            pool = "spawn", workers = 3, items = 3, chunk = 1,
            map = function()
                local list = {}
                for fd = 3, 100 do
                    local file = io.open("/proc/self/fdinfo/" .. fd)
                    if file then
                        file:close()
                        list[#list + 1] = fd
                    end
                end
                -- the file that looks takes one number, which it gives back
                return #list
            end,
            reduce = function(results) return math.max(table.unpack(results)) end,
            expect = function(_, most) return most <= 3 end,
        }]]
    assert_passed(doc)
end

function TestScenario.test_what_a_worker_prints_while_loading_and_in_tasks_carries_its_number()
    rigtest.write("fresh.lua", [[
        local rig = require "rig"
        print "loading"
        return rig.scenario {
            pool = "spawn", workers = 1, items = 1, map = function() print "working" end,
        }]])
    local got = rigtest.rig("fresh.lua", "--quiet")
    os.remove "fresh.lua"
    lu.assertEquals(got.exit, 0, got.err)
    lu.assertStrContains(got.err, "[worker 1] loading\n")
    lu.assertStrContains(got.err, "[worker 1] working\n")
end

function TestScenario.test_a_worker_that_is_pinned_stays_on_its_processor_and_stops_its_collector()
    local doc = run [[
        return rig.scenario {
            pool = "spawn", workers = 2, items = 4, pin = true, gc = "stop",
            map = function() return #rig.cpus() + (collectgarbage "isrunning" and 10 or 0) end,
            reduce = rig.sum, expect = 4,
        }]]
    assert_passed(doc)
end

function TestScenario.test_the_account_of_the_workers_is_complete()
    local case = run([[
        return rig.scenario {
            pool = "spawn", workers = 2, items = 50, iterations = 1, fixed = function() return ("x"):rep(100000) end,
            map = function(item) return item end, reduce = rig.sum, expect = 1275,
        }]]).cases[1]
    lu.assertEquals(case.outcomes.ok, 50)
    lu.assertEquals(case.counters.forks, 2)
    local tasks = 0
    for _, one in ipairs(case.workers) do
        tasks = tasks + one.tasks
        lu.assertTrue(one.ready_s >= one.started_s and one.started_s > 0)
        lu.assertTrue(one.bytes_in >= 100000)
        lu.assertTrue(one.uss_bytes > 0 and one.peak_rss_bytes > 0)
    end
    lu.assertEquals(tasks, 50)
end

TestFaults = {}

function TestFaults.test_a_worker_that_ends_in_a_task_is_replaced()
    local doc = run [[
        return rig.scenario {
            pool = "spawn", workers = 2, items = 20, chunk = 1, iterations = 1,
            map = function(item)
                if item == 3 then os.exit(7) end
                if item == 5 then os.execute "kill -9 $PPID" end
                return item
            end,
            reduce = function() return 0 end,
        }]]
    local case = doc.cases[1]
    lu.assertEquals({ doc.exit, case.outcomes.ok, case.outcomes.died, case.replaced }, { 4, 18, 2, 2 })
    lu.assertEquals(case.counters.forks, 4)
end

function TestFaults.test_errors_are_their_tasks_with_the_place_in_the_scenario()
    local doc = run [[
        return rig.scenario {
            pool = "spawn", workers = 1, items = 3,
            map = function(item) if item == 2 then error "two is too many" end return item end,
            reduce = function() return 0 end,
        }]]
    local failure = doc.cases[1].errors[1]
    lu.assertEquals(failure.outcome, "error")
    lu.assertStrContains(failure.message, "fresh.lua:4: two is too many")
end

function TestFaults.test_an_initializer_that_fails_and_a_source_that_does_not_load_there_say_so()
    local doc = run [[
        return rig.scenario {
            pool = "spawn", workers = 1, items = 3, init = function() error "no start" end,
            map = function(item) return item end,
        }]]
    lu.assertEquals(doc.exit, 4)
    lu.assertStrContains(doc.cases[1].reason, "no start")
    doc = run [[
        local file = io.open "seen"
        if file then error "only once" end
        io.open("seen", "w"):close()
        return rig.scenario {
            pool = "spawn", workers = 1, items = 3, map = function(item) return item end,
        }]]
    os.remove "seen"
    lu.assertEquals(doc.exit, 4)
    lu.assertStrContains(doc.cases[1].reason, "the scenario cannot be loaded in a worker: fresh.lua:3: ")
    lu.assertStrContains(doc.cases[1].reason, "only once")
end

function TestFaults.test_workers_in_endless_loops_go_with_a_coordinator_that_is_killed()
    rigtest.write("endless.lua", [[
        local rig = require "rig"
        return rig.scenario {
            pool = "spawn", workers = 3, items = 3, chunk = 1,
            map = function(item)
                local file = io.open("part" .. item, "w")
                file:write(io.open "/proc/self/stat":read "n")
                file:close()
                os.rename("part" .. item, "pid" .. item)
                while true do end
            end,
            reduce = function() return 0 end,
        }]])
    os.execute '"$RIG" endless.lua >out 2>&1 & echo $! >coordinator'
    local pids = {}
    for i = 1, 3 do
        pooltest.wait_until(function()
            pids[i] = rigtest.exists("pid" .. i) and tonumber(rigtest.read("pid" .. i))
            return pids[i]
        end, "worker " .. i .. " to start")
    end
    pooltest.kill(tonumber(rigtest.read "coordinator"), "KILL")
    for i = 1, 3 do
        pooltest.wait_until(function() return pooltest.is_gone(pids[i]) end, "the end of worker " .. i)
    end
    os.execute "rm -f endless.lua out coordinator pid1 pid2 pid3"
end

TestProgram = {}

function TestProgram.test_the_workers_arguments_are_no_options_for_people()
    for _, words in ipairs { { "--rig-worker" }, { "--rig-worker", "1,2,3" }, { "--rig-worker", "x", "y" } } do
        local got = rigtest.rig(table.unpack(words))
        lu.assertEquals(got.exit, 2)
        lu.assertStrContains(got.err, "rig: --rig-worker: rig starts its own workers so")
    end
end

function TestProgram.test_an_interpreter_is_no_worker_and_says_what_is()
    local got = rigtest.run("env", "RIG_SPAWNED=1", "LUA_CPATH=" .. os.getenv "RIG_BUILD_DIR" .. "/?.so;;",
        os.getenv "RIG_STOCK_PRELOAD" and "LD_PRELOAD=" .. os.getenv "RIG_STOCK_PRELOAD" or "RIG_STOCK=1",
        os.getenv "LUA_STOCK", "-e", [[io.write(select(2, pcall(require, "rig")))]])
    lu.assertEquals(got.exit, 0, got.err)
    lu.assertStrContains(got.out, "RIG_WORKER must name the executable rig")
end

function TestProgram.test_the_executable_may_be_gone_when_workers_start()
    if rigtest.valgrind then lu.skip "valgrind is what runs there" end
    os.execute 'cp "$RIG" mine'
    rigtest.write("fresh.lua", [[
        local rig = require "rig"
        return rig.scenario {
            pool = "spawn", workers = 2, items = 4, setup = function() assert(os.remove "mine") end,
            map = function(item) return item end, reduce = rig.sum, expect = 10,
        }]])
    local got = rigtest.run("./mine", "fresh.lua", "--quiet")
    os.remove "fresh.lua"
    lu.assertEquals({ got.exit, got.err }, { 0, "" })
end

function TestProgram.test_a_program_that_is_no_worker_or_is_not_there_is_named()
    local code = [[
        local rig = require "rig"
        local pool, why, code = rig.pool { preset = "spawn", module = "x", map = "y" }
        print(pool, why, code)]]
    rigtest.write("killed", "#!/bin/sh\nkill -9 $$\n")
    os.execute "chmod +x killed"
    for _, case in ipairs {
        { "/bin/false", "'/bin/false' ended without calling rig_worker_main" },
        { os.getenv "LUA_STOCK", "ended without calling rig_worker_main" },
        { "/nowhere/rig", "start '/nowhere/rig': No such file or directory\tENOENT" },
        { "./killed", "'./killed' was ended by signal 9 while it started\tECHILD" },
    } do
        local got = rigtest.stock(('require "rig".worker_program %q\n'):format(case[1]) .. code)
        lu.assertStrContains(got.out, case[2], false, false, got.err)
    end
    os.remove "killed"
end

function TestProgram.test_without_an_executable_it_is_told_how_to_name_one()
    os.execute "mkdir alone && cp \"$RIG_BUILD_DIR\"/rig.so alone"
    local got = rigtest.stock([[
            package.cpath = "alone/?.so"
            local rig = require "rig"
            print(rig.worker_program())
            print(select(2, pcall(rig.pool, { preset = "spawn", module = "x", map = "y" })))]])
    os.execute "rm -r alone"
    lu.assertStrContains(got.out, "nil\n", false, false, got.err)
    lu.assertStrContains(got.out, "start=spawn runs the executable rig, which is not beside rig.so: say where it is")
end

TestLibrary = {}

local function with_module(text, f)
    local path = package.path
    package.path = "./?.lua;" .. path
    rigtest.write("fresh_jobs.lua", text)
    local fine, message = pcall(f)
    os.remove "fresh_jobs.lua"
    package.path = path
    if not fine then error(message, 0) end
end

local JOBS = [[
    local M = { limit = 5 }
    function M.begin(p, fixed) return p.add + #fixed end
    function M.add(item, fixed, w) return item + w.state end
    function M.sum(item, fixed) return item + fixed:sum() end
    function M.finish(w) if w.state == 13 then error "unlucky" end end
    return M]]

function TestLibrary.test_functions_are_found_by_their_names_in_a_module()
    with_module(JOBS, function()
        for _, delivery in ipairs { "send", "queue", "shm" } do
            local pool <close> = assert(rig.pool {
                start = "spawn", delivery = delivery, workers = 2, module = "fresh_jobs", map = "add", init = "begin",
                finish = "finish", p = { add = 10 }, fixed = { 1, 2 },
            })
            local results = pool:map(5)
            lu.assertEquals(results, { 13, 14, 15, 16, 17 })
            lu.assertEquals({ pool:close() }, { true })
        end
    end)
end

function TestLibrary.test_fixed_data_in_shared_memory_is_mapped_by_each()
    with_module(JOBS, function()
        local pool <close> = assert(rig.pool {
            start = "spawn", delivery = "shm", workers = 3, module = "fresh_jobs", map = "sum",
            fixed = rig.array("i64", 1000000, 2),
        })
        lu.assertEquals(rig.sum((pool:map(10))), 55 + 10 * 2000000)
    end)
end

function TestLibrary.test_finish_that_fails_is_told_at_the_close()
    with_module(JOBS, function()
        local pool <close> = assert(rig.pool {
            preset = "spawn", workers = 1, module = "fresh_jobs", map = "add", init = "begin", finish = "finish",
            p = { add = 13 }, fixed = {},
        })
        pool:map(1)
        local ok, message = pool:close()
        lu.assertNil(ok)
        lu.assertStrContains(message, "unlucky")
    end)
end

function TestLibrary.test_what_a_worker_cannot_find_is_named()
    with_module(JOBS, function()
        for _, case in ipairs {
            { "ad", "module 'fresh_jobs' has no function 'ad', which map names; did you mean add?" },
            { "limit", "module 'fresh_jobs' has no function 'limit'" },
            { "add", "module 'no_such_jobs' not found", module = "no_such_jobs" },
        } do
            local pool <close> = assert(rig.pool {
                preset = "spawn", workers = 1, module = case.module or "fresh_jobs", map = case[1],
            })
            local ok, message = pool:wait_ready()
            lu.assertNil(ok)
            lu.assertStrContains(message, case[2])
        end
    end)
end

function TestLibrary.test_functions_and_their_captures_are_refused_with_what_to_do()
    local captured = 5
    local function refused(spec, ...)
        local fine, message = pcall(function()
            local pool = rig.pool(spec)
            return pool
        end)
        lu.assertFalse(fine)
        for _, text in ipairs { ... } do lu.assertStrContains(message, text) end
    end
    refused({ preset = "spawn", map = function(x) return x + captured end },
        "test_spawn.lua", "rig.pool: map: a function cannot cross into a fresh process (start = spawn)", "module = ")
    refused({ preset = "spawn", module = "m", map = "f", init = print }, "rig.pool: init: a function cannot cross")
    refused({ preset = "spawn", map = "f" }, "rig.pool: module: say which module")
    refused({ preset = "spawn", module = "m" }, "rig.pool: map: nil is not right")
    refused({ map = "f" }, "rig.pool: map: 'f' is a name; functions are found by name with start = spawn only")
    refused({ map = print, module = "m" }, "rig.pool: module: only fresh processes load one")
    refused({ preset = "spawn", module = "m", map = "f", p = { f = print } }, "job.p.f", "function")
    refused({ preset = "spawn", delivery = "inherit", module = "m", map = "f" }, "cannot go with delivery = inherit")
    refused({ preset = "custom", start = "spawn", module = "m", map = "f" }, "cannot go with impl = lua")
end

function TestLibrary.test_a_scenario_made_by_a_program_is_refused()
    local doc = assert(rig.run(rig.scenario {
        name = "own", pool = "spawn", workers = 1, items = 1, map = function() return core end,
    }))
    lu.assertEquals(doc.exit, 2)
    lu.assertStrContains(doc.cases[1].reason, "its functions cannot cross into a fresh process; put it into a file")
end

function TestLibrary.test_the_core_says_what_is_missing()
    lu.assertErrorMsgContains("start=spawn needs `job`", core.pool,
        { start = "spawn", delivery = "send", fixed = 1, map = print })
    lu.assertErrorMsgContains("must come from core.place(v, true)", core.pool,
        { start = "spawn", delivery = "shm", fixed = core.place(1), job = {} })
    local pool, message, code = core.pool { start = "spawn", delivery = "inherit", job = {} }
    lu.assertNil(pool)
    lu.assertStrContains(message, "start=spawn cannot go with delivery=inherit")
    lu.assertEquals(code, "EINVAL")
end

os.exit(lu.LuaUnit.run())
