-- What the verdicts and thresholds of a document come to: which are red, how many of each, and what must be known to
-- believe them: the A/A arm, what was not settled and what to do about it, the baseline.
-- Not for computing verdicts (paired, compare) or showing them (verdicts, markdown, junit, annotations: they ask here).

local change = require("rig.report.change")
local human = require("rig.report.human")

local M = {}

--- Whether an A/B run may be believed: base against base did not differ.
---@param doc table
---@return boolean
function M.is_valid(doc)
    return not doc.ab or doc.ab.valid ~= false
end

--- Whether a verdict counts against the run.
---@param doc table
---@param v table
---@return boolean
function M.is_red(doc, v)
    if not M.is_valid(doc) or v.gates == false then return false end
    if v.verdict == "regressed" then return true end
    -- what may vary a little decides only where it was asked to
    return v.verdict == "changed" and (v.kind == "exact" or v.gates == true)
end

--- Whether a verdict is worth a look though it does not count.
---@param doc table
---@param v table
---@return boolean
function M.is_yellow(doc, v)
    if v.verdict == "inconclusive" then return true end
    return (v.verdict == "regressed" or v.verdict == "changed") and not M.is_red(doc, v)
end

--- A verdict as tables call it: whether it was seen twice, and whether it decides anything.
---@param v table
---@return string such as "regressed, twice", "inconclusive (advice)"
function M.word(v)
    local word = v.verdict
    if word == "regressed" and v.confirmed then word = word .. ", twice" end
    -- that nothing changed is nothing to act upon, whether it decides or not
    if v.gates == false and v.verdict ~= "unchanged" then word = word .. " (advice)" end
    return word
end

--- How many cases an A/B run judged: each has two sides, and several verdicts.
---@param doc table
---@return integer
function M.cases(doc)
    local count, seen = 0, {}
    for _, v in ipairs(doc.verdicts or {}) do
        if not seen[v.case] then count, seen[v.case] = count + 1, true end
    end
    return count
end

local ORDER = { "regressed", "changed", "inconclusive", "improved", "unchanged" }

--- How many of each that decide something, and how many others are worth a look.
---@param doc table
---@return string|nil such as "1 regressed, 2 unchanged, 1 as advice"; nil where nothing was judged
function M.counts(doc)
    local counts, words, advice = {}, {}, 0
    for _, v in ipairs(doc.verdicts or {}) do
        if v.gates ~= false then
            counts[v.verdict] = (counts[v.verdict] or 0) + 1
        elseif v.verdict == "regressed" or v.verdict == "changed" then
            advice = advice + 1
        end
    end
    for _, word in ipairs(ORDER) do
        if counts[word] then words[#words + 1] = ("%d %s"):format(counts[word], word) end
    end
    if advice > 0 then words[#words + 1] = ("%d as advice"):format(advice) end
    return #words > 0 and table.concat(words, ", ") or nil
end

--- How many cases a comparison was about, where it was not about all of them.
---@param doc table
---@return string|nil such as "1 compared, 1 not compared"
function M.compared(doc)
    local baseline = doc.baseline
    if not baseline or (baseline.not_compared or 0) == 0 then return nil end
    return ("%d compared, %d not compared"):format(baseline.compared or 0, baseline.not_compared)
end

--- Whether a threshold was left out, as one is for cases that the command line left out: it neither held nor failed.
---@param t table
---@return boolean
function M.is_left_out(t)
    return t.passed and t.judged_by == "nothing"
end

--- How many thresholds held.
---@param doc table
---@return string|nil such as "3 of 4 thresholds held"
function M.thresholds(doc)
    local held, all = 0, 0
    for _, t in ipairs(doc.thresholds or {}) do
        if not M.is_left_out(t) then all = all + 1 end
        if t.passed and not M.is_left_out(t) then held = held + 1 end
    end
    if all == 0 then return nil end
    return ("%d of %s held"):format(held, human.count(all, "threshold"))
end

--- The two sides, in a few words.
---@param doc table
---@return string|nil
function M.title(doc)
    local ab, baseline = doc.ab, doc.baseline
    if ab then
        local what = ab.what ~= "executables" and " of " .. human.clean(ab.what) or ""
        return ("A/B%s: %s against %s"):format(what, human.clean(ab.b), human.clean(ab.a))
    elseif baseline then
        local when = baseline.started and (", measured %s"):format(
            human.clean(baseline.started:gsub("T", " "):gsub("Z$", " UTC"))) or ""
        return ("Against %s%s"):format(human.clean(baseline.file), when)
    end
    return nil
end

-- What the A/A arms say: all of them together, as one alone has few values, and each that differs.
local function arm_note(doc)
    local flagged, arms = {}, 0
    for _, v in ipairs(doc.verdicts or {}) do
        if v.aa then arms = arms + 1 end
        if v.aa and v.aa.flagged then
            flagged[#flagged + 1] = ("%s by %s"):format(change.name(v), change.of({
                kind = "time", effect = v.aa.effect, low = v.aa.low, high = v.aa.high }))
        end
    end
    if doc.ab.valid == false then
        local where = #flagged > 0 and "base differs from itself in " .. human.join(flagged)
            or doc.ab.reason and human.clean(doc.ab.reason) or "base differs from itself"
        return { style = "red", text = ("A/A: %s: this run says nothing. Let the machine come to rest (rig doctor) "
            .. "and run it again"):format(where) }
    elseif arms == 0 then
        return nil
    end
    local all = doc.ab.aa
    if not all or not all.low then
        return { style = "yellow", text = "A/A: too few values of base against base to tell whether they differ" }
    end
    return { text = ("A/A: no difference found between base and base (%s, %s)"):format(
        change.of({ kind = "time", effect = all.effect, low = all.low, high = all.high }),
        human.count(all.pairs, "pair")) }
