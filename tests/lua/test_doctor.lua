-- `rig doctor` as people and scripts meet it: every item is judged, the figures are figures, it ends well whatever the
-- machine is like, and leaves nothing behind. What is judged how: test_doctor_judge.lua.

local lu = require "luaunit"
local core = require "rig.core"
local json = require "rig.json"
local judge = require "rig.doctor.judge"
local latency = require "rig.doctor.latency"
local measure = require "rig.doctor.measure"
local memory = require "rig.doctor.memory"
local rigtest = require "rigtest"
local variation = require "rig.doctor.variation"
local work = require "rig.doctor.work"

TestMeasuring = {}

function TestMeasuring.test_the_work_is_the_same_whenever_it_is_done()
    lu.assertEquals(work.fixed(1000), work.fixed(1000))
    lu.assertEquals(work.fixed(8), 1 + 2 + 3 + 4 + 5 + 6 + 0 + 1)
    local n = work.calibrate(0.001)
    lu.assertTrue(n >= 1000)
    lu.assertEquals(#work.times(n, 5), 5)
end

function TestMeasuring.test_functions_in_processes_give_what_they_return()
    local values = work.together { { fn = function() return 7 end }, { fn = function() return { "x" } end } }
    lu.assertEquals(values, { 7, { "x" } })
end

function TestMeasuring.test_a_process_that_fails_says_why_and_the_others_end()
    local values, problem = work.together {
        { fn = function() error "out of order" end }, { fn = function() return 1 end },
    }
    lu.assertNil(values)
    lu.assertStrContains(problem, "out of order")
    local last = core.cpus()
    values, problem = work.together { { cpu = 1022, fn = function() return 1 end } }
    if last[#last] < 1022 then
        lu.assertNil(values)
        lu.assertStrContains(problem, "processor 1022")
    end
end

function TestMeasuring.test_two_processors_are_chosen_that_share_no_core()
    local function siblings_of(cpu) return { cpu // 2 * 2, cpu // 2 * 2 + 1 } end
    lu.assertEquals({ variation.pair({ 0, 1, 2, 3 }, siblings_of) }, { { 0, 2 }, false })
    lu.assertEquals({ variation.pair({ 0, 1 }, siblings_of) }, { { 0, 1 }, true })
    lu.assertEquals({ variation.pair({ 5 }, siblings_of) }, { { 5 }, false })
end

function TestMeasuring.test_round_trips_and_clock_are_more_than_nothing()
    local cpus = core.cpus()
    local trips = assert(latency.round_trips(cpus[1], cpus[#cpus], 20))
    lu.assertEquals(#trips, 20)
    for _, seconds in ipairs(trips) do lu.assertTrue(seconds > 0) end
    local clock = latency.clock()
    lu.assertTrue(clock.read_s > 0 and clock.step_s > 0)
    for _, late in ipairs(latency.sleep(0.001, 3).late_s) do lu.assertTrue(late >= 0) end
end

function TestMeasuring.test_memory_is_tried_with_a_part_of_what_is_free()
    lu.assertEquals(memory.size(1 << 40), 256 << 20)
    lu.assertEquals(memory.size(1 << 30), 128 << 20)
    lu.assertNil(memory.size(64 << 20))
    local touch = memory.touch(16 << 20)
    for _, name in ipairs { "first_s", "again_s", "reused_s", "shared_s" } do lu.assertTrue(touch[name] > 0, name) end
    local forks = assert(memory.forks(16 << 20, 1))
    for _, name in ipairs { "nothing_s", "large_s", "small_s", "shared_s" } do lu.assertTrue(forks[name] > 0, name) end
end

-- The parent reaped two minutes of work that ended while we looked; what was not seen to be used is nobody's.
function TestMeasuring.test_time_of_children_that_ended_is_not_their_parents()
    local function process(pid, name, parent, cpu_s, children_s)
        return { pid = pid, name = name, parent = parent, cpu_s = cpu_s, children_s = children_s }
    end
    local before = { [2] = process(2, "make", 1, 1, 10), [3] = process(3, "cc", 2, 5, 0) }
    local after = { [2] = process(2, "make", 1, 1.5, 130), [3] = process(3, "cc", 2, 6, 0),
        [4] = process(4, "cc", 2, 2, 0), [7] = process(7, "rig", 1, 9, 9), [8] = process(8, "worker", 7, 9, 0) }
    lu.assertEquals(measure.busiest(before, after, 7), {
        { name = "cc", count = 2, cpu_s = 3 }, { name = "make", count = 1, cpu_s = 0.5 },
    })
end

TestCommand = {}

function TestCommand.test_json_has_every_item_the_figures_and_a_verdict()
    local result = rigtest.rig("doctor", "--json")
    lu.assertEquals(result.exit, 0, result.err)
    lu.assertEquals(result.err, "")
    local doc = assert(json.decode(result.out))
    lu.assertEquals(doc.schema, "rig-doctor/1")
    lu.assertEquals(#doc.items, #judge.ITEMS)
    for i, item in ipairs(doc.items) do
        lu.assertEquals(item.id, judge.ITEMS[i][1])
        lu.assertTrue(({ ok = true, warning = true, bad = true, unknown = true })[item.level], item.level)
        lu.assertTrue(#item.text > 0)
    end
    for _, name in ipairs { "remedy", "command" } do -- null where there is none, and never left out
        local _, count = result.out:gsub('"' .. name .. '": ', "")
        lu.assertEquals(count, #judge.ITEMS, name)
    end
    lu.assertTrue(doc.verdict.single_run >= 0)
    lu.assertStrContains(doc.verdict.text, "use --ab for smaller")
    lu.assertEquals(#doc.measured.alone.rounds, 5)
    lu.assertTrue(#doc.measured.trips_same_s > 0)
    lu.assertTrue(doc.measured.window.wall_s > 0)
    lu.assertTrue(doc.host.cores >= 1)
    lu.assertEquals(doc.measured.problems, {})
end

function TestCommand.test_words_that_it_does_not_know_are_refused()
    lu.assertEquals(rigtest.rig("doctor", "now").exit, 2)
    lu.assertStrContains(rigtest.rig("doctor", "--jsno").err, "--json")
    lu.assertStrContains(rigtest.rig("doctor", "--help").out, "--json")
    lu.assertStrContains(rigtest.rig("doctr", "x").err, "did you mean rig doctor?")
end

function TestCommand.test_a_signal_ends_it_and_all_that_it_started()
    lu.skipIf(rigtest.valgrind, "there is no telling when it begins to listen there")
    local result
    for _, seconds in ipairs { "1", "3", "9" } do
        result = rigtest.run("timeout", "--preserve-status", "-s", "INT", seconds, os.getenv "RIG", "doctor")
        lu.assertEquals(result.exit, 130)
        if result.err ~= "" then break end -- else the signal came before it listened
    end
    lu.assertEquals(result.out, "")
    lu.assertStrContains(result.err, "interrupted by signal 2")
end

-- No process may be started there, so there is nothing that pools could be judged by; what can be told is told.
function TestCommand.test_where_no_process_can_be_started_it_says_so()
    lu.skipIf(rigtest.valgrind, "valgrind needs descriptors of its own")
    local result = rigtest.run("sh", "-c", "ulimit -n 12; exec \"$0\" doctor", os.getenv "RIG")
    lu.assertEquals(result.exit, 4, result.err)
    lu.assertStrContains(result.err, "could not measure: ")
    lu.assertStrContains(result.out, "12 open files")
end

os.exit(lu.LuaUnit.run())
