-- Statistics against published values: NIST's certified univariate sets, R's quantile type 7, the tables of
-- the sign test and of Kendall's S. Not about what findings make of them. Neighbour: lua/rig/stats.lua.

local lu = require("luaunit")
local stats = require("rig.stats")

-- Digits that agree with a certified value, as NIST's StRD counts them (log relative error).
local function digits(value, certified)
    if value == certified then return 16 end
    return -math.log(math.abs(value - certified) / math.abs(certified), 10)
end

local function assert_certified(xs, mean, stddev, stddev_digits)
    lu.assertIsTrue(digits(stats.mean(xs), mean) >= 13, "mean " .. stats.mean(xs))
    lu.assertIsTrue(digits(stats.stddev(xs), stddev) >= stddev_digits, "stddev " .. stats.stddev(xs))
end

local function alternating(first, low, high)
    local xs = { first }
    for i = 2, 1001 do xs[i] = i % 2 == 0 and low or high end
    return xs
end

-- Michelson's 100 measurements of the speed of light (1879), NIST's set Michelso: 299,000 km/s and these.
local MICHELSON = {
    850, 740, 900, 1070, 930, 850, 950, 980, 980, 880, 1000, 980, 930, 650, 760, 810, 1000, 1000, 960, 960,
    960, 940, 960, 940, 880, 800, 850, 880, 900, 840, 830, 790, 810, 880, 880, 830, 800, 790, 760, 800,
    880, 880, 880, 860, 720, 720, 620, 860, 970, 950, 880, 910, 850, 870, 840, 840, 850, 840, 840, 840,
    890, 810, 810, 820, 800, 770, 760, 740, 750, 760, 910, 920, 890, 860, 880, 720, 840, 850, 850, 780,
    890, 840, 780, 810, 760, 810, 790, 810, 820, 850, 870, 870, 810, 740, 810, 940, 950, 800, 810, 870,
}

local function michelson()
    local xs = {}
    for i, x in ipairs(MICHELSON) do xs[i] = (299000 + x) / 1000 end
    return xs
end

TestNist = {}

function TestNist.test_michelso()
    assert_certified(michelson(), 299.852400000000, 0.0790105478190518, 13)
end

function TestNist.test_numacc1_to_4()
    assert_certified({ 10000001, 10000003, 10000002 }, 10000002, 1, 15)
    assert_certified(alternating(1.2, 1.1, 1.3), 1.2, 0.1, 14)
    assert_certified(alternating(1000000.2, 1000000.1, 1000000.3), 1000000.2, 0.1, 8)
    assert_certified(alternating(10000000.2, 10000000.1, 10000000.3), 10000000.2, 0.1, 8)
end

TestSamples = {}

function TestSamples.test_quantiles_are_those_of_r_type_7()
    local one_to_ten = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }
    lu.assertAlmostEquals(stats.quantile(one_to_ten, 0.25), 3.25, 1e-15) -- R: quantile(1:10)
    lu.assertAlmostEquals(stats.quantile(one_to_ten, 0.75), 7.75, 1e-15)
    lu.assertAlmostEquals(stats.quantile(one_to_ten, 0.95), 9.55, 1e-14)
    lu.assertAlmostEquals(stats.quantile(one_to_ten, 0.99), 9.91, 1e-14)
    lu.assertEquals(stats.quantile(one_to_ten, 0), 1)
    lu.assertEquals(stats.quantile(one_to_ten, 1), 10)
    lu.assertEquals(stats.quantile({ 7 }, 0.3), 7)
    lu.assertNil(stats.quantile({}, 0.5))
end

function TestSamples.test_median_and_mad_of_small_lists()
    lu.assertEquals(stats.median({ 3, 1, 2 }), 2)
    lu.assertEquals(stats.median({ 4, 1, 2, 3 }), 2.5)
    lu.assertEquals(stats.mad({ 1, 1, 2, 2, 4, 6, 9 }), 1) -- R: mad(c(1, 1, 2, 2, 4, 6, 9), constant = 1)
    lu.assertNil(stats.median({}))
    lu.assertNil(stats.mad({}))
    lu.assertNil(stats.mean({}))
    lu.assertNil(stats.stddev({ 1 }))
end

function TestSamples.test_what_is_given_is_not_reordered()
    local xs = { 3, 1, 2 }
    stats.summary(xs)
    lu.assertEquals(xs, { 3, 1, 2 })
end

function TestSamples.test_interval_of_the_median_has_the_ranks_of_the_sign_test()
    local published = { [6] = 1, [8] = 1, [9] = 2, [10] = 2, [20] = 6, [25] = 8, [30] = 10, [50] = 18, [100] = 40 }
    for n, k in pairs(published) do lu.assertEquals(stats.median_rank(n), k, "n = " .. n) end
    lu.assertEquals(stats.median_rank(20, 0.99), 4)
    for n = 0, 5 do lu.assertNil(stats.median_rank(n)) end
end

function TestSamples.test_interval_of_the_median_of_many_samples_does_not_underflow()
    -- n/2 - 0.98 sqrt(n), the normal approximation, is close at this size
    lu.assertAlmostEquals(stats.median_rank(10000), 5000 - 0.98 * 100, 2)
end

function TestSamples.test_outliers_are_tukeys()
    lu.assertEquals(stats.outliers({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 40 }), { mild = 1, severe = 1 })
    lu.assertEquals(stats.outliers({}), { mild = 0, severe = 0 })
    lu.assertEquals(stats.outliers({ 1, 1, 1, 1, 1 }), { mild = 0, severe = 0 })
end

