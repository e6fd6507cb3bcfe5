--- The verdicts of an A/B run, as its document has them: figures, and a sentence for each case.
--- Pure. Neighbours: run.lua (what was measured), schedule.lua (what was decided), report/verdicts.lua (shows them).

local change = require "rig.report.change"
local json = require "rig.json"
local names = require "rig.names"
local paired = require "rig.paired"
local stats = require "rig.stats"

local M = {}

local function signed_percent(ratio)
    return change.percent(ratio) .. " %"
end

local function interval_text(judged)
    if not judged.low then return "no interval from so few pairs" end
    return ("%s to %s"):format(signed_percent(judged.low), signed_percent(judged.high))
end

local function percent(share)
    return (("%.1f %%"):format(share * 100):gsub("%.0 %%$", " %%"))
end

local SAID = {
    regressed = "%s slower with %s",
    improved = "%s faster with %s",
}

-- "4.9 % slower with head/libdec.so (+4.1 % to +5.8 %, 40 pairs, measured twice)"
local function sentence(run, judged, verdict, track)
    local b, most = run.sides.b, percent(run.min_effect)
    local counted = ("%s, %d pairs%s"):format(interval_text(judged), judged.pairs,
        track and track.red and verdict == "regressed" and ", measured twice" or "")
    if SAID[verdict] then
        local share = verdict == "regressed" and judged.effect - 1 or 1 - judged.effect
        return ("%s (%s)"):format(SAID[verdict]:format(percent(share), b), counted)
    elseif verdict == "unchanged" then
        return ("no change of %s or more (%s)"):format(most, counted)
    end
    if track and track.dropped then return track.reason end
    local why = track and track.reason and "; " .. track.reason or ""
    if judged.pairs == 0 then return "nothing can be said" .. why end
    return ("cannot be told from no change of %s (%s)%s"):format(most, counted, why)
end

local function time_verdict(run, i)
    local twin, track, samples = run.twins[i], run.schedule.tracks[i], run.samples[i]
    local judged = paired.judge(track.ratios, { min_effect = run.min_effect, confidence = run.schedule.confidence })
    -- what was measured before a red is no part of it
    local verdict, from = track.verdict, #samples.a - #track.ratios + 1
    if track.red and not judged.low then -- the second time was too short to say anything: the first is what there is
        judged, from = track.red, 1
    end
    local entry = {
        case = twin.label, params = twin.params, metric = "s_per_iteration", kind = "time", verdict = verdict,
        effect = judged.effect, low = judged.low, high = judged.high, confidence = judged.confidence,
        pairs = judged.pairs, pairs_in_all = #track.all, a = stats.median({ table.unpack(samples.a, from) }),
        b = stats.median({ table.unpack(samples.b, from) }), unit = "s", gates = true,
        confirmed = verdict == "regressed" and track.red ~= nil or nil,
        log_ratios = json.list(track.all), aa = run.schedule:same(i), iterations = run.iterations[i],
        values = { a = json.list(samples.a), b = json.list(samples.b), x = json.list(samples.x) },
    }
    entry.text = sentence(run, judged, verdict, track)
    return entry
end

-- Figures beside the time, judged alike and deciding nothing. A pair is the same as for the time: the values were
-- kept in the order of the blocks, two of each side in each of them.
local function second_verdict(run, i, metric, a, b)
    local ratios, of_a, of_b = {}, {}, {}
    for j = 1, math.min(#a, #b) do
        local ratio = a[j] and b[j] and paired.log_ratio(a[j], b[j])
        if ratio then ratios[#ratios + 1], of_a[#of_a + 1], of_b[#of_b + 1] = ratio, a[j], b[j] end
    end
    if #ratios < #a // 2 or #ratios == 0 then return nil end
    local twin = run.twins[i]
    local judged = paired.judge(ratios, { min_effect = run.min_effect, confidence = run.schedule.confidence })
    local entry = {
        case = twin.label, params = twin.params, metric = metric, kind = "time", verdict = judged.verdict,
        effect = judged.effect, low = judged.low, high = judged.high, confidence = judged.confidence,
        pairs = judged.pairs, a = stats.median(of_a), b = stats.median(of_b), unit = "s", gates = false,
    }
    entry.text = sentence(run, judged, judged.verdict, nil)
    return entry
end

local function add_counters(run, i, list)
    local twin, counters = run.twins[i], run.samples[i].counters
    for _, name in ipairs { "tasks", "messages", "payload_bytes", "forks" } do
        local a, b = (counters.a or {})[name], (counters.b or {})[name]
        if a and b and a ~= b then
            list[#list + 1] = {
                case = twin.label, params = twin.params, metric = name, kind = "exact", verdict = "changed",
                a = a, b = b, unit = name == "payload_bytes" and "B" or "1", effect = a > 0 and b / a or nil,
                gates = false,
                text = ("%s %d, and %d with %s"):format(name:gsub("_", " "), a, b, run.sides.b),
            }
        end
    end
end

local function withdraw(verdict)
    if verdict.kind ~= "time" or verdict.verdict == "inconclusive" then return end
    verdict.text = ("%s; not believed, because a side differs from itself"):format(verdict.text)
    verdict.verdict, verdict.confirmed = "inconclusive", nil
end

-- The same side against itself differs: then what made it differ may have made the rest.
local function check_same(run, doc)
    local where, flagged = "all cases together", run.schedule:same_in_all()
    doc.ab.aa = flagged
    for _, verdict in ipairs(doc.verdicts) do
        if verdict.aa and verdict.aa.flagged then where, flagged = verdict.case, verdict.aa end
    end
    doc.ab.valid = not (flagged and flagged.flagged)
    if doc.ab.valid then return end
    doc.ab.reason = ("%s against itself differs (%s: %s): this run can judge nothing; measure again, on a quieter "
        .. "machine"):format(run.sides.a, where, interval_text(flagged))
    for _, verdict in ipairs(doc.verdicts) do withdraw(verdict) end
end

---Puts the verdicts into the document.
---@param doc table
---@param run table
function M.add(doc, run)
    doc.verdicts = json.list()
    for i in ipairs(run.twins) do
        local samples = run.samples[i]
        doc.verdicts[#doc.verdicts + 1] = time_verdict(run, i)
        doc.verdicts[#doc.verdicts + 1] = second_verdict(run, i, "cpu_s", samples.cpu.a, samples.cpu.b)
        for _, name in ipairs(names.keys(samples.metrics.a)) do
            local other = samples.metrics.b[name]
            if other then
                doc.verdicts[#doc.verdicts + 1] = second_verdict(run, i, name, samples.metrics.a[name], other)
            end
        end
        add_counters(run, i, doc.verdicts)
    end
    check_same(run, doc)
end

return M
