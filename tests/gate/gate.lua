--- The gate, tested on this machine: records real A/A runs, draws thousands of runs out of them with the signs of
--- blocks flipped and work added, and puts each through the schedule and the judging that `--ab` uses. Prints how
--- often identical code is called slower, and how often a slower one is found. README.md says how to run it.
--- Neighbours: rig.ab.schedule (under test), work.lua and pipe.lua (what is measured).

local ab = require "rig.ab.run"
local cases = require "rig.ab.cases"
local command = require "rig.ab.command"
local core = require "rig.core"
local forked = require "rig.ab.forked"
local json = require "rig.json"
local paired = require "rig.paired"
local plan_of = require "rig.plan"
local scenario = require "rig.scenario"
local schedule = require "rig.ab.schedule"
local stats = require "rig.stats"
local value_of = require "rig.ab.value"

local MIN_EFFECT = 0.03
local ADDED = { 0, 0.02, 0.05, 0.10 }
local RUN_CASES = 20 -- a run of many cases, whose intervals are wider
local PIECE = 10 -- blocks drawn together: what disturbs one disturbs its neighbours

-- Limits of the design, as shares of draws.
local MOST_RED, MOST_RED_RUNS, LEAST_UNCHANGED = 0.003, 0.01, 0.60
local LEAST_FOUND = { [0.05] = 0.90, [0.10] = 0.99 }

-- ---- the command line ----------------------------------------------------------------------------------------------

local NUMBERS = { pairs = 400, draws = 2000, real = 0, seed = 1 }
local TEXTS = { out = true, ["in"] = true, only = true }

local function fail(text)
    io.stderr:write("gate: ", text, "\n")
    os.exit(2)
end

local function options(words)
    local opts = { busy = false, folder = words[0]:match "^(.*)/[^/]*$" or "." }
    for name, default in pairs(NUMBERS) do opts[name] = default end
    local i = 1
    while words[i] do
        local name = words[i]:match "^%-%-(%a+)$"
        if name == "busy" then
            opts.busy, i = true, i + 1
        elseif NUMBERS[name] then
            opts[name] = math.tointeger(tonumber(words[i + 1])) or fail(words[i] .. " needs a whole number")
            i = i + 2
        elseif TEXTS[name] then
            opts[name] = words[i + 1] or fail(words[i] .. " needs a file")
            i = i + 2
        else
            fail(words[i] .. ": use --pairs N, --draws N, --real N, --seed N, --busy, --only F, --out F, --in F")
        end
    end
    return opts
end

-- ---- recording -----------------------------------------------------------------------------------------------------

local function load_twins(path, added)
    local s = assert(scenario.load(path))
    assert(cases.override(s, "extra", ("0,%g"):format(added)))
    cases.pin(s)
    local plan = assert(plan_of.make(s, { ab = "extra" }))
    return plan, cases.twins(plan, "extra")
end

local function value(plan, case)
    local record = assert(forked.measure(plan, case, {}))
    return assert(value_of.seconds(record), record.reason)
end

-- As long as a value of a real run.
local function calibrated(plan, case)
    value(plan, case)
    return cases.with_iterations(case, ab.enough(value(plan, case)))
end

-- Both sides are the same case: whatever the ratios show is the machine's.
local function record_case(plan, twin, opts, rng)
    local random = function(lo, hi) return rng:int(lo, hi) end
    local found = { case = plan.scenario.name .. ": " .. twin.label, ratios = json.list(), same = json.list(),
        values = json.list() }
    local case = calibrated(plan, twin.a)
    while #found.ratios < opts.pairs do
        local order, values = schedule.block(random), {}
        for i = 1, #order do values[i] = value(plan, case) end
        local got, same = schedule.pairs_of(order, values)
        for _, pair in ipairs(got) do table.insert(found.ratios, math.log(pair.b / pair.a)) end
        table.insert(found.same, same)
        for _, seconds in ipairs(values) do table.insert(found.values, seconds) end
    end
    return found
end

local function spin()
    while true do core.spin(1) end
end

