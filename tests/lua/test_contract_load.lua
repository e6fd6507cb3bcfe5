-- The contract of pools under load and in company: many tasks, values of all sizes, results larger than any buffer
-- while items are still being sent, many workers, pools in pools, in coroutines and beside each other; over every
-- combination of axes, every preset and pool types written in Lua. The full tier has the largest of each.
-- Neighbours: test_contract.lua and what it names; test_huge_values.lua.

local lu = require "luaunit"
local contract = require "contract"
local rigtest = require "rigtest"

local MIB = 1 << 20

local function available_bytes()
    local file <close> = assert(io.open "/proc/meminfo")
    return 1024 * tonumber(file:read "a":match "MemAvailable:%s+(%d+)")
end

TestMany = {}

function TestMany.test_a_hundred_thousand_items()
    local n = rigtest.many(100000, 2000)
    contract.each("100,000 items", {}, function(subject)
        -- a fork for each of them would take minutes
        local pool <close> = contract.open(subject, {
            map = "double", chunk = subject.made.preset == "per_task" and 1000 or nil,
        })
        local results, count = pool:map(n)
        lu.assertEquals(count, n)
        local sum = 0
        for i = 1, n do
            if results[i] ~= 2 * i then lu.fail(("result %d is %s"):format(i, results[i])) end
            sum = sum + results[i]
        end
        lu.assertEquals(sum, n * (n + 1))
        assert(pool:close())
        lu.assertEquals(pool:stats().counters.tasks, n)
    end)
end

