-- How time grows with a number: the words that an exponent and its interval allow, and where growth begins, in figures
-- that stand in the table too.
-- Neighbours: lua/rig/findings/growth.lua, lua/rig/fits.lua.

local lu = require("luaunit")
local findings = require("rig.findings")
local found = require("found")
local synthetic = require("synthetic")

local of_kind, one = found.of_kind, found.one

local timed = synthetic.timed

TestGrowth = {}

local function sweep(name, xs, ys)
    local rows = {}
    for i, x in ipairs(xs) do rows[i] = { pool = "builtin", [name] = x, s = ys[i] } end
    return one(timed({ name }, rows), "growth")
end

function TestGrowth.test_classes_of_growth_are_said()
    local xs = { 100, 1000, 10000, 100000, 1000000 }
    local function grown(exponent)
        local ys = {}
        for i, x in ipairs(xs) do ys[i] = 1e-4 * x ^ exponent end
        return sweep("size", xs, ys).text
    end
    lu.assertStrContains(grown(0), "builtin does not grow with size")
    lu.assertStrContains(grown(0.5), "grows with size, sub-linearly")
    lu.assertStrContains(grown(1), "grows with size, linearly: 10.0 ms per iteration at size 100, 100 s at 1M")
    lu.assertStrContains(grown(1.5), "worse than linearly")
    lu.assertStrContains(grown(-0.5), "takes less time with more size")
end

function TestGrowth.test_noise_without_a_trend_is_called_that()
    lu.assertStrContains(sweep("depth", { 1, 2, 3, 4, 5 }, { 0.01, 0.02, 0.008, 0.006, 0.019 }).text,
        "builtin shows no clear trend with depth")
end

function TestGrowth.test_three_points_that_contradict_each_other_are_no_growth()
    lu.assertStrContains(sweep("size", { 1e5, 1e6, 1e7 }, { 0.010, 0.0055, 0.018 }).text, "no clear trend with size")
    lu.assertStrContains(sweep("size", { 1e5, 1e6, 1e7 }, { 0.010, 0.0096, 0.018 }).text, "grows with size")
end

function TestGrowth.test_two_values_are_a_ratio_and_an_exponent_without_interval()
    local growth = sweep("depth", { 10, 100 }, { 0.01, 0.1 })
    lu.assertStrContains(growth.text, "10.0 x for 10.0 x the depth (exponent 1.00)")
    lu.assertNil(growth.evidence.low)
end

function TestGrowth.test_many_that_stay_level_share_one_sentence()
    local growth = of_kind(findings.of(synthetic.why()), "growth")
    lu.assertStrContains(growth[1].text, "builtin, builtin+barrier=false")
    lu.assertStrContains(growth[1].text, "hardly change with size: at most 1.16 x")
    lu.assertEquals(#growth, 4)
end

function TestGrowth.test_many_that_grow_share_one_sentence_too()
    local rows = {}
    for i, pool in ipairs({ "builtin", "custom", "shm", "custom+impl=c" }) do
        for _, depth in ipairs({ 1, 100 }) do
            rows[#rows + 1] = { pool = pool, depth = depth, s = 0.01 * depth ^ (i / 10 + 0.1) }
        end
    end
    local growth = of_kind(findings.of(timed({ "pool", "depth" }, rows)), "growth")
    lu.assertEquals(#growth, 1)
    lu.assertStrContains(growth[1].text, "time for 100 x the depth: custom+impl=c 10.0 x (exponent 0.50), shm 6.31 x")
    lu.assertEquals(#growth[1].evidence.series, 4)
end

function TestGrowth.test_several_runs_give_an_interval_to_few_values()
    local rows = {}
    for run, factor in ipairs({ 1, 1.02, 0.99, 1.01 }) do
        for _, size in ipairs({ 1000, 1000000 }) do
            rows[#rows + 1] = { pool = "builtin", size = size, run = run, s = size ^ 0.5 * 1e-5 * factor }
        end
    end
    local growth = one(timed({ "size" }, rows), "growth")
    lu.assertStrMatches(growth.text, ".*%(exponent 0%.50, interval 0%.50 to 0%.50%).*")
    lu.assertIsTrue(growth.evidence.low < 0.5 and growth.evidence.high > 0.5)
end

function TestGrowth.test_a_turn_is_told_in_figures_that_can_be_reckoned_again()
    local growth = sweep("size", { 1e5, 631e3, 3.98e6, 25.1e6, 158e6 }, { 0.0071, 0.0070, 0.0072, 0.0073, 0.1825 })
    lu.assertStrContains(growth.text, "builtin is flat with size up to 25.1M (7.30 ms per iteration there), and "
        .. "grows from there: 182 ms at 158M, 25.0 x for 6.29 x the size (exponent 1.75)")
    lu.assertNotStrContains(growth.text, "linear")
    lu.assertAlmostEquals(growth.evidence.exponent_from_there, math.log(25) / math.log(158 / 25.1), 1e-9)
    lu.assertEquals({ growth.evidence.class, growth.evidence.from }, { "turning", 25.1e6 })
end

function TestGrowth.test_a_turn_after_more_than_noise_gives_how_much_that_was()
    lu.assertStrContains(sweep("size", { 1, 10, 100, 1000, 10000 }, { 1, 1.2, 1.25, 10, 100 }).text,
        "builtin stays within 1.25 x with size up to 100 (1.25 s per iteration there), and grows from there: "
        .. "100 s at 10K, 80.0 x for 100 x the size (exponent 0.95)")
end

-- Values of a few runs that make an interval as wide as wanted.
local function wide(exponents)
    local rows = {}
    for run, exponent in ipairs(exponents) do
        for _, size in ipairs({ 1, 10, 100 }) do
            rows[#rows + 1] = { pool = "builtin", size = size, run = run, s = 0.01 * size ^ exponent }
        end
    end
    return one(timed({ "size" }, rows), "growth")
end

function TestGrowth.test_only_the_word_that_the_interval_allows_is_said()
    for _, exponents in ipairs({ { 0.3, 0.6, 0.7, 1.4 }, { 0.6, 1, 1, 1.5 }, { 0.8, 1.3, 1.4, 1.8 } }) do
        local growth = wide(exponents)
        lu.assertIsTrue(growth.evidence.low < 1 and growth.evidence.high > 1, growth.text)
        lu.assertEquals(growth.evidence.class, "growing", growth.text)
        lu.assertStrContains(growth.text, "builtin grows with size: ")
        lu.assertNotStrContains(growth.text, "linear")
    end
    lu.assertEquals(wide({ 0.48, 0.5, 0.5, 0.52 }).evidence.class, "sub-linear")
    lu.assertEquals(wide({ 0.98, 1, 1, 1.02 }).evidence.class, "linear")
    lu.assertEquals(wide({ 1.48, 1.5, 1.5, 1.52 }).evidence.class, "super-linear")
end

function TestGrowth.test_an_interval_with_both_flat_and_linear_is_no_trend()
    local growth = wide({ -0.5, 0.2, 0.6, 1.6 })
    lu.assertIsTrue(growth.evidence.low < 0 and growth.evidence.high > 1, growth.text)
    lu.assertStrContains(growth.text, "builtin shows no clear trend with size")
end

function TestGrowth.test_the_exponent_of_the_end_names_its_two_values()
    lu.assertStrContains(sweep("size", { 10, 100, 1000 }, { 0.02, 0.04, 0.16 }).text,
        "; exponent 0.60 between the last two, 100 and 1,000")
end

os.exit(lu.LuaUnit.run())
