-- Which is faster and by how much: who is compared, what is said where they are level or cannot be told apart, and one
-- ratio of the same two wherever it is printed. Figures are chosen, so that what must be said is known.
-- Neighbours: lua/rig/findings/compare.lua, lua/rig/report/chart.lua.

local lu = require("luaunit")
local chart = require("rig.report.chart")
local findings = require("rig.findings")
local human = require("rig.report.human")
local found = require("found")
local synthetic = require("synthetic")

local of_kind, one = found.of_kind, found.one

local timed = synthetic.timed

TestCompare = {}

local function ladder(slow)
    local rows = {}
    for _, pool in ipairs({ "builtin", "custom" }) do
        for i, size in ipairs({ 1000, 10000, 100000, 1000000 }) do
            rows[#rows + 1] = { pool = pool, size = size, s = pool == "builtin" and 0.01 or slow[i] }
        end
    end
    return timed({ "pool", "size" }, rows)
end

function TestCompare.test_level_everywhere_is_no_difference()
    lu.assertStrContains(one(ladder({ 0.0101, 0.0099, 0.0104, 0.01 }), "faster").text,
        "builtin and custom are level at every size: within 1.04 x")
end

function TestCompare.test_one_run_does_not_show_that_two_are_level()
    local function said(s, runs)
        local rows = {}
        for run = 1, runs or 1 do
            rows[#rows + 1] = { pool = "serial", s = 0.01, run = run }
            rows[#rows + 1] = { pool = "builtin", s = s, run = run }
        end
        return one(timed({ "pool" }, rows), "faster").text
    end
    lu.assertEquals(said(0.0109), "serial and builtin cannot be told apart from one run (1.09 x; runs=6 gives an "
        .. "interval)")
    lu.assertStrContains(said(0.0103), "serial and builtin are level: within 1.03 x")
    lu.assertStrContains(said(0.0109, 2), "serial and builtin are level: within 1.09 x (2 runs; ")
    lu.assertStrContains(one(ladder({ 0.0109, 0.0099, 0.0104, 0.01 }), "faster").text,
        "builtin and custom cannot be told apart from one run at any size (up to 1.09 x; ")
    lu.assertStrContains(one(ladder({ 0.0101, 0.0108, 0.02, 0.03 }), "faster").text,
        "they cannot be told apart from one run up to 10K")
    lu.assertStrContains(one(ladder({ 0.0101, 0.0102, 0.02, 0.03 }), "faster").text, "they are level up to 10K")
end

function TestCompare.test_of_many_in_one_run_those_near_the_fastest_are_not_called_level()
    local doc = timed({ "pool" }, { { pool = "serial", s = 0.01 }, { pool = "builtin", s = 0.0101 },
        { pool = "custom", s = 0.0108 }, { pool = "shm", s = 0.02 } })
    lu.assertStrContains(one(doc, "faster").text, "level with it: builtin; cannot be told apart from it in one run: "
        .. "custom (1.08 x); slower: shm 2.00 x")
end

function TestCompare.test_where_the_slower_one_is_faster_is_said_too()
    local faster = one(ladder({ 0.0025, 0.005, 0.02, 0.08 }), "faster").text
    lu.assertStrContains(faster, "custom takes 8.00 x as long as builtin at size 1M")
    lu.assertStrContains(faster, "custom is the faster one at 10K (0.50 x)")
end

function TestCompare.test_the_slower_one_is_named_first_whichever_it_is()
    lu.assertStrContains(one(ladder({ 0.005, 0.005, 0.005, 0.005 }), "faster").text,
        "builtin takes 2.00 x as long as custom at size 1M")
end

function TestCompare.test_cases_with_faults_or_wrong_results_are_not_compared()
    local doc = synthetic.faults()
    local faster = one(doc, "faster")
    for _, index in ipairs(faster.evidence.cases) do
        lu.assertEquals(doc.cases[index].status, "ok")
    end
end

function TestCompare.test_three_or_more_are_ranked_at_both_ends()
    local faster = of_kind(findings.of(synthetic.body()), "faster")
    lu.assertStrContains(faster[1].text, "at 1.05 MB socket is fastest")
    lu.assertStrContains(faster[1].text, "level with it: pipe and queue")
    lu.assertStrContains(faster[2].text, "at 64 bytes pipe is fastest: 3.08 µs per call; slower: socket 1.15 x and")
end

function TestCompare.test_what_varies_may_be_any_parameter()
    local doc = timed({ "kind", "reads" }, {
        { pool = "builtin", kind = "array", reads = false, s = 0.01 },
        { pool = "builtin", kind = "table", reads = false, s = 0.02 },
        { pool = "builtin", kind = "array", reads = true, s = 0.02 },
        { pool = "builtin", kind = "table", reads = true, s = 0.06 },
    })
    local faster = of_kind(findings.of(doc), "faster")
    lu.assertStrContains(faster[1].text, "table, reads=false takes 2.00 x as long as array, reads=false")
    lu.assertStrContains(faster[2].text, "table, reads=true takes 3.00 x as long as array, reads=true")
end

function TestCompare.test_a_metric_that_is_a_time_is_compared_too()
    local faster = of_kind(findings.of(synthetic.body()), "faster")
    lu.assertStrContains(faster[3].text, "epoch_s: at 1.05 MB pipe is fastest: 9.46 µs; slower: socket")
end

function TestCompare.test_runs_that_scatter_make_a_difference_doubtful()
    local rows = {}
    for run, times in ipairs({ { 0.25, 0.25 }, { 0.31, 0.42 }, { 0.24, 0.27 }, { 0.22, 0.23 }, { 0.23, 0.42 } }) do
        rows[#rows + 1] = { pool = "builtin", s = times[1], run = run }
        rows[#rows + 1] = { pool = "custom", s = times[2], run = run }
    end
    lu.assertStrContains(one(timed({ "pool" }, rows), "faster").text, "builtin and custom are level: within 1.1")
end

-- Two runs of three slow both by as much; the third only one of them: medians of times mix the runs up.
local function drifting(base, other)
    local rows = {}
    for run, times in ipairs({ { 1, 1.5 }, { 2, 3 }, { 3, 3.3 }, { 1.2, 1.8 }, { 2.5, 3.75 }, { 2.9, 3.2 } }) do
        for _, size in ipairs({ 10, 1000 }) do
            rows[#rows + 1] = { pool = base, size = size, s = times[1], run = run }
            rows[#rows + 1] = { pool = other, size = size, s = times[2], run = run }
        end
    end
    return rows
end

function TestCompare.test_a_ratio_is_the_same_wherever_it_is_printed()
    -- from as few as two runs on
    for runs = 2, 6 do
        local rows = {}
        for _, row in ipairs(drifting("builtin", "custom")) do
            if row.run <= runs then rows[#rows + 1] = row end
        end
        local doc = timed({ "pool", "size" }, rows)
        local evidence = one(doc, "faster").evidence
        local shown = {}
        for _, line in ipairs(chart.of(doc, 120, function(_, text) return text end)) do
            shown[#shown + 1] = line:match("%s(%d+%.%d+ x)$")
        end
        lu.assertEquals(shown, { human.ratio(evidence.ratios[1].ratio), human.ratio(evidence.ratios[2].ratio) })
        lu.assertAlmostEquals(evidence.ratios[1].ratio, 1.5, 1e-9)
    end
end

function TestCompare.test_the_chart_and_the_finding_say_the_same_speed_up()
    local rows = drifting("serial", "builtin")
    for _, row in ipairs(rows) do row.workers, row.size = row.size == 10 and 1 or 2, nil end
    local doc = timed({ "pool", "workers" }, rows)
    local speedups = one(doc, "speedup").evidence.speedups
    local shown = table.concat(chart.of(doc, 120, function(_, text) return text end), "\n")
    lu.assertAlmostEquals(speedups[1].speedup, 1 / 1.5, 1e-9)
    lu.assertStrContains(shown, "0.67 x")
end

function TestCompare.test_one_axis_alone_is_compared_run_by_run_too()
    local rows = drifting("builtin", "builtin+chunk=1")
    for _, row in ipairs(drifting("builtin", "builtin+impl=lua")) do
        if row.pool ~= "builtin" then rows[#rows + 1] = row end
    end
    local causes = of_kind(findings.of(timed({ "pool", "size" }, rows)), "cause")
    local compared = 0
    for _, pair in ipairs(causes[#causes].evidence.pairs) do
        lu.assertAlmostEquals(pair.ratio, 1.5, 1e-9)
        compared = compared + 1
    end
    lu.assertEquals(compared, 2)
end

os.exit(lu.LuaUnit.run())
