-- Thresholds before a run: what their text means, how sure a quantile is, and which cases of a scenario they can be
-- about. Not for judging (test_thresholds), nor for each mistake in a scenario (tests/broken/threshold_*).
-- Neighbours: lua/rig/thresholds/text.lua, interval.lua, declare.lua, reach.lua.

local lu = require("luaunit")
local interval = require("rig.thresholds.interval")
local plan = require("rig.plan")
local scenario = require("rig.scenario")
local stats = require("rig.stats")
local thresholds = require("rig.thresholds")

package.loaded.rig = package.loaded.rig or setmetatable({}, { __index = require("rig.language") })

local function known() return true end


TestText = {}

function TestText.test_metric_statistic_operator_and_limit()
    local c = assert(thresholds.parse("map.median < 10 ms"))
    lu.assertEquals({ c.metric, c.statistic, c.op, c.limit, c.wanted }, { "map", "median", "<", 0.01, "< 10 ms" })
    c = assert(thresholds.parse("  map.p95<=20ms "))
    lu.assertEquals({ c.metric, c.statistic, c.op, c.limit }, { "map", "p95", "<=", 0.02 })
    c = assert(thresholds.parse("s_per_iteration>0.04"))
    lu.assertEquals({ c.metric, c.statistic, c.limit }, { "s_per_iteration", "median", 0.04 })
end

function TestText.test_units()
    for text, limit in pairs {
        ["map < 1 ns"] = 1e-9, ["map < 1us"] = 1e-6, ["map < 1 µs"] = 1e-6, ["map < 1.5 ms"] = 1.5e-3,
        ["map < 2 s"] = 2, ["map < 2e-3 s"] = 2e-3, ["map < .5 min"] = 30, ["map > 0"] = 0,
        ["peak_rss < 1 B"] = 1, ["peak_rss < 3 kB"] = 3000, ["peak_rss < 3 KiB"] = 3072, ["uss < 1.5MB"] = 1.5e6,
        ["uss < 2 MiB"] = 2 << 20, ["uss < 2 GB"] = 2e9, ["uss < 1 GiB"] = 1 << 30, ["payload_bytes == 39600"] = 39600,
        ["bytes_per_s > 1 GB/s"] = 1e9, ["bytes_per_s > 1 GB"] = 1e9, ["items_per_s > 1e6"] = 1e6,
        ["items_per_s > 5/s"] = 5, ["map.ratio < 110 %"] = 1.1, ["map.ratio > 2 x"] = 2, ["map.ratio > 2"] = 2,
        ["map.count >= 9"] = 9, ["messages == 18"] = 18, ["loss < -2.5"] = -2.5, ["own < 10 ms"] = 0.01,
    } do
        local c, problem = thresholds.parse(text, known)
        lu.assertNotNil(c, text .. ": " .. tostring(problem))
        lu.assertAlmostEquals(c.limit, limit, 1e-9 * math.abs(limit), text)
    end
end

function TestText.test_what_cannot_be_is_refused_with_what_would_be_right()
    for text, said in pairs {
        ["map < 10 mss"] = "did you mean ms?", ["map < 10 KB"] = "not among", ["map < ten ms"] = "as in 10 ms",
        ["map < 10 % "] = "use ns, us", ["uss < 3 KB"] = "did you mean kB?", ["uss < 3 ms"] = "use B, kB",
        ["map.average < 1 s"] = "did you mean mean?", ["map.p94 < 1 s"] = "did you mean p90?",
        ["map.ratio < 5 ms"] = "use x or %", ["map.count < 5 ms"] = "leave the unit out",
        ["map ~= 1 s"] = "use <, <=, >, >= or ==", ["map ≤ 1 s"] = "write <=", ["map = 1 s"] = "write ==",
        ["< 10 ms"] = "write it as", [""] = "write it as", ["map.median"] = "write it as",
        ["s_per_iterations < 1 s"] = "did you mean s_per_iteration?", ["map < 1e400 s"] = "as in 10 ms",
        ["uss < 5"] = "write 5 MB",
    } do
        local c, problem, remedy = thresholds.parse(text)
        lu.assertNil(c, text)
        local message = problem .. "; " .. remedy
        if said ~= "not among" then lu.assertStrContains(message, said, false, text) end
    end
