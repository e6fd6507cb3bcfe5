-- The order of an A/B run and when it ends, on made-up values: nothing is measured here.

local lu = require "luaunit"
local core = require "rig.core"
local paired = require "rig.paired"
local schedule = require "rig.ab.schedule"

local function random_of(seed)
    local rng = core.rng("test", seed)
    return function(lo, hi) return rng:int(lo, hi) end, rng
end

-- Lognormal by the sum of twelve uniforms: near enough to normal for what is asked of it here.
local function noise(rng, sigma)
    local sum = -6
    for _ = 1, 12 do sum = sum + rng:int(0, 1 << 30) / (1 << 30) end
    return math.exp(sum * sigma)
end

-- Runs a schedule over cases whose sides differ by these factors; gives it back with how often each was measured.
local function run(factors, sigma, opts)
    opts = opts or {}
    local random, rng = random_of(opts.seed or 1)
    local s = schedule.new(#factors, { min_effect = 0.03, random = random, widest_first = opts.widest_first })
    local blocks, order_seen = {}, {}
    for i = 1, opts.most or 100000 do
        local case, order = s:next()
        if not case then break end
        local values = {}
        for j, side in ipairs(order) do
            local factor = side == "b" and factors[case] or side == "x" and opts.same or 1
            if opts.after and i > opts.after and side == "b" then factor = 1 end
            values[j] = 0.02 * factor * noise(rng, sigma)
        end
        blocks[case] = (blocks[case] or 0) + 1
        order_seen[table.concat(order):gsub("x", "")] = true
        s:add(case, order, values)
    end
    return s, blocks, order_seen
end

TestBlocks = {}

function TestBlocks.test_each_has_two_pairs_mirrored_and_side_a_once_more()
    local random, seen = random_of(3), {}
    for _ = 1, 200 do
        local order = schedule.block(random)
        local text = table.concat(order)
        lu.assertEquals(#order, 5)
        lu.assertTrue(text:gsub("x", "") == "abba" or text:gsub("x", "") == "baab", text)
        seen[text] = true
    end
    local count = 0
    for _ in pairs(seen) do count = count + 1 end
    lu.assertEquals(count, 10) -- both ways round, the extra one anywhere
end

function TestBlocks.test_pairs_are_neighbours_whichever_side_came_first()
    local found, same = schedule.pairs_of({ "b", "a", "x", "a", "b" }, { 2, 1, 1.5, 4, 8 })
    lu.assertEquals(found, { { a = 1, b = 2 }, { a = 4, b = 8 } })
    lu.assertAlmostEquals(same, math.log(1.5 / 4), 1e-12)
    -- as near to both: the later one here, the earlier one in the other kind of block
    same = select(2, schedule.pairs_of({ "a", "b", "x", "b", "a" }, { 1, 2, 1.5, 8, 4 }))
    lu.assertAlmostEquals(same, math.log(1.5 / 1), 1e-12)
    same = select(2, schedule.pairs_of({ "a", "b", "b", "x", "a" }, { 1, 2, 8, 1.5, 4 }))
    lu.assertAlmostEquals(same, math.log(1.5 / 4), 1e-12)
end

function TestBlocks.test_both_orders_occur()
    local _, _, seen = run({ 1 }, 0.05)
    lu.assertEquals(seen, { abba = true, baab = true })
end

TestVerdicts = {}

function TestVerdicts.test_equal_sides_are_unchanged_at_the_first_look_that_can_tell()
    local s, blocks = run({ 1, 1 }, 0.01)
    for i = 1, 2 do
        lu.assertEquals(s.tracks[i].verdict, "unchanged")
        lu.assertEquals(blocks[i] * 2, paired.looks[1])
    end
end

function TestVerdicts.test_a_slower_side_is_measured_a_second_time_before_it_counts()
    local s, blocks = run({ 1.2 }, 0.02)
    local track = s.tracks[1]
    lu.assertEquals(track.verdict, "regressed")
    lu.assertTrue(track.red ~= nil and track.judged.verdict == "regressed")
    lu.assertEquals(blocks[1] * 2, 2 * paired.looks[1])
    lu.assertEquals(#track.all, 2 * paired.looks[1])
    lu.assertEquals(#track.ratios, paired.looks[1]) -- what counts is what was measured afresh
end

function TestVerdicts.test_a_red_that_does_not_come_again_is_none()
    local s = run({ 1.2 }, 0.02, { after = paired.looks[1] // 2 })
    lu.assertEquals(s.tracks[1].verdict, "unchanged")
    lu.assertTrue(s.tracks[1].red ~= nil)
end

function TestVerdicts.test_a_faster_side_is_improved()
    lu.assertEquals(run({ 0.8 }, 0.02).tracks[1].verdict, "improved")
end

function TestVerdicts.test_what_cannot_be_told_ends_at_the_last_look()
    local s, blocks = run({ 1.03 }, 0.4)
    lu.assertEquals(s.tracks[1].verdict, "inconclusive")
    lu.assertEquals(blocks[1] * 2, paired.looks[#paired.looks])
    lu.assertNil(s.tracks[1].reason)
end

function TestVerdicts.test_each_case_has_its_own()
    local s = run({ 1, 1.3, 0.7, 1 }, 0.02)
    local found = {}
    for i, track in ipairs(s.tracks) do found[i] = track.verdict end
    lu.assertEquals(found, { "unchanged", "regressed", "improved", "unchanged" })
end

TestTime = {}

function TestTime.test_what_is_undecided_when_it_ends_is_judged_by_what_there_is()
    local s = run({ 1, 1.2 }, 0.005, { most = 16 }) -- 8 blocks each: 16 pairs, before any look
    s:stop("the budget of 1 s was spent")
    lu.assertEquals(s.tracks[1].verdict, "unchanged")
    lu.assertEquals(s.tracks[2].verdict, "inconclusive") -- red once, and not again
    lu.assertStrContains(s.tracks[2].reason, "before that could be measured again")
end

function TestTime.test_a_red_that_could_not_be_measured_again_stays_known()
    local s = run({ 1.2 }, 0.005, { most = 12 }) -- red after 10 blocks, 4 pairs since then
    lu.assertEquals(#s.tracks[1].ratios, 4)
    s:stop("the budget of 1 s was spent")
    lu.assertEquals(s.tracks[1].verdict, "inconclusive")
    lu.assertStrContains(s.tracks[1].reason, "it looked slower once")
    lu.assertEquals(s.tracks[1].red.verdict, "regressed")
end

function TestTime.test_without_enough_pairs_nothing_is_claimed()
    local s = run({ 2 }, 0.001, { most = 1 })
    s:stop("the budget of 1 s was spent")
    lu.assertEquals(s.tracks[1].verdict, "inconclusive")
    lu.assertEquals(s.tracks[1].reason, "the budget of 1 s was spent")
end

function TestTime.test_after_the_first_look_a_short_time_goes_where_the_interval_is_widest()
    local random, rng = random_of(5)
    local s = schedule.new(2, { min_effect = 0.001, random = random, widest_first = true })
    local sigma, late = { 0.02, 0.3 }, {}
    for i = 1, 60 do
        local case, order = s:next()
        local values = {}
        for j = 1, #order do values[j] = 0.02 * noise(rng, sigma[case]) end
        if i > 20 then late[case] = (late[case] or 0) + 1 end
        s:add(case, order, values)
    end
    lu.assertTrue((late[2] or 0) > 3 * (late[1] or 0), ("%s and %s"):format(late[1], late[2]))
end

function TestTime.test_a_dropped_case_is_not_measured_again()
    local s = run({ 1, 1 }, 0.01, { most = 2 })
    s:drop(1, "it failed")
    for _ = 1, 100 do
        local case, order = s:next()
        if not case then break end
        lu.assertEquals(case, 2)
        s:add(case, order, { 1, 1, 1, 1, 1 })
    end
    lu.assertEquals(s.tracks[1].reason, "it failed")
end

TestSameSide = {}

function TestSameSide.test_a_side_that_differs_from_itself_is_flagged()
    local s = run({ 1 }, 0.4, { same = 2 })
    lu.assertTrue(s:same(1).flagged)
    lu.assertFalse(run({ 1 }, 0.4, { same = 1 }):same(1).flagged)
end

function TestSameSide.test_all_cases_together_tell_what_one_alone_has_too_few_values_for()
    local s = run({ 1, 1, 1 }, 0.005, { same = 1.05 })
    lu.assertNil(s:same(1).low)
    lu.assertFalse(s:same(1).flagged)
    lu.assertEquals(s:same_in_all().pairs, 30)
    lu.assertTrue(s:same_in_all().flagged)
    lu.assertFalse(run({ 1, 1, 1 }, 0.005):same_in_all().flagged)
end

-- The gate as a whole on made-up noise like that of a busy machine: heavy-tailed, with stretches that are slower.
TestGate = {}

local function gate(added, draws, sigma)
    local counts = { regressed = 0, red = 0, unchanged = 0, inconclusive = 0, improved = 0 }
    for seed = 1, draws do
        local random, rng = random_of(1000 + seed)
        local s = schedule.new(1, { min_effect = 0.03, random = random })
        local slow = 1
        while true do
            local case, order = s:next()
            if not case then break end
            if rng:int(1, 20) == 1 then slow = rng:int(1, 3) == 1 and 1.5 or 1 end
            local values = {}
            for j, side in ipairs(order) do
                local spike = rng:int(1, 15) == 1 and 1 + rng:int(0, 100) / 50 or 1
                values[j] = slow * spike * (side == "b" and 1 + added or 1) * noise(rng, sigma)
            end
            s:add(case, order, values)
        end
        local track = s.tracks[1]
        counts[track.verdict] = counts[track.verdict] + 1
        if track.red then counts.red = counts.red + 1 end
    end
    return counts
end

function TestGate.test_identical_code_stays_green_and_ten_percent_are_found()
    local draws = 500
    local same = gate(0, draws, 0.03)
    lu.assertEquals(same.regressed, 0)
    lu.assertTrue(same.red <= 4, same.red) -- 0.3 % of 500 is 1.5: 5 or more would be one run in 70
    lu.assertTrue(same.unchanged >= 0.6 * draws, same.unchanged)
    local found = gate(0.10, 200, 0.05)
    lu.assertTrue(found.regressed >= 0.98 * 200, found.regressed)
end

os.exit(lu.LuaUnit.run())
