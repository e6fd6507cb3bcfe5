-- How often the intervals of the fits hold the truth: times made from a known law with noise that multiplies
-- (lognormal, 5 to 20 %), fitted again and again. 95 % is asked for; prints what was found. Seeded, so that it says the
-- same each time. Not about single answers (test_fits). Neighbours: lua/rig/fits.lua and fits/.

local bootstrap = require "rig.bootstrap"
local distributions = require "rig.distributions"
local fits = require "rig.fits"
local lu = require "luaunit"
local rigtest = require "rigtest"
local stats = require "rig.stats"

local FULL = os.getenv "RIG_FULL"

-- Factors exp(size * normal), or with a tenth of them disturbed: up to 3 times as large.
local function lognormal(seed, size)
    local next = bootstrap.generator(seed)
    return function() return math.exp(size * distributions.normal_quantile(((next() >> 11) + 0.5) * 2.0 ^ -53)) end
end

local function disturbed(seed, size)
    local next, factor = bootstrap.generator(seed + 1000), lognormal(seed, size)
    return function()
        local u = (next() >> 11) * 2.0 ^ -53
        return factor() * (u < 0.1 and 1 + 20 * u or 1)
    end
end

-- Runs `draw` so often, which returns the truth, low and high (nil: no bound there), or nil for a draw without an
-- answer, which counts as missed. Margins are three deviations of the count.
local function coverage(name, draws, draw, most)
    local held, widths, without = 0, {}, 0
    for _ = 1, draws do
        local truth, low, high = draw()
        if not truth then
            without = without + 1
        elseif truth >= (low or -math.huge) and truth <= (high or math.huge) then
            held = held + 1
        end
        if truth and low and high then widths[#widths + 1] = high - low end
    end
    local share = held / draws
    local width = stats.median(widths)
    print(("  %-58s %5d draws: %5.1f %%, width %-8s%s"):format(name, draws, 100 * share,
        width and ("%.3g"):format(width) or "-", without > 0 and (", %d without"):format(without) or ""))
    lu.assertTrue(share >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / draws), name)
    if most then
        lu.assertTrue(share <= most + 3 * math.sqrt(most * (1 - most) / draws), name .. ": wider than it need be")
    end
end

TestExponent = {}