function TestMany.test_many_workers_each_task_once()
    contract.each("64 workers", { "processes" }, function(subject)
        -- fresh processes take their time, and all of them under valgrind
        local workers = (contract.full or not subject.spawns) and rigtest.many(64, 8) or 8
        local counter <close> = contract.counter(subject, 200, workers)
        local pool <close> = contract.open(subject, { workers = workers, p = counter.p })
        assert(pool:wait_ready())
        contract.check_twices(pool:map(contract.twices(200)), 200)
        counter:check()
        assert(pool:close())
        lu.assertTrue(#pool:stats().workers >= workers)
    end)
end

TestSizes = {}

local function check_sizes(pool, sizes)
    for _, size in ipairs(sizes) do
        local data = ("d"):rep(size)
        local results = pool:map {
            { act = "big", data = data, back = size }, { act = "big", data = data, back = 0 },
            { act = "big", data = "", back = size },
        }
        local seen = {}
        for i, one in ipairs(results) do seen[i] = { one[1], #one[2] } end
        lu.assertEquals(seen, { { size, size }, { size, 0 }, { 0, size } })
        lu.assertTrue(results[1][2] == ("r"):rep(size))
    end
end

function TestSizes.test_of_items_and_results_around_all_that_is_a_bound_somewhere()
    contract.each("sizes", {}, function(subject)
        local pool <close> = contract.open(subject)
        check_sizes(pool, {
            0, 1, 4000, 4096, 61000, 61440, 65535, 65536, 65537, MIB - 100, MIB, MIB + 1, 4 * MIB + 3,
        })
    end)
end

function TestSizes.test_of_300_MiB()
    if not contract.full or rigtest.valgrind then lu.skip "300 MiB in each channel is for the full tier" end
    if available_bytes() < 4 << 30 then lu.skip "300 MiB in each channel takes 4 GiB of memory" end
    local size, seen = 300 * MIB, {}
    contract.each("300 MiB", { "processes" }, function(subject)
        local key = subject.made.channel .. subject.made.impl .. subject.kind
        if seen[key] then return end -- what is so large differs by what it goes through
        seen[key] = true
        local pool <close> = contract.open(subject, { workers = 1 })
        local there = pool:map { { act = "big", data = ("d"):rep(size), back = 1 } }
        lu.assertEquals(there[1][1], size)
        collectgarbage()
        local back = pool:map { { act = "big", data = "", back = size } }
        lu.assertEquals(#back[1][2], size)
        back = nil -- luacheck: ignore
        collectgarbage()
    end)
end

-- Whoever only sends while the other side only sends as well waits for ever.
function TestSizes.test_large_results_while_large_items_are_still_being_sent()
    local n = contract.full and 200 or 16 -- MiB; some 10 are what may be under way to two workers
    local item = { act = "big", data = ("d"):rep(MIB), back = MIB }
    local items = {}
    for i = 1, n do items[i] = item end
    contract.each("large both ways", {}, function(subject)
        for _, chunk in ipairs(contract.takes(subject, "chunk", 8) and { 1, 8 } or { false }) do
            local pool <close> = contract.open(subject, { chunk = chunk or nil })
            local results = pool:map(items)
            for i = 1, n do lu.assertEquals({ results[i][1], #results[i][2] }, { MIB, MIB }) end
            results = nil -- luacheck: ignore
            if chunk ~= 1 then
                local taken = 0
                for _, value in pool:imap(items) do
                    lu.assertEquals(#value[2], MIB)
                    taken = taken + 1
                end
                lu.assertEquals(taken, n)
            end
        end
        collectgarbage()
    end)
end

function TestSizes.test_large_tasks_that_are_submitted_at_once()
    local item = { act = "big", data = ("d"):rep(MIB), back = MIB }
    contract.each("large futures", {}, function(subject)
        local pool <close> = contract.open(subject)
        local futures = {}
        for i = 1, 20 do futures[i] = pool:submit(item) end
        for i = 20, 1, -1 do lu.assertEquals(#futures[i]:get()[2], MIB) end
        assert(pool:close())
    end)
end

TestCompany = {}

function TestCompany.test_a_task_may_use_a_pool_of_its_own()
    contract.each("pools in pools", {}, function(subject)
        local pool <close> = contract.open(subject)
        local items = {}
        for i = 1, 6 do
            items[i] = { act = "inside", spec = subject.spec, spawn = subject.spawns or nil, value = i }
        end
        local results = pool:map(items)
        for i = 1, 6 do lu.assertEquals(results[i], 10 + i) end
        assert(pool:close())
    end)
end

function TestCompany.test_a_pool_lives_in_coroutines()
    contract.each("coroutines", {}, function(subject)
        local pool
        local one = coroutine.wrap(function()
            pool = contract.open(subject)
            coroutine.yield(pool:map(contract.twices(5)))
            for i, value in pool:imap(contract.twices(5)) do coroutine.yield(i, value) end
            local future = pool:submit { act = "twice", value = 8 }
            coroutine.yield(future)
            coroutine.yield(pool:apply { act = "twice", value = 9 })
        end)
        contract.check_twices(one(), 5)
        for i = 1, 5 do lu.assertEquals({ one() }, { i, 2 * i }) end
        local future = one()
        local other = coroutine.wrap(function() return future:get() end)
        lu.assertEquals(other(), 16)
        lu.assertEquals(one(), 18)
        one = nil -- luacheck: ignore
        collectgarbage()
        contract.check_twices(pool:map(coroutine.wrap(function()
            for i = 1, 9 do coroutine.yield { act = "twice", value = i } end
        end)), 9)
        assert(pool:close())
    end)
end

function TestCompany.test_two_pools_at_once_know_nothing_of_each_other()
    contract.each("two pools", {}, function(subject)
        local a <close> = contract.open(subject)
        local b <close> = contract.open(subject, { map = "double" })
        local futures = {}
        for i = 1, 10 do
            futures[i] = a:submit { act = "twice", value = i }
            futures[10 + i] = b:submit(10 + i)
        end
        contract.check_twices(a:map(contract.twices(5)), 5)
        lu.assertEquals((b:map(3)), { 2, 4, 6 })
        for i = 20, 1, -1 do lu.assertEquals(futures[i]:get(), 2 * i) end
        -- one as the other's source of items
        local n = 0
        for i, value in b:imap(function()
            n = n + 1
            return n <= 6 and a:apply { act = "twice", value = n } or nil
        end) do
            lu.assertEquals(value, 4 * i)
        end
        a:terminate()
        lu.assertEquals(b:apply(4), 8)
        assert(b:close())
    end)
end

function TestCompany.test_a_pool_that_nobody_holds_is_ended_by_the_collector()
    contract.each("left to the collector", { "processes" }, function(subject)
        local pids
        do
            local pool = contract.open(subject)
            contract.check_twices(pool:map(contract.twices(4)), 4)
            pids = contract.pids(pool)
        end
        collectgarbage()
        collectgarbage()
        for _, pid in ipairs(pids) do
            contract.wait_until(function()
                local file <close> = io.open(("/proc/%d/stat"):format(pid))
                return not file or (file:read "a" or ""):match "%) (%a)" == "Z"
            end, "the end of a worker")
        end
    end)
end

os.exit(lu.LuaUnit.run())
