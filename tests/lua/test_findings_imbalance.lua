-- Workers with nothing to do in map: when it is said, of whom, why, and what would help. Maps are made up, so that the
-- reason is known.
-- Neighbours: lua/rig/findings/imbalance.lua; test_busy.lua (where real pools get the figures from).

local lu = require("luaunit")
local findings = require("rig.findings")
local synthetic = require("synthetic")

local function times(count, map)
    local list = {}
    for i = 1, count do
        local wobble = 1 + (i % 3 - 1) * 0.01
        local busy = {}
        for id, seconds in ipairs(map.busy) do busy[id] = seconds * wobble end
        list[i] = { s = map.s * wobble, busy = busy, tasks = map.tasks, longest = map.longest and map.longest * wobble }
    end
    return list
end

local function document(cases, varying, cores)
    local doc = synthetic.document("idle", varying or {}, cases)
    doc.host.cores = cores or 4
    return doc
end

local function of(doc)
    local found = {}
    for _, finding in ipairs(findings.of(doc)) do
        if finding.kind == "imbalance" then found[#found + 1] = finding end
    end
    return found
end

-- What is said of one case.
local function say(params, map, messages, opts)
    params.pool, params.workers = params.pool or "builtin", params.workers or 2
    local case = synthetic.busy_case(1, params, times(opts and opts.maps or 9, map), messages)
    if opts and opts.change then opts.change(case) end
    local found = of(document({ case }, {}, opts and opts.cores))
    return found[1] and found[1].text, found[1] and found[1].evidence
end

TestReasons = {}

function TestReasons.test_one_long_task_is_to_be_split_up()
    local map = { s = 0.03, busy = { 0.01, 0.03 }, tasks = { 12, 8 }, longest = 0.021 }
    local text, evidence = say({ chunk = 1 }, map, 100)
    lu.assertEquals(text, "builtin: 33 % of the workers' time in map was idle: worker 2 had tasks for 100 % of it, the "
        .. "other for 33 %; one task takes 21.0 ms of the 30.0 ms of a map; no map is shorter than its longest task: "
        .. "split that one up")
    lu.assertEquals(evidence.why, "long task")
    lu.assertAlmostEquals(evidence.idle, 1 / 3, 1e-9)
    lu.assertEquals(evidence.points[1].busiest, 2)
    lu.assertEquals(evidence.cases, { 1 })
end

function TestReasons.test_a_long_task_that_came_late_is_to_come_first()
    local map = { s = 0.03, busy = { 0.012, 0.03 }, tasks = { 12, 18 }, longest = 0.016 }
    lu.assertStrContains(say({ chunk = 1 }, map, 100), "one task takes 16.0 ms of the 30.0 ms of a map; put it first")
    lu.assertStrContains(say({ chunk = 5 }, map, 100), "; put it first, alone in its message (chunk=1)")
end

function TestReasons.test_chunks_too_large_to_share_out_are_to_be_smaller()
    local map = { s = 0.04, busy = { 0.02, 0.04, 0.02, 0.02 }, tasks = { 20, 40, 20, 20 }, longest = 0.001 }
    local text, evidence = say({ chunk = 20, workers = 4 }, map, 12)
    lu.assertStrContains(text, "38 % of the workers' time in map was idle: worker 2 had tasks for 100 % of it, the "
        .. "least busy one for 50 %; 5 messages of 20 items each for 4 workers; smaller chunks, as chunk=6, share them "
        .. "out evenly")
    lu.assertEquals(evidence.why, "large chunks")
end

function TestReasons.test_chunks_that_were_left_to_the_pool_are_counted_by_their_messages()
    local map = { s = 0.04, busy = { 0.02, 0.04 }, tasks = { 100, 200 }, longest = 0.001 }
    -- 300 tasks in 6 messages a map
    lu.assertStrContains(say({ chunk = "auto" }, map, 27), "6 messages of 50 items each for 2 workers; smaller chunks")
end

function TestReasons.test_where_tasks_are_moved_to_idle_workers_the_size_of_chunks_is_no_reason()
    local function moves(case)
        for _, iteration in ipairs(case.iterations) do
            iteration.chunks = { messages = 6, least = 1, most = 100, stolen = 40 }
        end
    end
    local map = { s = 0.04, busy = { 0.02, 0.04 }, tasks = { 100, 200 }, longest = 0.001 }
    local text, evidence = say({ chunk = "auto" }, map, 27, { change = moves })
    lu.assertStrContains(text, "the tasks went to some workers more than to others")
    lu.assertEquals(evidence.why, "uneven")
    map = { s = 0.03, busy = { 0.012, 0.03 }, tasks = { 12, 18 }, longest = 0.016 }
    lu.assertStrMatches(say({ chunk = "auto" }, map, 20, { change = moves }), ".*; put it first")
end

function TestReasons.test_a_smaller_chunk_that_was_measured_is_named_with_what_it_brings()
    local function case(index, chunk, map)
        return synthetic.busy_case(index, { pool = "builtin", workers = 2, chunk = chunk }, times(9, map), 18)
    end
    local doc = document({
        case(1, 50, { s = 0.04, busy = { 0.02, 0.04 }, tasks = { 50, 100 }, longest = 0.001 }),
        case(2, 1, { s = 0.03, busy = { 0.03, 0.03 }, tasks = { 75, 75 }, longest = 0.001 }),
    }, { "chunk" })
    local found = of(doc)
    lu.assertEquals(#found, 1)
    lu.assertStrContains(found[1].text, "builtin at chunk 50: 25 % of")
    lu.assertStrContains(found[1].text, "; chunk=1 takes 0.75 x as long")
end

function TestReasons.test_no_advice_about_chunks_where_other_chunks_were_tried_and_are_no_better()
    local function case(index, chunk, s, most)
        return synthetic.busy_case(index, { pool = "builtin", workers = 2, chunk = chunk },
            times(9, { s = s, busy = { 0.02, most }, tasks = { 50, 100 }, longest = 0.001 }), 18)
    end
    local text = of(document({ case(1, 50, 0.04, 0.04), case(2, 1, 0.06, 0.06) }, { "chunk" }))[1].text
    lu.assertNotStrContains(text, "smaller chunks")
    text = of(document({ case(1, 50, 0.04, 0.04) }, {}))[1].text
    lu.assertStrContains(text, "smaller chunks")
end

function TestReasons.test_messages_that_could_not_be_smaller_are_too_little_work()
    local map = { s = 0.0004, busy = { 0.0004, 0 }, tasks = { 400, 0 }, longest = 0.000002 }
    lu.assertStrContains(say({ chunk = 200 }, map, 18), "2 messages of 200 items each for 2 workers, and little to "
        .. "share out: a map has 400 µs of work in all; more work in a map, or fewer workers")
end

function TestReasons.test_fewer_items_than_workers_are_told_as_that()
    local text = say({ workers = 4 }, { s = 0.03, busy = { 0.03, 0, 0, 0 }, tasks = { 1, 0, 0, 0 }, longest = 0.03 }, 9)
    lu.assertStrContains(text, "75 % of the workers' time in map was idle")
    lu.assertStrContains(text, "; 1 item cannot keep 4 workers busy; more and smaller items, or fewer workers")
end

function TestReasons.test_a_few_items_that_do_not_divide_are_told_as_that()
    local map = { s = 0.02, busy = { 0.02, 0.01, 0.01, 0.01 }, tasks = { 2, 1, 1, 1 }, longest = 0.0101 }
    lu.assertStrContains(say({ workers = 4, chunk = 1 }, map, 12),
        "; 5 items cannot be shared out evenly among 4 workers; more and smaller items")
end

function TestReasons.test_tasks_shorter_than_their_way_are_told_as_that()
    local map = { s = 0.01, busy = { 0.002, 0.002 }, tasks = { 100, 100 }, longest = 0.00003 }
    lu.assertStrContains(say({ chunk = 1 }, map, 900), "80 % of the workers' time in map was idle: even the busiest "
        .. "worker had a task for only 20 % of it; a message brings 20.0 µs of work, and 80.0 µs pass before the next "
        .. "one; larger chunks, or more work in each item")
    lu.assertStrContains(say({ chunk = "auto" }, map, 900), "next one; more work in each item, or fewer workers")
end

function TestReasons.test_workers_that_wait_with_long_tasks_get_figures_and_no_advice()
    local map = { s = 0.02, busy = { 0.01, 0.01 }, tasks = { 5, 5 }, longest = 0.002 }
    local text, evidence = say({ chunk = 1 }, map, 45)
    lu.assertStrMatches(text, ".*a message brings 2.00 ms of work, and 2.00 ms pass before the next one")
    lu.assertEquals(evidence.why, "waiting")
end

function TestReasons.test_workers_that_were_interrupted_all_the_time_lacked_cores()
    local map = { s = 0.02, busy = { 0.01, 0.01 }, tasks = { 5, 5 }, longest = 0.002 }
    local text = say({ chunk = 1 }, map, 45, { change = function(case)
        for _, worker in ipairs(case.workers) do worker.involuntary_switches = 120 end
    end })
    lu.assertStrContains(text, "; they were interrupted 120 times each: there were not cores enough for all that ran")
end

TestWhen = {}

function TestWhen.test_balanced_work_is_not_mentioned()
    lu.assertNil(say({}, { s = 0.02, busy = { 0.019, 0.018 }, tasks = { 10, 10 }, longest = 0.002 }))
end

function TestWhen.test_an_imbalance_that_is_not_there_every_time_is_noise()
    local maps = {}
    for i = 1, 9 do
        maps[i] = { s = 0.02, busy = { 0.02, i % 3 == 0 and 0.019 or 0.012 }, tasks = { 9, 9 }, longest = 0.003 }
    end
    local function finding(list)
        local case = synthetic.busy_case(1, { pool = "builtin", workers = 2, chunk = 1 }, list, 90)
        return of(document({ case }))[1]
    end
    lu.assertNil(finding(maps))
    for i = 1, 9 do maps[i].busy[2] = 0.012 end
    lu.assertNotNil(finding(maps))
end

function TestWhen.test_few_maps_must_all_show_it_and_have_no_interval()
    local map = { s = 0.03, busy = { 0.01, 0.03 }, tasks = { 12, 8 }, longest = 0.021 }
    lu.assertStrContains(say({ chunk = 1 }, map, 100, { maps = 1 }), "builtin: 33 % of the workers' time")
end

function TestWhen.test_with_nine_maps_that_differ_the_interval_is_shown()
    local maps = {}
    for i = 1, 9 do
        maps[i] = { s = 0.02, busy = { 0.02, 0.008 + 0.0005 * i }, tasks = { 9, 9 }, longest = 0.003 }
    end
    local case = synthetic.busy_case(1, { pool = "builtin", workers = 2, chunk = 1 }, maps, 90)
    lu.assertStrContains(of(document({ case }))[1].text, "24 % (20 to 28 %) of the workers' time in map was idle")
end

function TestWhen.test_more_workers_than_cores_make_it_a_lower_bound()
    local map = { s = 0.04, busy = { 0.04, 0.004, 0.004, 0.004 }, tasks = { 30, 10, 10, 10 }, longest = 0.03 }
    lu.assertStrContains(say({ workers = 4 }, map, 90, { cores = 2 }), "builtin: at least 35 % of the workers' time")
    -- four workers that share two cores all the time are busy for as long as they wait for one
    lu.assertNil(say({ workers = 4 }, { s = 0.04, busy = { 0.03, 0.03, 0.03, 0.03 }, tasks = { 9, 9, 9, 9 } }, 90,
        { cores = 2 }))
end

function TestWhen.test_nobody_is_named_where_now_this_worker_and_now_that_one_does_most()
    local maps = {}
    for i = 1, 8 do
        local one, other = i % 2 == 0 and 0.03 or 0.012, i % 2 == 0 and 0.012 or 0.03
        maps[i] = { s = 0.03, busy = { one, other }, tasks = { 10, 10 }, longest = 0.025 }
    end
    local case = synthetic.busy_case(1, { pool = "builtin", workers = 2, chunk = 1 }, maps, 90)
    lu.assertStrContains(of(document({ case }))[1].text,
        "the busiest worker had tasks for 100 % of it, the other for 40 %")
end

function TestWhen.test_several_places_are_one_sentence_about_the_worst()
    local cases = {}
    for i, size in ipairs({ 1000, 10000, 100000 }) do
        cases[i] = synthetic.busy_case(i, { pool = "builtin", workers = 2, chunk = 1, size = size },
            times(9, { s = 0.03, busy = { 0.03 - 0.008 * (i - 1), 0.03 }, tasks = { 10, 10 }, longest = 0.025 }), 90)
    end
    local found = of(document(cases, { "size" }))
    lu.assertEquals(#found, 1)
    lu.assertStrContains(found[1].text, "builtin at size 100K: 27 % of")
    cases[2] = synthetic.busy_case(2, { pool = "builtin", workers = 2, chunk = 1, size = 10000 },
        times(9, { s = 0.03, busy = { 0.018, 0.03 }, tasks = { 10, 10 }, longest = 0.025 }), 90)
    found = of(document(cases, { "size" }))
    lu.assertStrContains(found[1].text, " (so in 2 of 3 cases; this is the worst)")
    lu.assertEquals(found[1].evidence.cases, { 2, 3 })
end

function TestWhen.test_data_that_is_late_is_said_by_others()
    local doc = synthetic.fixed_data()
    for _, case in ipairs(doc.cases) do
        for i, iteration in ipairs(case.iterations) do
            iteration.busy_by_worker_s = { 0.004, 0, 0, 0 }
            if case.params.pool == "builtin" then
                local half = case.phases.map_s[i] / 2
                iteration.busy_by_worker_s = { half, half, half, half }
            end
        end
    end
    lu.assertEquals(of({ cases = { doc.cases[9], doc.cases[10] }, host = doc.host, varying = doc.varying,
        scenario = doc.scenario }), {})
end

function TestWhen.test_a_busy_machine_may_be_the_reason_for_all_that_looks_like_waiting()
    local function finding(load, map, chunk)
        local case = synthetic.busy_case(1, { pool = "builtin", workers = 2, chunk = chunk or 1 }, times(9, map), 90)
        local doc = document({ case })
        doc.host.load = { load, 0, 0 }
        return of(doc)[1]
    end
    local waiting = { s = 0.02, busy = { 0.01, 0.01 }, tasks = { 50, 50 }, longest = 0.0004 }
    lu.assertNotNil(finding(0.5, waiting))
    lu.assertNil(finding(4, waiting))
    local tiny = { s = 0.02, busy = { 0.001, 0.001 }, tasks = { 500, 500 }, longest = 0.00001 }
    lu.assertNotNil(finding(4, tiny))
    lu.assertNotNil(finding(4, { s = 0.03, busy = { 0.01, 0.03 }, tasks = { 12, 8 }, longest = 0.021 }))
end

function TestWhen.test_figures_that_are_missing_make_nothing_fail()
    math.randomseed(5)
    for _ = 1, 200 do
        local cases = {}
        for i = 1, 3 do
            cases[i] = synthetic.busy_case(i, { pool = "builtin", workers = 2, chunk = i },
                times(5, { s = 0.03, busy = { 0.01, 0.03 }, tasks = { 12, 8 }, longest = 0.021 }), 90)
            for _, iteration in ipairs(cases[i].iterations) do
                for _, name in ipairs({ "busy_by_worker_s", "longest_task_s", "ready" }) do
                    if math.random() < 0.4 then iteration[name] = nil end
                end
                if math.random() < 0.3 then iteration.tasks_by_worker = {} end
            end
            for _, worker in ipairs(cases[i].workers) do
                for _, name in ipairs({ "tasks", "messages_in", "involuntary_switches" }) do
                    if math.random() < 0.4 then worker[name] = nil end
                end
            end
        end
        local doc = document(cases, { "chunk" })
        if math.random() < 0.2 then doc.host = {} end
        for _, found in ipairs(of(doc)) do
            for _, word in ipairs({ "nan", "inf ", "nil" }) do lu.assertNotStrContains(found.text, word) end
        end
    end
end

function TestWhen.test_one_worker_and_serial_have_no_balance()
    local map = { s = 0.03, busy = { 0.01 }, tasks = { 10 }, longest = 0.001 }
    lu.assertNil(say({ workers = 1 }, map))
    lu.assertNil(say({ pool = "serial", workers = 1 }, map))
end

function TestWhen.test_documents_of_before_say_nothing_of_it()
    lu.assertEquals(of(synthetic.fixed_data()), {})
end

os.exit(lu.LuaUnit.run())
