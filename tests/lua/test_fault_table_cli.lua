-- The table of faults, as seen by who runs the executable: the exit status, what is said and what is left in the file
-- of results, one test a row, for every pool that it fits. What a program sees is in test_fault_table.lua.

local lu = require "luaunit"
local core = require "rig.core"
local json = require "rig.json"
local outside = require "rigtest.outside"
local pooltest = require "pooltest"
local rig = require "rig"
local rigtest = require "rigtest"

local RIG = assert(os.getenv "RIG")
local FILE = "faults.lua"
local POOLS = {
    "serial", "builtin", "custom", "shm", "spawn", "per_task", "builtin+channel=queue+delivery=queue", "own",
}

local NO_WORKER = "there is no worker: what ends it ends the run"

local rows = 0

-- Under valgrind, where each program takes seconds, every other pool, and in the next row the others.
local function each(row, cannot, f)
    rows = rows + 1
    for i, name in ipairs(POOLS) do
        if rigtest.valgrind and (i + rows) % 2 == 0 then
            print(("fault table: %s: not for %s under valgrind: the next row is"):format(row, name))
        elseif cannot[name] then
            print(("fault table: %s: not for %s: %s"):format(row, name, cannot[name]))
        else
            f(name)
        end
    end
end

-- A scenario that has the type `own` among its pools. `%s` in it are keys of the scenario.
local function scenario(keys)
    os.execute(("cp %s own_type.lua"):format(rigtest.quote(rigtest.source "tests/support/own_type.lua")))
    rigtest.write(FILE, ([[
        local rig = require "rig"
        local own = rig.pool_type(require "own_type")
        local labels = { base = "builtin", channel = "queue", delivery = "queue" }
        return rig.scenario {
            name = "faults", about = "one thing goes wrong", iterations = 1,
            pool = { "serial", "builtin", "custom", "shm", "spawn", "per_task", labels, own },
            %s
        }]]):format(keys))
end

local function tidy(...)
    for _, name in ipairs { FILE, "own_type.lua", ... } do os.remove(name) end
end

local function run(name, ...)
    return rigtest.rig(FILE, "pool=" .. name, ...)
end

local function document(path)
    return assert(json.decode(rigtest.read(path)))
end

TestErrors = {}

function TestErrors.test_status_4_for_an_error_in_a_worker_and_2_for_one_in_the_coordinators_hooks()
    scenario [[
        workers = 2, params = { where = "none" }, fixed = function(p)
            if p.where == "fixed" then error "broken in fixed" end
            return { 1 }
        end,
        items = function(p)
            if p.where == "items" then error "broken in items" end
            return 6
        end,
        init = function(p) if p.where == "init" then error "broken in init" end end,
        map = function(item, _, w)
            if w.p.where == "map" and item == 4 then error "broken in map" end
            return item
        end,
        reduce = function(results, p)
            if p.where == "reduce" then error "broken in reduce" end
            return #results
        end,
        verify = function(results)
            if results.cases[1].params.where == "verify" then error "broken in verify" end
            return true
        end,]]
    local exits = { none = 0, map = 4, init = 4, fixed = 2, items = 2, reduce = 2, verify = 2 }
    each("errors in hooks", {}, function(name)
        for where, exit in pairs(exits) do
            local got = run(name, "where=" .. where)
            local said = ("%s, %s: %s%s"):format(name, where, got.out, got.err)
            lu.assertEquals(got.exit, exit, said)
            local words = where == "none" and "passed" or "broken in " .. where
            lu.assertStrContains(got.out .. got.err, words, false, false, said)
            if where == "map" then lu.assertStrContains(got.err .. got.out, "item 4", false, false, said) end
        end
    end)
    tidy()
end

TestMemory = {}

-- More than any machine has is left to others, so what is held may not grow beyond the first look: 64 MiB.
local SMALL_MACHINE = { "env", "RIG_MEMORY_RESERVE=" .. (1 << 60), RIG, FILE }

