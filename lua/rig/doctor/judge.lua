-- What makes timings unreliable on a machine, how much, and what to do about it: the doctor's items and the verdict on
-- what differences can be told here. Facts in, a diagnosis out; nothing is measured.
-- Neighbours: judge_timing.lua and judge_machine.lua judge one item each, text.lua shows the diagnosis.

local human = require("rig.report.human")
local of_machine = require("rig.doctor.judge_machine")
local of_timing = require("rig.doctor.judge_timing")
local stats = require("rig.stats")

local M = {}

--- The items in the order in which they are shown, and what each is about. Their names are part of `--json`.
M.ITEMS = {
    { "work", of_timing.work }, { "two", of_timing.two }, { "all", of_timing.all }, { "others", of_timing.others },
    { "steal", of_timing.steal }, { "throttling", of_timing.throttling }, { "clock", of_timing.clock },
    { "sleep", of_timing.sleep }, { "messages", of_timing.messages }, { "memory", of_timing.memory },
    { "huge_pages", of_timing.huge_pages }, { "shared_memory", of_timing.shared_memory },
    { "virtualization", of_machine.virtualization }, { "governor", of_machine.governor },
    { "turbo", of_machine.turbo }, { "smt", of_machine.smt }, { "temperature", of_machine.temperature },
    { "isolation", of_machine.isolation }, { "affinity", of_machine.affinity }, { "quota", of_machine.quota },
    { "aslr", of_machine.aslr }, { "swap", of_machine.swap }, { "suspension", of_machine.suspension },
    { "open_files", of_machine.open_files }, { "processes", of_machine.processes }, { "pipes", of_machine.pipes },
}

local RANK = { unknown = 0, ok = 0, warning = 1, bad = 2 }

-- So many samples say it: all pairs of more would take longer than measuring them.
local MOST_SAMPLES = 200

-- Evenly from the sorted ones, so that whatever comes at regular intervals keeps its share.
local function thinned(list)
    if #list <= MOST_SAMPLES then return list end
    local sorted, some = stats.sorted(list), {}
    for i = 1, MOST_SAMPLES do some[i] = stats.quantile(sorted, (i - 0.5) / MOST_SAMPLES) end
    return some
end

--- By how much two samples of the same thing differ, in 95 of 100 pairs of them.
---@param samples number[]
---@return number|nil share  0.12 for 12 %; nil below two samples
function M.difference_of_pairs(samples)
    local some, distances = thinned(samples), {}
    for i = 1, #some do
        for j = i + 1, #some do distances[#distances + 1] = math.abs(math.log(some[i] / some[j])) end
    end
    if #distances == 0 then return nil end
    table.sort(distances)
    return math.exp(stats.quantile(distances, 0.95)) - 1
end

-- Copies each by their own median: that processors differ is another matter than that they vary.
local function relative(copies)
    local all = {}
    for _, list in ipairs(copies and copies.samples or {}) do
        local median = stats.median(list)
        for _, seconds in ipairs(list) do all[#all + 1] = seconds / median end
    end
    return all
end

local function medians_apart(rounds)
    local medians = {}
    for _, list in ipairs(rounds) do
        if #list > 0 then medians[#medians + 1] = stats.median(list) end
    end
    if #medians < 2 then return nil end
    table.sort(medians)
    return medians[#medians] / medians[1] - 1
end

-- Rounded up to what a reader keeps in mind: to promise less than was seen would be the wrong mistake.
local function about(share)
    if share < 0.01 then return "1 %" end
    local step = share < 0.1 and 0.01 or share < 0.3 and 0.02 or share < 1 and 0.05 or 0.5
    return ("%.0f %%"):format(math.ceil(share / step - 1e-9) * step * 100)
end

--- What differences can be told here.
---@param facts rig.doctor.Facts
---@return { alone: number|nil, together: number|nil, single_run: number|nil, medians: number|nil, median_of: integer,
---        text: string } verdict  single_run: the larger of alone and together; medians: of so many samples each
function M.verdict(facts)
    local alone = M.difference_of_pairs(of_timing.pooled(facts.alone.rounds))
    local together = M.difference_of_pairs(relative(facts.all or facts.two))
    local verdict = { alone = alone, together = together, medians = medians_apart(facts.alone.rounds),
        median_of = facts.alone.rounds[1] and #facts.alone.rounds[1] or 0 }
    if not alone then
        verdict.text = "nothing can be said: the work could not be measured"
        return verdict
    end
    verdict.single_run = math.max(alone, together or 0)
    verdict.text = ("a single run tells differences above about %s on this machine%s; use --ab for smaller"):format(
        about(verdict.single_run), together and together > 1.5 * alone
            and (" when all processors work (about %s alone)"):format(about(alone)) or "")
    local sample = stats.median(of_timing.pooled(facts.alone.rounds))
    verdict.text = ("%s. The same work of %s, done twice, differed by up to %s (95 of 100 pairs)"):format(verdict.text,
        human.duration(sample), about(alone))
    if verdict.medians then
        verdict.text = ("%s; the median of %d still by up to %s"):format(verdict.text, verdict.median_of,
            human.percent(verdict.medians))
    end
    return verdict
end

---@class rig.doctor.Item
---@field id string
---@field level "ok"|"warning"|"bad"|"unknown"
---@field text string  one sentence with its figure
---@field remedy string|nil  what to do about it; of an item that is ok a hint, which begins with "to be sure: "
---@field command string|nil  that does it, or shows where to begin

--- Judges a machine.
---@param facts rig.doctor.Facts
---@return { level: string, items: rig.doctor.Item[], verdict: table } diagnosis  level: the worst of the items
function M.of(facts)
    local diagnosis = { level = "ok", items = {}, verdict = M.verdict(facts) }
    for i, item in ipairs(M.ITEMS) do
        local id, judge = item[1], item[2]
        local level, text, remedy, command = judge(facts)
        diagnosis.items[i] = { id = id, level = level, text = text, remedy = remedy, command = command }
        if RANK[level] > RANK[diagnosis.level] then diagnosis.level = level end
    end
    return diagnosis
end

return M
