-- What a run says: each finding follows from the figures, whatever the scenario; none appears without a reason, and
-- no document, however much of it is missing, makes it fail. Figures come from a model (synthetic.lua): its truth
-- is known.
-- Neighbours: lua/rig/findings.lua and lua/rig/findings/; test_findings_*.lua, one question each.

local lu = require("luaunit")
local findings = require("rig.findings")
local phases = require("rig.findings.phases")
local points = require("rig.findings.points")
local found = require("found")
local synthetic = require("synthetic")

local of_kind, one = found.of_kind, found.one

local timed = synthetic.timed

TestReference = {}

local reference = synthetic.fixed_data()

function TestReference.test_which_is_faster_by_how_much_where_and_up_to_where_they_are_level()
    local text = one(reference, "faster").text
    lu.assertStrMatches(text, "custom takes 3[01]%.%d x as long as builtin at 158M ints, .*")
    lu.assertStrContains(text, "they cannot be told apart from one run at 100K")
    lu.assertStrContains(text, "one run; runs=6 gives an interval")
end

function TestReference.test_six_runs_give_an_interval_instead()
    local faster = one(synthetic.fixed_data(6), "faster")
    lu.assertStrMatches(faster.text, "custom takes 30%.%d x %(30%.%d to 3[01]%.%d%) as long as builtin at 158M ints.*")
    lu.assertStrContains(faster.text, "(6 runs)")
    lu.assertNotStrContains(faster.text, "one run")
    lu.assertNotNil(faster.evidence.ratios[5].low)
end

