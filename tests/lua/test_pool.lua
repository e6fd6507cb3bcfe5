-- The contract of pools, over every combination of delivery, channel and chunk: in order, exactly once, nothing lost,
-- whatever the items, the results and their sizes are. What happens when something goes wrong: test_pool_faults.lua.

local lu = require "luaunit"
local core = require "rig.core"
local pooltest = require "pooltest"
local rigtest = require "rigtest"

local FIXED = { 10, 20, 30, name = "fixed" }

local function triple(item, fixed)
    return item * 3 + #fixed
end

local function check_tripled(results, n, name)
    for i = 1, n do
        if results[i] ~= i * 3 + #FIXED then lu.assertEquals(results[i], i * 3 + #FIXED, name .. ", result " .. i) end
    end
    lu.assertNil(results[n + 1], name)
end

TestPool = {}

function TestPool.test_results_come_in_the_order_of_the_items()
    pooltest.each({}, function(axes)
        local pool <close> = pooltest.ready(axes, { workers = 3, fixed = FIXED, map = triple })
        for _, n in ipairs { 0, 1, 2, 500, 0, 10 } do
            local results, report = pool:run(pooltest.list(n, function(i) return i end))
            check_tripled(results, n, axes.name)
            pooltest.check_outcomes(report, n, {}, axes.name)
            lu.assertEquals(report.failures, {}, axes.name)
            lu.assertEquals(report.ready, 3, axes.name)
        end
        assert(pool:close())
    end)
end

function TestPool.test_ten_thousand_items_are_run_exactly_once()
    pooltest.each({}, function(axes)
        local runs = core.shared_array("u8", 10000, 0)
        local pool <close> = pooltest.open(axes, {
            fixed = FIXED,
            map = function(item)
                runs[item] = runs[item] + 1
                return item
            end,
        })
        local results, report = pool:run(10000)
        for i = 1, 10000 do
            if results[i] ~= i or runs[i] ~= 1 then
                lu.fail(("%s: item %d: result %s, %d runs"):format(axes.name, i, tostring(results[i]), runs[i]))
            end
        end
        pooltest.check_outcomes(report, 10000, {}, axes.name)
        assert(pool:close())
        runs:close()
    end)
end

function TestPool.test_items_may_come_from_an_iterator()
    pooltest.each({}, function(axes)
        local pool <close> = pooltest.open(axes, { fixed = FIXED, map = triple })
        for _, n in ipairs { 0, 1, 100 } do
            local i = 0
            local results, report = pool:run(function()
                i = i + 1
                return i <= n and i or nil
            end)
            check_tripled(results, n, axes.name)
            pooltest.check_outcomes(report, n, {}, axes.name)
        end
    end)
end

function TestPool.test_an_iterator_is_asked_no_further_ahead_than_needed()
    pooltest.each({ delivery = "inherit", chunk = 1 }, function(axes)
        local ended = core.shared_array("i64", 1, 0)
        local pool <close> = pooltest.open(axes, {
            workers = 1, map = function(item) ended[1] = item return item end,
        })
        local i, most = 0, 0
        pool:run(function()
            most = math.max(most, i - ended[1])
            i = i + 1
            return i <= 5000 and i or nil
        end)
        lu.assertTrue(most < 1000, axes.name .. ": " .. most .. " items ahead")
        ended:close()
    end)
end

function TestPool.test_results_may_be_nil_and_items_too()
    pooltest.each({ delivery = "inherit" }, function(axes)
        local pool <close> = pooltest.open(axes, {
            map = function(item, _, w) return w.index % 2 == 0 and { item } or nil end,
        })
        local results, report = pool:run { 1, 2, nil, 4, 5, 6 }
        lu.assertEquals(report.outcomes.ok, 6, axes.name)
        lu.assertEquals({ results[1], results[2], results[4], results[6] }, { nil, { 2 }, { 4 }, { 6 } }, axes.name)
    end)
end