end

function TestText.test_metrics_of_the_scenarios_own_may_have_dots_and_are_never_guessed_where_they_may_exist()
    local function records(name) return name == "loss.train" end
    lu.assertEquals(thresholds.parse("loss.train < 1", records).metric, "loss.train")
    lu.assertEquals(thresholds.parse("loss.train.p90 < 1", records).statistic, "p90")
    lu.assertNil(thresholds.parse("loss.test < 1", function() return false end))
    lu.assertEquals(thresholds.parse("epoch_s < 1 s").metric, "epoch_s") -- nobody knows
    lu.assertNil((thresholds.parse("reduse < 1 s"))) -- but that looks like a slip
end

-- ---------------------------------------------------------------------------------------------------------------------

TestInterval = {}

function TestInterval.test_that_of_the_median_is_the_known_one()
    for _, n in ipairs { 6, 7, 9, 20, 101 } do
        local xs = {}
        for i = 1, n do xs[i] = i end
        lu.assertEquals({ interval.quantile(xs, 0.5) }, { stats.median_interval(xs) }, n)
    end
    local low, high = interval.quantile({ 1, 2, 3, 4, 5 }, 0.5)
    lu.assertNil(low)
    lu.assertNil(high)
end

-- P(X_l <= q < X_u) from the binomial, added up the long way round.
local function coverage(n, p, l, u)
    local sum, log_term = 0, n * math.log(1 - p)
    for k = 0, n do
        if k >= l and k < u then sum = sum + math.exp(log_term) end
        if k < n then log_term = log_term + math.log((n - k) / (k + 1)) + math.log(p / (1 - p)) end
    end
    return sum
end

function TestInterval.test_that_of_a_quantile_covers_it_in_95_percent_and_is_no_wider_than_it_must()
    for _, p in ipairs { 0.25, 0.75, 0.9, 0.95, 0.99 } do
        for _, n in ipairs { 20, 100, 500 } do
            local xs = {}
            for i = 1, n do xs[i] = i end
            local low, high = interval.quantile(xs, p)
            local l, u = low or 0, high or n + 1
            lu.assertTrue(coverage(n, p, l, u) >= 0.95, ("p %g n %d"):format(p, n))
            -- one order statistic further in, that side alone would miss more than its half
            lu.assertTrue(coverage(n, p, 0, l + 1) > 0.025, ("p %g n %d low"):format(p, n))
            if high then lu.assertTrue(1 - coverage(n, p, 0, u - 1) > 0.025, ("p %g n %d high"):format(p, n)) end
        end
    end
end

function TestInterval.test_means_and_deviations_have_one_that_repeats_and_that_of_means_narrows()
    for _, statistic in ipairs { "mean", "stddev", "mad" } do
        local width
        for _, n in ipairs { 6, 50, 200 } do
            local xs = {}
            for i = 1, n do xs[i] = 10 + math.sin(i * 7.3) end -- as good as random, and always the same
            local low, high = interval.of(statistic, xs)
            local value = interval.value(statistic, xs)
            lu.assertTrue(low < value and value < high, statistic .. n)
            lu.assertEquals({ interval.of(statistic, xs) }, { low, high })
            lu.assertTrue(statistic ~= "mean" or width == nil or high - low < width, statistic .. n)
            width = high - low
        end
        lu.assertNil((interval.of(statistic, { 1, 2, 3, 4, 5 })))
    end
end