local function record(opts)
    local rng, sets = core.rng("gate", opts.seed), {}
    local busy = opts.busy and assert(core.fork(spin))
    for _, name in ipairs { opts.only or "work.lua", not opts.only and "pipe.lua" or nil } do
        local plan, twins = load_twins(opts.folder .. "/" .. name, 0)
        for _, twin in ipairs(twins) do
            local started = core.now()
            sets[#sets + 1] = record_case(plan, twin, opts, rng)
            io.stderr:write(("recorded %s: %d pairs in %.0f s\n"):format(sets[#sets].case, #sets[#sets].ratios,
                core.now() - started))
        end
    end
    if busy then busy:stop(0) end
    return sets
end

-- ---- drawing runs --------------------------------------------------------------------------------------------------

local ORDER = { "a", "b", "b", "a", "x" }

-- One case of a run that could have been: pieces of the record, each block with its sides exchanged or not.
local function draw(set, added, judged, rng)
    local random = function(lo, hi) return rng:int(lo, hi) end
    local s = schedule.new(1, { min_effect = MIN_EFFECT, random = random, judged = judged })
    local track, blocks, at, left = s.tracks[1], #set.ratios // 2, 0, 0
    local shift = math.log(1 + added)
    while not track.verdict do
        if left == 0 then at, left = rng:int(0, blocks - 1), PIECE end
        local sign, i = rng:int(0, 1) == 0 and 1 or -1, 2 * at
        local d1, d2 = sign * set.ratios[i + 1] + shift, sign * set.ratios[i + 2] + shift
        s:add(1, ORDER, { 1, math.exp(d1), math.exp(d2), 1, math.exp(sign * set.same[at + 1]) })
        at, left = (at + 1) % blocks, left - 1
    end
    return track, s
end

local function tally(set, added, judged, draws, rng)
    local t = { red = 0, regressed = 0, unchanged = 0, improved = 0, inconclusive = 0, flagged = 0, pairs = {} }
    for i = 1, draws do
        local track, s = draw(set, added, judged, rng)
        if track.red then t.red = t.red + 1 end
        t[track.verdict] = t[track.verdict] + 1
        if s:same(1).flagged then t.flagged = t.flagged + 1 end
        t.pairs[i] = #track.all
    end
    t.draws = draws
    return t
end

local function percent(n, of) return ("%6.2f %%"):format(100 * n / of) end

-- ---- the tables ----------------------------------------------------------------------------------------------------

local function say(...) io.write(string.format(...), "\n") end

local failed = false

local function hold(ok, what)
    say("  %s %s", ok and "holds:      " or "FALLS SHORT:", what)
    failed = failed or not ok
end

local function spread(set)
    local sorted = stats.sorted(set.ratios)
    return stats.median(set.values), stats.quantile(sorted, 0.75) - stats.quantile(sorted, 0.25),
        stats.stddev(set.ratios)
end

local function judge_one(set, judged, opts, rng)
    local rows = {}
    for i, added in ipairs(ADDED) do
        local t = tally(set, added, judged, opts.draws, rng)
        rows[i] = t
        say("    %4.0f %%  %s  %s  %s  %s  %s  %6.0f  %6.0f", added * 100, percent(t.red, t.draws),
            percent(t.regressed, t.draws), percent(t.unchanged, t.draws), percent(t.inconclusive, t.draws),
            percent(t.flagged, t.draws), stats.median(t.pairs), stats.quantile(stats.sorted(t.pairs), 0.95))
    end
    return rows
end

-- Random numbers, and so the rates, are those of the seed: the same record gives the same table.
local function judge_all(sets, opts)
    local rng = core.rng("draws", opts.seed)
    local sums = {}
    for _, judged in ipairs { 1, RUN_CASES } do
        say("\n%s (confidence of an interval %.6f)", judged == 1 and "Runs of one case" or "Cases of a run of 20",
            paired.confidence(judged))
        say("    added   red once   red twice  unchanged  inconcl.   A/A flag   pairs     p95")
        sums[judged] = { red = 0, regressed = 0, unchanged = 0, draws = 0, found = {} }
        for _, set in ipairs(sets) do
            say("  %s: %.1f ms, pairs differ by %.1f %% (quartiles), %.1f %% (deviation)", set.case,
                spread(set) * 1e3, select(2, spread(set)) * 100, select(3, spread(set)) * 100)
            local rows, sum = judge_one(set, judged, opts, rng), sums[judged]
            sum.red, sum.regressed = sum.red + rows[1].red, sum.regressed + rows[1].regressed
            sum.unchanged, sum.draws = sum.unchanged + rows[1].unchanged, sum.draws + rows[1].draws
            for i, added in ipairs(ADDED) do
                local one = rows[i].regressed / rows[i].draws
                sum.found[added] = sum.found[added] or { least = 1, total = 0 }
                sum.found[added].least = math.min(sum.found[added].least, one)
                sum.found[added].total = sum.found[added].total + one / #sets
            end
        end
    end
    return sums
end

-- Whole runs of 20 cases without any difference: in how many of them one case is red, twice.
local function whole_runs(sets, opts)
    local rng, red, runs = core.rng("runs", opts.seed), 0, math.max(1000, opts.draws // 2)
    for _ = 1, runs do
        for _ = 1, RUN_CASES do
            if draw(sets[rng:int(1, #sets)], 0, RUN_CASES, rng).verdict == "regressed" then
                red = red + 1
                break
            end
        end
    end
    return red, runs
end

local function conclude(sums, red, runs)
    say("\nAgainst the design (min-effect 3 %%)")
    local one = sums[1]
    hold(one.red / one.draws <= MOST_RED, ("identical code red once: %s a case (at most 0.3 %%)"):format(
        percent(one.red, one.draws)))
    hold(red / runs <= MOST_RED_RUNS, ("identical code red twice: %s of %d runs of 20 cases (at most 1 %%)"):format(
        percent(red, runs), runs))
    hold(one.unchanged / one.draws >= LEAST_UNCHANGED, ("identical code called unchanged: %s (at least 60 %%)"):format(
        percent(one.unchanged, one.draws)))
    for _, added in ipairs { 0.05, 0.10 } do
        local found = one.found[added]
        hold(found.total >= LEAST_FOUND[added], ("+%.0f %% found: %s, least case %s (at least %.0f %%)"):format(
            added * 100, percent(found.total, 1), percent(found.least, 1), LEAST_FOUND[added] * 100))
    end
end

-- ---- real work added -----------------------------------------------------------------------------------------------

local function real_runs(opts)
    say("\nReal runs, work added for real (%d of each)", opts.real)
    for _, name in ipairs { "work.lua", "pipe.lua" } do
        for _, added in ipairs { 0, 5, 10 } do
            local counts, taken, used = {}, {}, {}
            for i = 1, opts.real do
                local plan, twins = load_twins(opts.folder .. "/" .. name, added)
                plan.seed = opts.seed * 1000 + i
                local ready = { plan = plan, twins = twins, sides = { what = "extra", a = "0", b = tostring(added),
                    measure = function(twin, side, n)
                        return forked.measure(plan, n and cases.with_iterations(twin[side], n) or twin[side], {})
                    end } }
                local started = core.now()
                local doc = assert(command.run(ready, {}))
                taken[i] = core.now() - started
                for _, v in ipairs(doc.verdicts) do
                    if v.gates then
                        counts[v.case] = counts[v.case] or {}
                        counts[v.case][v.verdict] = (counts[v.case][v.verdict] or 0) + 1
                        used[#used + 1] = v.pairs_in_all
                    end
                end
            end
            local words = {}
            for label, count in pairs(counts) do
                local said = {}
                for verdict, n in pairs(count) do said[#said + 1] = ("%d %s"):format(n, verdict) end
                table.sort(said)
                words[#words + 1] = ("%s: %s"):format(label, table.concat(said, ", "))
            end
            table.sort(words)
            say("  %s +%d %%: %s; median %.0f pairs a case, %.1f s a run", name, added, table.concat(words, " | "),
                stats.median(used), stats.median(taken))
        end
    end
end

local function main(words)
    local opts = options(words)
    local sets
    if opts["in"] then
        local file <close> = assert(io.open(opts["in"]))
        sets = assert(json.decode(file:read "a"))
    else
        sets = record(opts)
    end
    if opts.out then assert(core.write_file(opts.out, json.encode(sets, {}))) end
    say("%s, %d pairs of identical code a case, %d draws of each row, seed %d", opts["in"] and "from " .. opts["in"]
        or opts.busy and "with another busy process" or "without another busy process", #sets[1].ratios, opts.draws,
        opts.seed)
    local sums = judge_all(sets, opts)
    conclude(sums, whole_runs(sets, opts))
    if opts.real > 0 then real_runs(opts) end
    return failed and 1 or 0
end

os.exit(main(arg), true)