local function exponent(name, factor, count, runs, most)
    local truth, draws = 0.86, FULL and 5000 or rigtest.many(1000, 50)
    coverage(name, draws, function()
        local xs, ys = {}, {}
        for i = 1, count do
            for _ = 1, runs do
                local x = 1e5 * 1.7 ^ i
                xs[#xs + 1], ys[#ys + 1] = x, 3e-6 * x ^ truth * factor()
            end
        end
        local fit = fits.fit_power(xs, ys)
        return truth, fit.low, fit.high
    end, most)
end

function TestExponent.test_one_value_for_each_size()
    print ""
    for i, count in ipairs { 5, 8, 12, 20, 40 } do
        for _, noise in ipairs { 0.05, 0.20 } do
            -- 5 points have no rank nearer than 98.3 %
            exponent(("exponent, %d sizes, noise %g %%"):format(count, 100 * noise), lognormal(i, noise), count, 1,
                count == 5 and 0.984 or 0.97)
        end
    end
    exponent("exponent, 8 sizes, a tenth of the times disturbed", disturbed(7, 0.05), 8, 1, 0.97)
end

function TestExponent.test_several_runs_of_each_size()
    exponent("exponent, 2 sizes, 5 runs", lognormal(11, 0.1), 2, 5, 0.97)
    exponent("exponent, 3 sizes, 3 runs", lognormal(12, 0.1), 3, 3, 0.97)
    exponent("exponent, 4 sizes, 9 runs", lognormal(13, 0.1), 4, 9, 0.97)
    exponent("exponent, 4 sizes, 9 runs, disturbed", disturbed(14, 0.1), 4, 9, 0.97)
    exponent("exponent, 8 sizes, 5 runs", lognormal(15, 0.1), 8, 5, 0.97)
end

TestCrossing = {}

local function crossing(name, factor, runs, options)
    local truth, draws = options.truth or 1e6, FULL and 5000 or rigtest.many(1000, 50)
    local xs = { 1e4, 1e5, 4e5, 2e6, 1e7, 1e8 }
    coverage(name, draws, function()
        local as, bs = {}, {}
        for i, x in ipairs(xs) do
            as[i], bs[i] = {}, {}
            for k = 1, runs do as[i][k] = factor() end
            for k = 1, options.others or runs do bs[i][k] = (x / truth) ^ (options.slope or 0.4) * factor() end
        end
        local found = fits.crossing(xs, as, bs)
        if not found then return nil end
        return math.log(truth), found.low and math.log(found.low), found.high and math.log(found.high)
    end, options.most)
end

-- Order statistics move in steps: 6 runs have 96.9 % at once, and between two sizes the band is a little wide.
local MOST_OF_STEPS = 0.99

function TestCrossing.test_few_runs()
    print ""
    for i, runs in ipairs { 2, 3, 5 } do
        crossing(("crossing, %d runs, noise 10 %%"):format(runs), lognormal(20 + i, 0.1), runs, { most = 0.96 })
    end
    crossing("crossing, 3 runs, noise 20 %", lognormal(24, 0.2), 3, { most = 0.96 })
end

function TestCrossing.test_many_runs()
    for i, runs in ipairs { 6, 9, 20 } do
        crossing(("crossing, %d runs, noise 10 %%"):format(runs), lognormal(30 + i, 0.1), runs,
            { most = MOST_OF_STEPS })
    end
    crossing("crossing, 9 runs, noise 5 %", lognormal(34, 0.05), 9, { most = MOST_OF_STEPS })
    crossing("crossing, 9 runs, noise 20 %", lognormal(35, 0.2), 9, { most = MOST_OF_STEPS })
    crossing("crossing, 9 runs, a tenth of the times disturbed", disturbed(36, 0.1), 9, { most = MOST_OF_STEPS })
    crossing("crossing at a measured size, 9 runs, noise 10 %", lognormal(37, 0.1), 9,
        { truth = 2e6, most = 0.97 })
    crossing("flat crossing (exponent 0.1), 9 runs, noise 10 %", lognormal(38, 0.1), 9, { slope = 0.1 })
end

function TestCrossing.test_runs_that_do_not_belong_together()
    crossing("crossing, 8 and 10 runs, noise 10 %", lognormal(39, 0.1), 8, { others = 10, most = 0.98 })
end

TestUsl = {}

-- Both parameters at once, as one fit answers for both.
local function scalability(counts, runs, noise, sigma, kappa, draws, seed)
    local factor, kappas = lognormal(seed, noise), {}
    local what = ("%d counts to %d, %d run%s, noise %g %%, sigma %g, kappa %g"):format(#counts, counts[#counts], runs,
        runs == 1 and "" or "s", 100 * noise, sigma, kappa)
    draws = FULL and draws * 5 or rigtest.many(draws, 50)
    coverage("sigma: " .. what, draws, function()
        local ns, ts = {}, {}
        for _, n in ipairs(counts) do
            for _ = 1, runs do
                ns[#ns + 1], ts[#ts + 1] = n, (1 + sigma * (n - 1) + kappa * n * (n - 1)) / n * factor()
            end
        end
        local fit = fits.usl(ns, ts)
        kappas[#kappas + 1] = fit.kappa_ci
        return sigma, fit.sigma_ci[1], fit.sigma_ci[2]
    end)
    local i = 0
    coverage("kappa: " .. what, draws, function()
        i = i + 1
        return kappa, kappas[i][1], kappas[i][2]
    end)
end

function TestUsl.test_a_single_value_for_each_count()
    print ""
    scalability({ 1, 2, 4, 8 }, 1, 0.05, 0.05, 0.002, 400, 41)
    scalability({ 1, 2, 3, 4, 6, 8 }, 1, 0.05, 0.05, 0.002, 400, 42)
    scalability({ 1, 2, 4, 8, 16, 32 }, 1, 0.1, 0.03, 0.001, 400, 43)
end

function TestUsl.test_several_runs_of_each_count()
    scalability({ 1, 2, 4, 8 }, 5, 0.05, 0.05, 0.002, 400, 44)
    scalability({ 1, 2, 3, 4 }, 5, 0.1, 0.1, 0.01, 400, 45)
    scalability({ 1, 2, 4, 8, 16 }, 9, 0.2, 0.03, 0.002, 400, 46)
end

function TestUsl.test_at_the_edge_of_what_may_be()
    scalability({ 1, 2, 4, 8 }, 5, 0.05, 0.1, 0, 400, 47)
    scalability({ 1, 2, 4, 8 }, 5, 0.05, 0, 0.01, 400, 48)
    scalability({ 1, 2, 4, 8 }, 5, 0.05, 0, 0, 400, 49)
end

os.exit(lu.LuaUnit.run())
