-- The numerics against published and independently computed figures: NIST's certified sets, R, SciPy, mpmath. Prints
-- how many digits agree. Not about what the functions are for. Neighbours: tests/data/nist_univariate.lua and
-- reference_figures.lua, lua/rig/{stats,distributions,bootstrap}.lua, fits/ranks.lua.

local bootstrap = require "rig.bootstrap"
local distributions = require "rig.distributions"
local lu = require "luaunit"
local ranks = require "rig.fits.ranks"
local rigtest = require "rigtest"
local stats = require "rig.stats"

local nist = dofile(rigtest.source "tests/data/nist_univariate.lua")
local figures = dofile(rigtest.source "tests/data/reference_figures.lua")

-- Digits that agree, as NIST counts them (log relative error), 15 for a certified value that has no more.
local function digits(value, certified, most)
    if value == certified then return most or 15 end
    local scale = certified == 0 and 1 or math.abs(certified)
    return math.min(most or 15, -math.log(math.abs(value - certified) / scale, 10))
end

local function row(...)
    print(("  %-28s %6s %10s %10s %16s"):format(...))
end

-- The fewest digits over a list of comparisons, printed as one line.
local Worst = {}
Worst.__index = Worst

local function worst_of(name)
    return setmetatable({ name = name, digits = math.huge, count = 0 }, Worst)
end

function Worst:compare(value, expected)
    self.count = self.count + 1
    self.digits = math.min(self.digits, digits(value, expected, 16))
end

function Worst:at_least(wanted)
    print(("  %-52s %4d values, at least %5.1f digits"):format(self.name, self.count, self.digits))
    lu.assertTrue(self.count > 0)
    lu.assertTrue(self.digits >= wanted, ("%s: %.1f digits, not %g"):format(self.name, self.digits, wanted))
end

TestNist = {}

-- What a double can hold of the hard sets' deviations: 0.1 on top of a million has 9 digits left, 8 on ten million.
local DEVIATION = { NumAcc3 = 8, NumAcc4 = 8 }
local CORRELATION = { NumAcc3 = 8, NumAcc4 = 7 }

