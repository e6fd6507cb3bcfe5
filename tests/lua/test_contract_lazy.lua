-- The contract of pools for imap and imap_unordered: order, each task once, how far ahead the source is asked, failures
-- and sources that raise at their turn; over every combination of axes, every preset and pool types written in Lua.
-- Neighbours: test_contract.lua and what it names; core/bind/lazy.c, lua/rig/pools/one_by_one.lua.

local lu = require "luaunit"
local contract = require "contract"
local rigtest = require "rigtest"

local function twice(i) return { act = "twice", value = i } end

-- An iterator over n items, or without end, and how many have been asked for.
local function source(n)
    local asked = { n = 0 }
    return function()
        asked.n = asked.n + 1
        if n and asked.n > n then return nil end
        return twice(asked.n)
    end, asked
end

local function check_goes_on(pool)
    contract.check_twices(pool:map(contract.twices(5)), 5)
end

TestLazy = {}

function TestLazy.test_results_come_in_order_each_task_once_whatever_the_form_of_items()
    contract.each("imap", {}, function(subject)
        local counter <close> = contract.counter(subject, 40)
        local pool <close> = contract.open(subject, { p = counter.p })
        for _, items in ipairs { contract.twices(40), (source(40)) } do
            local n = 0
            for i, value in pool:imap(items) do
                n = n + 1
                lu.assertEquals({ i, value }, { n, 2 * n })
            end
            lu.assertEquals(n, 40)
            lu.assertEquals(counter:total(), 40)
        end
        for _ in pool:imap {} do lu.fail "there is nothing" end
        local each = pool:imap { twice(4) }
        lu.assertEquals({ each() }, { 1, 8 })
        lu.assertEquals({ each() }, {})
        lu.assertEquals({ each() }, {})
    end)
end

function TestLazy.test_unordered_gives_each_once_with_its_number()
    contract.each("imap_unordered", {}, function(subject)
        local counter <close> = contract.counter(subject, 40)
        local pool <close> = contract.open(subject, { p = counter.p })
        local seen, n = {}, 0
        for i, value in pool:imap_unordered((source(40))) do
            lu.assertNil(seen[i])
            lu.assertEquals(value, 2 * i)
            seen[i], n = true, n + 1
        end
        lu.assertEquals(n, 40)
        lu.assertEquals(counter:total(), 40)
    end)
end