end

-- A case of which a side failed has no pairs, and nothing more of them would help.
local function is_judged(v)
    return not (v.text and v.text:find("^not judged: "))
end

local function failed_note(doc)
    local cases = 0
    for _, v in ipairs(doc.verdicts or {}) do
        if not is_judged(v) then cases = cases + 1 end
    end
    if cases == 0 then return nil end
    return { style = "red", text = human.count(cases, "case") .. " not judged: a side of it failed, see the failures" }
end

local function unsettled_note(doc)
    local cases, least = 0, math.huge
    for _, v in ipairs(doc.verdicts or {}) do
        if v.verdict == "inconclusive" and (v.gates ~= false or not doc.ab) and is_judged(v) then
            cases, least = cases + 1, math.min(least, v.pairs or 0)
        end
    end
    if cases == 0 then return nil end
    local what = human.count(cases, "verdict") .. " inconclusive"
    if not doc.ab then
        return { style = "yellow", text = what .. ": the intervals hold both a change that counts and none; measure "
            .. "more on both sides (runs=6, more iterations), or both together with --ab" }
    end
    local budget = doc.ab.budget_s
    local looks = doc.ab.looks or {}
    local more = least < (looks[#looks] or 0) and budget
        and ("The budget was %s: give more time (--budget)"):format(human.duration(budget))
        or "More time does not help; longer maps, or a quieter machine (rig doctor) do"
    return { style = "yellow", text = ("%s: the interval still holds both a change that counts and none. %s, or a "
        .. "larger --min-effect than %s"):format(what, more, human.short(doc.ab.min_effect * 100) .. " %") }
end

local function power_note(doc)
    return { text = ("change: the median of new/base within pairs, while base and new, each by itself, drift with the "
        .. "machine; it counts from %s on, and of changes just that large about half are found (seed %s)"):format(
        human.short(doc.ab.min_effect * 100) .. " %", doc.ab.seed or "none") }
end

--- What must be known beside the verdicts, most important first.
---@param doc table
---@return { text: string, style: string|nil }[]
function M.notes(doc)
    local notes = {}
    if doc.ab then
        notes[1] = arm_note(doc)
        notes[#notes + 1] = power_note(doc)
        notes[#notes + 1] = failed_note(doc)
        for _, text in ipairs(doc.ab.unknown or {}) do
            notes[#notes + 1] = { style = "yellow", text = "base does not know " .. human.clean(text) }
        end
    elseif doc.baseline and #(doc.baseline.notes or {}) > 0 then
        for i, text in ipairs(doc.baseline.notes) do notes[i] = { text = human.clean(text) } end
    elseif doc.baseline and not doc.baseline.gate_time and #(doc.verdicts or {}) > 0 then
        notes[1] = { text = "the two sides were not measured together: times are advice, exact counters count "
            .. "(--gate time makes times count too)" }
    end
    if M.is_valid(doc) then notes[#notes + 1] = unsettled_note(doc) end
    return notes
end

return M
