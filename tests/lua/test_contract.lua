-- The contract of pools, over every combination of axes, every preset and pool types written in Lua: which there are
-- and which are refused, results in order and each task once, values, fixed data, hooks.
-- Faults: test_contract_faults.lua; imap: test_contract_lazy.lua; single tasks: test_contract_futures.lua; many and
-- large ones: test_contract_load.lua. Neighbours: tests/support/contract.lua, lua/rig/library.lua.

local lu = require "luaunit"
local axes = require "rig.axes"
local contract = require "contract"
local rig = require "rig"

TestCombinations = {}

function TestCombinations.test_every_value_of_every_axis_is_tested()
    local seen = {}
    for _, subject in ipairs(contract.subjects) do
        for name, value in pairs(subject.made) do seen[name .. "=" .. tostring(value)] = true end
    end
    for _, name in ipairs { "start", "delivery", "channel" } do
        for _, value in ipairs(axes.available(axes.axis[name].values)) do
            lu.assertTrue(seen[name .. "=" .. value], name .. "=" .. value)
        end
    end
    for _, preset in ipairs(axes.available(axes.presets)) do lu.assertTrue(seen["preset=" .. preset], preset) end
    lu.assertTrue(seen["impl=c"] and seen["impl=lua"])
end

function TestCombinations.test_a_combination_that_cannot_be_is_refused_with_both_settings_and_the_reason()
    lu.assertTrue(#contract.refused > 0)
    for _, one in ipairs(contract.refused) do
        local spec = { map = print }
        for name, value in pairs(one.spec) do spec[name] = value end
        local fine, message = pcall(function() return (rig.pool(spec)) end)
        lu.assertFalse(fine, one.name)
        message = tostring(message)
        local a, va, b, vb, reason = message:match "(%w+) = (%w+) cannot go with (%w+) = (%w+): ([^;]+); %w+"
        lu.assertNotNil(a, one.name .. ": " .. message)
        lu.assertEquals({ one.spec[a], one.spec[b] }, { va, vb }, message)
        lu.assertTrue(#reason > 20, message)
        lu.assertStrContains(message, one.remedy)
        lu.assertStrMatches(message, "%S*test_contract%.lua:%d+: rig%.pool: .*")
    end
end

function TestCombinations.test_what_is_still_to_come_is_refused_as_such()
    for _, axis in ipairs(axes.axes) do
        for _, value in ipairs(axis.values) do
            if value.later then
                local fine, message = pcall(rig.pool, { map = print, delivery = "send", [axis.name] = value.name })
                lu.assertFalse(fine)
                lu.assertStrContains(tostring(message),
                    axis.name .. " = " .. value.name .. " is not available in this version; use ")
            end
        end
    end
end

TestMaps = {}

local function iterator(n)
    local i = 0
    return function()
        i = i + 1
        if i <= n then return i end
    end
end

local function check_doubles(pool, items, n)
    local results, count = pool:map(items)
    lu.assertEquals(count, n)
    for i = 1, n do lu.assertEquals(results[i], 2 * i) end
    lu.assertNil(results[n + 1])
end

function TestMaps.test_results_are_in_order_and_each_task_runs_once_whatever_the_form_of_items()
    contract.each("forms of items", {}, function(subject)
        local counter <close> = contract.counter(subject, 50)
        local pool <close> = contract.open(subject, { map = "double", p = counter.p })
        local list = {}
        for i = 1, 50 do list[i] = i end
        for _, items in ipairs { list, 50, iterator(50) } do
            check_doubles(pool, items, 50)
            counter:check()
        end
        assert(pool:close())
    end)
end

function TestMaps.test_nothing_and_a_single_item_are_maps_too()
    contract.each("no items", {}, function(subject)
        local pool <close> = contract.open(subject, { map = "double" })
        for _, items in ipairs { {}, 0, iterator(0) } do check_doubles(pool, items, 0) end
        for _, items in ipairs { { 1 }, 1, iterator(1) } do check_doubles(pool, items, 1) end
        check_doubles(pool, {}, 0)
        check_doubles(pool, 3, 3)
        assert(pool:close())
    end)
end

function TestMaps.test_what_is_no_items_is_refused_with_what_to_do()
    contract.each("no items at all", {}, function(subject)
        local pool <close> = contract.open(subject, { map = "double" })
        for _, method in ipairs { "map", "imap", "imap_unordered" } do
            for says, items in pairs {
                ["an array; give a list, as with array:table()"] = rig.array("i64", { 1, 2 }),
                ["neither a list, a whole number of at least 0, nor a function"] = "abc",
                ["-1 (a number) is neither a list"] = -1, ["2.5 (a number) is neither a list"] = 2.5,
                ["a table with the key 'a' and no item 1; give a list"] = { a = 1 },
            } do
                lu.assertErrorMsgContains("pool:" .. method .. ": ", pool[method], pool, items)
                lu.assertErrorMsgContains(says, pool[method], pool, items)
            end
        end
        check_doubles(pool, 3, 3)
    end)
end

function TestMaps.test_any_size_of_chunks_gives_the_same_results()
    contract.each("chunks", { "chunks" }, function(subject)
        for _, chunk in ipairs { "auto", 1, 7, 1000 } do
            local counter <close> = contract.counter(subject, 30)
            local pool <close> = contract.open(subject, { map = "double", p = counter.p, chunk = chunk })
            check_doubles(pool, 30, 30)
            check_doubles(pool, iterator(30), 30)
            assert(pool:close())
            lu.assertEquals(#counter:take(), 30)
        end
    end)
end

function TestMaps.test_with_a_barrier_and_without_it()
    contract.each("barrier", { "processes" }, function(subject)
        for _, barrier in ipairs { true, false } do
            local pool <close> = contract.open(subject, { map = "double", barrier = barrier })
            check_doubles(pool, 10, 10)
            assert(pool:wait_ready())
            check_doubles(pool, 10, 10)
        end
    end)
end

function TestMaps.test_results_may_be_nil_and_false()
    contract.each("nil and false", {}, function(subject)
        local pool <close> = contract.open(subject, { map = "sometimes" })
        local results, n = pool:map(9)
        lu.assertEquals(n, 9)
        for i = 1, 9 do lu.assertEquals(results[i], contract.jobs.sometimes(i)) end
    end)
end

local function is_nan(x) return x ~= x end

function TestMaps.test_values_arrive_as_they_left()
    contract.each("values", {}, function(subject)
        local pool <close> = contract.open(subject, { map = "same" })
        local plain = {
            true, 0, -1, math.maxinteger, math.mininteger, 1.5, math.huge, -math.huge, "", "\0\255\n", ("x"):rep(70000),
            { a = { b = { 1, 2, { 3 } } }, [true] = false, [1.5] = "y", [-7] = {} },
        }
        lu.assertEquals((pool:map(plain)), plain)
        local shared, cyclic = { 1 }, {}
        cyclic.me, cyclic.twice = cyclic, { shared, shared }
        local got = pool:map { 0 / 0, -0.0, cyclic, rig.array("f32", { 1, 2.5 }), false }
        lu.assertTrue(is_nan(got[1]))
        lu.assertEquals(1 / got[2], -math.huge)
        lu.assertTrue(got[3].me == got[3] and got[3].twice[1] == got[3].twice[2] and got[3].twice[1][1] == 1)
        lu.assertEquals({ #got[4], got[4][2], got[4]:type() }, { 2, 2.5, "f32" })
        lu.assertEquals(got[5], false)
        lu.assertEquals(math.type(pool:map { 2.0 }[1]), "float")
        lu.assertEquals(math.type(pool:map { 2 }[1]), "integer")
    end)
end

function TestMaps.test_many_maps_on_one_pool()
    contract.each("many maps", {}, function(subject)
        local counter <close> = contract.counter(subject, 9)
        local pool <close> = contract.open(subject, { map = "double", p = counter.p, workers = 2 })
        for n = 0, 9 do check_doubles(pool, n, n) end
        local counts = counter:take()
        for i = 1, 9 do lu.assertEquals(counts[i], 10 - i) end
    end)
end

TestWorkers = {}

function TestWorkers.test_random_numbers_of_a_task_are_the_same_in_every_map()
    contract.each("random numbers", {}, function(subject)
        local pool <close> = contract.open(subject, { workers = 1, seed = 7 })
        local first = pool:map { { act = "about" } }[1].random
        for _ = 1, 3 do lu.assertEquals(pool:map { { act = "about" } }[1].random, first) end
    end)
end

function TestWorkers.test_see_the_same_in_every_pool()
    local first
    contract.each("w", {}, function(subject)
        local pool <close> = contract.open(subject, { p = { base = "here" }, seed = 7 })
        local got = pool:map { { act = "about" }, { act = "about" }, { act = "about" } }
        for i, one in ipairs(got) do
            lu.assertTrue(one.id == 1 or one.id == 2)
            one.id = nil
            lu.assertEquals({ one.index, one.p }, { i, "here" })
        end
        first = first or got
        lu.assertEquals(got, first)
    end)
end

function TestWorkers.test_hold_fixed_data_that_is_the_same_everywhere()
    local fixed = {
        array = rig.array("i64", 200000, 3), list = { 5, 6, 7 }, nested = { text = "\0\xff", number = 0.1 },
    }
    fixed.array[200000] = -11
    local wanted = contract.jobs.digest(fixed)
    contract.each("fixed data", {}, function(subject)
        local pool <close> = contract.open(subject, {
            workers = 3, fixed = fixed, init = "begin", p = { held = "held", base = { "state" } },
        })
        assert(pool:wait_ready())
        local results = pool:map(rig.fill(12, { act = "state" }))
        for _, one in ipairs(results) do lu.assertEquals(one, { { "state" }, 6 }) end
        assert(pool:close())
        local held = contract.lines "held"
        for _, one in ipairs(held) do lu.assertEquals(one, wanted) end
        local least = subject.made.preset == "serial" and 1 or 3
        lu.assertTrue(#held >= least, #held .. " workers held it")
        if subject.made.preset ~= "per_task" then lu.assertEquals(#held, least) end
    end)
end

function TestWorkers.test_finish_once_each()
    contract.each("finish", {}, function(subject)
        local pool <close> = contract.open(subject, { finish = "finish", workers = 3, p = { finished = "finished" } })
        assert(pool:wait_ready())
        contract.check_twices(pool:map(contract.twices(6)), 6)
        lu.assertEquals({ pool:close() }, { true })
        lu.assertEquals({ pool:close() }, { true }) -- again
        local finished, at = contract.lines "finished", {}
        for _, id in ipairs(finished) do at[id] = (at[id] or 0) + 1 end
        local workers = subject.made.preset == "serial" and 1 or 3
        for id = 1, workers do lu.assertTrue((at[tostring(id)] or 0) >= 1, "worker " .. id) end
        if subject.made.preset ~= "per_task" then lu.assertEquals(#finished, workers) end
    end)
end

function TestWorkers.test_finish_that_raises_is_told_by_close()
    contract.each("failing finish", {}, function(subject)
        local pool <close> = contract.open(subject, { finish = "finish", p = { finish_fails = true } })
        assert(pool:wait_ready())
        local ok, message = pool:close()
        lu.assertNil(ok)
        lu.assertStrMatches(message, ".*contract_jobs%.lua:%d+: no orderly end.*")
    end)
end

function TestWorkers.test_init_that_raises_is_told_by_whoever_waits()
    contract.each("failing init", {}, function(subject)
        local spec = { init = "begin", p = { init_fails = true }, fixed = {} }
        local fine, pool = pcall(contract.open, subject, spec)
        if not fine then -- serial has it at once
            lu.assertStrContains(tostring(pool), "no state for anybody")
            return
        end
        local ok, message = pool:wait_ready()
        lu.assertNil(ok)
        lu.assertStrMatches(message, ".*contract_jobs%.lua:%d+: no state for anybody.*")
        local raised
        fine, raised = pcall(pool.map, pool, 3)
        lu.assertFalse(fine)
        lu.assertStrContains(tostring(raised), "no state for anybody")
        pool:terminate()
    end)
end

function TestWorkers.test_a_closed_pool_says_so()
    contract.each("closed", {}, function(subject)
        local pool = contract.open(subject, { map = "double" })
        pool:map(3)
        assert(pool:close())
        lu.assertEquals(#pool:stats().workers >= 1, true)
        for _, method in ipairs { "map", "imap", "imap_unordered", "apply", "submit", "wait_ready" } do
            lu.assertErrorMsgContains("pool:" .. method .. ": the pool is closed", pool[method], pool, 1)
        end
        pool:terminate()
        assert(pool:close())
    end)
end

os.exit(lu.LuaUnit.run())