function TestNist.test_all_nine_univariate_sets_agree()
    lu.assertEquals(#nist, 9)
    print ""
    row("NIST StRD, digits that agree", "n", "mean", "deviation", "autocorrelation")
    for _, set in ipairs(nist) do
        local mean = digits(stats.mean(set.values), set.mean)
        local deviation = digits(stats.stddev(set.values), set.stddev)
        local correlation = digits(stats.autocorrelation(set.values), set.autocorrelation)
        row(set.name, #set.values, ("%.1f"):format(mean), ("%.1f"):format(deviation), ("%.1f"):format(correlation))
        lu.assertTrue(mean >= 13, set.name .. ": mean")
        lu.assertTrue(deviation >= (DEVIATION[set.name] or 13), set.name .. ": standard deviation")
        lu.assertTrue(correlation >= (CORRELATION[set.name] or 11), set.name .. ": autocorrelation")
    end
end

TestR = {}

function TestR.test_quantiles_are_those_of_type_7()
    local worst = worst_of "R: quantile(type = 7)"
    for i, sample in ipairs(figures.samples) do
        local sorted = stats.sorted(sample)
        for j, p in ipairs(figures.at) do worst:compare(stats.quantile(sorted, p), figures.quantiles[i][j]) end
    end
    worst:at_least(14)
end

function TestR.test_moments_medians_and_mads()
    local worst = worst_of "R: mean, sd, median, mad"
    for i, sample in ipairs(figures.samples) do
        local summary = stats.summary(sample)
        local expected = figures.moments[i]
        worst:compare(summary.mean, expected[1])
        worst:compare(summary.stddev, expected[2])
        worst:compare(summary.median, expected[3])
        worst:compare(summary.mad, expected[4])
    end
    worst:at_least(14)
end

function TestR.test_ranks_of_the_interval_of_the_median_are_exact_at_every_confidence()
    for _, line in ipairs(figures.ranks) do
        for i, confidence in ipairs(figures.confidences) do
            lu.assertEquals(stats.median_rank(line[1], confidence) or 0, line[i + 1],
                ("n = %d at %g"):format(line[1], confidence))
        end
    end
    print(("  %-52s %4d ranks, all the same"):format("exact binomial sums, R: qbinom",
        #figures.ranks * #figures.confidences))
end

-- The tail sums themselves, in integers that a double holds exactly: no rank too many, none too few.
function TestR.test_a_tail_that_equals_the_sum_is_not_missed()
    for n = 6, 50 do
        local term, sum = 1, 0
        for k = 0, n // 2 - 1 do
            sum = sum + term
            local confidence = 1 - 2 * sum * 2.0 ^ -n -- a tail of exactly P(B <= k), where 53 bits hold it
            if (1 - confidence) / 2 == sum * 2.0 ^ -n then
                lu.assertEquals(stats.median_rank(n, confidence), k + 1, ("n = %d, k = %d"):format(n, k))
            end
            term = term * (n - k) // (k + 1)
        end
    end
end

function TestR.test_null_distributions_of_rank_statistics()
    local count = 0
    local function same(sizes, tail, expected, name)
        count = count + 1
        lu.assertEquals(ranks.outside(sizes, tail), expected, name)
    end
    for _, line in ipairs(figures.kendall) do
        local ones = {}
        for i = 1, line[1] do ones[i] = 1 end
        same(ones, 0.025, line[2], "Kendall, n = " .. line[1])
        same(ones, 0.005, line[3], "Kendall, n = " .. line[1])
    end
    for _, line in ipairs(figures.wilcoxon) do
        same({ line[1], line[2] }, 0.025, line[3], ("Wilcoxon, %d and %d"):format(line[1], line[2]))
        same({ line[1], line[2] }, 0.005, line[4], ("Wilcoxon, %d and %d"):format(line[1], line[2]))
    end
    for _, line in ipairs(figures.jonckheere) do same(line[1], 0.025, line[2], "Jonckheere") end
    for _, line in ipairs(figures.wilcoxon_many) do
        for i, tail in ipairs { 0.025, 0.005 } do
            local found = ranks.outside({ line[1], line[2] }, tail)
            lu.assertTrue(found <= line[i + 2] and found >= line[i + 2] - 4, ("%d and %d"):format(line[1], line[2]))
        end
    end
    print(("  %-52s %4d ranks, all the same"):format("R: pKendall, qwilcox; Jonckheere by counting", count))
end

function TestR.test_student_and_f()
    local student, f = worst_of "R: qt", worst_of "R: pf"
    for _, line in ipairs(figures.student) do
        for i, p in ipairs(figures.student_at) do
            student:compare(distributions.student_quantile(p, line[1]), line[i + 1])
            student:compare(-distributions.student_quantile(1 - p, line[1]), line[i + 1])
        end
    end
    student:at_least(10.5)
    for _, line in ipairs(figures.f) do
        for i, at in ipairs(figures.f_at) do f:compare(distributions.f_upper(at, line[1], line[2]), line[i + 2]) end
    end
    f:at_least(13)
end

TestNormal = {}

function TestNormal.test_its_distribution_is_right_far_into_both_tails()
    local worst = worst_of "mpmath: P(X <= x) of the normal, from -37 to 8"
    for _, pair in ipairs(figures.normal_cdf) do worst:compare(distributions.normal_cdf(pair[1]), pair[2]) end
    worst:at_least(14.5)
end

function TestNormal.test_its_inverse()
    local worst = worst_of "mpmath: the inverse, from 1e-300"
    for _, pair in ipairs(figures.normal_quantile) do worst:compare(distributions.normal_quantile(pair[1]), pair[2]) end
    worst:at_least(14.5)
    lu.assertEquals(distributions.normal_quantile(0), -math.huge)
    lu.assertEquals(distributions.normal_quantile(1), math.huge)
    lu.assertEquals(distributions.normal_quantile(0.5), 0)
end

TestBca = {}

local STATISTICS = {
    mean = stats.mean, sd = stats.stddev, ["ratio mean"] = bootstrap.ratio(stats.mean),
    ["ratio median"] = bootstrap.ratio(stats.median), ["diff mean"] = bootstrap.difference(stats.mean),
}

local function samples_of(case)
    local samples = {}
    for i, which in ipairs(case.samples) do samples[i] = figures.samples[which] end
    return samples
end

local function interval_of(case, resamples)
    local samples = samples_of(case)
    local statistic = STATISTICS[case.statistic]
    local options = { seed = 1, confidence = case.confidence, resamples = resamples }
    if #samples == 1 then return bootstrap.bca(samples[1], statistic, options) end
    return bootstrap.bca_two(samples[1], samples[2], statistic, options)
end

function TestBca.test_the_acceleration_is_scipys_to_the_last_digits()
    local worst = worst_of "SciPy: acceleration of the BCa interval"
    for _, case in ipairs(figures.bca) do
        local _, _, detail = interval_of(case, 50)
        if case.acceleration == 0 then
            lu.assertAlmostEquals(detail.acceleration, 0, 1e-12)
        else
            worst:compare(detail.acceleration, case.acceleration)
        end
    end
    worst:at_least(11)
end

function TestBca.test_intervals_are_scipys_within_what_resampling_leaves_open()
    -- SciPy's ends are means of a million resamples. Those of one run of this size vary by spread * sqrt(200,000 / n);
    -- 6 times that is allowed, as the spread is itself from 5 seeds only, but never over 10 % (5 % in the full tier).
    local resamples = os.getenv "RIG_FULL" and 100000 or 20000
    local most = resamples == 100000 and 0.05 or 0.1
    print(("  %-28s %6s %22s %22s"):format("SciPy: BCa", "", "ours", "SciPy's"))
    for _, case in ipairs(figures.bca) do
        local low, high, detail = interval_of(case, resamples)
        print(("  %-28s %6g %10.5g %11.5g %10.5g %11.5g"):format(case.statistic .. " of x" ..
            table.concat(case.samples, ", x"), case.confidence, low, high, case.low, case.high))
        local allowed = math.min(most, 6 * case.spread * math.sqrt(200000 / resamples) + 1e-5)
        lu.assertTrue(math.abs(low / case.low - 1) <= allowed, case.statistic .. ": low")
        lu.assertTrue(math.abs(high / case.high - 1) <= allowed, case.statistic .. ": high")
        lu.assertAlmostEquals(detail.z0, case.z0, 5 * 1.25 / math.sqrt(resamples))
    end
end

os.exit(lu.LuaUnit.run())
