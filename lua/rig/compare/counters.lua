--- What was counted in a case, on both sides: exact counters, where any difference is one, and those of the kernel,
--- which differ a little from run to run.
--- Not for times. Involuntary switches are the machine's doing, and not compared at all.
--- Neighbours: compare.lua (calls `verdicts` for each case), cases.lua (groups of runs).

local human = require "rig.report.human"
local stats = require "rig.stats"

local M = {}

local EXACT = {
    { name = "tasks", unit = "1" }, { name = "messages", unit = "1" }, { name = "payload_bytes", unit = "B" },
    { name = "forks", unit = "1" },
}
-- Between processes; they depend on who was delivered to, and a body has none.
local OF_MESSAGES = { messages = true, payload_bytes = true }

local function of_workers(name)
    return function(case)
        local total
        for _, worker in ipairs(case.workers) do
            if not worker[name] then return nil end
            total = (total or 0) + worker[name]
        end
        return total
    end
end

local function syscalls(case)
    local total
    for _, count in pairs(case.counters.syscalls or {}) do total = (total or 0) + count end
    return total
end

-- by_chunk: there are as many as there are messages
local TOLERANT = {
    { name = "minor_faults", tolerance = 0.08, of = of_workers("minor_faults") },
    { name = "voluntary_switches", tolerance = 0.15, of = of_workers("voluntary_switches"), by_chunk = true },
    { name = "syscalls", tolerance = 0.10, of = syscalls, by_chunk = true },
}

local function each(cases, of)
    local values = {}
    for i, case in ipairs(cases) do
        values[i] = of(case)
        if values[i] == nil then return nil end
    end
    return #values > 0 and stats.sorted(values) or nil
end

-- The same in all cases of both sides, or why it is not.
local function differs(pair, what, of)
    local first
    for _, side in ipairs({ pair.base, pair.new }) do
        for _, case in ipairs(side.cases) do
            local value = of(case)
            if first ~= nil and value ~= first then
                return ("%s differ: %s and %s"):format(what, human.value(first), human.value(value))
            end
            if value ~= nil then first = value end
        end
    end
end

local function any(pair, is)
    for _, side in ipairs({ pair.base, pair.new }) do
        for _, case in ipairs(side.cases) do
            if is(case) then return true end
        end
    end
    return false
end

local function has_no_fixed_chunk(case) return type(case.params.chunk) ~= "number" end
local function was_abandoned(case) return case.undelivered.workers > 0 end
local function lost_workers(case) return case.replaced > 0 end

-- Why the two sides did not do the same amount of work, or nil.
local function other_amount(pair)
    if any(pair, lost_workers) then return "workers were replaced" end
    return differs(pair, "iterations", function(case) return #case.phases.map_s end)
        or differs(pair, "workers", function(case) return case.params.workers end)
        or differs(pair, "warm-up iterations", function(case) return #case.warmup end)
        or differs(pair, "seeds", function(case) return case.params.seed end)
end

local function shown(values)
    local low, high = human.group(values[1]), human.group(values[#values])
    return low == high and low or low .. " to " .. high
end

local function new_verdict(pair, metric, unit, xs, ys)
    local a, b = stats.quantile(xs, 0.5), stats.quantile(ys, 0.5)
    return {
        case = pair.new.label, params = pair.new.params, metric = metric, unit = unit, a = a, b = b,
        effect = a > 0 and b / a or nil, n_base = #xs, n_new = #ys,
    }
end

-- A count that varies between the runs of the base is not exact there, and cannot decide.
local function exact(pair, counter, opts)
    local function of(case) return case.counters[counter.name] end
    local xs, ys = each(pair.base.cases, of), each(pair.new.cases, of)
    if not xs or not ys then return nil end
    local repeats = xs[1] == xs[#xs]
    local same = ys[1] >= xs[1] and ys[#ys] <= xs[#xs]
    local verdict = new_verdict(pair, counter.name, counter.unit, xs, ys)
    verdict.kind, verdict.verdict = "exact", same and "unchanged" or "changed"
    verdict.gates = repeats and not opts.accept_counters
    verdict.text = same and ("%s: %s, as in the base"):format(pair.new.label, counter.name)
        or ("%s: %s %s -> %s"):format(pair.new.label, counter.name, shown(xs), shown(ys))
    if not repeats then verdict.text = verdict.text .. " (it varies between the runs of the base)" end
    return verdict
end

-- Outside the tolerance of all that the runs of the base had.
local function tolerant(pair, counter, opts)
    local xs, ys = each(pair.base.cases, counter.of), each(pair.new.cases, counter.of)
    if not xs or not ys then return nil end
    local verdict = new_verdict(pair, counter.name, "1", xs, ys)
    local inside = verdict.b <= xs[#xs] * (1 + counter.tolerance) and verdict.b >= xs[1] * (1 - counter.tolerance)
    verdict.kind, verdict.verdict = "tolerance", inside and "unchanged" or "changed"
    verdict.gates = opts.gate.counters == true
    verdict.text = ("%s: %s %s -> %s (%s ±%.0f %%)"):format(pair.new.label, counter.name, shown(xs), shown(ys),
        inside and "within" or "outside", counter.tolerance * 100)
    return verdict
end

--- The verdicts on the counters of one case.
---@param pair { base: rig.CaseGroup, new: rig.CaseGroup }
---@param opts { of_body: boolean, accept_counters: boolean|nil, gate: table }
---@return table[] verdicts
---@return string|nil left_out  why exact counters, or some of them, were not compared
function M.verdicts(pair, opts)
    local found = {}
    local other = other_amount(pair)
    local left_out = other
    if not opts.of_body and any(pair, has_no_fixed_chunk) then left_out = "chunk=auto adapts to the clock" end
    local abandoned = any(pair, was_abandoned)
    for _, counter in ipairs(left_out and {} or EXACT) do
        local between = OF_MESSAGES[counter.name]
        if not (between and (opts.of_body or abandoned)) then found[#found + 1] = exact(pair, counter, opts) end
    end
    for _, counter in ipairs(other and {} or TOLERANT) do
        if not (counter.by_chunk and left_out) then found[#found + 1] = tolerant(pair, counter, opts) end
    end
    if not left_out and abandoned and not opts.of_body then
        left_out = "delivery was abandoned, so messages and payload_bytes depend on when"
    end
    return found, left_out
end

return M
