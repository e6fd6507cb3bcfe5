-- Curves through times whose law is known: exponents, hinges, scalability, crossings. How often their intervals hold
-- the truth is test_coverage's. Neighbours: lua/rig/fits.lua and fits/.

local bootstrap = require("rig.bootstrap")
local fits = require("rig.fits")
local lu = require("luaunit")

-- A source of factors around 1, from 1 - size to 1 + size, the same in every run of the tests.
local function factors(size)
    local next = bootstrap.generator(42)
    return function() return 1 + size * ((next() >> 11) * 2.0 ^ -52 - 1) end
end

TestFits = {}

local function power(xs, factor, exponent)
    local ys = {}
    for i, x in ipairs(xs) do ys[i] = factor * x ^ exponent end
    return ys
end

function TestFits.test_an_exact_power_law_is_recovered()
    local xs = { 1e5, 630957, 3981071, 25118864, 158489319 }
    local fit = fits.fit_power(xs, power(xs, 3e-6, 0.75))
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
    lu.assertAlmostEquals(fits.fit_power(xs, ys).exponent, 1, 1e-9)
end

function TestFits.test_two_bad_ends_do_not_either()
    local xs, ys = {}, {}
    for i = 1, 9 do xs[i], ys[i] = 2 ^ i, 2.0 ^ i end
    ys[1], ys[9] = 100, 1
    lu.assertAlmostEquals(fits.fit_power(xs, ys).exponent, 1, 1e-9)
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
    local fit = fits.fit_power(xs10, ys10)
    lu.assertAlmostEquals(fit.low, slopes[12], 1e-12)
    lu.assertAlmostEquals(fit.high, slopes[34], 1e-12)
    lu.assertNotNil(fits.fit_power({ 1, 2, 3, 4, 5 }, { 1, 2, 3, 5, 5 }).low)
    lu.assertNil(fits.fit_power({ 1, 2, 3, 4 }, { 1, 2, 3, 5 }).low)
end

