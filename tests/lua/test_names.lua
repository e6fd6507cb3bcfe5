-- Which known word a mistyped one was meant to be, and what the end of a message says about it.
-- Neighbour: lua/rig/names.lua.

local lu = require "luaunit"
local names = require "rig.names"

TestDistance = {}

function TestDistance.test_counts_single_edits()
    for _, row in ipairs {
        { "", "", 0 }, { "", "abc", 3 }, { "abc", "", 3 }, { "pool", "pool", 0 }, { "pool", "pol", 1 },
        { "pool", "poool", 1 }, { "pool", "pood", 1 }, { "kitten", "sitting", 3 }, { "saturday", "sunday", 3 },
    } do
        lu.assertEquals(names.distance(row[1], row[2]), row[3], row[1] .. " " .. row[2])
    end
end

function TestDistance.test_two_neighbours_that_changed_places_are_one_edit()
    lu.assertEquals(names.distance("workers", "worekrs"), 1)
    lu.assertEquals(names.distance("abcd", "badc"), 2)
    -- optimal string alignment: no substring is edited twice
    lu.assertEquals(names.distance("ca", "abc"), 3)
end

function TestDistance.test_is_symmetric()
    local words = { "delivery", "delviery", "deliver", "chunk", "channel", "" }
    for _, a in ipairs(words) do
        for _, b in ipairs(words) do lu.assertEquals(names.distance(a, b), names.distance(b, a)) end
    end
end

function TestDistance.test_a_megabyte_costs_no_minute()
    local started = os.clock()
    names.nearest(("x"):rep(1 << 20), { "workers", ("y"):rep(1 << 20) })
    lu.assertTrue(os.clock() - started < 1)
end

TestNearest = {}

local KEYS = { "workers", "iterations", "warmup", "fixed", "items", "chunk", "channel", "max_tasks" }

local function meant(word)
    local nearest, close = names.nearest(word, KEYS)
    return close and nearest or nil
end

function TestNearest.test_finds_what_was_meant()
    lu.assertEquals(meant "worker", "workers")
    lu.assertEquals(meant "wrokers", "workers")
    lu.assertEquals(meant "Workers", "workers")
    lu.assertEquals(meant "max-tasks", "max_tasks")
    lu.assertEquals(meant "iteration", "iterations")
    lu.assertEquals(meant "chanel", "channel")
end

function TestNearest.test_a_beginning_counts_in_both_directions()
    lu.assertEquals(meant "iter", "iterations")
    lu.assertEquals(meant "fixed_via_queue", "fixed")
end

function TestNearest.test_what_is_far_is_not_close()
    lu.assertNil(meant "teleport")
    lu.assertNil(meant "x")
    lu.assertNil(meant "")
    local nearest = names.nearest("teleport", KEYS)
    lu.assertEquals(type(nearest), "string")
end

function TestNearest.test_the_first_of_equals_wins()
    lu.assertEquals((names.nearest("b", { "a", "c" })), "a")
end

function TestNearest.test_of_nothing_there_is_none()
    local nearest, close = names.nearest("x", {})
    lu.assertNil(nearest)
    lu.assertFalse(close)
end

TestSuggest = {}

function TestSuggest.test_asks_when_one_is_close()
    lu.assertEquals(names.suggest("custm", { "serial", "custom" }), "did you mean custom?")
end

function TestSuggest.test_lists_a_few_when_none_is()
    lu.assertEquals(names.suggest("teleport", { "pipe", "socket", "queue" }), "use pipe, socket or queue")
end

function TestSuggest.test_names_the_nearest_of_many()
    local many = {}
    for i = 1, 20 do many[i] = ("parameter%02d"):format(i) end
    lu.assertEquals(names.suggest("zzz", many), "the nearest is parameter01")
end

function TestSuggest.test_takes_what_is_no_string()
    lu.assertEquals(names.suggest(4, { "pipe" }), "use pipe")
    lu.assertEquals(names.suggest("x", {}), "there is none to choose from")
end

function TestSuggest.test_join()
    lu.assertEquals(names.join {}, "")
    lu.assertEquals(names.join { "a" }, "a")
    lu.assertEquals(names.join { "a", "b" }, "a or b")
    lu.assertEquals(names.join({ 1, 2, 3 }, "and"), "1, 2 and 3")
end

os.exit(lu.LuaUnit.run())
