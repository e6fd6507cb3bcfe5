-- What findings say of more workers: the speed-up, and what limits it by the Universal Scalability Law. Times follow
-- the law or the machine exactly, so what must be found is known.
-- Neighbours: lua/rig/findings/speedup.lua, lua/rig/fits/usl.lua.

local lu = require("luaunit")
local findings = require("rig.findings")
local synthetic = require("synthetic")

local function of_kind(doc, kind)
    local found = {}
    for _, finding in ipairs(findings.of(doc)) do
        if finding.kind == kind then found[#found + 1] = finding end
    end
    return found
end

local NOISE = { 1, 1.004, 0.997, 1.002, 0.996, 1.003, 0.999, 1.001, 0.998, 1.005 }

-- Workers on a machine with so many cores, by the law; beyond the cores nothing gets faster.
local function scaling(counts, cores, sigma, kappa, runs)
    local rows = { { pool = "serial", workers = 1, s = 1 } }
    for i, n in ipairs(counts) do
        local m = math.min(n, cores)
        local seconds = (1 + sigma * (m - 1) + kappa * m * (m - 1)) / m
        for run = 1, runs or 1 do
            rows[#rows + 1] = { pool = "builtin", workers = n, s = seconds * NOISE[(3 * i + run) % 10 + 1], run = run }
        end
    end
    local doc = synthetic.timed({ "pool", "workers" }, rows)
    doc.host.cores = cores
    return doc
end

local function text_of(...)
    return of_kind(scaling(...), "speedup")[1].text
end

TestSpeedup = {}

function TestSpeedup.test_workers_are_told_as_speed_up_against_serial()
    local doc = synthetic.scaling()
    local found = of_kind(doc, "speedup")
    lu.assertEquals(#found, 1)
    lu.assertStrContains(found[1].text, "builtin: speed-up over serial 0.99 x with 1, 1.94 x with 2")
    lu.assertStrContains(found[1].text, "levels off at 2 workers: 1.94 of at most 2 (the machine has 2 cores)")
    lu.assertEquals(found[1].evidence.base, "serial")
    lu.assertEquals({ of_kind(doc, "faster"), of_kind(doc, "growth") }, { {}, {} })
end

function TestSpeedup.test_without_serial_the_smallest_pool_is_what_is_compared_with()
    local doc = synthetic.timed({ "workers" }, {
        { pool = "builtin", workers = 1, s = 0.4 }, { pool = "builtin", workers = 2, s = 0.2 },
    })
    doc.host.cores = 8
    local text = of_kind(doc, "speedup")[1].text
    lu.assertStrContains(text, "builtin: speed-up over 1 worker 2.00 x with 2; best with 2 workers: 2.00 of at most 2")
    lu.assertNotStrContains(text, "contention")
end

function TestSpeedup.test_contention_alone_bounds_the_speed_up()
    local text = text_of({ 1, 2, 3, 4, 5, 6, 7, 8 }, 16, 0.05, 0)
    lu.assertStrMatches(text, ".*; contention 5%.?%d? %% %(4%.%d to 5%.%d %%%), no coherency cost that shows, .*")
    lu.assertStrMatches(text, ".*never faster than %d+%.?%d* x, however many workers.*")
end

function TestSpeedup.test_a_coherency_cost_says_from_where_on_more_workers_do_not_help()
    local doc = scaling({ 1, 2, 4, 6, 8, 12, 16 }, 16, 0.02, 0.02)
    local found = of_kind(doc, "speedup")[1]
    lu.assertStrContains(found.text, "for each pair of workers, more than 7 workers will not help")
    lu.assertStrContains(found.text, "coherency cost 2 %")
    lu.assertStrContains(found.text, "and slower again with more")
    lu.assertAlmostEquals(found.evidence.law.peak, 7, 0.3)
    lu.assertIsTrue(found.evidence.law.kappa_ci[1] <= 0.02 and found.evidence.law.kappa_ci[2] >= 0.02)
end

function TestSpeedup.test_a_peak_beyond_what_was_measured_is_called_a_prediction()
    lu.assertStrContains(text_of({ 1, 2, 3, 4, 5, 6 }, 16, 0, 0.01),
        "by this law no use in more than about 10 (measured up to 6)")
end

function TestSpeedup.test_nothing_in_the_way_is_said_as_that()
    lu.assertStrContains(text_of({ 1, 2, 3, 4, 5, 6, 7, 8 }, 8, 0, 0), "; no contention, no coherency cost that shows")
end

function TestSpeedup.test_counts_beyond_the_cores_do_not_count_against_the_pool()
    local found = of_kind(scaling({ 1, 2, 3, 4, 8, 16 }, 4, 0.04, 0), "speedup")[1]
    lu.assertStrMatches(found.text, ".*; contention [34]%.?%d? %% %(.*")
    lu.assertStrContains(found.text, "(fitted up to the 4 cores)")
    lu.assertEquals(found.evidence.law.counts, 4)
end

function TestSpeedup.test_too_few_counts_within_the_cores_give_no_law_and_say_why()
    local found = of_kind(scaling({ 1, 2, 3, 4, 5, 6, 7, 8 }, 2, 0.04, 0), "speedup")[1]
    lu.assertStrContains(found.text, "; beyond 2 the cores limit it, not the pool")
    lu.assertNotStrContains(found.text, "contention")
    lu.assertNil(found.evidence.law)
end

function TestSpeedup.test_several_runs_make_the_intervals_narrower()
    local function width(runs)
        local law = of_kind(scaling({ 1, 2, 3, 4 }, 8, 0.05, 0, runs), "speedup")[1].evidence.law
        return law.sigma_ci[2] - law.sigma_ci[1]
    end
    lu.assertIsTrue(width(10) < width(1))
end

-- Seconds of 1, 2, 3 … workers in so many runs, beside serial, which takes 1 s.
local function measured(seconds, runs)
    local rows = {}
    for run = 1, runs do
        local drift = NOISE[run]
        rows[#rows + 1] = { pool = "serial", workers = 1, s = drift, run = run }
        for n, s in ipairs(seconds) do
            rows[#rows + 1] = { pool = "builtin", workers = n, s = s * drift * NOISE[(run + n) % 10 + 1], run = run }
        end
    end
    local doc = synthetic.timed({ "pool", "workers" }, rows)
    doc.host.cores = 16
    return of_kind(doc, "speedup")[1]
end

function TestSpeedup.test_enough_runs_give_each_speed_up_an_interval()
    local found = measured({ 1, 0.5, 0.25 }, 6)
    lu.assertStrMatches(found.text, ".* 2%.0%d x %(1%.9%d to 2%.0%d%) with 2 .*%(6 runs%)")
    lu.assertIsTrue(found.evidence.speedups[2].low < 2 and found.evidence.speedups[2].high > 2)
    found = measured({ 1, 0.5, 0.25 }, 1)
    lu.assertStrMatches(found.text, ".* and [34]%.%d%d x with 3; .* %(one run; runs=6 gives an interval%)")
end

function TestSpeedup.test_counts_that_cannot_be_told_from_the_best_share_it()
    for _, runs in ipairs({ 1, 6 }) do
        lu.assertStrContains(measured({ 1, 0.5, 0.35, 0.253, 0.25 }, runs).text, "; levels off at 4 workers: 3.9")
        lu.assertStrContains(measured({ 1, 0.5, 0.25, 0.253, 0.5 }, runs).text, "; best with 3 to 4 workers: ")
        lu.assertStrContains(measured({ 1, 0.5, 0.25 }, runs).text, "; best with 3 workers: ")
    end
    -- 8 % are noise in one run, and none where six show them
    lu.assertStrContains(measured({ 1, 0.5, 0.27, 0.25 }, 1).text, "levels off at 3 workers")
    lu.assertStrContains(measured({ 1, 0.5, 0.27, 0.25 }, 6).text, "best with 4 workers")
end

function TestSpeedup.test_the_last_few_of_many_workers_that_all_work_are_no_levelling_off()
    local seconds = {}
    for n = 1, 16 do seconds[n] = 1 / n end
    lu.assertStrContains(measured(seconds, 1).text, "; best with 16 workers: 1")
end

function TestSpeedup.test_next_to_no_speed_up_is_called_none()
    local text = measured({ 1, 0.97, 0.95, 0.96, 0.97 }, 6).text
    lu.assertStrContains(text, "; no speed-up to speak of (the machine has 16 cores) (6 runs)")
    for _, said in ipairs({ "best with", "levels off", "contention", "cores limit" }) do
        lu.assertNotStrContains(text, said)
    end
end

function TestSpeedup.test_a_best_that_is_not_told_from_next_to_none_is_none()
    lu.assertStrContains(measured({ 1, 0.95, 0.89 }, 1).text, " with 3; no speed-up to speak of")
    lu.assertStrContains(measured({ 1, 0.95, 0.7 }, 1).text, "; best with 3 workers")
end

function TestSpeedup.test_each_pool_has_a_sentence()
    local rows = {}
    for _, pool in ipairs({ "builtin", "custom" }) do
        for n = 1, 4 do rows[#rows + 1] = { pool = pool, workers = n, s = 1 / n } end
    end
    local doc = synthetic.timed({ "pool", "workers" }, rows)
    doc.host.cores = 4
    local found = of_kind(doc, "speedup")
    lu.assertEquals({ #found, found[1].evidence.label, found[2].evidence.label }, { 2, "builtin", "custom" })
end

os.exit(lu.LuaUnit.run())
