-- Statistics of samples: quantiles, medians and their intervals, outliers, summaries, on small lists.
-- Not about agreement with other programs (test_numerics) nor about curves (test_fits). Neighbour: lua/rig/stats.lua.

local lu = require("luaunit")
local stats = require("rig.stats")

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

function TestSamples.test_sums_and_means_lose_no_digit()
    lu.assertEquals(stats.sum({ 1e100, 1, -1e100 }), 1)
    lu.assertEquals(stats.mean({ 0.1, 0.1, 0.1 }), 0.1) -- 0.30000000000000004 / 3 is not
    local tenths = {}
    for i = 1, 100000 do tenths[i] = 0.1 end
    lu.assertEquals(stats.sum(tenths), 10000)
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

function TestSamples.test_autocorrelation_tells_a_drift_from_an_alternation()
    lu.assertIsTrue(stats.autocorrelation({ 1, 2, 3, 4, 5, 6, 7, 8 }) > 0.5)
    lu.assertIsTrue(stats.autocorrelation({ 1, 2, 1, 2, 1, 2, 1, 2 }) < -0.5)
    lu.assertNil(stats.autocorrelation({ 3, 3, 3 }))
    lu.assertNil(stats.autocorrelation({ 3 }))
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

os.exit(lu.LuaUnit.run())
