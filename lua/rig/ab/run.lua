--- An interleaved A/B run: both sides of every case measured beside each other, again and again, until it is clear
--- whether they differ; then a results document with the verdicts.
--- Not for printing, and not for how a side is measured: forked.lua and executables.lua do that.
--- Neighbours: schedule.lua (what is next), value.lua (what a measured case is worth), verdicts.lua (the words).

local core = require "rig.core"
local env = require "rig.env"
local json = require "rig.json"
local measure_case = require "rig.case"
local paired = require "rig.paired"
local results = require "rig.results"
local schedule = require "rig.ab.schedule"
local status = require "rig.status"
local thresholds = require "rig.thresholds"
local units = require "rig.units"
local value_of = require "rig.ab.value"
local verdicts = require "rig.ab.verdicts"

local M = {}

local SIGALRM = 14

-- How long a value is to be: a few dozen turns of the scheduler. Where a budget would not do for that, less, but no
-- less than a few of them.
local VALUE_S, LEAST_VALUE_S = 0.1, 0.02
local MOST_ITERATIONS = 10000
-- Values of a case that goes to the last look, and what share of a budget they may take: a red wants as many again.
local VALUES = paired.looks[#paired.looks] * 5 // 2
local SHARE_OF_BUDGET = 0.45
-- What is kept back of a budget for the block under way and the writing of results.
local RESERVE = 0.02

---@class rig.AbSides
---@field what string                the parameter, or "executables"
---@field a string                   what side A is called
---@field b string
---@field unknown string[]?          what side A does not know
---@field thresholds table[]?        the scenario's, parsed
---@field verify (fun(doc: table): table?)?  the scenario's verdict over one side's results
---@field measure fun(twin: table, side: string, iterations: integer?, limit_s: number?): table?, string?, string?

---@class rig.AbOptions
---@field min_effect number?         0.03
---@field budget_s number?
---@field strict boolean?
---@field fail_fast boolean?
---@field seed integer?
---@field on_start fun(info: table)?
---@field on_block fun(done: table)?

local function new_samples()
    return { a = {}, b = {}, x = {}, cpu = { a = {}, b = {} }, metrics = { a = {}, b = {} }, counters = {} }
end

-- All of a value but its record, of which each side keeps the last. What a value lacks stands there as false: pairs are
-- told by their place.
local function keep(samples, slot, record, seconds)
    table.insert(samples[slot], seconds)
    if slot == "x" then return end
    local at = #samples[slot]
    samples.cpu[slot][at] = value_of.cpu_seconds(record) or false
    for name, figure in pairs(value_of.metrics(record)) do
        local list = samples.metrics[slot][name] or {}
        for i = #list + 1, at - 1 do list[i] = false end
        list[at], samples.metrics[slot][name] = figure, list
    end
end

local function side_of(slot) return slot == "b" and "b" or "a" end

-- Why nothing more is measured at all, or nil.
local function reason_to_stop(run)
    local signo = core.interrupted()
    if signo == SIGALRM and run.opts.budget_s then
        return ("the budget of %s was spent"):format(units.format_duration(run.opts.budget_s))
    end
    if signo then return ("it was interrupted by signal %d"):format(signo) end
    return run.stopped
end

local SIDE_WORD = { a = "base", b = "new" }

-- Which side it was is the first thing to know about a fault.
local function name_side(run, side, record)
    local who = ("%s (%s): "):format(SIDE_WORD[side], run.sides[side])
    if record.reason then record.reason = who .. record.reason end
    for _, failure in ipairs(record.errors) do
        if failure.message then failure.message = who .. failure.message end
    end
end

local function add_record(run, twin, side, record)
    local axes = (side == "a" and twin.a or twin.b).axes
    if record.status ~= "ok" then name_side(run, side, record) end
    record.index = #run.doc.cases + 1
    record.label = ("%s: %s"):format(run.sides[side], record.label)
    record.broken = nil
    results.add(run.doc, results.case(record, axes))
    table.insert(run.cases[side], run.doc.cases[#run.doc.cases])
end

local function alone(run, doc, side)
    local copy = {}
    for name, value in pairs(doc) do copy[name] = value end
    copy.cases = json.list(run.cases[side])
    return copy
end

-- The limits that the scenario sets hold for the new side, by its last value.
local function judge_thresholds(run, doc)
    if not run.sides.thresholds then return end
    doc.thresholds = thresholds.judge(alone(run, doc, "b"), run.sides.thresholds, {})
    for _, entry in ipairs(doc.thresholds) do
        if not entry.passed then doc.exit = status.worst(doc.exit, status.EXIT.failed) end
    end
end

-- The scenario's word on each side, as if that had been run alone: one that is fast because it is wrong is no better.
local function verify(run, doc)
    if not run.sides.verify or doc.exit ~= 0 then return end
    for _, side in ipairs { "a", "b" } do
        local said = run.sides.verify(alone(run, doc, side))
        if not said then return end
        doc.verify = { right = said.exit == 0, message = said.message and run.sides[side] .. ": " .. said.message }
        if said.exit ~= 0 then
            doc.exit = status.worst(doc.exit, said.exit)
            return
        end
    end
end

-- After so much longer than any value of the case took so far, one will not end.
local HANGS_TIMES, HANGS_LEAST_S = 50, 10

local function limit_of(run, twin)
    local longest = run.longest[twin.index]
    return longest and math.max(HANGS_LEAST_S, HANGS_TIMES * longest)
end

-- The budget ended while this side, other than the other one, had not come to an end even once: no doubt is left.
local function never_ended(run, twin, side, took)
    local longest = run.longest[twin.index]
    if run.ended[side][twin.index] or not longest or took < 10 * longest then return nil end
    if core.interrupted() ~= SIGALRM or not run.opts.budget_s then return nil end
    return measure_case.lost(twin[side], ("it had not ended after %s; the other side takes %s"):format(
        units.format_duration(took), units.format_duration(longest)), "timeout")
end

local function drop(run, twin, side, record)
    run.schedule:drop(twin.index, "not judged: " .. (record.reason or ("a case ended as %s"):format(record.status)))
    add_record(run, twin, side, record)
    if run.opts.fail_fast or record.broken then run.stopped = ("%s did not pass"):format(record.label) end
end

-- One value, or nil where the case cannot go on; then it has been dropped or the run ends.
local function measure(run, twin, slot)
    local side, i = side_of(slot), twin.index
    local started = core.now()
    local record, message, code = run.sides.measure(twin, side, run.iterations[i], limit_of(run, twin))
    local took = core.now() - started
    run.spent[i] = run.spent[i] + took
    if not record then
        if code ~= "ECANCELED" then run.stopped, run.problem = message, message end
        local hung = never_ended(run, twin, side, took)
        if hung then drop(run, twin, side, hung) end
        return nil
    end
    local seconds = value_of.seconds(record)
    if seconds then
        run.ended[side][i], run.longest[i] = true, math.max(run.longest[i] or 0, took)
        if reason_to_stop(run) then return nil end
        return seconds, record
    end
    if record.status ~= "failed" and reason_to_stop(run) then return nil end
    drop(run, twin, side, record)
    return nil
end

--- As many iterations as make a value long enough.
---@param seconds number  of one
---@return integer
function M.enough(seconds)
    return math.min(MOST_ITERATIONS, math.ceil(VALUE_S / seconds))
end

-- As many iterations as a value needs to be long enough, and no more than leave time for all pairs; the same on both
-- sides, found with side A, and kept where the command line named a number.
local function calibrate(run, twin, seconds, record)
    if record.calibrated then -- by the scenario: of its maps there must be as many on both sides
        local is_body = twin.a.axes.preset == "none"
        run.iterations[twin.index] = not is_body and record.calibrated.n or nil
        return
    end
    if run.sides.fixed_iterations then return end
    local n = twin.a.params.iterations
    local wanted = math.max(n, M.enough(seconds))
    if run.opts.budget_s then
        local share = SHARE_OF_BUDGET * run.opts.budget_s / #run.twins
        local least = math.ceil(LEAST_VALUE_S / seconds)
        -- what is not timed (items, data) takes its time as well
        local cost_s = math.max(seconds, run.spent[twin.index] / n)
        wanted = math.max(1, least, math.min(wanted, math.floor(share / (VALUES * cost_s))))
    end
    wanted = math.min(MOST_ITERATIONS, wanted)
    if wanted ~= n then run.iterations[twin.index] = wanted end
end

-- Before anything counts, each side runs once: what it loads is in memory then, and a broken side found at once. Then
-- once more, for how long a value takes, and a last time with as many iterations as will count.
local function warm_up(run, twin)
    local i = twin.index
    if not measure(run, twin, "a") or not measure(run, twin, "b") then return false end
    run.spent[i] = 0
    local seconds, record = measure(run, twin, "a")
    if not seconds then return false end
    calibrate(run, twin, seconds, record)
    run.spent[i] = 0
    for _, side in ipairs { "a", "b" } do
        seconds, record = measure(run, twin, side)
        if not seconds then return false end
        run.samples[i].counters[side] = value_of.exact_counters(record)
        run.records[i][side] = record
    end
    run.value_s[i] = run.spent[i] / 2
    return true
end

local function warm_up_all(run)
    for _, twin in ipairs(run.twins) do
        if reason_to_stop(run) then return end
        warm_up(run, twin)
        run.spent[twin.index] = 0
        if run.opts.on_block then run.opts.on_block { warming = twin.index, cases = #run.twins, label = twin.label } end
    end
end

-- Of all blocks that might be needed, at most.
local function estimate(run)
    local worst, blocks = 0, paired.looks[#paired.looks] // 2
    for _, seconds in pairs(run.value_s) do worst = worst + 5 * blocks * seconds end
    return worst
end

-- Measured completely or not at all: half a block has no pairs.
local function measure_block(run, case, order)
    local twin, got, taken = run.twins[case], {}, {}
    for i, slot in ipairs(order) do
        local seconds, record = measure(run, twin, slot)
        if not seconds then return end
        got[i], taken[i] = seconds, record
    end
    for i, slot in ipairs(order) do
        keep(run.samples[case], slot, taken[i], got[i])
        run.records[case][side_of(slot)] = taken[i]
    end
    run.schedule:add(case, order, got)
end

local function has_time(run, case)
    local budget = run.opts.budget_s
    if not budget then return true end
    return run.budget_end - core.now() > 5 * (run.value_s[case] or 0) + RESERVE * budget
end

local function tell(run)
    if not run.opts.on_block then return end
    local decided, pairs_done, widest = 0, 0, nil
    for _, track in ipairs(run.schedule.tracks) do
        if track.verdict then decided = decided + 1 end
        pairs_done = pairs_done + #track.all
        local judged = not track.verdict and track.judged
        if judged and judged.low then widest = math.max(widest or 0, math.log(judged.high / judged.low) / 2) end
    end
    run.opts.on_block { cases = #run.twins, decided = decided, pairs = pairs_done, widest = widest }
end

local function measure_pairs(run)
    while not reason_to_stop(run) do
        local case, order = run.schedule:next()
        if not case then return end
        if not has_time(run, case) then
            run.stopped = ("the budget of %s was spent"):format(units.format_duration(run.opts.budget_s))
            return
        end
        measure_block(run, case, order)
        tell(run)
    end
end

local function add_records(run)
    for i, twin in ipairs(run.twins) do
        if not run.schedule.tracks[i].dropped then
            for _, side in ipairs { "a", "b" } do
                local record = run.records[i][side]
                if record then add_record(run, twin, side, record) end
            end
        end
    end
end

-- What the run came to: a side that failed goes before a regression, and that before what cannot be told.
local function conclude(run, doc)
    local inconclusive, regressed = not doc.ab.valid, false
    for _, verdict in ipairs(doc.verdicts) do
        if verdict.gates and verdict.verdict == "regressed" then regressed = true end
        if verdict.gates and verdict.verdict == "inconclusive" then inconclusive = true end
    end
    local exit = doc.exit
    if run.problem then
        exit = status.worst(exit, status.EXIT.error)
        doc.ab.reason = run.problem
    end
    if regressed then exit = status.worst(exit, status.EXIT.regressed) end
    if inconclusive and run.opts.strict then exit = status.worst(exit, status.EXIT.inconclusive) end
    doc.exit, doc.status = exit, status.word(exit)
    if exit == 0 and inconclusive then doc.status = "inconclusive" end
end

local function finish(run, started)
    local doc, signo = run.doc, core.interrupted()
    if signo == SIGALRM and run.opts.budget_s then signo = nil end
    run.schedule:stop(reason_to_stop(run) or "nothing more was to be measured")
    add_records(run)
    doc.ab = {
        what = run.sides.what, a = run.sides.a, b = run.sides.b, min_effect = run.min_effect, seed = run.seed,
        looks = paired.looks, confidence = run.schedule.confidence, budget_s = run.opts.budget_s,
        unknown = run.sides.unknown,
    }
    verdicts.add(doc, run)
    env.add_changes(doc.host)
    results.finish(doc, { ended = env.timestamp(), duration_s = core.now() - started, signal = signo })
    doc.findings = json.list() -- each case is one of hundreds of values: what they say together stands in the verdicts
    verify(run, doc)
    judge_thresholds(run, doc)
    conclude(run, doc)
    return doc
end

---Measures and judges. Raises only where rig itself is at fault.
---@param doc table  a results document without cases
---@param twins rig.Twin[]
---@param sides rig.AbSides
---@param opts rig.AbOptions
---@return table|nil doc  doc.exit is what to leave with
---@return string|nil message  why nothing could be measured
function M.run(doc, twins, sides, opts)
    local seed = opts.seed or 0
    local rng = core.rng("ab", seed)
    local run = {
        doc = doc, twins = twins, sides = sides, opts = opts, seed = seed,
        min_effect = opts.min_effect or paired.min_effect, samples = {}, records = {}, value_s = {}, spent = {},
        iterations = {}, cases = { a = {}, b = {} }, longest = {}, ended = { a = {}, b = {} },
    }
    for i = 1, #twins do run.samples[i], run.records[i], run.spent[i] = new_samples(), {}, 0 end
    local started = core.now()
    if opts.budget_s then
        run.budget_end = started + opts.budget_s
        local ok, message = core.alarm(opts.budget_s)
        if not ok then return nil, message end
    end
    local random = function(lo, hi) return rng:int(lo, hi) end
    run.schedule = schedule.new(#twins, {
        min_effect = run.min_effect, random = random, widest_first = opts.budget_s ~= nil,
    })
    warm_up_all(run)
    if opts.on_start then opts.on_start { most_s = estimate(run), cases = #twins } end
    measure_pairs(run)
    if opts.budget_s then core.alarm(0) end
    if run.problem and #doc.cases == 0 and next(run.value_s) == nil then return nil, run.problem end
    return finish(run, started)
end

return M