function TestInterval.test_that_of_the_mean_of_many_is_students()
    local xs = {}
    for i = 1, 401 do xs[i] = i end
    local low, high = interval.of("mean", xs)
    -- 201 -/+ 1.965927 * 115.902977 / sqrt(401)
    lu.assertAlmostEquals(low, 201 - 11.37856, 1e-3)
    lu.assertAlmostEquals(high, 201 + 11.37856, 1e-3)
    lu.assertNil((interval.of("mad", xs)))
end

function TestInterval.test_few_samples_bound_a_high_quantile_from_below_only()
    local xs = {}
    for i = 1, 20 do xs[i] = i end
    local low, high = interval.of("p95", xs)
    lu.assertEquals(low, 17)
    lu.assertNil(high)
end

-- ---------------------------------------------------------------------------------------------------------------------

TestReach = {}

local function load_one(line)
    return assert(scenario.load("x.lua", 'local rig = require "rig"\nreturn rig.scenario {\n'
        .. "size = { 10, 20 }, pool = { 'builtin', 'custom', { base = 'custom', name = 'mine', chunk = 5 } },\n"
        .. "workers = { 2, 4 }, params = { kind = { 'a', 'b' }, on = { true, false } }, items = 4, map = print,\n"
        .. "thresholds = { " .. line .. " } }"))
end

function TestReach.test_values_are_read_as_parameters_are()
    local s = load_one [[{ "map < 1 s", where = { size = 1e1, pool = { "mine", "custom" }, on = false, kind = "a",
        start = "fork", preset = "custom" } }]]
    lu.assertEquals(s.thresholds[1].where, { size = { 10 }, pool = { "mine", "custom" }, on = { false }, kind = { "a" },
        start = { "fork" }, preset = { "custom" } })
    lu.assertEquals(math.type(s.thresholds[1].where.size[1]), "integer")
    lu.assertEquals(s.thresholds[1].line, 5)
    lu.assertNotNil(plan.make(s))
end

function TestReach.test_what_the_command_line_leaves_out_is_not_judged_and_does_not_fail()
    local s = load_one '{ "map < 1 ns", where = { size = 20 } }'
    local made = assert(plan.make(s, { only = { { name = "size", text = "10" } } }))
    lu.assertEquals(#made.cases, 3 * 2 * 2 * 2)
    local doc = { cases = { { params = { size = 10 }, label = "10" } }, varying = { "size" } }
    local entry = thresholds.judge(doc, s.thresholds)[1]
    lu.assertEquals({ entry.passed, entry.judged_by }, { true, "nothing" })
    lu.assertEquals(entry.reason, "not judged: left out by the command line")
    assert(scenario.override(s, { { name = "size", text = "500" } }))
    lu.assertNotNil(plan.make(s))
end

function TestReach.test_what_matches_nothing_at_all_is_a_mistake()
    local s = load_one '{ "map < 1 ns", where = { delivery = "shm" } }'
    local made, problem = plan.make(s)
    lu.assertNil(made)
    lu.assertEquals(tostring(problem), "x.lua:5: thresholds[1]: no case is as where says; rig check lists the cases")
end

function TestReach.test_metrics_that_nothing_records_are_found_before_the_run()
    local function load_with(reduce, line)
        return scenario.load("x.lua", 'local rig = require "rig"\nreturn rig.scenario { items = 4,\n'
            .. "map = function() end, reduce = function() " .. reduce .. " end, thresholds = { '" .. line .. "' } }")
    end
    lu.assertNotNil(load_with('rig.metric("loss", 1)', "loss < 1"))
    lu.assertNotNil(load_with('rig.metric("los" .. "s", 1)', "los < 1"))
    lu.assertNotNil(load_with("rig.metric(tostring(1), 1)", "1 < 1"))
    lu.assertNotNil(load_with('require "helper" ()', "loss < 1"))
    local s, problem = load_with('rig.metric("loss", 1)', "los < 1")
    lu.assertNil(s)
    lu.assertStrContains(tostring(problem), 'no metric "los"')
    lu.assertNil((load_with("-- \"loss\" is a metric\n", "loss < 1")))
end

os.exit(lu.LuaUnit.run())