function TestSamples.test_summary_has_what_the_document_promises()
    local summary = stats.summary({ 5, 1, 4, 2, 3, 6 })
    lu.assertEquals(summary.n, 6)
    lu.assertEquals(summary.median, 3.5)
    lu.assertEquals(summary.ci95, { 1, 6 })
    lu.assertEquals(summary.min, 1)
    lu.assertEquals(summary.max, 6)
    lu.assertAlmostEquals(summary.stddev, 1.8708286933869707, 1e-15)
    lu.assertNil(stats.summary({ 1, 2, 3, 4, 5 }).ci95)
    lu.assertNil(stats.summary({}))
end

TestFits = {}

local function power(xs, factor, exponent)
    local ys = {}
    for i, x in ipairs(xs) do ys[i] = factor * x ^ exponent end
    return ys
end

function TestFits.test_an_exact_power_law_is_recovered()
    local xs = { 1e5, 630957, 3981071, 25118864, 158489319 }
    local fit = stats.fit_power(xs, power(xs, 3e-6, 0.75))
    lu.assertAlmostEquals(fit.exponent, 0.75, 1e-12)
    lu.assertAlmostEquals(fit.low, 0.75, 1e-12)
    lu.assertAlmostEquals(fit.high, 0.75, 1e-12)
    lu.assertAlmostEquals(fit.factor, 3e-6, 1e-15)
    lu.assertEquals(fit.n, 5)
end

function TestFits.test_one_bad_point_does_not_move_it()
    local xs, ys = {}, {}
    for i = 1, 9 do xs[i], ys[i] = 2 ^ i, 2.0 ^ i end
    ys[5] = 1e6
    lu.assertAlmostEquals(stats.fit_power(xs, ys).exponent, 1, 1e-9)
end

function TestFits.test_the_interval_takes_the_ranks_of_kendalls_table()
    -- Hollander and Wolfe, table A.30: P(K >= 23) = 0.023 for 10 points, hence the 12th slope from either end;
    -- P(K >= 10) = 0.008 for 5 points, hence the outermost; none reaches 0.025 for 4 points.
    local ys10, xs10 = { 1.1, 2.3, 2.9, 4.2, 4.6, 6.5, 6.9, 8.3, 8.7, 10.4 }, {}
    for i = 1, 10 do xs10[i] = i end
    local slopes = {}
    for i = 1, 10 do
        for j = i + 1, 10 do
            slopes[#slopes + 1] = math.log(ys10[j] / ys10[i]) / math.log(xs10[j] / xs10[i])
        end
    end
    table.sort(slopes)
    local fit = stats.fit_power(xs10, ys10)
    lu.assertAlmostEquals(fit.low, slopes[12], 1e-12)
    lu.assertAlmostEquals(fit.high, slopes[34], 1e-12)
    lu.assertNotNil(stats.fit_power({ 1, 2, 3, 4, 5 }, { 1, 2, 3, 5, 5 }).low)
    lu.assertNil(stats.fit_power({ 1, 2, 3, 4 }, { 1, 2, 3, 5 }).low)
end

function TestFits.test_the_normal_approximation_meets_the_exact_ranks()
    local widths = {}
    for _, n in ipairs({ 40, 41 }) do
        local xs, ys = {}, {}
        for i = 1, n do xs[i], ys[i] = i, i * (1 + 0.2 * math.sin(i * 12.9898)) end
        local fit = stats.fit_power(xs, ys)
        widths[#widths + 1] = fit.high - fit.low
    end
    lu.assertAlmostEquals(widths[1] / widths[2], 1, 0.1)
end

function TestFits.test_points_that_have_no_logarithm_are_left_out()
    lu.assertAlmostEquals(stats.fit_power({ 0, 1, 2, 4 }, { 5, 1, 0, 4 }).exponent, 1, 1e-12)
    lu.assertNil(stats.fit_power({ 1, 1 }, { 2, 3 }))
end

function TestFits.test_several_values_at_one_x_count_as_their_median()
    lu.assertAlmostEquals(stats.fit_power({ 1, 1, 1, 10 }, { 1, 2, 90, 20 }).exponent, 1, 1e-12)
end

function TestFits.test_the_hinge_finds_where_growth_begins()
    local xs = { 1e3, 1e4, 1e5, 1e6, 1e7, 1e8 }
    local hinge = stats.fit_hinge(xs, { 5, 5.05, 4.95, 50, 505, 4950 })
    lu.assertEquals(hinge.from, 1e5)
    lu.assertAlmostEquals(hinge.exponent, 1, 0.02)
    lu.assertAlmostEquals(hinge.level, 5, 0.1)
    lu.assertIsTrue(hinge.gain > 10)
    lu.assertEquals(stats.fit_hinge(xs, power(xs, 2, 0.5)).from, 1e3)
    lu.assertNil(stats.fit_hinge({ 1, 2, 3 }, { 1, 2, 3 }))
end

function TestFits.test_classes_of_growth()
    local function class(exponent, low, high)
        return stats.growth_class({ exponent = exponent, low = low, high = high })
    end
    lu.assertEquals(class(0.01, -0.02, 0.04), "flat")
    lu.assertEquals(class(0.04), "flat")
    lu.assertEquals(class(0.04, -0.1, 0.2), "unclear")
    lu.assertEquals(class(0.5, 0.1, 0.8), "sub-linear")
    lu.assertEquals(class(0.97, 0.9, 1.1), "linear")
    lu.assertEquals(class(1.05), "linear")
    lu.assertEquals(class(1.9, 1.7, 2.0), "super-linear")
    lu.assertEquals(class(-0.9, -1.0, -0.7), "falling")
end

os.exit(lu.LuaUnit.run())
