--- What changed between two results documents: exact verdicts on exact counters, advice on times, because the two sides
--- were not measured together.
--- Not for sides measured by turns (paired.lua), nor for reading, printing or exiting.
--- Neighbours: compare/cases (which case is which), compare/counters, compare/times, compare/sound; baseline.lua.

local cases = require "rig.compare.cases"
local change = require "rig.report.change"
local counters = require "rig.compare.counters"
local human = require "rig.report.human"
local json = require "rig.json"
local sound = require "rig.compare.sound"
local stats = require "rig.stats"
local times = require "rig.compare.times"

local M = {}

M.MIN_EFFECT = 0.03
local CONFIDENCE = 0.95
-- From so many runs on the spread between runs can be told, which is what differs between two documents.
local RUNS_AS_VALUES = times.FEWEST

local TIME_UNITS = { s = 1, ms = 1e-3, us = 1e-6, ["µs"] = 1e-6, ns = 1e-9 }
local TAKEN = { map = true, s_per_iteration = true, cpu = true, tasks = true, messages = true, payload_bytes = true,
    forks = true, minor_faults = true, voluntary_switches = true, syscalls = true }

---@class rig.CompareOptions
---@field min_effect number|nil  changes of time below it are of no interest, 0.03
---@field gate { time: boolean|nil, counters: boolean|nil }|nil  what decides besides exact counters
---@field accept_counters boolean|nil  a changed exact counter decides nothing

-- ---- is it a baseline? ---------------------------------------------------------------------------------------------

local SAYS = {
    failed = "its run failed", regressed = "its run regressed", faulted = "a task of its run did not end ok",
    error = "its run ended with an error", interrupted = "its run was interrupted",
    inconclusive = "nothing was measured to its end in its run",
}

local function has_samples(doc)
    for _, case in ipairs(doc.cases) do
        if case.status == "ok" and #case.phases.map_s > 0 then return true end
    end
    return false
end

--- Why a document cannot be what others are compared with: its run must have been clean, its figures fit each other.
---@param doc table  of a shape that results.check accepts
---@return string|nil problem  nil where it can
function M.no_baseline(doc)
    -- inconclusive may also be what a comparison of its own came to, which says nothing against its figures
    local clean = doc.status == "passed" or doc.status == "inconclusive" and doc.baseline and doc.exit == 0
    if not clean then
        return ("no baseline: %s (status %s)"):format(SAYS[doc.status] or "its run was not clean", doc.status)
    end
    if doc.ab then return "no baseline: it is an A/B run, whose cases have two sides of their own" end
    local first, second = cases.duplicates(doc)
    if first then return ("no baseline: cases[%d] and cases[%d] are the same case"):format(first, second) end
    local _, problem = sound.check(doc)
    if problem then return "no baseline: " .. problem end
    if not has_samples(doc) then return "no baseline: no case in it was measured" end
end

-- ---- times ---------------------------------------------------------------------------------------------------------

-- One value of a case each, or nil where a case has none.
local function each(group, of)
    local values = {}
    for i, case in ipairs(group.cases) do
        values[i] = of(case)
        if not values[i] then return {} end
    end
    return values
end