function TestReference.test_how_each_pool_grows_overall_and_by_phase()
    local growth = of_kind(findings.of(reference), "growth")
    lu.assertEquals(#growth, 2)
    local builtin, custom = growth[1], growth[2]
    lu.assertStrContains(builtin.text, "builtin hardly changes with size")
    lu.assertAlmostEquals(builtin.evidence.exponent, 0.01, 0.01)
    lu.assertStrContains(custom.text, "custom stays within 1.15 x with size up to 631K ints")
    -- the model copies at a constant rate: what is waited for is linear, the work itself is constant
    lu.assertAlmostEquals(custom.evidence.phases.wait.exponent, 1, 0.05)
    lu.assertIsTrue(custom.evidence.phases.map.exponent < 0.2)
    lu.assertStrMatches(custom.text, ".*by phase: waiting in map for the data %d%.%d%d, the rest of map 0%.%d%d")
end

function TestReference.test_which_phase_explains_the_difference()
    local cause = one(reference, "cause")
    lu.assertStrContains(cause.text, "at 158M ints custom takes 166 ms more per iteration than builtin")
    lu.assertStrContains(cause.text, "delivery explains 98 %")
    lu.assertStrContains(cause.text, "in map, until the first worker held the data")
    lu.assertStrContains(cause.text, "1 of 4 workers held it")
    local sum = 0
    for _, share in pairs(cause.evidence.shares) do sum = sum + share end
    lu.assertAlmostEquals(sum, 1, 1e-9)
end

-- Adds up the shares that stand outside brackets, and those inside the brackets of delivery.
local function shares_said(text)
    local said, inside, outside = text:match(": (%l.*)$"), 0, 0
    local bare = said:gsub("%b()", "")
    for share in bare:gmatch("(%-?%d+) %%") do outside = outside + tonumber(share) end
    for share in (said:match("delivery [^%(,]*(%b())") or ""):gmatch("(%-?%d+) %%") do
        inside = inside + tonumber(share)
    end
    return outside, inside, tonumber(said:match("delivery%D-(%-?%d+) %%"))
end

-- Six runs of both, of which some are slow as a whole, and others only in one phase.
local function scattered()
    local doc = synthetic.fixed_data(6)
    for i, case in ipairs(doc.cases) do
        local slow = (i * 7) % 4
        for k, s in ipairs(case.phases.map_s) do case.phases.map_s[k] = s * (1 + slow * (k == 2 and 9 or 0.3)) end
        case.phases.start_s = case.phases.start_s * (1 + (i * 5) % 3)
        local sum = case.phases.start_s + case.phases.close_s
        if case.params.barrier ~= false then sum = sum + (case.phases.deliver_s or 0) end
        for k, s in ipairs(case.phases.map_s) do sum = sum + s + case.phases.reduce_s[k] end
        case.s_per_iteration = sum / #case.phases.map_s
    end
    return doc
end

function TestReference.test_the_parts_of_a_difference_add_up_to_it_with_several_runs_too()
    for _, doc in ipairs({ reference, synthetic.fixed_data(3), scattered() }) do
        local cause = one(doc, "cause")
        local outside, inside, delivery = shares_said(cause.text)
        lu.assertAlmostEquals(outside, 100, 3, cause.text)
        if inside ~= 0 then lu.assertAlmostEquals(inside, delivery, 3, cause.text) end
        local sum = 0
        for _, share in pairs(cause.evidence.shares) do sum = sum + share end
        lu.assertAlmostEquals(sum, 1, 1e-9)
    end
end

function TestReference.test_workers_that_all_held_the_data_in_the_end_are_late_not_fewer()
    local doc = synthetic.fixed_data()
    local case = doc.cases[10]
    case.ready_at_last_result = 4
    local text = one(doc, "cause").text
    lu.assertStrContains(text, "workers joined late: 1 of 4 held it after the first map")
    lu.assertNotStrContains(text, "fewer workers")
end

function TestReference.test_of_several_runs_the_one_with_the_fewest_ready_counts()
    local doc = synthetic.fixed_data(3)
    doc.cases[10].ready_at_last_result = 4
    lu.assertStrContains(one(doc, "cause").text, "map on fewer workers: 1 of 4 workers held it")
end

function TestReference.test_workers_that_were_not_ready_and_that_all_was_right_all_the_same()
    local unready = of_kind(findings.of(reference), "unready")
    lu.assertEquals(#unready, 1)
    local text = unready[1].text
    lu.assertStrContains(text, "when the last result came in, not all workers held the fixed data (3 of 5 cases)")
    lu.assertStrContains(text, "1 of 4 at 158M ints (3.80 GB never delivered to 3)")
    lu.assertStrContains(text, "1 of 4 at 25.1M (603 MB never delivered to 3)")
    lu.assertStrContains(text, "2 of 4 at 3.98M (63.7 MB never delivered to 2)")
    lu.assertStrContains(text, "One worker did 900 of 900 tasks")
    lu.assertStrContains(text, "All 27 results were right all the same, as were all 90 of the run")
end

function TestReference.test_wrong_results_are_not_called_right()
    local doc = synthetic.fixed_data()
    local case = doc.cases[10]
    case.iterations[2].right, case.verified, case.status = false, 8, "failed"
    local unready = of_kind(findings.of(doc), "unready")[1].text
    lu.assertStrContains(unready, "1 of 27 results were wrong")
    lu.assertNotStrContains(unready, "right all the same")
    lu.assertStrContains(one(doc, "wrong").text, "custom at 158M ints: 1 of 9 results is wrong (iteration 2)")
end

function TestReference.test_results_that_nobody_checked_are_not_called_right()
    local doc = synthetic.fixed_data()
    for _, case in ipairs(doc.cases) do
        for _, iteration in ipairs(case.iterations) do iteration.right = nil end
    end
    lu.assertStrContains(one(doc, "unready").text, "Results were not checked")
end

function TestReference.test_the_next_step_changes_one_axis_from_either_side()
    local step = one(reference, "next")
    lu.assertEquals(step.evidence.command, "rig scenarios/fixed_data.lua pool=builtin,builtin+delivery=queue,"
        .. "custom+delivery=inherit,custom size=158489319")
    lu.assertStrContains(step.text, "they differ in delivery, channel, chunk, barrier and impl")
    local list = findings.of(reference, { exists = function(path) return path == "scenarios/fixed_data_why.lua" end })
    lu.assertEquals(list[#list].evidence.command, "rig scenarios/fixed_data_why.lua")
end

function TestReference.test_the_next_step_calls_the_program_as_it_was_called()
    local doc = synthetic.fixed_data()
    local function command(word, exists)
        doc.argv[1] = word
        local list = findings.of(doc, { exists = exists })
        return list[#list].evidence.command
    end
    local function there(path) return path == "scenarios/fixed_data_why.lua" end
    lu.assertStrContains(command("build/rig"), "build/rig scenarios/fixed_data.lua pool=builtin,")
    lu.assertEquals(command("build/rig", there), "build/rig scenarios/fixed_data_why.lua")
    lu.assertEquals(command("my build/rig", there), "'my build/rig' scenarios/fixed_data_why.lua")
    lu.assertEquals(command(nil, there), "rig scenarios/fixed_data_why.lua")
end

function TestReference.test_every_finding_names_the_cases_it_comes_from()
    for _, name in ipairs({ "fixed_data", "why", "faults", "scaling", "body" }) do
        local doc = synthetic[name]()
        local known = {}
        for _, case in ipairs(doc.cases) do known[case.index] = true end
        for _, finding in ipairs(findings.of(doc)) do
            lu.assertIsTrue(#finding.evidence.cases > 0, finding.text)
            for _, index in ipairs(finding.evidence.cases) do lu.assertIsTrue(known[index], finding.text) end
        end
    end
end

TestPhases = {}

function TestPhases.test_the_parts_add_up_to_the_time_of_an_iteration()
    for _, case in ipairs(reference.cases) do
        local sum = 0
        for _, seconds in pairs(phases.of(case, 2)) do sum = sum + seconds end
        lu.assertAlmostEquals(sum, case.s_per_iteration, 1e-9)
    end
end

function TestPhases.test_what_waits_for_data_and_what_lacks_workers_is_told_from_mapping()
    local case = reference.cases[10]
    local parts = phases.of(case, 2)
    lu.assertAlmostEquals(parts.wait * 9, case.workers[1].ready_s - case.phases.start_s, 1e-9)
    -- one worker on a machine with two cores takes twice as long
    lu.assertAlmostEquals(parts.fewer, parts.map, 1e-9)
    local none = phases.of(reference.cases[5], 2)
    lu.assertEquals({ none.wait, none.fewer }, { 0.0, 0.0 })
end

function TestPhases.test_two_of_four_workers_on_two_cores_lose_nothing()
    local case = synthetic.fixed_data().cases[10]
    for _, iteration in ipairs(case.iterations) do iteration.tasks_by_worker = { 50, 50, 0, 0 } end
    lu.assertEquals(phases.of(case, 2).fewer, 0.0)
    lu.assertIsTrue(phases.of(case, 4).fewer > 0)
end

function TestPhases.test_without_a_split_of_tasks_the_workers_that_were_ready_count()
    local case = synthetic.fixed_data().cases[10]
    for _, iteration in ipairs(case.iterations) do iteration.tasks_by_worker = { 0, 0, 0, 0 } end
    local parts = phases.of(case, 2)
    lu.assertAlmostEquals(parts.fewer, parts.map, 1e-9)
end

TestAxes = {}

function TestAxes.test_the_axis_that_matters_alone_is_told_from_those_that_do_not()
    local cause = of_kind(findings.of(synthetic.why()), "cause")[2]
    lu.assertStrContains(cause.text, "at 158M ints delivery explains the difference when changed alone: "
        .. "delivery (inherit to queue)")
    for _, said in ipairs({ "channel (socket to queue) 1.0", "chunk (auto to 1) 1.0", "barrier (", "impl (C to" }) do
        lu.assertStrContains(cause.text, said)
    end
    lu.assertStrMatches(cause.text, ".*these do not: channel.*")
end

function TestAxes.test_pools_that_differ_in_several_axes_prove_nothing()
    for _, finding in ipairs(of_kind(findings.of(reference), "cause")) do lu.assertNil(finding.evidence.pairs) end
end

function TestAxes.test_axes_that_all_matter_little_are_not_blamed()
    local rows = {}
    for i, pool in ipairs({ "builtin", "builtin+chunk=1", "builtin+impl=lua" }) do
        rows[i] = { pool = pool, s = 0.01 + i * 0.0001 }
    end
    lu.assertStrContains(one(timed({ "pool" }, rows), "cause").text, "no axis that was changed alone matters")
end

TestReady = {}

function TestReady.test_many_pools_with_unready_workers_share_one_sentence()
    local doc = synthetic.document("many", { "pool", "size" }, synthetic.sweep({
        { "pool", { "custom", "custom+impl=c", "custom+channel=socket" } }, { "size", { 100000, 25118864 } },
    }))
    local unready = of_kind(findings.of(doc), "unready")
    lu.assertEquals(#unready, 1)
    lu.assertStrContains(unready[1].text, "(3 of 6 cases): custom 1 of 4 at 25.1M ints (603 MB never delivered to 3), "
        .. "custom+impl=c 1 of 4 at 25.1M (603 MB never delivered to 3) and")
    lu.assertStrContains(unready[1].text, "All 27 results were right all the same, as were all 54 of the run")
end

function TestReady.test_data_that_arrived_before_the_close_is_not_called_lost()
    local doc = synthetic.fixed_data()
    doc.cases[10].undelivered = { workers = 0, bytes = 0 }
    lu.assertStrContains(one(doc, "unready").text, "1 of 4 at 158M (delivered before the close)")
end

function TestReady.test_pools_whose_workers_are_all_ready_are_not_mentioned()
    lu.assertNil(one(synthetic.scaling(), "unready"))
end

TestFaults = {}

function TestFaults.test_lost_tasks_come_first_with_how_many_and_why()
    local first = findings.of(synthetic.faults())[1]
    lu.assertEquals(first.kind, "fault")
    lu.assertStrContains(first.text, "custom at 631K ints: 2 of 900 tasks died with their worker: "
        .. "worker 2 (pid 4002) was killed by signal 9 (1 worker replaced)")
end

function TestFaults.test_wrong_results_are_counted_and_their_iterations_named()
    lu.assertStrContains(one(synthetic.faults(), "wrong").text,
        "builtin at 631K ints: 3 of 9 results are wrong (iterations 3 to 5); iteration 3: result is 99980001")
end

function TestFaults.test_the_next_step_is_the_bad_case_alone()
    lu.assertEquals(one(synthetic.faults(), "next").evidence.command,
        "rig scenarios/fixed_data.lua pool=custom size=630957")
end

function TestFaults.test_many_bad_cases_are_not_listed_one_by_one()
    local rows = {}
    for i = 1, 20 do rows[i] = { pool = "builtin", depth = i, s = 0.01 } end
    local doc = timed({ "depth" }, rows)
    for _, case in ipairs(doc.cases) do case.status, case.outcomes.died = "faulted", 1 end
    local faults = of_kind(findings.of(doc), "fault")
    lu.assertEquals(#faults, 5)
    lu.assertStrContains(faults[5].text, "16 more of the kind, in cases 5 to 20")
end

TestRobustness = {}

function TestRobustness.test_one_case_without_anything_that_varies_says_nothing()
    lu.assertEquals(findings.of(timed({}, { { pool = "builtin", s = 0.01 } })), {})
end

function TestRobustness.test_a_run_without_cases_says_nothing()
    lu.assertEquals(findings.of(synthetic.document("none", { "pool" }, {})), {})
end

function TestRobustness.test_lists_as_values_are_compared_by_what_is_in_them()
    local doc = timed({ "shape" }, {
        { pool = "builtin", shape = { 1, 2 }, s = 0.01, run = 1 },
        { pool = "builtin", shape = { 3 }, s = 0.04, run = 1 },
        { pool = "builtin", shape = { 1, 2 }, s = 0.01, run = 2 },
        { pool = "builtin", shape = { 3 }, s = 0.04, run = 2 },
    })
    lu.assertEquals(#points.of(doc).points, 2)
    lu.assertStrContains(one(doc, "faster").text, "shape={3} takes 4.00 x as long as shape={1, 2} (2 runs; runs=6")
end

-- Takes away whatever the schema allows to be missing.
local OPTIONAL = {
    "make_s", "s_per_iteration", "total_s", "ready_at_last_result", "fixed_bytes", "fixed_n", "fixed_type", "items_n",
    "rates", "reason", "label",
}
local STATUSES = { "ok", "ok", "ok", "failed", "faulted", "skipped", "error", "interrupted" }

local function thin_out(case, random)
    for _, name in ipairs(OPTIONAL) do
        if random() < 0.3 then case[name] = nil end
    end
    for _, name in ipairs({ "start_s", "deliver_s", "close_s" }) do
        if random() < 0.3 then case.phases[name] = nil end
    end
    local keep = math.floor(random() * #case.phases.map_s)
    if random() < 0.3 then
        for _, list in ipairs({ case.phases.map_s, case.phases.reduce_s, case.iterations }) do
            for i = #list, keep + 1, -1 do list[i] = nil end
        end
        case.stats = {}
    end
    for _, iteration in ipairs(case.iterations) do
        for _, name in ipairs({ "result", "right", "ready", "outcomes" }) do
            if random() < 0.2 then iteration[name] = nil end
        end
    end
    for _, worker in ipairs(case.workers) do
        if random() < 0.3 then worker.ready_s = nil end
    end
    case.status = STATUSES[math.random(#STATUSES)]
end

function TestRobustness.test_documents_with_anything_missing_never_make_it_fail()
    math.randomseed(11)
    for round = 1, 150 do
        local name = ({ "fixed_data", "why", "faults", "scaling", "body" })[round % 5 + 1]
        local doc = synthetic[name]()
        for _, case in ipairs(doc.cases) do thin_out(case, math.random) end
        if round % 7 == 0 then doc.host = {} end
        for _, finding in ipairs(findings.of(doc)) do
            lu.assertNotStrContains(finding.text, "nan")
            lu.assertNotStrContains(finding.text, "inf ")
            lu.assertNotStrContains(finding.text, "nil")
        end
    end
end

os.exit(lu.LuaUnit.run())
