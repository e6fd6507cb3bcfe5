-- Resampled intervals: that they repeat, what they do at the edges, which way they lean. Agreement with other programs
-- is test_numerics's. Neighbour: lua/rig/bootstrap.lua.

local bootstrap = require "rig.bootstrap"
local lu = require "luaunit"
local stats = require "rig.stats"

local SKEWED = { 12.1, 9.8, 11.4, 30.2, 10.9, 10.1, 12.7, 11.1, 9.9, 14.6, 10.4, 11.8 }

TestGenerator = {}

function TestGenerator.test_its_sequence_is_the_published_one()
    -- SplitMix64 from the seed 1234567, as in the algorithm's widely used test vector
    local next = bootstrap.generator(1234567)
    lu.assertEquals({ next(), next(), next() }, { 6457827717110365317, 3203168211198807973, 0x883EBCE5A3F27C77 })
end

function TestGenerator.test_seeds_give_sequences_of_their_own()
    lu.assertNotEquals(bootstrap.generator(1)(), bootstrap.generator(2)())
    lu.assertEquals(bootstrap.generator()(), bootstrap.generator(0)())
end

TestIntervals = {}

function TestIntervals.test_the_same_seed_says_the_same()
    local function both(seed)
        local low, high = bootstrap.bca(SKEWED, stats.mean, { seed = seed })
        return { low, high }
    end
    lu.assertEquals(both(7), both(7))
    lu.assertNotEquals(both(7), both(8))
end

function TestIntervals.test_math_random_is_left_alone()
    math.randomseed(1)
    local expected = math.random()
    math.randomseed(1)
    bootstrap.bca(SKEWED, stats.mean)
    lu.assertEquals(math.random(), expected)
end

function TestIntervals.test_samples_are_left_as_they_were()
    local xs = table.move(SKEWED, 1, #SKEWED, 1, {})
    bootstrap.bca_two(xs, xs, bootstrap.ratio(stats.median))
    lu.assertEquals(xs, SKEWED)
end

function TestIntervals.test_it_leans_with_the_skewness()
    local low, high, detail = bootstrap.bca(SKEWED, stats.mean)
    lu.assertIsTrue(high - detail.estimate > 2 * (detail.estimate - low))
    lu.assertAlmostEquals(detail.estimate, stats.mean(SKEWED), 1e-12)
end

function TestIntervals.test_resamples_equal_to_the_estimate_are_no_bias()
    local low, high, detail = bootstrap.bca({ 1, 2, 2, 2, 2, 2, 3 }, stats.median)
    lu.assertAlmostEquals(detail.z0, 0, 0.1)
    lu.assertEquals({ low, high }, { 2, 2 })
end

function TestIntervals.test_a_higher_confidence_is_wider_and_draws_more()
    local low, high, detail = bootstrap.bca(SKEWED, stats.mean)
    local lower, higher, more = bootstrap.bca(SKEWED, stats.mean, { confidence = 0.999 })
    lu.assertIsTrue(lower < low and higher > high)
    lu.assertEquals({ detail.resamples, more.resamples }, { 2000, 100000 })
end

function TestIntervals.test_too_few_samples_have_none_and_say_so()
    local low, high, detail = bootstrap.bca({ 1, 2, 3, 4, 5 }, stats.mean)
    lu.assertNil(low)
    lu.assertNil(high)
    lu.assertStrContains(detail.reason, "fewer than 6 samples")
    lu.assertNil((bootstrap.bca_two(SKEWED, { 1 }, bootstrap.ratio(stats.mean))))
end

function TestIntervals.test_equal_samples_have_a_point()
    local low, high = bootstrap.bca({ 2, 2, 2, 2, 2, 2 }, stats.mean)
    lu.assertEquals({ low, high }, { 2, 2 })
end

function TestIntervals.test_a_statistic_that_is_no_number_has_none()
    local _, _, detail = bootstrap.bca({ 0, 0, 0, 0, 0, 1 }, function(xs) return stats.sum(xs) / stats.sum(xs) end)
    lu.assertStrContains(detail.reason, "not a number")
end

function TestIntervals.test_two_samples_are_resampled_each_by_itself()
    local twice = {}
    for i, x in ipairs(SKEWED) do twice[i] = 2 * x end
    local low, high, detail = bootstrap.bca_two(SKEWED, twice, bootstrap.ratio(stats.mean))
    lu.assertAlmostEquals(detail.estimate, 2, 1e-12)
    lu.assertIsTrue(low < 1.7 and high > 2.3) -- drawn together they would be 2 in every resample
    low, high = bootstrap.bca_two(SKEWED, twice, bootstrap.difference(stats.mean))
    lu.assertIsTrue(low < stats.mean(SKEWED) and stats.mean(SKEWED) < high)
end

function TestIntervals.test_leaving_out_groups_of_many_values_estimates_the_same_acceleration()
    -- of a mean it is known: the skewness of the values, over 6 sqrt(n)
    local xs, next = {}, bootstrap.generator(5)
    for i = 1, 3000 do xs[i] = ((next() >> 11) * 2.0 ^ -53) ^ 4 end
    local mean, second, third = stats.mean(xs), 0.0, 0.0
    for _, x in ipairs(xs) do second, third = second + (x - mean) ^ 2, third + (x - mean) ^ 3 end
    local _, _, detail = bootstrap.bca(xs, stats.mean, { resamples = 200 })
    local expected = third / (6 * second ^ 1.5)
    lu.assertAlmostEquals(detail.acceleration / expected, 1, 0.35)
end

os.exit(lu.LuaUnit.run())