local function all_of(group, of)
    local values = {}
    for _, case in ipairs(group.cases) do table.move(of(case), 1, #of(case), #values + 1, values) end
    return values
end

-- The values of all runs, or one of each run where there are enough runs on both sides.
local function pooled(pair, of)
    local base, new = pair.base, pair.new
    if #base.cases >= RUNS_AS_VALUES and #new.cases >= RUNS_AS_VALUES then
        local function median(case) return stats.median(of(case)) end
        return each(base, median), each(new, median)
    end
    return all_of(base, of), all_of(new, of)
end

local function cpu_of(case)
    local total
    for _, worker in ipairs(case.workers) do
        if not worker.user_s or not worker.sys_s then return nil end
        total = (total or 0) + worker.user_s + worker.sys_s
    end
    return total
end

local function same_amount(pair)
    local n = #pair.base.cases[1].phases.map_s + #pair.base.cases[1].warmup
    for _, side in ipairs({ pair.base, pair.new }) do
        for _, case in ipairs(side.cases) do
            if #case.phases.map_s + #case.warmup ~= n then return false end
        end
    end
    return true
end

local function metric_values(case, name)
    local metric, list = case.metrics[name], {}
    local factor = metric and TIME_UNITS[metric.unit]
    for _, value in ipairs(factor and metric.values or {}) do
        if type(value) == "number" then list[#list + 1] = value * factor end
    end
    return list
end

-- The unit of a metric on one side, or that it has several.
local function unit_of(group, name)
    for _, case in ipairs(group.cases) do
        local metric = case.metrics[name]
        if metric then return metric.unit or "none", true end
    end
end

local function metric_names(pair)
    local names, seen = {}, {}
    for _, case in ipairs(pair.new.cases) do
        for name in pairs(case.metrics) do
            if not seen[name] then names[#names + 1] = name end
            seen[name] = true
        end
    end
    table.sort(names)
    return names
end

local function own_metrics(pair, add)
    for _, name in ipairs(metric_names(pair)) do
        local was, is = unit_of(pair.base, name), unit_of(pair.new, name)
        if was and was ~= is then
            return ("%s: the metric %s is in %s in the base and in %s now"):format(pair.new.label, human.clean(name),
                human.clean(was), human.clean(is))
        end
        if was and TIME_UNITS[is] then
            add(TAKEN[name] and "metrics." .. name or name, true,
                pooled(pair, function(case) return metric_values(case, name) end))
        end
    end
end

-- What is compared of one case: { pair, metric, xs, ys, gates }. A time of runs that has no interval decides nothing.
local function jobs_of(pair, of_body, gate, jobs, notes)
    local function add(metric, gates, xs, ys)
        if #xs > 0 and #ys > 0 then
            jobs[#jobs + 1] = { pair = pair, metric = metric, xs = xs, ys = ys, gates = gate and gates }
        end
    end
    add("map", true, pooled(pair, function(case) return case.phases.map_s end))
    if same_amount(pair) then
        local function seconds(case) return case.s_per_iteration end
        local enough = math.min(#pair.base.cases, #pair.new.cases) >= times.FEWEST
        if not of_body then add("s_per_iteration", enough, each(pair.base, seconds), each(pair.new, seconds)) end
        add("cpu", false, each(pair.base, cpu_of), each(pair.new, cpu_of))
    else
        notes.amount[#notes.amount + 1] = pair.new.label
    end
    return own_metrics(pair, add)
end

local function too_few(found)
    return math.min(found.n_base, found.n_new) < times.FEWEST
end

local function time_text(pair, job, found)
    local said = ("%s: %s %s -> %s, %s"):format(pair.new.label, human.clean(job.metric), human.duration(found.a),
        human.duration(found.b), change.of(found))
    if not too_few(found) then return said end
    return ("%s (%d and %d values; an interval takes %d on each side)"):format(said, found.n_base, found.n_new,
        times.FEWEST)
end

local function judge_times(jobs, opts, verdicts)
    local gating = 0
    for _, job in ipairs(jobs) do gating = gating + (job.gates and 1 or 0) end
    -- Where several decide together, each must be surer (Bonferroni), or one in so many runs would be red by chance.
    local confidence = 1 - (1 - CONFIDENCE) / math.max(gating, 1)
    for _, job in ipairs(jobs) do
        local found = times.compare(job.xs, job.ys, { confidence = job.gates and confidence or CONFIDENCE,
            min_effect = opts.min_effect })
        if found then
            found.case, found.params, found.metric = job.pair.new.label, job.pair.new.params, job.metric
            found.kind, found.unit, found.gates = "time", "s", job.gates == true
            found.confidence = found.confidence or nil
            found.text = time_text(job.pair, job, found)
            verdicts[#verdicts + 1] = found
        end
    end
end

-- ---- what the sides say of themselves ------------------------------------------------------------------------------

local HOST = {
    { "cpu", "the processor" }, { "cores", "cores" }, { "kernel", "the kernel" }, { "governor", "the governor" },
    { "clocksource", "the clock source" }, { "cgroup_quota", "the processor quota" },
    { "transparent_hugepage", "huge pages" },
}

local function note_change(notes, what, was, is)
    if was == is then return end
    notes[#notes + 1] = ("%s: %s in the base, %s now"):format(what, was == nil and "not known" or human.value(was),
        is == nil and "not known" or human.value(is))
end

local function build_flags(doc)
    local build = doc.rig.build
    return type(build) == "table" and (tostring(build.compiler) .. ", " .. tostring(build.flags)) or nil
end

local function note_origins(base, new, notes)
    for _, fact in ipairs(HOST) do note_change(notes, fact[2], base.host[fact[1]], new.host[fact[1]]) end
    note_change(notes, "rig's version", base.rig.version, new.rig.version)
    note_change(notes, "rig's commit", base.rig.commit, new.rig.commit)
    note_change(notes, "rig's build", build_flags(base), build_flags(new))
    if base.scenario.sha256 ~= new.scenario.sha256 then
        notes[#notes + 1] = "the scenario's text is not the one of the base"
    end
end

local function when(doc)
    return human.clean((doc.started:gsub("T", " "):gsub("Z$", " UTC")))
end

local function note_advice(base, new, gate, notes)
    local so = gate and "times decide all the same, as --gate time says" or "differences of time are advice"
    notes[#notes + 1] = ("the two sides were not measured together (%s and %s): %s"):format(when(base), when(new), so)
end

local function note_left_out(reasons, notes)
    for _, reason in ipairs(reasons) do
        local of = human.count(reasons[reason], "case")
        notes[#notes + 1] = ("exact counters of %s not compared: %s"):format(of, reason)
    end
end

-- ---- both ----------------------------------------------------------------------------------------------------------

local function other_scenario(base, new)
    if base.schema ~= new.schema then
        return ("the base is of the schema %s, these results of %s"):format(human.value(base.schema),
            human.value(new.schema))
    end
    if base.scenario.name ~= new.scenario.name then
        return ("the base is of the scenario %s, these results are of %s"):format(human.clean(base.scenario.name),
            human.clean(new.scenario.name))
    end
    if base.scenario.kind ~= new.scenario.kind then
        return ("the scenario %s had %s in the base, and has %s now"):format(human.clean(base.scenario.name),
            base.scenario.kind == "body" and "a body" or "a map", new.scenario.kind == "body" and "a body" or "a map")
    end
end

local function nothing_common(notes, differing)
    local why = #differing > 0 and differing or notes
    return "no case is in both and was measured in both: " .. table.concat(why, "; ")
end

local function with_defaults(opts)
    opts = opts or {}
    return {
        min_effect = opts.min_effect or M.MIN_EFFECT, gate = opts.gate or {}, accept_counters = opts.accept_counters,
    }
end

local function compare_counters(matched, opts, verdicts, notes)
    local reasons = {}
    for _, pair in ipairs(matched) do
        local found, left_out = counters.verdicts(pair, opts)
        table.move(found, 1, #found, #verdicts + 1, verdicts)
        if left_out then
            if not reasons[left_out] then reasons[#reasons + 1] = left_out end
            reasons[left_out] = (reasons[left_out] or 0) + 1
        end
    end
    note_left_out(reasons, notes)
end

local function compare_times(matched, opts, verdicts, notes)
    local jobs, told = {}, { amount = {} }
    for _, pair in ipairs(matched) do
        local problem = jobs_of(pair, opts.of_body, opts.gate.time, jobs, told)
        if problem then return problem end
    end
    if #told.amount > 0 then
        notes[#notes + 1] = ("s_per_iteration and cpu of %s not compared: the numbers of iterations differ"):format(
            human.count(#told.amount, "case"))
    end
    judge_times(jobs, opts, verdicts)
end

--- Compares two documents of one scenario, case by case.
---@param base table  one that no_baseline finds nothing wrong with
---@param new table  results of the same scenario; cases that did not end ok are left out, and noted
---@param opts rig.CompareOptions|nil
---@return table[]|nil verdicts  nil where they cannot be compared
---@return string[]|string notes  what a reader must know about the comparison; or why there is none
---@return { compared: integer, not_compared: integer }|nil counts  of cases
function M.documents(base, new, opts)
    opts = with_defaults(opts)
    local problem = M.no_baseline(base) or other_scenario(base, new)
    if problem then return nil, problem end
    opts.of_body = new.scenario.kind == "body"
    local matched, notes, differing, left_out = cases.match(base, new)
    if #matched == 0 then return nil, nothing_common(notes, differing) end
    local verdicts = json.list()
    problem = compare_times(matched, opts, verdicts, notes)
    if problem then return nil, problem end
    compare_counters(matched, opts, verdicts, notes)
    note_origins(base, new, notes)
    note_advice(base, new, opts.gate.time, notes)
    return verdicts, notes, { compared = #matched, not_compared = left_out }
end

--- Why nothing planned can be found in a baseline, before anything is measured.
---@param base table
---@param planned table  a document whose cases have been planned, not run
---@return string|nil problem
function M.nothing_to_compare(base, planned)
    local problem = other_scenario(base, planned)
    if problem then return problem end
    for _, case in ipairs(planned.cases) do case.status, case.phases = "ok", { map_s = { 0 } } end
    local matched, notes, differing = cases.match(base, planned)
    return #matched == 0 and nothing_common(notes, differing) or nil
end

local BAD = { regressed = true, changed = true }

--- What verdicts come to: only those that gate decide.
---@param verdicts table[]
---@return "regressed"|"inconclusive"|"passed"|"nothing"  nothing: none of them decides
function M.outcome(verdicts)
    local outcome = "nothing"
    for _, verdict in ipairs(verdicts) do
        if verdict.gates and BAD[verdict.verdict] then return "regressed" end
        -- a counter that was accepted was judged as well
        if outcome == "nothing" and (verdict.gates or verdict.kind == "exact") then outcome = "passed" end
        if verdict.gates and verdict.verdict == "inconclusive" then outcome = "inconclusive" end
    end
    return outcome
end

return M