function TestLazy.test_unordered_gives_first_what_ends_first()
    contract.each("imap_unordered, first", { "streaming" }, function(subject)
        local pool <close> = contract.open(subject, { chunk = 1 })
        local items, order = { { act = "gate", open = "open", value = 0 }, twice(2) }, {}
        for i in pool:imap_unordered(items) do
            order[#order + 1] = i
            rigtest.write("open", "")
        end
        os.remove "open"
        lu.assertEquals(order, { 2, 1 })
    end)
end

function TestLazy.test_a_source_is_asked_no_further_ahead_than_it_is_told_and_may_have_no_end()
    contract.each("laziness", {}, function(subject)
        local counter <close> = contract.counter(subject, 64)
        local pool <close> = contract.open(subject, { p = counter.p })
        for _, method in ipairs { "imap", "imap_unordered" } do
            local items, asked = source()
            local taken = 0
            lu.assertTrue(asked.n == 0)
            for _, value in pool[method](pool, items, { ahead = 8 }) do
                taken = taken + 1
                lu.assertTrue(value % 2 == 0 and asked.n <= taken - 1 + 8, asked.n .. " were asked for")
                if taken == 20 then break end
            end
            lu.assertTrue(asked.n <= 28)
            lu.assertTrue(counter:total() >= 20)
            check_goes_on(pool)
        end
        assert(pool:close())
    end)
end

function TestLazy.test_large_items_are_asked_for_by_their_bytes()
    local data = ("x"):rep(1 << 16)
    contract.each("bytes ahead", { "streaming" }, function(subject)
        local pool <close> = contract.open(subject)
        local asked, taken = 0, 0
        for _, value in pool:imap(function()
            asked = asked + 1
            return { act = "big", data = data, back = 1 << 16 }
        end, { ahead_bytes = 1 << 20 }) do
            taken = taken + 1
            lu.assertEquals({ value[1], #value[2] }, { 1 << 16, 1 << 16 })
            lu.assertTrue(asked - taken <= 20, asked - taken .. " are ahead") -- 16 of them are a MiB
            if taken == 60 then break end
        end
    end)
end

function TestLazy.test_a_failed_task_raises_at_its_turn_and_the_next_call_goes_on()
    contract.each("imap with failures", {}, function(subject)
        local pool <close> = contract.open(subject, { chunk = contract.takes(subject, "chunk", 1) and 1 or nil })
        for _, method in ipairs { "imap", "imap_unordered" } do
            local bad = { act = "bad", message = "not this one" }
            local each = pool[method](pool, contract.twices(12, { [3] = bad, [12] = bad }))
            local got, failed = {}, {}
            while true do
                local fine, i, value = pcall(each)
                if fine and i == nil then break end
                if fine then
                    if method == "imap" then lu.assertEquals(#failed, i > 3 and 1 or 0) end
                    got[i] = value
                else
                    lu.assertStrMatches(tostring(i), "%S*contract_jobs%.lua:%d+: not this one.*")
                    failed[#failed + 1] = i.failures[1].task
                end
            end
            table.sort(failed)
            lu.assertEquals(failed, { 3, 12 })
            contract.check_twices(got, 12, { [3] = true, [12] = true })
        end
        check_goes_on(pool)
    end)
end

function TestLazy.test_an_item_that_cannot_cross_fails_alone_however_few_are_under_way()
    contract.each("imap with items that cannot cross", { "processes", "own encoding" }, function(subject)
        local pool <close> = contract.open(subject)
        for _, ahead in ipairs { 1, 4 } do
            local bad = { act = "twice", value = { print } }
            local each = pool:imap(contract.twices(4, { bad, [4] = bad }), { ahead = ahead })
            for turn = 1, 4 do
                local fine, i, value = pcall(each)
                lu.assertEquals(fine, turn == 2 or turn == 3)
                if fine then
                    lu.assertEquals({ i, value }, { turn, 2 * turn })
                else
                    lu.assertStrContains(tostring(i), ".value[1]")
                    lu.assertEquals(i.failures[1].task, turn)
                end
            end
            lu.assertNil((each()))
        end
    end)
end

function TestLazy.test_a_worker_that_dies_fails_its_task_alone()
    contract.each("imap with deaths", { "processes", "replacement" }, function(subject)
        local counter <close> = contract.counter(subject, 10)
        local pool <close> = contract.open(subject, { p = counter.p })
        local each, got = pool:imap(contract.twices(10, { [4] = { act = "exit", code = 9 } })), {}
        for turn = 1, 10 do
            local fine, i, value = pcall(each)
            lu.assertEquals(fine, turn ~= 4)
            if fine then
                lu.assertEquals(i, turn)
                got[i] = value
            else
                lu.assertStrContains(tostring(i), "ended with exit status 9 (item 4: died)")
            end
        end
        lu.assertNil((each()))
        contract.check_twices(got, 10, { [4] = true })
        counter:check()
        assert(pool:close())
        lu.assertEquals(pool:stats().replaced, 1)
    end)
end

function TestLazy.test_what_the_source_raises_comes_after_the_results_before_it()
    contract.each("imap over a source that raises", {}, function(subject)
        local pool <close> = contract.open(subject)
        for _, method in ipairs { "imap", "imap_unordered" } do
            local n, seen = 0, 0
            local each = pool[method](pool, function()
                n = n + 1
                if n == 6 then error "the source is dry" end
                return twice(n)
            end)
            for _ = 1, 5 do
                local i, value = each()
                lu.assertEquals(value, 2 * i)
                seen = seen + i
            end
            lu.assertEquals(seen, 15)
            local fine, problem = pcall(each)
            lu.assertFalse(fine)
            lu.assertStrMatches(tostring(problem), "%S*test_contract_lazy%.lua:%d+: the source is dry.*")
            lu.assertNil((each()))
            lu.assertEquals(n, 6)
            check_goes_on(pool)
        end
    end)
end

function TestLazy.test_a_loop_may_use_its_pool_for_other_things()
    contract.each("maps within imap", {}, function(subject)
        local pool <close> = contract.open(subject)
        local n = 0
        for i, value in pool:imap(source(6), { ahead = 2 }) do
            n = n + 1
            lu.assertEquals({ i, value }, { n, 2 * n })
            check_goes_on(pool)
            lu.assertEquals(pool:apply(twice(i)), 2 * i)
            for j, other in pool:imap((source(3))) do lu.assertEquals(other, 2 * j) end
        end
        lu.assertEquals(n, 6)
    end)
end

function TestLazy.test_an_iterator_that_is_left_over_says_that_its_pool_is_closed()
    contract.each("imap after close", {}, function(subject)
        local pool <close> = contract.open(subject)
        local each = pool:imap(source(), { ahead = 2 })
        lu.assertEquals({ each() }, { 1, 2 })
        pool:close()
        local fine, problem
        for _ = 1, 4 do -- what has come may still be taken
            fine, problem = pcall(each)
            if not fine then break end
        end
        lu.assertFalse(fine)
        lu.assertStrMatches(tostring(problem), "[^\n]*the pool [^\n]*ed") -- closed, or terminated
    end)
end

function TestLazy.test_tasks_know_the_numbers_of_their_items()
    contract.each("numbers in imap", { "running numbers" }, function(subject)
        local pool <close> = contract.open(subject, { seed = 3 })
        local abouts = {}
        for i = 1, 80 do abouts[i] = { act = "about" } end
        local wanted = pool:map(abouts)
        for i, value in pool:imap(abouts) do
            lu.assertEquals({ value.index, value.random }, { i, wanted[i].random })
        end
    end)
end

os.exit(lu.LuaUnit.run())
