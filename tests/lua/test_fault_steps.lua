-- What may stand under `faults` and `expect_outcomes`, and the board on which workers note what they do to themselves.
-- Whether it happens is for test_faults.lua to see.

local lu = require "luaunit"
local boards = require "rig.faults.board"
local expected = require "rig.faults.expected"
local steps = require "rig.faults.steps"

local function one(given)
    local list, problem, remedy = steps.check { given }
    lu.assertNil(problem, tostring(problem) .. "; " .. tostring(remedy))
    return list[1]
end

TestSteps = {}

function TestSteps.test_a_step_is_put_into_one_form()
    local step = one { kill = "SIGKILL", worker = 2, at_task = 10 }
    lu.assertEquals({ step.action, step.signal, step.stage, step.worker, step.task, step.iteration, step.times },
        { "kill", "KILL", "task", 2, 10, 1, 1 })
    lu.assertEquals(step.text, 'kill = "SIGKILL", worker 2, its task 10')
    lu.assertEquals(one({ kill = "TERM" }).signal, "TERM")
    lu.assertEquals(one({ kill = "TERM" }).task, 1)
    lu.assertEquals(one({ stop = "200ms" }).seconds, 0.2)
    lu.assertEquals(one({ hang = true }).seconds, 0)
    lu.assertEquals(one({ truncate = 0 }).stage, "result")
    lu.assertEquals(one({ kill = "SIGKILL", stage = "init" }).worker, 1)
    lu.assertEquals(one({ error = "no", iteration = "every", times = 3 }).times, 3)
end

local WRONG = {
    { {}, "says nothing that is to happen", "give one of kill, exit" },
    { { kill = "SIGKIL" }, 'kill = "SIGKIL" is no signal', "SIGKILL" },
    { { kill = 9 }, "kill = 9 is no signal", "SIGABRT" },
    { { kill = "SIGCONT" }, "is no signal that ends a worker", "" },
    { { exit = 256 }, "exit = 256 is no exit status", "0 to 255" },
    { { stop = "soon" }, 'stop = "soon" is no time', "give true, or how long" },
    { { hang = -1 }, "hang = -1 is no time", "give true" },
    { { error = "" }, 'error = "" is no message', "give a text" },
    { { truncate = 1.5 }, "truncate = 1.5 is no number of bytes", "" },
    { { kill = "SIGKILL", exit = 1 }, "has both kill and exit", "two steps" },
    { { kil = "SIGKILL" }, 'unknown key "kil"', "kill" },
    { { kill = "SIGKILL", worker = 0 }, "worker = 0 is not from 1", "whole number" },
    { { kill = "SIGKILL", at_task = 2.5 }, "at_task = 2.5 is not from 1", "" },
    { { kill = "SIGKILL", stage = "begin" }, 'stage = "begin" is none', "" },
    { { kill = "SIGKILL", stage = "init", at_task = 2 }, "at_task = 2 belongs to the stages", 'stage = "init"' },
    { { kill = "SIGKILL", stage = "init", iteration = 2 }, "a worker has its init once", "leave it out" },
    { { error = "no", stage = "idle" }, "error is nothing that can be done to a worker from outside", "kill or stop" },
    { { stop = "1s", stage = "idle" }, "nobody would continue", "stop = true" },
    { { truncate = 1, stage = "task" }, "truncate cuts a result", "leave stage out" },
    { { kill = "SIGKILL", iteration = 0 }, "iteration = 0 is not a number from 1", "every" },
    { { kill = "SIGKILL", times = 0 }, "times = 0 is not from 1", "" },
}

