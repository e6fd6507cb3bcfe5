-- Pools of a script's own: right results and balanced outcomes whatever happens to a task or a worker, every mistake of
-- a type found and named, and what it does not tell left out.
-- Not for scenarios: test_pool_type_scenario.lua, and tests/broken/*pool_type*.lua for mistakes in them.
-- Neighbours: lua/rig/pool_type.lua, lua/rig/pools/own*.lua.

local lu = require "luaunit"
local core = require "rig.core"
local rig = require "rig"
local rigtest = require "rigtest"

local count = 0

-- A name that no other test has: types of one program are all in one place.
local function new_name()
    count = count + 1
    return "type_" .. count
end

local function serve(pool, line)
    for task in function() return line:get() end do
        line:put { task[1], pool:run_task(task[1], task[2]) }
    end
end

local function open_line(pool, lines, id, fn)
    local near, far = assert(rig.socketpair())
    assert(pool:fork(id, fn or serve, pool, far))
    far:close()
    lines[id], lines.id_of[near] = near, id
end

-- A type that is right, under a name of its own.
local function by_hand()
    local spec = {}
    for key, v in pairs(require "own_type") do spec[key] = v end
    spec.name = new_name()
    return spec
end

local function changed(changes)
    local spec = by_hand()
    for key, v in pairs(changes) do spec[key] = v end
    return spec
end

local function open(type_spec, spec)
    spec = spec or {}
    spec.preset, spec.workers = rig.pool_type(type_spec), spec.workers or 3
    spec.map = spec.map or function(item) return item end
    return assert(rig.pool(spec))
end

local function map(pool, items)
    local fine, got = pcall(pool.map, pool, items)
    if fine then return got end
    return got.results, got
end

local function kill_this_process()
    local proc <close> = assert(io.open "/proc/self/stat")
    os.execute("kill -9 " .. proc:read "n")
    core.sleep(5)
end

TestResults = {}

function TestResults.test_are_those_of_the_builtin_pool_for_all_forms_of_items()
    local function twice(item) return { item * 2, "x" } end
    local pool <close> = open(by_hand(), { map = twice })
    local builtin <close> = assert(rig.pool { map = twice, workers = 3 })
    local function from(n)
        local left = n
        return function()
            left = left - 1
            return left > 0 and left or nil
        end
    end
    for _, items in ipairs { 100, { 5, 6, 7 }, 1, {} } do lu.assertEquals(map(pool, items), builtin:map(items)) end
    lu.assertEquals(map(pool, from(50)), builtin:map(from(50)))
    lu.assertEquals(map(pool, from(1)), {})
end

function TestResults.test_hooks_see_what_they_see_in_the_builtin_pool()
    local function spec(preset)
        return {
            preset = preset, workers = 2, seed = 5, p = { base = 10 }, fixed = { 1 },
            init = function(p, fixed) return p.base + fixed[1] end,
            map = function(_, fixed, w) return { w.index, w.state, fixed[1], w.rng:int(1, 1000000), w.id <= 2 } end,
        }
    end
    local own <close> = assert(rig.pool(spec(rig.pool_type(by_hand()))))
    local builtin <close> = assert(rig.pool(spec "builtin"))
    lu.assertEquals(own:map(20), builtin:map(20))
end

function TestResults.test_may_be_nil_or_false()
    local pool <close> = open(by_hand(), { map = function(item) if item == 2 then return false end end })
    local got, n = pool:map(3)
    lu.assertEquals({ got[1] == nil, got[2], got[3] == nil, n }, { true, false, true, 3 })
end

function TestResults.test_fixed_data_may_lie_in_shared_memory()
    local pool <close> = open(by_hand(), {
        delivery = "shm", fixed = { add = rig.array("i64", 100, 7) },
        map = function(item, fixed) return item + fixed.add[100] end,
    })
    lu.assertEquals(pool:map(3), { 8, 9, 10 })
end

function TestResults.test_a_type_may_deliver_the_fixed_data_itself()
    local spec = changed { axes = { delivery = "send", barrier = true } }
    function spec.start(pool)
        local lines = { id_of = {} }
        for id = 1, pool.workers do
            open_line(pool, lines, id, function(_, line)
                pool:hold(line:get().data)
                serve(pool, line)
            end)
            lines[id]:put { data = pool.fixed }
        end
        return lines
    end
    local pool <close> = open(spec, { fixed = { 5 }, init = function(_, fixed) return fixed[1] end,
        map = function(item, fixed, w) return item + fixed[1] + w.state end })
    assert(pool:wait_ready())
    lu.assertEquals(pool:map(3), { 11, 12, 13 })
end

TestOutcomes = {}

function TestOutcomes.test_a_task_that_raises_is_an_error_and_the_others_complete()
    local pool <close> = open(by_hand(), { map = function(item)
        if item == 3 then error "not three" end
        return item
    end })
    local got, failure = map(pool, 5)
    lu.assertEquals({ got[1], got[2], got[3] == nil, got[4], got[5] }, { 1, 2, true, 4, 5 })
    lu.assertEquals(failure.report.outcomes, { ok = 4, error = 1, timeout = 0, died = 0, cancelled = 0 })
    lu.assertStrMatches(failure.failures[1].message, ".*test_pool_type%.lua:%d+: not three.*")
    lu.assertTrue(failure.failures[1].worker >= 1)
end

function TestOutcomes.test_a_result_that_cannot_cross_is_an_error_that_names_the_place()
    local pool <close> = open(by_hand(), { map = function(item)
        if item == 2 then return { at = { print } } end
        return item
    end })
    local _, failure = map(pool, 3)
    lu.assertEquals(failure.report.outcomes.error, 1)
    lu.assertStrContains(failure.failures[1].message, "result.at[1]")
end

function TestOutcomes.test_a_task_that_takes_too_long_is_a_timeout()
    local limit = rigtest.patience(0.2)
    local pool <close> = open(by_hand(), { timeout = limit, map = function(item)
        while item == 2 do item = 2 end
        return item
    end })
    local got, failure = map(pool, 4)
    lu.assertEquals(failure.report.outcomes, { ok = 3, error = 0, timeout = 1, died = 0, cancelled = 0 })
    lu.assertEquals({ got[1], got[3], got[4] }, { 1, 3, 4 })
    lu.assertStrContains(failure.failures[1].message, ("timeout = %g s"):format(limit))
end

-- Nothing in Lua can end it: this takes its time in C.
function TestOutcomes.test_a_c_function_that_takes_too_long_is_ended_from_outside()
    local limit = rigtest.patience(0.2)
    local pool = open(by_hand(), { timeout = limit, map = function(item)
        if item == 2 then core.spin(1e6) end
        return item
    end })
    local got, failure = map(pool, 6)
    lu.assertEquals(failure.report.outcomes, { ok = 5, error = 0, timeout = 1, died = 0, cancelled = 0 })
    lu.assertEquals({ got[1], got[6] }, { 1, 6 })
    lu.assertEquals({ failure.failures[1].task, failure.failures[1].signal }, { 2, 9 })
    lu.assertEquals(failure.failures[1].message, ("took longer than timeout = %g s"):format(limit))
    lu.assertEquals(map(pool, { 7, 8, 9 }), { 7, 8, 9 })
    assert(pool:close())
    lu.assertEquals(pool:stats().replaced, 1)
end

function TestOutcomes.test_an_initializer_that_takes_too_long_in_c_ends_the_wait()
    local limit = rigtest.patience(0.2)
    local pool <close> = open(by_hand(), { timeout = limit, init = function() core.spin(1e6) end })
    local ok, message = pool:wait_ready()
    lu.assertNil(ok)
    lu.assertStrMatches(message, ("worker %%d %%(pid %%d+%%) init took longer than timeout = %g s"):format(limit))
end

-- One worker after the other, so that nobody else's line tells that one of them does not move.
local function in_turn(pool, lines, tasks)
    for index, item in tasks do
        local id = index % pool.workers + 1
        pool:assign(index, id)
        lines[id]:put { index, item }
        local answer = lines[id]:get()
        if answer then
            pool:finish(table.unpack(answer, 1, 3))
        else
            pool:lost(id)
            lines[id]:close()
            lines.begin(id)
        end
    end
end

function TestOutcomes.test_one_that_stands_still_without_the_data_is_ended()
    local spec = changed { axes = { delivery = "send", barrier = true }, map = in_turn }
    function spec.start(pool)
        local lines = {}
        function lines.begin(id, stopped)
            local near, far = assert(rig.socketpair())
            local proc = assert(pool:fork(id, function(line)
                pool:hold(line:get())
                serve(pool, line)
            end, far))
            far:close()
            if stopped then proc:kill "STOP" end
            near:put(pool.fixed) -- more than a socket holds: this waits for the worker
            lines[id] = near
        end
        for id = 1, pool.workers do lines.begin(id, id == 2) end
        return lines
    end
    local limit = rigtest.patience(0.3)
    local pool = open(spec, { workers = 2, timeout = limit, fixed = core.array("i64", 4000000, 1) })
    assert(pool:wait_ready())
    local got, failure = map(pool, 6)
    lu.assertEquals(failure.report.outcomes, { ok = 5, error = 0, timeout = 1, died = 0, cancelled = 0 })
    lu.assertStrMatches(failure.failures[1].message,
        ("worker 2 %%(pid %%d+%%) stood still for longer than timeout = %g s"):format(limit))
    lu.assertEquals(got[6], 6)
    assert(pool:close())
    lu.assertEquals(pool:stats().replaced, 1)
end

function TestOutcomes.test_a_worker_that_dies_loses_its_task_and_is_replaced()
    local pool = open(by_hand(), { map = function(item)
        if item == 4 then kill_this_process() end
        return item
    end })
    local got, failure = map(pool, 10)
    lu.assertEquals(failure.report.outcomes, { ok = 9, error = 0, timeout = 0, died = 1, cancelled = 0 })
    lu.assertEquals(failure.failures[1].task, 4)
    lu.assertEquals(failure.failures[1].signal, 9)
    lu.assertEquals(got[10], 10)
    lu.assertEquals(map(pool, 3), { 1, 2, 3 })
    assert(pool:close())
    local stats = pool:stats()
    lu.assertEquals({ stats.replaced, stats.counters.forks, #stats.workers }, { 1, 4, 4 })
end

function TestOutcomes.test_init_that_raises_ends_the_wait_with_its_words()
    local pool <close> = open(by_hand(), { init = function() error "no state" end })
    local ok, message = pool:wait_ready()
    lu.assertNil(ok)
    lu.assertStrMatches(message, "init: .*test_pool_type%.lua:%d+: no state")
end

function TestOutcomes.test_finish_runs_in_each_worker_and_its_error_is_told()
    local seen = core.shared_array("i64", 3, 0)
    local pool = open(by_hand(), { finish = function(w) seen[w.id] = 1 end })
    pool:map(9)
    assert(pool:close())
    lu.assertEquals(seen:table(), { 1, 1, 1 })
    local bad = open(by_hand(), { finish = function() error "no end" end })
    bad:map(3)
    local ok, message = bad:close()
    lu.assertNil(ok)
    lu.assertStrMatches(message, "finish: .*: no end")
end

TestReports = {}

function TestReports.test_tell_what_workers_did()
    local pool = open(by_hand(), { workers = 2 })
    pool:map(40)
    assert(pool:close())
    local stats = pool:stats()
    local tasks = 0
    for id, one in ipairs(stats.workers) do
        lu.assertEquals({ one.id, one.exit }, { id, "exit 0" })
        lu.assertEquals(one.messages_in, one.tasks)
        lu.assertTrue(one.ready_s > 0 and one.started_s >= 0 and one.bytes_in > 0 and one.bytes_out > 0)
        lu.assertTrue(one.busy_s >= 0 and one.user_s >= 0 and one.pid > 1)
        tasks = tasks + one.tasks
    end
    lu.assertEquals({ tasks, stats.counters.tasks, stats.counters.messages }, { 40, 40, 80 })
    lu.assertEquals(stats.undelivered, { workers = 0, bytes = 0 })
end

-- What a pool type does not hand to pool:fork, rig does not see; it says so and invents nothing.
function TestReports.test_leave_out_what_is_not_told()
    local spec = changed { axes = {} }
    function spec.start(pool)
        local lines = { id_of = {} }
        for id = 1, pool.workers do
            local near, far = rig.socketpair()
            pool:fork(id, function() serve(pool, far) end)
            far:close()
            lines[id], lines.id_of[near] = near, id
        end
        return lines
    end
    local pool = open(spec)
    pool:map(5)
    assert(pool:close())
    local stats = pool:stats()
    for _, one in ipairs(stats.workers) do lu.assertNil(one.bytes_in) end
    lu.assertNil(stats.counters.payload_bytes)
    lu.assertNil(stats.counters.messages)
end

TestMistakes = {}

local function fails(spec, pattern, items)
    local pool <close> = open(spec)
    local _, failure = map(pool, items or 4)
    lu.assertNotNil(failure, pattern)
    lu.assertStrMatches(tostring(failure), "pool type type_%d+: " .. pattern)
    local _, again = map(pool, 1)
    lu.assertStrMatches(tostring(again), "pool type type_%d+: " .. pattern) -- nothing more comes of it
end

function TestMistakes.test_a_map_that_stops_before_the_end_of_an_iterator_is_told()
    local i = 0
    fails(changed { map = function(pool, lines, tasks)
        local index, item = tasks()
        pool:assign(index, 1)
        lines[1]:put { index, item }
        pool:finish(table.unpack(lines[1]:get(), 1, 3))
    end }, "map: returned, and there is more to do: it took 1 task and not the next.*", function()
        i = i + 1
        return i < 5 and i or nil
    end)
end

function TestMistakes.test_an_iterator_that_raises_is_not_blamed_on_the_type()
    local pool <close> = open(by_hand())
    local fine, problem = pcall(pool.map, pool, function() error "no more items" end)
    lu.assertFalse(fine)
    lu.assertStrMatches(tostring(problem), "%S*test_pool_type%.lua:%d+: no more items.*")
    local _, again = map(pool, 3)
    lu.assertStrMatches(tostring(again), "the items of an earlier map raised: .*no more items.*")
end

function TestMistakes.test_a_map_that_leaves_tasks_with_their_workers_is_told()
    fails(changed { map = function(pool, _, tasks)
        for index in tasks do pool:assign(index, 2) end
    end }, "map: returned, and of 4 tasks 4 did not end %(the first: task 1, of worker 2%).*")
end

function TestMistakes.test_an_assignment_after_the_end_is_told()
    fails(changed { map = function(pool, _, tasks)
        for index in tasks do
            pool:assign(index, 1)
            pool:finish(index, "cancelled", "not wanted")
        end
        pool:assign(1, 2)
    end }, "map: assign: task 1 has ended already %(cancelled%).*")
end

local function refused(message, fn, ...)
    local fine, problem = pcall(fn, ...)
    lu.assertFalse(fine, message)
    lu.assertStrContains(tostring(problem), message)
    lu.assertStrMatches(tostring(problem), ".*test_pool_type%.lua:%d+: .*")
end

function TestMistakes.test_declarations_are_checked()
    local function declare(changes) rig.pool_type(changed(changes)) end
    refused("name: 5 is not a name", declare, { name = 5 })
    refused("name: \"two words\" is not a name", declare, { name = "two words" })
    refused("name: \"none\" is not a name", declare, { name = "none" })
    refused("name: serial is a preset of rig's own", declare, { name = "serial" })
    refused("about: 5 is not a line", declare, { about = 5 })
    refused("start: 5 is not a function", declare, { start = 5 })
    refused("axes: 5 is not a table", declare, { axes = 5 })
    refused("axes: chunk: 0 is below 1", declare, { axes = { chunk = 0 } })
    refused("axes: channel: the list is empty", declare, { axes = { channel = {} } })
    refused("axes: start: thread is not available in this version", declare, { axes = { start = "thread" } })
    refused("axes: \"impl\" is not an axis", declare, { axes = { impl = "lua" } })
    local twice = by_hand()
    rig.pool_type(twice)
    refused("there is a pool type " .. twice.name .. " already, declared at ", function() rig.pool_type(twice) end)
end

function TestMistakes.test_axes_that_it_does_not_declare_are_refused()
    local mine = rig.pool_type(changed { axes = { chunk = 2, barrier = { true, false } } })
    local function open_with(changes)
        changes.preset, changes.map, changes.workers = mine, function() end, 1
        rig.pool(changes)
    end
    refused("does not declare the axis delivery, so it cannot follow it", open_with, { delivery = "inherit" })
    refused("does not understand chunk = auto", open_with, { chunk = "auto" })
    refused("is written in Lua, so it has no impl = c", open_with, { impl = "c" })
end

function TestMistakes.test_what_belongs_elsewhere_is_refused()
    local said = {}
    local function try(name, fn, ...)
        local fine, why = pcall(fn, ...)
        said[name] = not fine and why or "went through"
    end
    local spec = changed {}
    local start = spec.start
    function spec.start(pool)
        try("run_task", pool.run_task, pool, 1, 1)
        try("hold", pool.hold, pool, 1)
        try("assign", pool.assign, pool, 1, 1)
        try("dot", pool.out)
        try("write", function() pool.workers = 9 end)
        local lines = start(pool)
        try("fork", pool.fork, pool, 1, serve)
        try("fork_far", pool.fork, pool, 99, serve)
        return lines
    end
    local pool <close> = open(spec)
    lu.assertEquals(pool:map(2), { 1, 2 })
    for name, words in pairs {
        run_task = "belongs in a worker", hold = "belongs in a worker", assign = "only map has tasks",
        dot = "with a colon", write = "cannot be changed", fork = "worker 1 is running",
        fork_far = "there is no worker 99; there are 1 to 3",
    } do
        lu.assertStrContains(said[name], words)
    end
end

os.exit(lu.LuaUnit.run())