local SAMPLES = {
    0, -1, math.maxinteger, math.mininteger, 0.5, -0.0, 1 / 0, -1 / 0, true, false, "", "a\0b", ("x"):rep(100000),
    {}, { 1, 2, { 3, { 4 } } }, { [1.5] = "float", [true] = 1, x = { y = "z" } },
}

function TestPool.test_values_cross_unchanged()
    pooltest.each({ chunk = 7 }, function(axes)
        local pool <close> = pooltest.open(axes, {
            fixed = SAMPLES, map = function(item, fixed) return { item, fixed } end,
        })
        local results = pool:run(SAMPLES)
        for i, sample in ipairs(SAMPLES) do lu.assertEquals(results[i], { sample, SAMPLES }, axes.name) end
        lu.assertEquals(1 / results[6][1], -1 / 0, axes.name)
        local nan = pool:run { 0 / 0 }[1][1]
        lu.assertTrue(nan ~= nan, axes.name)
        local cyclic = {}
        cyclic.self = cyclic
        local back = pool:run { cyclic }[1][1]
        lu.assertTrue(rawequal(back.self, back), axes.name)
    end)
end

function TestPool.test_arrays_cross_as_items_results_and_fixed_data()
    pooltest.each({}, function(axes)
        local pool <close> = pooltest.open(axes, {
            fixed = core.array("i64", 20000, 7),
            map = function(item, fixed)
                return { sum = item:sum() + fixed:sum(), back = item:slice(2, #item) }
            end,
        })
        local items = pooltest.list(20, function(i) return core.array(i % 2 == 0 and "f64" or "i16", i * 3000, i) end)
        local results = pool:run(items)
        for i = 1, 20 do
            lu.assertEquals(results[i].sum, i * 3000 * i + 140000, axes.name)
            local back = results[i].back
            lu.assertEquals({ #back, back:sum() }, { i * 3000 - 1, (i * 3000 - 1) * i }, axes.name)
        end
        items[20][1] = 5 -- all has been sent: nothing is frozen
    end)
end

-- More pieces that stand where they are than one message may have.
function TestPool.test_a_result_may_hold_any_number_of_arrays()
    pooltest.each({}, function(axes)
        local pool <close> = pooltest.open(axes, {
            map = function(n)
                local list = {}
                for i = 1, n do list[i] = core.array("u8", 65536 + i, i) end
                return list
            end,
        })
        local sizes = { 1, 15, 16, 17, 70 }
        local results = pool:run(sizes)
        for at, n in ipairs(sizes) do
            lu.assertEquals(#results[at], n, axes.name)
            for i = 1, n do
                local array = results[at][i]
                lu.assertEquals({ #array, array:sum() }, { 65536 + i, (65536 + i) * i }, axes.name)
            end
        end
        assert(pool:close())
    end)
end

-- Neither side waits for the other to read first.
function TestPool.test_five_megabytes_go_both_ways_at_once()
    pooltest.each({ delivery = "inherit" }, function(axes)
        local pool <close> = pooltest.open(axes, { map = function(item) return item .. "!" end })
        local text = ("0123456789abcdef"):rep(5 * 65536)
        local results, report = pool:run(pooltest.list(12, function(i) return text .. i end))
        for i = 1, 12 do lu.assertTrue(results[i] == text .. i .. "!", axes.name) end
        pooltest.check_outcomes(report, 12, {}, axes.name)
        assert(pool:close())
    end)
end

function TestPool.test_sixty_four_workers_start_with_data_larger_than_any_pipe()
    local count = rigtest.many(64, 8)
    pooltest.each({ chunk = 1 }, function(axes)
        local pool <close> = pooltest.ready(axes, {
            workers = count, fixed = ("f"):rep(1500000), map = function(item, fixed) return item + #fixed end,
        })
        local results, report = pool:run(640)
        lu.assertEquals({ results[1], results[640] }, { 1500001, 1500640 }, axes.name)
        pooltest.check_outcomes(report, 640, {}, axes.name)
        lu.assertEquals(#report.tasks_by_worker, count, axes.name)
        assert(pool:close())
        lu.assertEquals(pool:stats().undelivered, { workers = 0, bytes = 0 }, axes.name)
    end)
end

-- Each worker notes who it is; `init` sees the parameters and the fixed data.
local function tell(item, fixed, w)
    w.seen = (w.seen or 0) + 1
    return { item = item, id = w.id, index = w.index, state = w.state, fixed = fixed, seen = w.seen }
end

function TestPool.test_workers_know_their_number_the_item_and_their_state()
    pooltest.each({}, function(axes)
        local pool <close> = pooltest.ready(axes, {
            workers = 3, fixed = FIXED, p = { size = 5 }, map = tell,
            init = function(p, fixed) return { p = p, first = fixed[1] } end,
        })
        for _ = 1, 2 do
            local results = pool:run(pooltest.list(60, function(i) return -i end))
            for i = 1, 60 do
                local r = results[i]
                lu.assertEquals({ r.item, r.index, r.fixed }, { -i, i, FIXED }, axes.name)
                lu.assertTrue(r.id >= 1 and r.id <= 3, axes.name)
                lu.assertEquals(r.state, { p = { size = 5 }, first = 10 }, axes.name)
            end
        end
    end)
end

function TestPool.test_w_can_be_made_by_the_caller()
    local pool <close> = pooltest.plain {
        workers = 2, worker = function(id) return { id = id * 10, own = "mine" } end,
        init = function() return 5 end,
        map = function(_, _, w) return { w.id % 10, w.own, w.index, w.state } end,
    }
    lu.assertEquals(pool:run(3), { { 0, "mine", 1, 5 }, { 0, "mine", 2, 5 }, { 0, "mine", 3, 5 } })
end

function TestPool.test_what_a_worker_changes_is_its_own()
    local fixed, count = { n = 0 }, 0
    local pool <close> = pooltest.plain {
        fixed = fixed,
        map = function(_, data)
            count = count + 1
            data.n = data.n + 1
            return count == data.n
        end,
    }
    for _, same in ipairs(pool:run(50)) do lu.assertTrue(same) end
    lu.assertEquals({ count, fixed.n }, { 0, 0 })
end

function TestPool.test_finish_runs_once_in_each_worker()
    pooltest.each({ chunk = 1 }, function(axes)
        local finished = core.shared_array("i64", 3, 0)
        local pool <close> = pooltest.ready(axes, {
            workers = 3, fixed = FIXED, map = triple,
            finish = function(w) finished[w.id] = finished[w.id] + 1 end,
        })
        pool:run(20)
        lu.assertEquals(finished:table(), { 0, 0, 0 }, axes.name)
        assert(pool:close())
        lu.assertEquals(finished:table(), { 1, 1, 1 }, axes.name)
        finished:close()
    end)
end

function TestPool.test_stats_account_for_every_worker()
    pooltest.each({}, function(axes)
        local pool <close> = pooltest.ready(axes, { workers = 3, fixed = FIXED, map = triple })
        pool:run(100)
        pool:sample()
        pool:close()
        local stats, tasks = pool:stats(), 0
        lu.assertEquals({ #stats.workers, stats.replaced }, { 3, 0 }, axes.name)
        lu.assertEquals({ stats.counters.tasks, stats.counters.forks }, { 100, 3 }, axes.name)
        for id, worker in ipairs(stats.workers) do
            lu.assertEquals({ worker.id, worker.exit }, { id, "exit 0" }, axes.name)
            lu.assertTrue(worker.pid > 0 and worker.started_s <= worker.ready_s, axes.name)
            lu.assertTrue(worker.uss_bytes > 0 and worker.peak_rss_bytes > 0, axes.name)
            for _, name in ipairs { "user_s", "sys_s", "minor_faults", "voluntary_switches", "bytes_out" } do
                lu.assertTrue(worker[name] >= 0, axes.name .. ": " .. name)
            end
            tasks = tasks + worker.tasks
        end
        lu.assertEquals(tasks, 100, axes.name)
    end)
end

os.exit(lu.LuaUnit.run())
