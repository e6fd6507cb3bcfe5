-- Times of two saved results: medians, intervals, verdicts, who decides; that the interval holds the truth as often as
-- it says; and how changes are shown. Documents are synthetic; nothing is measured.
-- Neighbours: lua/rig/compare/times.lua, report/changes.lua; test_compare.lua (counters, matching, refusals).

local lu = require("luaunit")
local changes = require("rig.report.changes")
local compare = require("rig.compare")
local results = require("rig.results")
local synthetic = require("synthetic")
local times = require("rig.compare.times")

local POOLS = { "builtin+chunk=4", "custom" }

-- Cases with a number as their chunk; small sizes, so that delivery ends.
local function document(runs, iterations)
    local cases = synthetic.sweep({ { "pool", POOLS }, { "size", { 1000, 20000 } },
        { "iterations", { iterations or 9 } } }, runs)
    return synthetic.document("fixed_data", { "pool", "size" }, cases)
end

local function verdicts_of(base, new, opts)
    local verdicts, notes = compare.documents(base, new, opts)
    lu.assertNotNil(verdicts, tostring(notes))
    return verdicts, notes
end

local function refusal_of(base, new)
    local verdicts, why = compare.documents(base, new)
    lu.assertNil(verdicts)
    return why
end

local function find(verdicts, label, metric)
    for _, verdict in ipairs(verdicts) do
        if verdict.case == label and verdict.metric == metric then return verdict end
    end
end

local function has_note(notes, text)
    lu.assertStrContains(table.concat(notes, "\n"), text)
end

-- Times as a slower machine would have written them, with all that follows from them.
local function scale_times(doc, factor)
    for _, case in ipairs(doc.cases) do
        local phases = case.phases
        for _, list in ipairs({ phases.map_s, phases.reduce_s }) do
            for i, seconds in ipairs(list) do list[i] = seconds * factor end
        end
        for _, name in ipairs({ "start_s", "deliver_s", "close_s" }) do
            phases[name] = phases[name] and phases[name] * factor
        end
        case.s_per_iteration, case.total_s = case.s_per_iteration * factor, case.total_s * factor
        results.case(case)
    end
    return doc
end

TestTimes = {}

function TestTimes.test_a_difference_is_advice_unless_time_gates()
    for factor, word in pairs({ [1.5] = "regressed", [1 / 1.5] = "improved", [1] = "unchanged" }) do
        local new = scale_times(document(), factor)
        local verdicts, notes = verdicts_of(document(), new, { min_effect = 0.05 })
        local verdict = find(verdicts, "custom, 1,000", "map")
        lu.assertEquals(verdict.verdict, word)
        lu.assertAlmostEquals(verdict.effect, factor, 1e-9)
        lu.assertTrue(verdict.low < factor and factor < verdict.high)
        lu.assertEquals({ verdict.gates, verdict.confidence, verdict.n_base }, { false, 0.95, 9 })
        lu.assertEquals(compare.outcome(verdicts), "passed")
        has_note(notes, "not measured together (2026-01-31 12:00:00 UTC and 2026-01-31 12:00:00 UTC)")
        verdicts = verdicts_of(document(), new, { gate = { time = true }, min_effect = 0.05 })
        lu.assertEquals(compare.outcome(verdicts), word == "regressed" and "regressed" or "passed")
    end
end

function TestTimes.test_several_that_decide_together_must_each_be_surer()
    local verdicts = verdicts_of(document(), document(), { gate = { time = true } })
    lu.assertAlmostEquals(find(verdicts, "custom, 1,000", "map").confidence, 1 - 0.05 / 4, 1e-12)
    verdicts = verdicts_of(document(6), document(6), { gate = { time = true } })
    lu.assertAlmostEquals(find(verdicts, "custom, 1,000", "map").confidence, 1 - 0.05 / 8, 1e-12)
    lu.assertEquals(find(verdicts, "custom, 1,000", "cpu").gates, false)
end