local function run_small(...)
    local command = table.move(SMALL_MACHINE, 1, #SMALL_MACHINE, 1, {})
    return rigtest.run(table.unpack(table.move({ ... }, 1, select("#", ...), #command + 1, command)))
end

function TestMemory.test_a_task_that_allocates_without_bound_is_an_error_and_the_others_complete()
    scenario [[
        workers = 2, items = 8, params = { kind = { "small", "buffer" } },
        map = function(item, _, w)
            local grown = {}
            if item ~= 3 then return item end
            if w.p.kind == "buffer" then return #("x"):rep(1 << 30) end
            while true do grown = { grown } end
        end,]]
    each("allocates without bound", {}, function(name)
        local got = run_small("pool=" .. name, "--json", "out.json")
        lu.assertEquals(got.exit, 4, name .. got.out .. got.err)
        for _, case in ipairs(document "out.json".cases) do
            local label = name .. ", " .. case.params.kind
            lu.assertEquals(case.outcomes, { ok = 7, error = 1, timeout = 0, died = 0, cancelled = 0 }, label)
            local message = case.errors[1].message
            lu.assertStrMatches(message, "not enough memory: Lua holds 0%.%d+ GB in this process and asked for " ..
                "[%d.]+ MB more; [%d.]+ GB are available, .*; use less data, or fewer workers", nil, nil, label)
        end
    end)
    tidy "out.json"
end

function TestMemory.test_a_hook_of_the_coordinator_that_allocates_without_bound_is_its_error()
    for _, hook in ipairs { "fixed", "items", "setup", "reduce" } do
        scenario(([[
            workers = 2, map = function(item) return item end, items = 2,
            %s = function()
                local grown = {}
                while true do grown = { grown } end
            end,]]):format(hook))
        local got = run_small("pool=builtin")
        lu.assertEquals(got.exit, 2, hook .. got.out .. got.err)
        lu.assertStrContains(got.err, "not enough memory: Lua holds", false, false, hook)
        lu.assertStrContains(got.err, "in " .. hook, false, false, hook)
    end
    tidy()
end

-- In place of a count of the kernel's: one more when a worker has been killed.
function TestMemory.test_a_worker_is_the_kernels_prey_only_where_its_control_group_says_so()
    local hit = 'os.execute("kill -KILL " .. io.open("/proc/self/stat"):read "n")'
    for _, counts in ipairs { false, true } do
        scenario(([[
            workers = 2, items = 8, timeout = 20,
            setup = function()
                local core, n = require "rig.core", 41
                core.oom_kills = function()
                    if %s and io.open "hit" then n = 42 end
                    return n
                end
            end,
            map = function(item)
                if item == 3 then
                    io.open("hit", "w"):close()
                    %s
                end
                return item
            end,]]):format(counts, hit))
        for _, name in ipairs { "custom", "own" } do
            local got = run(name, "--json", "out.json")
            lu.assertEquals(got.exit, 4, name .. got.out .. got.err)
            local failure = document "out.json".cases[1].errors[1]
            lu.assertEquals({ failure.outcome, failure.signal }, { "died", 9 }, name)
            lu.assertEquals(failure.message:find("by the kernel's OOM killer", 1, true) ~= nil, counts, name)
            os.remove "hit"
        end
    end
    tidy "out.json"
end

TestTime = {}

local SPINS = [[
    workers = 2, items = 6,
    map = function(item)
        if item == 3 then
            local file = io.open("started", "w")
            file:close()
            while true do pcall(error) end
        end
        return item
    end,]]

function TestTime.test_an_endless_task_is_ended_by_the_time_limit_or_the_budget()
    scenario(SPINS)
    each("loops for ever", {}, function(name)
        local limited = run(name, "--timeout", rigtest.patience(0.4) .. "s", "--json", "out.json")
        lu.assertEquals(limited.exit, 4, name .. limited.err)
        lu.assertEquals(document "out.json".cases[1].outcomes.timeout, 1, name)
        local bounded = run(name, "--budget", "0.5s", "--json", "out.json")
        lu.assertEquals(bounded.exit, 4, name .. bounded.err)
        lu.assertStrContains(document "out.json".cases[1].reason, "before its first iteration ended", name)
    end)
    tidy("out.json", "started")
end

function TestTime.test_an_interrupt_reaps_and_leaves_a_valid_partial_result()
    scenario(SPINS)
    each("signals", {}, function(name)
        for signal, number in pairs { INT = 2, TERM = 15, HUP = 1 } do
            os.remove "started"
            local lines = ([[
                "$RIG" %s pool=%s --json out.json >said 2>&1 & pid=$!
                n=0; while [ ! -e started ] && [ $n -lt 1200 ]; do sleep 0.02; n=$((n + 1)); done
                sleep 0.05; kill -%s $pid; wait $pid; exit $?]]):format(FILE, name, signal)
            local _, _, status = os.execute(lines)
            local what = ("%s, %s: %s"):format(name, signal, rigtest.read "said")
            lu.assertEquals(status, 128 + number, what)
            local doc = document "out.json"
            lu.assertEquals({ doc.status, doc.exit }, { "interrupted", 128 + number }, what)
            os.remove "out.json"
        end
    end)
    tidy("started", "said")
end

TestDelivery = {}

-- The broken pipe of the article, on purpose: by hand, large data, four workers, and closed as soon as the results are
-- there. No failure, but something to know.
function TestDelivery.test_the_articles_broken_pipe_is_named_and_every_iteration_is_right()
    local n = rigtest.many((os.getenv "RIG_SANITIZE" or "") ~= "" and 2000000 or 6000000, 2000000)
    scenario(([[
        workers = 4, items = 8, iterations = 3, fixed = function() return rig.array("i64", %d, 50) end,
        map = function(item) return item end, reduce = rig.sum, expect = 36,]]):format(n))
    rigtest.write(FILE, (rigtest.read(FILE):gsub("iterations = 1,", "", 1)))
    local got, case
    for _ = 1, 5 do -- on a busy machine the results may be later than the data
        got = run("custom", "--json", "out.json")
        lu.assertEquals(got.exit, 0, got.out .. got.err)
        lu.assertNotStrContains(got.out .. got.err, "roken pipe")
        case = document "out.json".cases[1]
        if case.undelivered.workers > 0 then break end
        os.remove "out.json"
    end
    local workers, bytes = case.undelivered.workers, case.undelivered.bytes
    lu.assertTrue(workers > 0 and bytes > 0 and bytes < 8.1 * n * workers, got.out)
    local without = 0
    for _, worker in ipairs(case.workers) do
        if worker.exit == "stopped" and not worker.ready_s then without = without + 1 end
    end
    lu.assertTrue(without >= case.undelivered.workers, "nobody is named")
    for _, iteration in ipairs(case.iterations) do lu.assertTrue(iteration.right) end
    local said = got.out:gsub("%s+", " ")
    lu.assertStrContains(said, "not all workers held the fixed data")
    lu.assertStrContains(said, ("never delivered to %d"):format(case.undelivered.workers))
    lu.assertStrContains(said, "All 3 results were right all the same")
    for _, name in ipairs(POOLS) do
        if name ~= "custom" then
            print(("fault table: broken pipe: not for %s: it has a barrier, or nothing is sent; what is left " ..
                "undelivered over each channel is in test_fault_table.lua"):format(name))
        end
    end
    tidy "out.json"
end

TestSurroundings = {}

local SUMS = "workers = 2, items = 20, map = function(item) return item end, reduce = rig.sum, expect = 210,"

function TestSurroundings.test_descriptors_that_run_out_are_named_or_enough()
    lu.skipIf(rigtest.valgrind, "valgrind needs descriptors of its own")
    scenario(SUMS)
    each("no descriptors", {}, function(name)
        for limit = 6, 30, 4 do
            local line = ("ulimit -n %d; exec timeout 60 %s %s pool=%s"):format(limit, RIG, FILE, name)
            local got = rigtest.run("sh", "-c", line)
            local said = ("%s, %d descriptors: %s%s"):format(name, limit, got.out, got.err)
            lu.assertTrue(got.exit == 0 or got.exit == 2 or got.exit == 4 or got.exit == 5, said)
            if got.exit ~= 0 then lu.assertStrMatches(got.err, ".*[Tt]oo many open files.*", nil, nil, said) end
        end
    end)
    tidy()
end

function TestSurroundings.test_a_parent_that_ignores_its_children_makes_no_difference()
    scenario(SUMS)
    each("SIGCHLD ignored", {}, function(name)
        local got = rigtest.run("bash", "-c", ('trap "" CHLD; exec %s %s pool=%s'):format(RIG, FILE, name))
        lu.assertEquals(got.exit, 0, name .. got.err)
    end)
    tidy()
end

function TestSurroundings.test_what_waits_in_a_buffer_is_written_once()
    scenario(SUMS .. [[ setup = function() io.stderr:setvbuf "full" io.stderr:write "once" end, ]])
    each("buffers and forks", {}, function(name)
        local got = run(name, "--quiet")
        local _, count = got.err:gsub("once", "")
        lu.assertEquals({ got.exit, count }, { 0, 1 }, name .. got.err)
    end)
    tidy()
end

function TestSurroundings.test_results_that_cannot_be_written_leave_the_old_and_say_why()
    lu.skipIf(rigtest.valgrind, "valgrind writes files of its own")
    scenario(SUMS)
    each("results cannot be written", {}, function(name)
        rigtest.write("old.json", "old")
        local got = rigtest.run("bash", "-c", ("trap '' XFSZ; ulimit -f 1; %s %s pool=%s --label $(head -c 3000 " ..
            "/dev/zero | tr '\\0' x) -q --json old.json"):format(RIG, FILE, name))
        lu.assertEquals(got.exit, 5, name .. got.err)
        lu.assertStrContains(got.err, "old.json", false, false, name)
        lu.assertEquals(rigtest.read "old.json", "old", name)
    end)
    tidy "old.json"
end

-- Several of them write as often as they can while the file is read: there is always one whole document in it.
function TestSurroundings.test_runs_that_write_the_same_file_leave_the_whole_results_of_one()
    scenario(SUMS)
    rigtest.run(RIG, FILE, "pool=serial", "-q", "--json", "same.json")
    local loop = "for i in 1 2 3 4 5; do %s %s pool=serial -q --label writer%d --json same.json || exit; done"
    local writers = {}
    for i = 1, 3 do
        writers[i] = assert(core.fork(function()
            local ended = rig.exec { "bash", "-c", loop:format(RIG, FILE, i) }
            os.exit(ended and ended.status or 99)
        end))
    end
    local living, reads, seen = 3, 0, {}
    while living > 0 do
        local doc = document "same.json"
        lu.assertEquals(doc.status, "passed")
        seen[tostring(doc.label)], reads = true, reads + 1
        for i, writer in pairs(writers) do
            if not writer:alive() then
                lu.assertEquals(writer:wait().exit, 0)
                writers[i], living = nil, living - 1
            end
        end
    end
    lu.assertTrue(reads > 0 and next(seen) ~= nil)
    lu.assertStrMatches(document("same.json").label, "writer%d")
    tidy "same.json"
end

TestCoordinator = {}

local function below(pid)
    local list = outside.children(pid)
    for i = 1, #list do table.move(below(list[i]), 1, 100, #list + 1, list) end
    return list
end

function TestCoordinator.test_nobody_outlives_a_coordinator_that_is_killed()
    scenario(SPINS)
    each("coordinator killed", { serial = NO_WORKER }, function(name)
        os.remove "started"
        local starter <close> = assert(core.fork(function()
            require "rig".exec { RIG, FILE, "pool=" .. name }
        end))
        pooltest.wait_until(function() return rigtest.exists "started" end, name)
        local pid = outside.children(starter:pid())[1]
        local workers = below(pid)
        lu.assertTrue(#workers >= 1, name)
        local aim = outside.aim(pid, starter:pid())
        outside.hit(aim, 9)
        outside.drop(aim)
        assert(starter:wait(pooltest.HANG_S))
        for _, worker in ipairs(workers) do
            pooltest.wait_until(function() return pooltest.is_gone(worker) end, name)
        end
    end)
    tidy "started"
end

os.exit(lu.LuaUnit.run())
