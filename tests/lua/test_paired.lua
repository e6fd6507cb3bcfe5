-- Verdicts from the log ratios of interleaved pairs, on lists whose answer is known beforehand.
-- Not about measuring pairs. Neighbours: lua/rig/paired.lua, test_numerics.lua (the ranks).

local lu = require "luaunit"
local paired = require "rig.paired"

-- n log ratios around a centre, evenly from centre - spread to centre + spread, in a mixed order
local function around(centre, spread, n)
    local ds = {}
    for i = 1, n do
        local at = (i * 7919) % n -- n without a factor of 7919: a permutation
        ds[i] = centre + spread * (2 * at / (n - 1) - 1)
    end
    return ds
end

local function verdict(ratio, spread, n, options)
    return paired.judge(around(math.log(ratio), spread, n), options).verdict
end

TestJudge = {}

function TestJudge.test_the_effect_is_the_median_and_the_interval_two_order_statistics()
    local found = paired.judge(around(0, 0.19, 20), { confidence = 0.95 })
    lu.assertAlmostEquals(found.effect, 1, 1e-12)
    -- 20 pairs at 95 %: the 6th from either end (published sign test tables)
    lu.assertAlmostEquals(found.low, math.exp(-0.19 + 5 * 0.02), 1e-12)
    lu.assertAlmostEquals(found.high, math.exp(0.19 - 5 * 0.02), 1e-12)
    lu.assertEquals({ found.pairs, found.confidence }, { 20, 0.95 })
end

function TestJudge.test_a_clear_difference_is_found_in_its_direction()
    lu.assertEquals(verdict(1.10, 0.05, 40), "regressed")
    lu.assertEquals(verdict(1 / 1.10, 0.05, 40), "improved")
end

function TestJudge.test_a_difference_below_the_smallest_that_counts_is_no_verdict()
    lu.assertEquals(verdict(1.025, 0.005, 40), "unchanged")
    lu.assertEquals(verdict(1.025, 0.03, 40), "inconclusive") -- above 0 or not, it may be above 3 %
    lu.assertEquals(verdict(1 / 1.025, 0.03, 40), "inconclusive")
    lu.assertEquals(verdict(1.025, 0.01, 40, { min_effect = 0.02 }), "regressed")
    lu.assertEquals(verdict(1 / 1.025, 0.01, 40, { min_effect = 0.02 }), "improved")
end

function TestJudge.test_no_difference_is_unchanged_once_the_interval_is_narrow_enough()
    lu.assertEquals(verdict(1, 0.02, 20), "unchanged")
    lu.assertEquals(verdict(1, 0.10, 20), "inconclusive")
end

function TestJudge.test_identical_times_are_unchanged()
    local zeros = {}
    for i = 1, 20 do zeros[i] = 0.0 end
    lu.assertEquals(paired.judge(zeros).verdict, "unchanged")
end

function TestJudge.test_a_large_effect_with_a_wide_interval_is_inconclusive()
    lu.assertEquals(verdict(1.2, 1, 20), "inconclusive")
end

function TestJudge.test_one_disturbed_pair_decides_nothing()
    local ds = around(0, 0.02, 20)
    ds[3] = 50
    lu.assertEquals(paired.judge(ds).verdict, "unchanged")
end

function TestJudge.test_too_few_pairs_have_an_effect_but_no_interval()
    local found = paired.judge({ 1, 1, 1, 1, 1 })
    lu.assertEquals(found.verdict, "inconclusive")
    lu.assertAlmostEquals(found.effect, math.exp(1), 1e-12)
    lu.assertNil(found.low)
    lu.assertEquals(paired.judge({}), { verdict = "inconclusive", confidence = 0.9975, pairs = 0 })
end

function TestJudge.test_the_list_is_not_reordered()
    local ds = { 0.3, 0.1, 0.2 }
    paired.judge(ds)
    lu.assertEquals(ds, { 0.3, 0.1, 0.2 })
end

function TestJudge.test_a_ratio_without_a_value_is_refused()
    for _, bad in ipairs { 0 / 0, math.huge, -math.huge } do
        lu.assertErrorMsgContains("log ratio 2 is", paired.judge, { 0.1, bad, 0.1 })
    end
    lu.assertNil(paired.log_ratio(0, 1))
    lu.assertNil(paired.log_ratio(1, 0))
    lu.assertNil(paired.log_ratio(1, math.huge))
    lu.assertNil(paired.log_ratio(0 / 0, 1))
    lu.assertEquals(paired.log_ratio(2, 1), -math.log(2))
end

TestConfidence = {}

function TestConfidence.test_all_looks_of_all_cases_share_one_hundredth()
    lu.assertEquals(paired.confidence(), 0.9975)
    lu.assertEquals(paired.confidence(1), 0.9975)
    lu.assertEquals(paired.confidence(0), 0.9975)
    lu.assertAlmostEquals(paired.confidence(20), 0.999875, 1e-15)
    lu.assertEquals(paired.looks, { 20, 40, 80, 160 })
end

function TestConfidence.test_the_first_look_of_a_large_run_has_an_interval()
    -- 20 pairs reach 1 - 2^-19; a run of 1,000 case-metrics asks for 1 - 2.5e-6
    lu.assertNotNil(paired.judge(around(0, 0.1, 20), { confidence = paired.confidence(1000) }).low)
end

-- The chance of a red on identical code, with all four looks: 10,000 runs of one case whose pairs have a symmetric
-- noise so heavy-tailed that it has no mean. The specification allows 0.3 % before a red is confirmed.
function TestConfidence.test_identical_code_is_hardly_ever_red()
    local state, runs = 88172645463325252, 10000
    local count = { regressed = 0, improved = 0, unchanged = 0, inconclusive = 0 }
    local function uniform()
        state = state ~ (state << 13)
        state = state ~ (state >> 7)
        state = state ~ (state << 17)
        return ((state >> 11) + 0.5) * 2.0 ^ -53
    end
    for _ = 1, runs do
        local ds, found = {}, nil
        for _, look in ipairs(paired.looks) do
            while #ds < look do ds[#ds + 1] = 0.1 * math.tan(math.pi * (uniform() - 0.5)) end -- Cauchy
            found = paired.judge(ds).verdict
            if found ~= "inconclusive" then break end
        end
        count[found] = count[found] + 1
    end
    print(("%d runs of identical code: %.2f %% red, %.2f %% improved, %.2f %% unchanged"):format(runs,
        100 * count.regressed / runs, 100 * count.improved / runs, 100 * count.unchanged / runs))
    lu.assertTrue(count.regressed <= 0.003 * runs + 2 * math.sqrt(0.003 * runs), count.regressed)
    lu.assertTrue(count.improved <= 0.003 * runs + 2 * math.sqrt(0.003 * runs), count.improved)
end

os.exit(lu.LuaUnit.run())
