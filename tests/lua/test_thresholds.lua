-- Thresholds after a run: which cases they are about, and what each is judged by. Documents are made up here, so that
-- it is known which way they must fall.
-- Not for what their text means: test_threshold_text. Neighbours: lua/rig/thresholds.lua, thresholds/{match,metrics}.

local lu = require("luaunit")
local change = require("rig.report.change")
local json = require("rig.json")
local results = require("rig.results")
local synthetic = require("synthetic")
local thresholds = require("rig.thresholds")

-- A case with given times of its maps; more: whatever else of it matters.
local function case(params, map_s, more)
    local record = {
        params = params, phases = { start_s = 0.001, map_s = map_s, reduce_s = {}, close_s = 0.001 }, iterations = {},
        outcomes = { ok = #map_s }, counters = { tasks = #map_s, messages = 18, payload_bytes = 4000, forks = 4 },
        s_per_iteration = map_s[1], metrics = {}, workers = {},
    }
    for key, value in pairs(more or {}) do record[key] = value end
    return record
end

local function document(cases, varying)
    for i, record in ipairs(cases) do
        record.index = i
        local words = {}
        for _, name in ipairs(varying or {}) do words[#words + 1] = tostring(record.params[name]) end
        record.label = #words > 0 and table.concat(words, ", ") or "builtin"
        if (record.params.runs or 1) > 1 then record.label = ("%s, run %d"):format(record.label, record.run) end
        cases[i] = results.case(record)
    end
    return synthetic.document("limits", varying or {}, cases)
end

local function known() return true end

local function of(text, filters)
    local threshold = { condition = assert(thresholds.parse(text, known)) }
    for name, filter in pairs(filters or {}) do
        threshold[name] = {}
        for key, value in pairs(filter) do threshold[name][key] = type(value) == "table" and value or { value } end
    end
    return threshold
end

local function judge(doc, text, filters)
    return thresholds.judge(doc, { of(text, filters) })
end

-- One case, one entry.
local function judged(map_s, text, more)
    local entries = judge(document({ case({ pool = "builtin" }, map_s, more) }), text)
    lu.assertEquals(#entries, 1)
    return entries[1]
end

local NINE = { 0.0095, 0.0096, 0.0097, 0.0098, 0.0099, 0.0100, 0.0101, 0.0102, 0.0103 }


TestJudging = {}

function TestJudging.test_six_samples_or_more_are_judged_by_the_interval()
    local entry = judged(NINE, "map.median < 11 ms")
    lu.assertEquals({ entry.passed, entry.judged_by, entry.n }, { true, "interval", 9 })
    lu.assertEquals({ entry.value, entry.low, entry.high, entry.limit }, { 0.0099, 0.0096, 0.0102, 0.011 })
    lu.assertEquals({ entry.metric, entry.unit, entry.case, entry.cases }, { "map.median", "s", "builtin", { 1 } })
    entry = judged(NINE, "map.median < 9 ms")
    lu.assertEquals({ entry.passed, entry.judged_by, entry.reason }, { false, "interval", "none of it is < 9 ms" })
    lu.assertEquals(judged(NINE, "map.median > 9 ms").judged_by, "interval")
    lu.assertFalse(judged(NINE, "map.median > 11 ms").passed)
end

function TestJudging.test_where_the_interval_holds_the_limit_the_value_decides_and_says_so()
    for text, passed in pairs {
        ["map.median < 10 ms"] = true, ["map.median < 9.8 ms"] = false, ["map.median > 10 ms"] = false,
        ["map.median > 9.8 ms"] = true,
    } do
        local entry = judged(NINE, text)
        lu.assertEquals({ entry.passed, entry.judged_by }, { passed, "median" }, text)
        lu.assertEquals(entry.reason, "the interval holds the limit, so the value decides")
    end
end

function TestJudging.test_the_ends_of_the_interval_count_as_the_operator_says()
    lu.assertEquals(judged(NINE, "map.median <= 10.2 ms").judged_by, "interval")
    lu.assertEquals(judged(NINE, "map.median < 10.2 ms").judged_by, "median")
    local entry = judged(NINE, "map.median < 9.6 ms")
    lu.assertEquals({ entry.passed, entry.judged_by }, { false, "interval" })
    lu.assertEquals(judged(NINE, "map.median <= 9.6 ms").judged_by, "median")
end

function TestJudging.test_fewer_are_judged_by_the_value()
    local entry = judged({ 0.009, 0.010, 0.020 }, "map < 11 ms")
    lu.assertEquals({ entry.passed, entry.judged_by, entry.n, entry.value }, { true, "median", 3, 0.010 })
    lu.assertNil(entry.low)
    lu.assertEquals(entry.reason, "an interval needs 6 samples")
    lu.assertFalse(judged({ 0.009, 0.012, 0.020 }, "map < 11 ms").passed)
end

function TestJudging.test_every_statistic()
    local xs = { 1, 2, 3, 4, 10 }
    for text, value in pairs {
        ["map.mean < 5 s"] = 4, ["map.min < 5 s"] = 1, ["map.max < 11 s"] = 10, ["map.p25 < 5 s"] = 2,
        ["map.p50 < 5 s"] = 3, ["map.p75 < 5 s"] = 4, ["map.p90 < 8 s"] = 7.6, ["map.p95 < 9 s"] = 8.8,
        ["map.p99 < 10 s"] = 9.76, ["map.stddev < 4 s"] = math.sqrt(12.5), ["map.mad < 2 s"] = 1,
        ["map.count == 5"] = 5,
    } do
        local entry = judged(xs, text)
        lu.assertAlmostEquals(entry.value, value, 1e-12, text)
        lu.assertTrue(entry.passed, text)
    end
    lu.assertFalse(judged(xs, "map.count >= 6").passed)
    lu.assertStrContains(judged({ 1 }, "map.stddev < 1 s").reason, "stddev needs more than 1 sample")
    lu.assertFalse(judged({ 1 }, "map.stddev < 1 s").passed)
end

function TestJudging.test_a_quantile_that_few_samples_bound_from_one_side_can_fail_by_that_and_hold_by_its_value()
    local entry = judged(NINE, "map.p95 < 11 ms")
    lu.assertEquals({ entry.passed, entry.judged_by, entry.high }, { true, "median", nil })
    lu.assertEquals(entry.reason, "9 samples bound it from below only, so the value decides")
    lu.assertEquals({ judged(NINE, "map.p95 < 9.6 ms").judged_by, judged(NINE, "map.p95 > 9.6 ms").passed },
        { "interval", true })
end

function TestJudging.test_a_mean_is_judged_by_its_interval_and_a_largest_value_by_itself()
    local entry = judged(NINE, "map.mean < 11 ms")
    lu.assertEquals({ entry.passed, entry.judged_by }, { true, "interval" })
    lu.assertTrue(entry.low < entry.value and entry.value < entry.high)
    entry = judged(NINE, "map.max < 11 ms")
    lu.assertEquals({ entry.passed, entry.judged_by, entry.value }, { true, "median", 0.0103 })
    lu.assertNil(entry.reason)
end

function TestJudging.test_counters_are_exact()
    lu.assertTrue(judged(NINE, "messages == 18").passed)
    local entry = judged(NINE, "messages == 17")
    lu.assertEquals({ entry.passed, entry.value, entry.unit }, { false, 18, "1" })
    local cases = {}
    for run = 1, 3 do
        cases[run] = case({ pool = "builtin", runs = 3 }, NINE,
            { run = run, counters = { messages = run == 2 and 19 or 18 } })
    end
    entry = judge(document(cases), "messages == 18")[1]
    lu.assertEquals({ entry.passed, entry.value, entry.n }, { false, 19, 3 }) -- the median would have hidden it
end

function TestJudging.test_figures_of_workers()
    local workers = { { id = 1, peak_rss_bytes = 3e6, uss_bytes = 1e6, minor_faults = 100 },
        { id = 2, peak_rss_bytes = 5e6, uss_bytes = 2e6, minor_faults = 250 } }
    lu.assertEquals(judged(NINE, "peak_rss < 6 MB", { workers = workers }).value, 5e6)
    lu.assertEquals(judged(NINE, "uss < 6 MB", { workers = workers }).value, 2e6)
    lu.assertEquals(judged(NINE, "minor_faults <= 350", { workers = workers }).value, 350)
end

function TestJudging.test_phases_and_rates()
    local more = { make_s = 2, rates = { items_per_s = 5 / 0.0099, bytes_per_s = 1e6 / 0.0099 } }
    lu.assertEquals(judged(NINE, "start < 2 ms", more).value, 0.001)
    lu.assertEquals(judged(NINE, "close < 2 ms", more).value, 0.001)
    lu.assertEquals(judged(NINE, "make < 3 s", more).value, 2)
    local entry = judged(NINE, "items_per_s > 100", more)
    lu.assertAlmostEquals(entry.value, 5 / 0.0099, 1e-6)
    lu.assertAlmostEquals(entry.low, 5 / 0.0102, 1e-6) -- a long time is a low rate
    lu.assertEquals({ entry.judged_by, entry.unit }, { "interval", "1/s" })
    lu.assertAlmostEquals(judged(NINE, "bytes_per_s.min > 1 kB/s", more).value, 1e6 / 0.0103, 1e-3)
end

function TestJudging.test_runs_are_judged_together()
    local cases = {}
    for run = 1, 6 do
        cases[run] = case({ pool = "builtin", runs = 6 }, { 0.01 + run / 1000 }, { run = run })
    end
    local entries = judge(document(cases), "s_per_iteration < 20 ms")
    lu.assertEquals(#entries, 1)
    lu.assertEquals({ entries[1].n, entries[1].judged_by, entries[1].case }, { 6, "interval", "builtin" })
    lu.assertEquals(entries[1].cases, { 1, 2, 3, 4, 5, 6 })
end

function TestJudging.test_one_entry_for_each_case_that_matches()
    local doc = document({
        case({ pool = "builtin", size = 10 }, NINE), case({ pool = "builtin", size = 20 }, NINE),
        case({ pool = "custom", size = 10 }, { 1, 1 }), case({ pool = "custom", size = 20 }, NINE),
    }, { "pool", "size" })
    lu.assertEquals(#judge(doc, "map < 2 s"), 4)
    local entries = judge(doc, "map < 20 ms", { where = { pool = "custom" } })
    lu.assertEquals({ #entries, entries[1].case, entries[2].case }, { 2, "custom, 10", "custom, 20" })
    lu.assertEquals({ entries[1].passed, entries[2].passed }, { false, true })
    lu.assertEquals(entries[1].where, { pool = "custom" })
    entries = judge(doc, "map < 20 ms", { where = { size = { 10, 20 }, pool = "builtin" } })
    lu.assertEquals(#entries, 2)
end

-- ---------------------------------------------------------------------------------------------------------------------

TestNoSample = {}

function TestNoSample.test_a_metric_that_was_recorded_nowhere_fails()
    local entry = judged(NINE, "loss < 1")
    lu.assertEquals({ entry.passed, entry.judged_by, entry.n }, { false, "nothing", 0 })
    lu.assertEquals(entry.reason, "no sample: nothing recorded loss (rig.metric)")
end

function TestNoSample.test_cases_that_were_skipped_or_failed_give_none()
    for status, said in pairs { skipped = "skipped: too large", failed = "failed", faulted = "faulted" } do
        local record = case({ pool = "builtin" }, status == "skipped" and {} or NINE,
            { status = status, reason = "too large" })
        local entry = judge(document({ record }), "map < 1 s")[1]
        lu.assertEquals({ entry.passed, entry.judged_by }, { false, "nothing" }, status)
        lu.assertStrContains(entry.reason, "no sample: " .. said)
    end
end

function TestNoSample.test_one_skipped_case_does_not_fail_what_the_others_keep()
    local doc = document({
        case({ size = 10 }, NINE), case({ size = 20 }, {}, { status = "skipped", reason = "too large" }),
    }, { "size" })
    local entries = judge(doc, "map < 1 s")
    lu.assertEquals({ entries[1].passed, entries[1].judged_by }, { true, "interval" })
    lu.assertEquals({ entries[2].passed, entries[2].judged_by }, { true, "nothing" })
    lu.assertStrContains(entries[2].reason, "not judged: no sample: skipped: too large")
    lu.assertFalse(judge(doc, "map < 1 s", { where = { size = 20 } })[1].passed)
end

function TestNoSample.test_delivery_that_never_ended_fails_beside_one_that_did()
    local doc = document({
        case({ pool = "builtin" }, NINE, { phases = { deliver_s = 0.1, map_s = NINE } }),
        case({ pool = "custom" }, NINE, { undelivered = { workers = 3, bytes = 8 } }),
        case({ pool = "serial", preset = "serial" }, NINE),
    }, { "pool" })
    local entries = judge(doc, "deliver < 1 s")
    lu.assertEquals({ entries[1].passed, entries[2].passed, entries[3].passed }, { true, false, true })
    lu.assertStrContains(entries[2].reason, "delivery never ended")
    lu.assertEquals(entries[3].judged_by, "nothing") -- serial delivers nothing, so there is nothing to judge
end

function TestNoSample.test_what_is_no_number_is_no_sample()
    local entry = judged(NINE, "loss < 1", { metrics = { loss = { values = { 0 / 0, 0 / 0 } } } })
    lu.assertEquals({ entry.passed, entry.n }, { false, 0 })
end

function TestNoSample.test_nothing_is_judged_in_a_smoke_run_or_one_that_was_interrupted()
    local doc = document({ case({}, { 1 }) })
    local entry = thresholds.judge(doc, { of "map < 1 ns" }, { smoke = true })[1]
    lu.assertEquals({ entry.passed, entry.judged_by }, { true, "nothing" })
    lu.assertStrContains(entry.reason, "--smoke")
    doc.signal = 2
    lu.assertStrContains(thresholds.judge(doc, { of "map < 1 ns" })[1].reason, "interrupted")
end

-- ---------------------------------------------------------------------------------------------------------------------

TestOwn = {}

local function own(unit, values, text)
    return judged(NINE, text, { metrics = { epoch = { unit = unit, values = values } } })
end

function TestOwn.test_limits_are_converted_to_what_was_recorded()
    lu.assertTrue(own("ms", { 5 }, "epoch < 6 ms").passed)
    lu.assertFalse(own("ms", { 5 }, "epoch < 4 ms").passed)
    lu.assertTrue(own("s", { 0.005 }, "epoch < 6 ms").passed)
    lu.assertTrue(own("ms", { 5 }, "epoch > 4e-3 s").passed)
    lu.assertTrue(own("kB", { 5 }, "epoch < 6000 B").passed)
    lu.assertTrue(own("bytes", { 5000 }, "epoch < 6 kB").passed)
    lu.assertTrue(own("%", { 5 }, "epoch < 6 %").passed)
    lu.assertTrue(own(nil, { 0.05 }, "epoch < 6 %").passed)
    lu.assertTrue(own("frames", { 5 }, "epoch < 6 frames").passed)
end

function TestOwn.test_a_bare_limit_is_in_the_metrics_own_unit()
    local entry = own("ms", { 5 }, "epoch < 6")
    lu.assertEquals({ entry.passed, entry.value, entry.unit }, { true, 5, "ms" })
    lu.assertTrue(own(nil, { 5 }, "epoch < 6").passed)
end

function TestOwn.test_units_that_do_not_fit_fail_and_say_which()
    local entry = own("MB", { 5 }, "epoch < 6 ms")
    lu.assertEquals({ entry.passed, entry.judged_by }, { false, "nothing" })
    lu.assertStrContains(entry.reason, "epoch has the unit MB, and the limit is in ms")
    lu.assertStrContains(own(nil, { 5 }, "epoch < 6 ms").reason, "epoch has no unit, and the limit is in ms")
end

-- ---------------------------------------------------------------------------------------------------------------------

TestRatio = {}

local OF_CUSTOM = { of = { pool = "custom" }, to = { pool = "builtin" } }

local function times(list, factor)
    local result = {}
    for i, x in ipairs(list) do result[i] = x * factor end
    return result
end

function TestRatio.test_cases_are_paired_that_differ_in_nothing_else()
    local doc = document({
        case({ pool = "builtin", size = 10 }, NINE), case({ pool = "builtin", size = 20 }, times(NINE, 2)),
        case({ pool = "custom", size = 10 }, times(NINE, 3)), case({ pool = "custom", size = 20 }, times(NINE, 3)),
    }, { "pool", "size" })
    local entries = judge(doc, "map.ratio > 2", OF_CUSTOM)
    lu.assertEquals(#entries, 2)
    lu.assertEquals(entries[1].case, "custom, 10 / builtin, 10")
    lu.assertAlmostEquals(entries[1].value, 3, 1e-9)
    lu.assertAlmostEquals(entries[2].value, 1.5, 1e-9)
    lu.assertEquals({ entries[1].passed, entries[2].passed }, { true, false })
    lu.assertEquals({ entries[1].judged_by, entries[1].unit, entries[1].cases }, { "interval", "x", { 3, 1 } })
    lu.assertEquals({ entries[1].of, entries[1].to }, { { pool = "custom" }, { pool = "builtin" } })
    entries = judge(doc, "map.ratio > 2", { of = OF_CUSTOM.of, to = OF_CUSTOM.to, where = { size = 20 } })
    lu.assertEquals({ #entries, entries[1].case }, { 1, "custom, 20 / builtin, 20" })
end

function TestRatio.test_figures_of_a_run_are_compared_run_by_run()
    local cases = {}
    for run = 1, 6 do -- the machine slows down over the runs, for both
        cases[#cases + 1] = case({ pool = "builtin", runs = 6 }, { run }, { run = run })
        cases[#cases + 1] = case({ pool = "custom", runs = 6 }, { run * 3 }, { run = run })
    end
    local entry = judge(document(cases, { "pool", "runs" }), "s_per_iteration.ratio > 2", OF_CUSTOM)[1]
    lu.assertEquals({ entry.passed, entry.judged_by, entry.n, entry.value, entry.low, entry.high },
        { true, "interval", 6, 3, 3, 3 })
end

function TestRatio.test_few_samples_are_judged_by_the_value()
    local doc = document({ case({ pool = "builtin" }, { 1, 2 }), case({ pool = "custom" }, { 4, 5 }) }, { "pool" })
    local entry = judge(doc, "map.ratio > 2", OF_CUSTOM)[1]
    lu.assertEquals({ entry.passed, entry.judged_by, entry.value }, { true, "median", 3 })
end

function TestRatio.test_serial_stands_beside_every_number_of_workers()
    local doc = document({
        case({ pool = "serial", preset = "serial", workers = 1 }, { 8 }),
        case({ pool = "builtin", workers = 2 }, { 4 }), case({ pool = "builtin", workers = 4 }, { 2 }),
    }, { "pool", "workers" })
    local filters = { of = { pool = "builtin" }, to = { pool = "serial" } }
    local entries = judge(doc, "map.ratio <= 50 %", filters)
    lu.assertEquals({ entries[1].value, entries[2].value }, { 0.5, 0.25 })
    filters.where = { workers = 4 }
    entries = judge(doc, "map.ratio < 30 %", filters)
    lu.assertEquals({ #entries, entries[1].value, entries[1].passed }, { 1, 0.25, true })
end

function TestRatio.test_a_side_without_a_sample_fails()
    local doc = document({
        case({ pool = "builtin" }, {}, { status = "skipped", reason = "too large" }), case({ pool = "custom" }, NINE),
    }, { "pool" })
    local entry = judge(doc, "map.ratio > 2", OF_CUSTOM)[1]
    lu.assertEquals({ entry.passed, entry.judged_by }, { false, "nothing" })
    lu.assertStrContains(entry.reason, "no sample: builtin: skipped: too large")
end

function TestRatio.test_a_ratio_to_nothing_fails()
    local doc = document({ case({ pool = "builtin" }, { 0 }), case({ pool = "custom" }, { 1 }) }, { "pool" })
    lu.assertFalse(judge(doc, "map.ratio > 2", OF_CUSTOM)[1].passed)
end

-- ---------------------------------------------------------------------------------------------------------------------

TestDocument = {}

function TestDocument.test_entries_are_kept_in_the_document_and_read_back()
    local doc = document({ case({ pool = "builtin" }, NINE), case({ pool = "custom" }, NINE) }, { "pool" })
    doc.thresholds = thresholds.judge(doc, { of("map < 1 s", { where = { pool = "builtin" } }),
        of("map.ratio > 2", OF_CUSTOM), of("loss < 1") })
    local text = assert(require("rig.report.json").render(doc))
    local again = assert(json.decode(text))
    lu.assertTrue(results.check(again))
    lu.assertEquals(#again.thresholds, 4)
    lu.assertEquals(again.thresholds[1].where, { pool = "builtin" })
    lu.assertEquals(again.thresholds[2].of, { pool = "custom" })
    lu.assertEquals(again.thresholds[3].passed, false)
end

function TestDocument.test_what_does_not_hold_is_told_in_sentences()
    local doc = document({ case({ pool = "builtin" }, NINE), case({ pool = "custom" }, { 1, 1 }) }, { "pool" })
    doc.thresholds = thresholds.judge(doc, { of "map.median < 9 ms", of "loss < 1" })
    lu.assertEquals(thresholds.complaints(doc), {
        "threshold map.median < 9 ms: builtin: 9.90 ms (95 % interval 9.60 … 10.2 ms, 9 samples), not < 9 ms",
        "threshold map.median < 9 ms: custom: 1.00 s (2 samples), not < 9 ms; an interval needs 6 samples",
        "threshold loss < 1: builtin: fails: no sample: nothing recorded loss (rig.metric)",
        "threshold loss < 1: custom: fails: no sample: nothing recorded loss (rig.metric)",
    })
end

-- The value decides, and the interval that could not is there to be seen.
function TestDocument.test_stderr_and_the_terminal_say_the_same()
    local doc = document({ case({ pool = "builtin" }, NINE), case({ pool = "custom" }, { 1, 1 }) }, { "pool" })
    doc.thresholds = thresholds.judge(doc, { of "map.median < 9.8 ms",
        of("map.ratio > 2", OF_CUSTOM), of "loss < 1" })
    local shown = table.concat(require("rig.report.verdicts").thresholds(doc, 1000, function(_, s) return s end), "\n")
    local complaints = thresholds.complaints(doc)
    lu.assertStrContains(complaints[1],
        "9.90 ms (95 % interval 9.60 … 10.2 ms, 9 samples), not < 9.8 ms; the interval holds the limit")
    for _, t in ipairs(doc.thresholds) do
        if not t.passed then
            lu.assertStrContains(shown, change.threshold(t))
            lu.assertEquals(table.remove(complaints, 1), ("threshold %s: %s: %s"):format(t.text, t.case,
                change.threshold(t)))
        end
    end
    lu.assertEquals(complaints, {})
end

function TestDocument.test_a_metric_of_rigs_own_that_a_case_cannot_have_is_not_asked_of_the_scenario()
    local doc = document({ case({ pool = "serial", preset = "serial" }, NINE) })
    doc.thresholds = thresholds.judge(doc, { of "deliver < 1 s" })
    lu.assertNotStrContains(thresholds.complaints(doc)[1], "rig.metric")
end

function TestDocument.test_a_value_beside_its_limit_never_looks_like_it()
    local doc = document({ case({ pool = "builtin" }, { 0.0100004 }) })
    doc.thresholds = thresholds.judge(doc, { of "map < 10 ms" })
    lu.assertStrContains(thresholds.complaints(doc)[1], "0.0100004 s")
end

os.exit(lu.LuaUnit.run())
