-- Thresholds: whether a finished run kept to the limits that its scenario sets, case by case, and what judged it.
-- Not for baselines or A/B runs (compare, paired): a threshold needs no other run. Pure: a document and a list in,
-- entries of doc.thresholds out.
-- Neighbours: thresholds/text (what one says), match (which cases), metrics (samples), interval, declare (checks).

local change = require("rig.report.change")
local human = require("rig.report.human")
local interval = require("rig.thresholds.interval")
local match = require("rig.thresholds.match")
local metrics = require("rig.thresholds.metrics")
local text = require("rig.thresholds.text")

local M = {}

---@class rig.Threshold
---@field condition rig.Condition
---@field where rig.Filter?
---@field of rig.Filter?     with the statistic `ratio`: the numerator's cases
---@field to rig.Filter?     and the denominator's
---@field line integer?      where the scenario sets it

---Reads the text of a threshold.
M.parse = text.parse

-- ---- units ---------------------------------------------------------------------------------------------------------

local UNITS = { time = "s", bytes = "B", rate = "1/s", byte_rate = "B/s", count = "1", ratio = "x" }

-- What the figures of an entry are in; `own` is that of a metric of the scenario's.
local function unit_of(condition, own)
    if condition.statistic == "ratio" or condition.statistic == "count" then
        return condition.statistic == "ratio" and "x" or "1"
    end
    local spec = metrics.of(condition.metric)
    if spec then return UNITS[spec.dimension] end
    if condition.measure then return UNITS[condition.measure] or "1" end
    return condition.unit or own or "1"
end

-- ---- samples -------------------------------------------------------------------------------------------------------

-- Samples of a scenario's own metric in what the limit is in, or why they cannot be.
local function convert(list, unit, condition)
    if condition.statistic == "ratio" or condition.statistic == "count" or condition.unit == nil then return list end
    local factor
    if condition.measure == "share" then
        factor = unit == "%" and 0.01 or (unit == nil or unit == "x") and 1
    elseif condition.measure then
        local known, measure = text.unit(unit == "bytes" and "B" or unit or "")
        factor = measure == condition.measure and known
    else
        factor = unit == condition.unit and 1
    end
    if not factor then
        return nil, ("%s has %s, and the limit is in %s"):format(condition.metric,
            unit and "the unit " .. human.clean(unit) or "no unit", human.clean(condition.unit))
    end
    local converted = {}
    for i, value in ipairs(list) do converted[i] = value * factor end
    return converted
end

---@class rig.Samples
---@field values number[]
---@field by_run table<integer, number>  where there is one a run
---@field unit string?
---@field cases integer[]
---@field problem string?
---@field unfit integer   values that are not finite numbers

