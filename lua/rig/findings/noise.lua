-- What disturbed the run, where it was enough to matter: time stolen by the hypervisor, other programs, standstills by
-- quota, a machine that was suspended; and cases whose iterations varied wildly, whatever the reason.
-- Not for judging the machine when nothing runs: that is doctor/judge.lua. Neighbours: points, noise.lua (reads it).

local human = require("rig.report.human")
local points = require("rig.findings.points")

local M = {}

-- Shares of the processors' time from which on they are worth a line, and how much of it there must be: below, the
-- kernel's steps of 10 ms say more than the figure.
local STOLEN, OTHERS, STOOD_STILL = 0.02, 0.10, 0.01
local LEAST_S = 0.1

-- A case varies wildly when its iterations are, in the middle, further than this from their median.
local WILD, FEWEST = 0.25, 5

local function case_name(model, case)
    local words = { points.label(model, case.params) }
    for _, dim in ipairs(model.declared) do
        if dim.numeric and case.params[dim.name] ~= nil then
            words[#words + 1] = (#words == 1 and "at " or "and ")
                .. points.value_text(model, dim.name, case.params[dim.name])
        end
    end
    return table.concat(words, " ")
end

-- What all cases lost to one cause, and the case that it hit most.
local function lost(model, name, cores)
    local sum = { seconds = 0, of_s = 0, cases = {} }
    for _, case in ipairs(model.doc.cases or {}) do
        local noise = case.noise
        local seconds = noise and noise[name]
        if seconds and noise.wall_s > 0 then
            sum.seconds, sum.of_s = sum.seconds + seconds, sum.of_s + noise.wall_s * cores
            if seconds > 0 then sum.cases[#sum.cases + 1] = case.index end
            local share = seconds / (noise.wall_s * cores)
            if seconds >= LEAST_S and (not sum.most or share > sum.most) then sum.most, sum.case = share, case end
        end
    end
    sum.share = sum.of_s > 0 and sum.seconds / sum.of_s or 0
    return sum
end

-- ", most in custom at 25.1M ints: 31 %", where one case stands out.
local function worst_text(model, sum)
    if not sum.case or #(model.doc.cases or {}) < 2 or sum.most < 1.5 * sum.share then return "" end
    return (", most in %s: %s"):format(case_name(model, sum.case), human.percent(sum.most))
end

local function note(found, sum, text, name)
    found.texts[#found.texts + 1] = text
    found.evidence[name] = { seconds = sum.seconds, share = sum.share, cases = sum.cases }
    for _, index in ipairs(sum.cases) do found.hit[index] = true end
end

local function stolen(model, cores, found)
    local sum = lost(model, "steal_s", cores)
    if sum.share < STOLEN or sum.seconds < LEAST_S then return end
    note(found, sum, ("the hypervisor took %s of the processors' time (%s%s)"):format(human.percent(sum.share),
        human.duration(sum.seconds), worst_text(model, sum)), "stolen")
end

local function used_by_others(model, cores, found)
    local sum = lost(model, "other_cpu_s", cores)
    if sum.share < OTHERS or sum.seconds < LEAST_S then return end
    local load = model.doc.host.load and model.doc.host.load[1]
    local more = (load and (", load %.1f at the start"):format(load) or "") .. worst_text(model, sum)
    note(found, sum, ("others used %s of %s%s"):format(human.percent(sum.share),
        cores == 1 and "the processor" or ("the %d processors"):format(cores),
        more ~= "" and (" (%s)"):format(more:sub(3)) or ""), "others")
end

local function throttled(model, found)
    local sum = lost(model, "throttled_s", 1)
    if sum.share < STOOD_STILL or sum.seconds < LEAST_S then return end
    local quota = model.doc.host.cgroup_quota
    note(found, sum, ("the control group's quota%s made rig stand still for %s, %s of the time%s"):format(
        quota and (" of %s"):format(human.count(quota, "processor")) or "", human.duration(sum.seconds),
        human.percent(sum.share), worst_text(model, sum)), "throttled")
end

local function suspended(model, found)
    local sum, samples = lost(model, "suspended_s", 1), 0
    for _, case in ipairs(model.doc.cases or {}) do
        for _, iteration in ipairs(case.iterations or {}) do
            if iteration.suspended == true then samples = samples + 1 end
        end
    end
    if sum.seconds == 0 and samples == 0 then return end
    note(found, sum, ("the machine was suspended for %s, during %s (marked in the results)"):format(
        human.duration(sum.seconds), samples > 0 and human.count(samples, "sample") or "no sample"), "suspended")
    found.evidence.suspended.samples = samples
end

local function disturbed(model)
    local cores = model.doc.host and model.doc.host.cores_online or model.doc.host and model.doc.host.cores
    local found = { texts = {}, evidence = {}, hit = {} }
    if cores and cores > 0 then
        stolen(model, cores, found)
        used_by_others(model, cores, found)
    end
    throttled(model, found)
    suspended(model, found)
    if #found.texts == 0 then return nil end
    found.evidence.cases = {}
    for index in pairs(found.hit) do table.insert(found.evidence.cases, index) end
    table.sort(found.evidence.cases)
    local text = ("%s: small differences may come from that; see rig doctor"):format(table.concat(found.texts, "; "))
    return { kind = "noise", text = text, evidence = found.evidence }
end

-- Workers without data, or fewer of them, explain times that differ within a case: findings/ready says so.
local function explained(case)
    local first = case.iterations and case.iterations[1]
    return case.params.barrier == false and first ~= nil and first.ready ~= nil
        and first.ready < (case.params.workers or 0)
end

local function wild_cases(model)
    local list = {}
    for _, case in ipairs(model.doc.cases or {}) do
        local map = case.status == "ok" and case.stats and case.stats.map
        if map and map.n >= FEWEST and map.median > 0 and map.mad / map.median > WILD and not explained(case) then
            list[#list + 1] = case
        end
    end
    table.sort(list, function(a, b)
        local one, other = a.stats.map, b.stats.map
        return one.mad / one.median > other.mad / other.median
    end)
    return list
end

local function wild(model)
    local list = wild_cases(model)
    if #list == 0 then return nil end
    local worst, indexes = list[1], {}
    for i, case in ipairs(list) do indexes[i] = case.index end
    table.sort(indexes)
    local map = worst.stats.map
    local away = human.percent(map.mad / map.median)
    local text = "iterations varied wildly in %d of %s: in %s from %s to %s around %s (MAD %s)"
    return { kind = "noise", text = text:format(#list, human.count(#model.doc.cases, "case"), case_name(model, worst),
        human.duration(map.min), human.duration(map.max), human.duration(map.median), away),
        evidence = { cases = indexes, mad = map.mad, median = map.median, min = map.min, max = map.max } }
end

---@param model rig.Model
---@return table[] findings
function M.find(model)
    local list = {}
    list[#list + 1] = disturbed(model)
    list[#list + 1] = wild(model)
    return list
end

return M