function TestSteps.test_what_is_wrong_is_named_with_its_value_and_a_remedy()
    for _, row in ipairs(WRONG) do
        local list, problem, remedy, index = steps.check { { error = "fine" }, row[1] }
        lu.assertNil(list, row[2])
        lu.assertStrContains(problem, row[2])
        lu.assertStrContains(remedy, row[3])
        lu.assertEquals(index, 2)
    end
    local _, problem = steps.check { kill = "SIGKILL" }
    lu.assertStrContains(problem, "is not a list of steps")
    _, problem = steps.check { nil, { error = "x" } }
    lu.assertStrContains(problem, "is not a list of steps")
    _, problem = steps.check { { error = "x", [1] = 2 } }
    lu.assertStrContains(problem, "unknown key 1")
    local many = {}
    for i = 1, 17 do many[i] = { error = "x" } end
    _, problem = steps.check(many)
    lu.assertStrContains(problem, "17 steps are more than 16")
end

local function bar(step, preset, params)
    params.workers, params.timeout = params.workers or 4, params.timeout or 0
    return steps.bar(one(step), { axes = { preset = preset }, params = params })
end

function TestSteps.test_what_cannot_happen_in_a_case_is_refused()
    lu.assertStrContains(bar({ kill = "SIGKILL" }, "serial", {}), "would befall the coordinator")
    lu.assertNil(bar({ error = "no" }, "serial", {}))
    lu.assertStrContains(bar({ kill = "SIGKILL", worker = 5 }, "builtin", {}), "no worker 5 among 4")
    lu.assertStrContains(bar({ stop = true }, "builtin", {}), "lasts until somebody ends it")
    lu.assertNil(bar({ stop = true }, "builtin", { timeout = 1 }))
end

TestExpected = {}

function TestExpected.test_kinds_that_are_not_named_must_not_occur_but_ok()
    local record = { outcomes = { ok = 8, error = 0, timeout = 0, died = 1, cancelled = 0 }, retried = 2, replaced = 1 }
    lu.assertNil(expected.difference({ died = 1 }, record))
    lu.assertNil(expected.difference({ died = { 0, 2 }, ok = 8, retried = 2, replaced = 1 }, record))
    lu.assertEquals(expected.difference({ ok = 9 }, record), "ok 8, expected 9 and died 1, expected 0")
    lu.assertEquals(expected.difference({ died = 2 }, record), "died 1, expected 2")
    lu.assertEquals(expected.difference({ died = 1, retried = { 3, 4 } }, record), "retried 2, expected 3 to 4")
end

function TestExpected.test_what_is_no_count_is_refused()
    for _, given in ipairs { 1, { dead = 1 }, { died = -1 }, { died = { 2, 1 } }, { ok = "many" } } do
        local found, problem, remedy = expected.check(given)
        lu.assertNil(found)
        lu.assertNotEquals(problem, "")
        lu.assertNotEquals(remedy, "")
    end
end

TestBoard = {}

function TestBoard.test_what_workers_note_is_news_once()
    local board, seen = boards.new(3), {}
    board:begin_iteration(1, steps.check { { error = "a" }, { exit = 1, stage = "init" } })
    lu.assertEquals(board:begin_task(2), 1)
    lu.assertEquals(board:begin_task(2), 2)
    board:note(2, 1, 7, 100)
    board:note(1, 2, 0, 200)
    local news = board:news(seen)
    lu.assertEquals(#news, 2)
    lu.assertEquals({ news[1].worker, news[1].step, news[1].task, news[1].pid }, { 2, 1, 7, 100 })
    lu.assertNil(news[2].task)
    lu.assertEquals(board:news(seen), {})
    lu.assertEquals({ board:times(1), board:times(2) }, { 1, 1 })
    board:begin_iteration(2, steps.check { { error = "a" }, { exit = 1, stage = "init" } })
    lu.assertEquals({ board:times(1), board:times(2) }, { 0, 1 }) -- init is no part of an iteration
    lu.assertEquals(board:begin_task(2), 1)
end

function TestBoard.test_more_events_than_it_keeps_are_the_last_ones()
    local board, seen = boards.new(1), {}
    for task = 1, boards.MOST_EVENTS + 3 do board:note(1, 1, task, 1) end
    local news = board:news(seen)
    lu.assertEquals(#news, boards.MOST_EVENTS)
    lu.assertEquals(news[1].task, 4)
end

os.exit(lu.LuaUnit.run())