-- Of the runs of a case, those that ended well: others are compared with nothing.
local function samples_of(group, condition)
    local spec = metrics.of(condition.metric)
    local found = { values = {}, by_run = {}, cases = {}, unfit = 0 }
    for _, case in ipairs(group.cases) do
        found.cases[#found.cases + 1] = case.index
        local list, unit, unfit = {}, nil, nil
        if case.status == "ok" then list, unit, unfit = metrics.samples(case, condition.metric) end
        found.unfit = found.unfit + (unfit or 0)
        if not spec and #list > 0 then
            found.unit = unit
            list, found.problem = convert(list, unit, condition)
            if not list then return found end
        end
        table.move(list, 1, #list, #found.values + 1, found.values)
        if spec and spec.by_run and #list > 0 then found.by_run[case.run or 1] = list[1] end
    end
    return found
end

-- Why a case has no sample, and whether that is because of what it is, or was not run at all.
local function why_none(group, condition)
    for _, case in ipairs(group.cases) do
        if case.status == "ok" then
            local absent = ("nothing recorded %s (rig.metric)"):format(condition.metric)
            if condition.metric == "deliver" and (case.undelivered or {}).workers ~= 0 then
                absent = "delivery never ended"
            elseif metrics.of(condition.metric) then
                absent = "it has none of " .. condition.metric
            end
            return absent, case.params.preset == "serial"
        end
    end
    local first = group.cases[1]
    local skipped = first.status == "skipped"
    return skipped and "skipped: " .. (first.reason or "no reason kept") or first.status, skipped
end

-- ---- judging -------------------------------------------------------------------------------------------------------

local HOLDS = {
    ["<"] = function(x, limit) return x < limit end, ["<="] = function(x, limit) return x <= limit end,
    [">"] = function(x, limit) return x > limit end, [">="] = function(x, limit) return x >= limit end,
    ["=="] = function(x, limit) return x == limit end,
}

-- true or false where the whole interval says so, nil where it holds the limit.
local function by_interval(condition, low, high)
    local holds, limit = HOLDS[condition.op], condition.limit
    local upwards = condition.op:sub(1, 1) == ">"
    local worst, best = high or math.huge, low or -math.huge
    if upwards then worst, best = best, worst end
    if holds(worst, limit) then return true end
    if not holds(best, limit) then return false end
end

local function described(condition)
    if condition.statistic == "ratio" then return condition.metric .. ".ratio" end
    return condition.metric .. "." .. condition.statistic
end

-- Fills in the verdict from value, interval and number of samples. Judged by the "median" stands for every value
-- that decides by itself, whatever statistic it is.
local function decide(entry, condition, exact)
    local passed
    if not exact then passed = by_interval(condition, entry.low, entry.high) end
    if passed == nil then
        entry.judged_by, entry.passed = "median", HOLDS[condition.op](entry.value, condition.limit)
        if (entry.low == nil) ~= (entry.high == nil) then
            entry.reason = ("%s bound it from %s only, so the value decides"):format(human.count(entry.n, "sample"),
                entry.low and "below" or "above")
        elseif entry.low then
            entry.reason = "the interval holds the limit, so the value decides"
        elseif not exact and entry.n > 1 and entry.n < interval.LEAST then
            entry.reason = ("an interval needs %d samples"):format(interval.LEAST)
        end
        return entry
    end
    entry.judged_by, entry.passed = "interval", passed
    entry.reason = ("%s of it is %s"):format(passed and "all" or "none", condition.wanted)
    return entry
end

local function new_entry(threshold, label, cases)
    local condition = threshold.condition
    return {
        text = condition.text, where = match.plain(threshold.where), of = match.plain(threshold.of),
        to = match.plain(threshold.to), case = label, cases = cases or {}, metric = described(condition),
        limit = condition.limit, unit = unit_of(condition), judged_by = "nothing", passed = true,
    }
end

local function not_judged(threshold, reason)
    local entry = new_entry(threshold)
    entry.reason = "not judged: " .. reason
    return { entry }
end

-- A case without a sample. It fails unless `excused`, and even then if no other case has one.
local function without_sample(entry, why, excused)
    entry.n, entry.passed = 0, false
    entry.reason = "no sample: " .. why
    entry.excused = excused or nil
    return entry
end

-- A value that is no number is the very thing that a limit on it is to catch.
local function not_finite(entry, found, condition)
    entry.n, entry.passed = #found.values, false
    entry.reason = ("%s of %s %s not finite"):format(human.count(found.unfit, "value"), condition.metric,
        found.unfit == 1 and "is" or "are")
    return entry
end

-- == wants every one of the counted values to be the limit, and shows the first that is not.
local function equal_in_all(entry, values, condition)
    entry.value = values[1]
    for _, value in ipairs(values) do
        if value ~= condition.limit then
            entry.value = value
            break
        end
    end
end

local function judge_group(threshold, group)
    local condition = threshold.condition
    local found = samples_of(group, condition)
    local entry = new_entry(threshold, group.label, found.cases)
    if found.problem then return without_sample(entry, found.problem) end
    if found.unfit > 0 then return not_finite(entry, found, condition) end
    if #found.values == 0 then return without_sample(entry, why_none(group, condition)) end
    entry.n, entry.unit = #found.values, unit_of(condition, found.unit)
    local exact = condition.statistic == "count"
    if condition.op == "==" and not exact then
        exact = true
        equal_in_all(entry, found.values, condition)
    else
        entry.value = interval.value(condition.statistic, found.values)
        entry.low, entry.high = interval.of(condition.statistic, found.values)
    end
    if entry.value == nil then
        local more = ("%s needs more than %s"):format(condition.statistic, human.count(entry.n, "sample"))
        return without_sample(entry, more)
    end
    return decide(entry, condition, exact)
end

-- Ratios run by run, where both sides have one figure a run: what disturbed a round disturbed both.
local function paired_ratios(of, to)
    local ratios = {}
    local runs = {}
    for run in pairs(of.by_run) do runs[#runs + 1] = run end
    table.sort(runs)
    for _, run in ipairs(runs) do
        local below = to.by_run[run]
        if below and below > 0 then ratios[#ratios + 1] = of.by_run[run] / below end
    end
    return ratios
end

local function set_ratio(entry, of, to, spec)
    if spec and spec.by_run then
        local ratios = paired_ratios(of, to)
        entry.n, entry.value = #ratios, interval.value("median", ratios)
        entry.low, entry.high = interval.of("median", ratios)
        return
    end
    local above, below = interval.value("median", of.values), interval.value("median", to.values)
    entry.n = math.min(#of.values, #to.values)
    if below <= 0 then return end
    entry.value = above / below
    if entry.n >= interval.LEAST then entry.low, entry.high = interval.ratio(of.values, to.values) end
end

local function judge_pair(threshold, pair)
    local condition = threshold.condition
    local of, to = samples_of(pair.of, condition), samples_of(pair.to, condition)
    local entry = new_entry(threshold, match.pair_label(pair), of.cases)
    table.move(to.cases, 1, #to.cases, #entry.cases + 1, entry.cases)
    for _, side in ipairs { { of, pair.of }, { to, pair.to } } do
        if side[1].problem then return without_sample(entry, side[1].problem) end
        if side[1].unfit > 0 then return not_finite(entry, side[1], condition) end
        if #side[1].values == 0 then
            local why, excused = why_none(side[2], condition)
            return without_sample(entry, ("%s: %s"):format(side[2].label, why), excused)
        end
    end
    if of.unit ~= to.unit then return without_sample(entry, "the two sides have different units") end
    set_ratio(entry, of, to, metrics.of(condition.metric))
    if not entry.value then return without_sample(entry, ("%s is 0 in %s, or not of the same run"):format(
        condition.metric, pair.to.label)) end
    return decide(entry, condition)
end

-- A case that was skipped, or cannot have the metric, does not fail beside others that were judged.
local function excuse(entries)
    local judged = false
    for _, entry in ipairs(entries) do judged = judged or entry.judged_by ~= "nothing" end
    for _, entry in ipairs(entries) do
        if judged and entry.excused then entry.passed, entry.reason = true, "not judged: " .. entry.reason end
        entry.excused = nil
    end
    return entries
end

local function judge_one(threshold, groups, varying)
    local entries = {}
    if threshold.of then
        for i, pair in ipairs(match.pairs(groups, threshold, varying)) do entries[i] = judge_pair(threshold, pair) end
    else
        for i, group in ipairs(match.select(groups, threshold.where)) do entries[i] = judge_group(threshold, group) end
    end
    -- that it matches a case of the whole scenario was checked before the run
    if #entries == 0 then return not_judged(threshold, "left out by the command line") end
    return excuse(entries)
end

---Judges a finished run.
---@param doc table a results document
---@param list rig.Threshold[]
---@param how? { smoke: boolean? }  smoke: one iteration was run, which says nothing about time
---@return table[] entries for doc.thresholds, in order: one for each threshold and case that it matches
function M.judge(doc, list, how)
    local entries, varying = {}, doc.varying or {}
    local groups = match.groups(doc.cases, varying)
    for _, threshold in ipairs(list) do
        local some
        if how and how.smoke then
            some = not_judged(threshold, "--smoke runs one iteration, which says nothing about it")
        elseif doc.signal then
            some = not_judged(threshold, "the run was interrupted")
        else
            some = judge_one(threshold, groups, varying)
        end
        table.move(some, 1, #some, #entries + 1, entries)
    end
    return entries
end

---How a threshold was judged, as reports say it.
---@param entry table of doc.thresholds
---@return string
function M.sentence(entry)
    return (entry.case and entry.case .. ": " or "") .. change.threshold(entry)
end

---The thresholds of a judged run that do not hold, as sentences.
---@param doc table
---@return string[]
function M.complaints(doc)
    local list = {}
    for _, entry in ipairs(doc.thresholds or {}) do
        if not entry.passed then list[#list + 1] = ("threshold %s: %s"):format(entry.text, M.sentence(entry)) end
    end
    return list
end

return M