function TestTimes.test_a_change_below_the_least_effect_is_none()
    local new = scale_times(document(20), 1.06)
    local base = document(20)
    lu.assertEquals(find(verdicts_of(base, new), "custom, 1,000", "map").verdict, "regressed")
    lu.assertEquals(find(verdicts_of(base, new, { min_effect = 0.1 }), "custom, 1,000", "map").verdict, "unchanged")
end

function TestTimes.test_few_values_have_no_interval_and_decide_nothing()
    local verdicts = verdicts_of(document(1, 5), scale_times(document(1, 5), 3), { gate = { time = true } })
    local verdict = find(verdicts, "custom, 1,000", "map")
    lu.assertEquals({ verdict.verdict, verdict.low, verdict.confidence }, { "inconclusive", nil, nil })
    lu.assertStrContains(verdict.text, "3.00 x (5 and 5 values; an interval takes 6 on each side)")
    lu.assertEquals(compare.outcome(verdicts), "inconclusive")
end

function TestTimes.test_from_six_runs_on_a_run_is_a_value()
    local verdict = find(verdicts_of(document(6), document(7)), "custom, 1,000", "map")
    lu.assertEquals({ verdict.n_base, verdict.n_new }, { 6, 7 })
    verdict = find(verdicts_of(document(6), document(2)), "custom, 1,000", "map")
    lu.assertEquals({ verdict.n_base, verdict.n_new }, { 54, 18 })
    lu.assertNotNil(find(verdicts_of(document(6), document(6)), "custom, 1,000", "s_per_iteration").low)
end

local function with_metric(unit, values, name)
    local doc = document()
    for _, case in ipairs(doc.cases) do
        case.metrics = { [name or "epoch"] = { unit = unit, values = values } }
        results.case(case)
    end
    return doc
end

function TestTimes.test_metrics_of_the_scenario_that_are_times_are_compared_in_seconds()
    local base = with_metric("ms", { 10, 10.1, 10.2, 10.3, 9.9, 9.8 })
    local new = with_metric("ms", { 20, 20.1, 20.2, 20.3, 19.9, 19.8 })
    local verdict = find(verdicts_of(base, new), "custom, 1,000", "epoch")
    lu.assertEquals({ verdict.verdict, verdict.unit }, { "regressed", "s" })
    lu.assertAlmostEquals(verdict.b, 0.02005, 1e-12)
    lu.assertNil(find(verdicts_of(with_metric("B", { 1 }), with_metric("B", { 2 })), "custom, 1,000", "epoch"))
    base, new = with_metric("s", { 1 }, "map"), with_metric("s", { 2 }, "map")
    lu.assertEquals(find(verdicts_of(base, new), "custom, 1,000", "metrics.map").effect, 2)
end

function TestTimes.test_a_metric_in_another_unit_is_no_comparison()
    lu.assertStrContains(refusal_of(with_metric("s", { 1 }), with_metric("ms", { 1 })),
        "the metric epoch is in s in the base and in ms now")
end

TestInterval = {}

-- Draws of a distribution with median 1: smooth, skewed, and one as a shared machine has, with one in seven disturbed.
local function normal_draw()
    return math.sqrt(-2 * math.log(1 - math.random())) * math.cos(2 * math.pi * math.random())
end
local DRAWS = {
    { "lognormal", function() return math.exp(0.2 * normal_draw()) end },
    { "exponential", function() return 1 - 0.2 * math.log(1 - math.random()) end },
    { "disturbed", function() return math.random() < 0.15 and 1.5 + math.random() or 1 + 0.02 * normal_draw() end },
}

local function coverage(draw, n, m, rounds)
    local inside = 0
    for _ = 1, rounds do
        local xs, ys = {}, {}
        for i = 1, n do xs[i] = draw() end
        for i = 1, m do ys[i] = draw() end
        table.sort(xs)
        table.sort(ys)
        local low, high = times.ratio_interval(xs, ys, 0.95)
        if low <= 1 and high >= 1 then inside = inside + 1 end
    end
    return inside / rounds
end