function TestFits.test_the_normal_approximation_meets_the_exact_ranks()
    local widths = {}
    for _, n in ipairs({ 100, 101 }) do
        local xs, ys = {}, {}
        for i = 1, n do xs[i], ys[i] = i, i * (1 + 0.2 * math.sin(i * 12.9898)) end
        local fit = fits.fit_power(xs, ys)
        widths[#widths + 1] = fit.high - fit.low
    end
    lu.assertAlmostEquals(widths[1] / widths[2], 1, 0.05)
end

function TestFits.test_points_that_have_no_logarithm_are_left_out()
    lu.assertAlmostEquals(fits.fit_power({ 0, 1, 2, 4 }, { 5, 1, 0, 4 }).exponent, 1, 1e-12)
    lu.assertNil(fits.fit_power({ 1, 1 }, { 2, 3 }))
end

function TestFits.test_several_values_at_one_x_count_as_their_median()
    lu.assertAlmostEquals(fits.fit_power({ 1, 1, 1, 10 }, { 1, 2, 90, 20 }).exponent, 1, 1e-12)
end

function TestFits.test_the_hinge_finds_where_growth_begins()
    local xs = { 1e3, 1e4, 1e5, 1e6, 1e7, 1e8 }
    local hinge = fits.fit_hinge(xs, { 5, 5.05, 4.95, 50, 505, 4950 })
    lu.assertEquals(hinge.from, 1e5)
    lu.assertAlmostEquals(hinge.exponent, 1, 0.02)
    lu.assertAlmostEquals(hinge.level, 5, 0.1)
    lu.assertIsTrue(hinge.gain > 10)
    lu.assertEquals(fits.fit_hinge(xs, power(xs, 2, 0.5)).from, 1e3)
    lu.assertNil(fits.fit_hinge({ 1, 2, 3 }, { 1, 2, 3 }))
end

function TestFits.test_classes_of_growth()
    local function class(exponent, low, high)
        return fits.growth_class({ exponent = exponent, low = low, high = high })
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

function TestFits.test_few_xs_with_several_runs_have_an_interval_too()
    local xs, ys, noise = {}, {}, factors(0.05)
    for _ = 1, 5 do
        for _, x in ipairs({ 1e3, 1e4, 1e5 }) do xs[#xs + 1], ys[#ys + 1] = x, x ^ 0.5 * noise() end
    end
    local fit = fits.fit_power(xs, ys)
    lu.assertEquals(fit.n, 3)
    lu.assertIsTrue(fit.low > 0.45 and fit.low < 0.5 and fit.high > 0.5 and fit.high < 0.55)
    lu.assertNil(fits.fit_power({ 1, 1, 10, 10 }, { 1, 2, 3, 4 }).low) -- 1 of 6 arrangements is no 0.025
end

function TestFits.test_a_higher_confidence_is_a_wider_interval()
    local xs, ys = {}, {}
    for i = 1, 12 do xs[i], ys[i] = 2.0 ^ i, 2.0 ^ i * (1 + 0.3 * math.sin(i * 12.9898)) end
    local usual, sure = fits.fit_power(xs, ys), fits.fit_power(xs, ys, 0.99)
    lu.assertIsTrue(sure.low < usual.low and sure.high > usual.high)
end

TestUsl = {}

local function law(ns, a, sigma, kappa, noise)
    local ts, factor = {}, factors(noise or 0)
    for i, n in ipairs(ns) do ts[i] = a * (1 + sigma * (n - 1) + kappa * n * (n - 1)) / n * factor() end
    return ts
end

function TestUsl.test_an_exact_law_is_recovered()
    for _, truth in ipairs({ { 0, 0 }, { 0.05, 0 }, { 0, 0.01 }, { 0.05, 0.002 }, { 0.3, 0.1 }, { 0.9, 0.0001 } }) do
        local fit = fits.usl({ 1, 2, 3, 4, 8, 16 }, law({ 1, 2, 3, 4, 8, 16 }, 2, truth[1], truth[2]))
        lu.assertAlmostEquals(fit.sigma, truth[1], 1e-5)
        lu.assertAlmostEquals(fit.kappa, truth[2], 1e-5)
        lu.assertAlmostEquals(fit.lambda, 0.5, 1e-5)
        lu.assertAlmostEquals(fit.r2, 1, 1e-6)
        lu.assertEquals({ fit.counts, fit.df, fit.misfit }, { 6, 3, false })
    end
end

function TestUsl.test_the_peak_is_where_the_law_has_it()
    local fit = fits.usl({ 1, 2, 4, 8 }, law({ 1, 2, 4, 8 }, 1, 0.04, 0.0096))
    lu.assertAlmostEquals(fit.peak, 10, 0.01) -- sqrt((1 - 0.04) / 0.0096)
    lu.assertNil(fits.usl({ 1, 2, 4, 8 }, law({ 1, 2, 4, 8 }, 1, 0.1, 0)).peak)
end

function TestUsl.test_workers_that_only_cost_time_peak_at_one()
    local fit = fits.usl({ 1, 2, 4, 8 }, { 1, 1.3, 2.2, 4 })
    lu.assertEquals(fit.peak, 1)
    lu.assertIsTrue(fit.sigma <= 1 and fit.kappa > 0)
end

function TestUsl.test_more_than_linear_speed_up_is_no_negative_contention()
    local fit = fits.usl({ 1, 2, 4, 8 }, { 1, 0.45, 0.2, 0.09 })
    lu.assertEquals({ fit.sigma, fit.kappa }, { 0, 0 })
    lu.assertEquals(fit.sigma_ci[1], 0)
end

function TestUsl.test_fewer_than_four_counts_are_no_law()
    lu.assertNil(fits.usl({ 1, 2, 4 }, { 1, 0.5, 0.3 }))
    lu.assertNil(fits.usl({ 1, 2, 4, 4, 4 }, { 1, 0.5, 0.3, 0.31, 0.29 }))
    lu.assertNil(fits.usl({ 1, 2, 4, 8 }, { 1, 0.5, 0.3, 0 }))
end

function TestUsl.test_four_single_values_leave_a_wide_interval_and_runs_narrow_it()
    local ns = { 1, 2, 4, 8 }
    local many = {}
    for _ = 1, 6 do table.move(ns, 1, 4, #many + 1, many) end
    local one = fits.usl(ns, law(ns, 1, 0.05, 0.002, 0.03))
    local six = fits.usl(many, law(many, 1, 0.05, 0.002, 0.03))
    lu.assertEquals({ one.df, six.df }, { 1, 21 })
    lu.assertIsTrue(six.sigma_ci[2] - six.sigma_ci[1] < 0.5 * (one.sigma_ci[2] - one.sigma_ci[1]))
    lu.assertIsTrue(six.sigma_ci[1] <= six.sigma and six.sigma <= six.sigma_ci[2])
    lu.assertIsTrue(six.kappa_ci[1] <= six.kappa and six.kappa <= six.kappa_ci[2])
end

function TestUsl.test_a_step_that_is_no_law_widens_the_interval_however_exact_the_runs()
    -- two cores: no gain beyond 2 workers, and every run says so to 0.1 %
    local ns, ts = {}, {}
    for run = 1, 5 do
        for _, n in ipairs({ 1, 2, 3, 4, 6, 8 }) do
            ns[#ns + 1], ts[#ts + 1] = n, 1 / math.min(n, 2) * (1 + 0.001 * math.sin(run * 5 + n))
        end
    end
    local fit = fits.usl(ns, ts)
    lu.assertEquals({ fit.misfit, fit.df }, { true, 3 })
    lu.assertIsTrue(fit.sigma_ci[2] - fit.sigma_ci[1] > 0.1)
end

TestCrossing = {}

function TestCrossing.test_the_point_is_interpolated_in_the_logarithm()
    local found = fits.crossing({ 1e4, 1e6 }, { 1, 1 }, { 0.5, 2 })
    lu.assertAlmostEquals(found.x, 1e5, 1e-6)
    lu.assertEquals({ found.from, found.to, found.rises, found.changes }, { 1e4, 1e6, true, 1 })
end

function TestCrossing.test_one_run_has_no_interval_and_says_so()
    local found = fits.crossing({ 1, 10, 100 }, { 1, 1, 1 }, { 0.5, 0.9, 3 })
    lu.assertEquals({ found.judged_by, found.runs }, { "points", 1 })
    lu.assertNil(found.low)
    lu.assertNil(found.high)
end

-- ratios around the line ln(b/a) = 0.5 ln(x / 1000), several runs each
local function runs_of(xs, count, noise)
    local as, bs, factor = {}, {}, factors(noise)
    for i, x in ipairs(xs) do
        as[i], bs[i] = {}, {}
        for k = 1, count do as[i][k], bs[i][k] = factor(), (x / 1000) ^ 0.5 * factor() end
    end
    return as, bs
end

function TestCrossing.test_runs_give_an_interval_around_it_and_more_of_them_a_narrower_one()
    local xs = { 10, 100, 1e4, 1e5 }
    local few = fits.crossing(xs, runs_of(xs, 3, 0.1))
    local many = fits.crossing(xs, runs_of(xs, 20, 0.1))
    for _, found in ipairs({ few, many }) do
        lu.assertEquals(found.judged_by, "interval")
        lu.assertIsTrue(found.low < 1000 and 1000 < found.high and found.low > 100 and found.high < 1e4)
    end
    lu.assertIsTrue(many.high / many.low < few.high / few.low)
end

function TestCrossing.test_the_order_of_the_xs_does_not_matter()
    local xs = { 1e4, 10, 1e5, 100 }
    local as, bs = runs_of(xs, 6, 0.02)
    lu.assertAlmostEquals(fits.crossing(xs, as, bs).x, 1000, 100)
end

function TestCrossing.test_exact_runs_have_an_interval_as_narrow_as_the_point()
    local xs = { 10, 1e5 }
    local found = fits.crossing(xs, runs_of(xs, 6, 0))
    lu.assertAlmostEquals(found.low, 1000, 50)
    lu.assertAlmostEquals(found.high, 1000, 50)
    lu.assertIsTrue(found.low <= found.x * (1 + 1e-9) and found.x <= found.high * (1 + 1e-9))
end

function TestCrossing.test_a_side_that_is_never_sure_has_no_bound()
    -- level up to 1e5, within the noise, and slower beyond: below what size b might be faster nobody can tell
    local as, bs, factor = {}, {}, factors(0.05)
    for i, ratio in ipairs({ 0.99, 0.995, 1.5, 4 }) do
        as[i], bs[i] = {}, {}
        for k = 1, 8 do as[i][k], bs[i][k] = 1, ratio * factor() end
    end
    local found = fits.crossing({ 1e3, 1e4, 1e5, 1e6 }, as, bs)
    lu.assertNil(found.low)
    lu.assertIsTrue(found.high > found.x and found.high < 1e5)
end

function TestCrossing.test_no_crossing_says_which_side_it_is()
    local _, why = fits.crossing({ 1, 10 }, { 1, 1 }, { 2, 3 })
    lu.assertEquals(why, "above")
    _, why = fits.crossing({ 1, 10 }, { 1, 1 }, { 0.2, 0.3 })
    lu.assertEquals(why, "below")
    _, why = fits.crossing({ 1, 10, 100 }, { 1, 1, 1 }, { 0.2, 3, 0.2 })
    lu.assertEquals(why, "returns")
    _, why = fits.crossing({ 1, 10 }, { 1, 1 }, { 1, 1 })
    lu.assertEquals(why, "level")
    _, why = fits.crossing({ 1 }, { 1 }, { 2 })
    lu.assertEquals(why, "few")
end

function TestCrossing.test_estimates_that_wobble_around_one_are_counted()
    local found = fits.crossing({ 1, 10, 100, 1000 }, { 1, 1, 1, 1 }, { 0.8, 1.01, 0.99, 1.3 })
    lu.assertEquals(found.changes, 3)
    lu.assertEquals({ found.from, found.to }, { 10, 100 })
end

function TestCrossing.test_runs_that_do_not_belong_together_are_compared_all_with_all()
    local as, bs = runs_of({ 10, 1e5 }, 8, 0.05)
    for i = 1, 2 do table.remove(bs[i]) end
    local found = fits.crossing({ 10, 1e5 }, as, bs)
    lu.assertEquals({ found.judged_by, found.runs }, { "interval", 7 })
    lu.assertIsTrue(found.low < 1000 and 1000 < found.high)
end

os.exit(lu.LuaUnit.run())