function TestInterval.test_it_holds_the_truth_as_often_as_it_says()
    math.randomseed(11)
    local rounds = 1500
    for _, one in ipairs(DRAWS) do
        local name, draw = table.unpack(one)
        for _, n in ipairs({ { 6, 6 }, { 9, 9 }, { 7, 20 }, { 20, 20 }, { 54, 54 } }) do
            local share = coverage(draw, n[1], n[2], rounds)
            print(("95 %% interval of a ratio, %d and %d values, %s: %.1f %%"):format(n[1], n[2], name, share * 100))
            -- 0.94 less four standard errors of so many rounds
            lu.assertTrue(share >= 0.94 - 4 * math.sqrt(0.05 * 0.95 / rounds), name)
        end
    end
end

function TestInterval.test_it_does_not_depend_on_the_unit_and_turns_around()
    local xs, ys = { 1, 2, 3, 4, 5, 6, 7 }, { 3, 4, 6, 8, 9, 11, 12, 14 }
    local low, high = times.ratio_interval(xs, ys, 0.95)
    local back_low, back_high = times.ratio_interval(ys, xs, 0.95)
    lu.assertAlmostEquals(low * back_high, 1, 1e-12)
    lu.assertAlmostEquals(high * back_low, 1, 1e-12)
    for i in ipairs(xs) do xs[i] = xs[i] * 1e-9 end
    for i in ipairs(ys) do ys[i] = ys[i] * 1e-9 end
    lu.assertAlmostEquals(times.ratio_interval(xs, ys, 0.95), low, 1e-9)
end

function TestInterval.test_many_values_and_values_all_alike()
    local xs = {}
    for i = 1, 5000 do xs[i] = 1 + i / 5000 end
    local low, high = times.ratio_interval(xs, xs, 0.95)
    lu.assertTrue(low < 1 and high > 1 and high - low < 0.06)
    low, high = times.ratio_interval({ 2, 2, 2, 2, 2, 2 }, { 3, 3, 3, 3, 3, 3 }, 0.95)
    lu.assertAlmostEquals(low, 1.5, 1e-12)
    lu.assertAlmostEquals(high, 1.5, 1e-12)
    lu.assertNil(times.ratio_interval({ 0, 1, 1, 1, 1, 1 }, { 1, 1, 1, 1, 1, 1 }, 0.95))
    lu.assertNil(times.compare({ 0, 0, 0 }, { 1, 1, 1 }, { confidence = 0.95, min_effect = 0.03 }))
end

TestShown = {}

function TestShown.test_a_change_stands_in_the_table_and_the_rest_is_counted()
    local base, new = document(), scale_times(document(), 1.5)
    new.cases[1].counters.messages = 2700
    new.verdicts = verdicts_of(base, new)
    new.baseline = { file = "base.json", started = base.started, notes = { "a note" } }
    new.status, new.exit = "regressed", 3
    local text = changes.render(new)
    lu.assertStrContains(text, "Against base.json, measured 2026-01-31 12:00:00 UTC")
    lu.assertStrMatches(text, ".*messages +1,800 +2,700 +%+900 .*changed\n.*")
    lu.assertStrMatches(text, ".*custom, 1,000 +map .*%+50.0 %% %(.*regressed %(advice%)\n.*")
    lu.assertStrContains(text, "15 exact counters unchanged")
    lu.assertStrContains(text, "a note")
    lu.assertStrMatches(text, ".*\n  regressed: .*1 changed.* %(exit 3%)\n")
    lu.assertNil(text:find("\27"))
    lu.assertStrContains(changes.render(new, { color = true }), "\27[31mchanged")
end

function TestShown.test_names_from_a_file_cannot_drive_a_terminal()
    local new = document()
    new.verdicts = verdicts_of(document(), new)
    new.verdicts[1].case, new.verdicts[1].metric = "a\27[2Jb", "c\7"
    new.baseline = { file = "x\27y", started = "\27", notes = { "\27[31m" } }
    lu.assertNil(changes.render(new):find("[\27\7]"))
end

os.exit(lu.LuaUnit.run())
