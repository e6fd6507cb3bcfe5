-- What went wrong: results that were not what was expected, and tasks that did not end ok.
-- Neighbours: ready (workers without data), report/text (lists the failures one by one).

local human = require("rig.report.human")
local points = require("rig.findings.points")

local M = {}

local MOST_CASES = 4
local KINDS = { "error", "timeout", "died", "cancelled" }
local SAID = {
    error = "ended in an error", timeout = "ran out of time", died = "died with their worker",
    cancelled = "were cancelled",
}

-- A case as a sentence calls it: "custom at 25.1M ints".
local function case_text(model, case)
    local words = {}
    for _, dim in ipairs(model.declared) do
        if dim.numeric and case.params[dim.name] ~= nil then
            words[#words + 1] = points.value_text(model, dim.name, case.params[dim.name])
        end
    end
    local label = points.label(model, case.params)
    return #words > 0 and label .. " at " .. human.join(words) or label
end

local function wrong_iterations(case)
    local list = {}
    for i, iteration in ipairs(case.iterations or {}) do
        if iteration.right == false then list[#list + 1] = i end
    end
    return list
end

local function wrong_of(model, case)
    local list = wrong_iterations(case)
    if #list == 0 then return nil end
    local reason = case.reason and case.status == "failed" and "; " .. human.clean(case.reason) or ""
    local text = ("%s: %d of %s %s wrong (iteration%s %s)%s"):format(case_text(model, case), #list,
        human.count(#case.iterations, "result"), #list == 1 and "is" or "are", #list == 1 and "" or "s",
        human.ranges(list), reason)
    return { kind = "wrong", text = text,
        evidence = { iterations = list, results = #case.iterations, cases = { case.index } } }
end

-- "2 of 900 tasks died with their worker"
local function outcomes_text(case)
    local total, words = 0, {}
    for _, count in pairs(case.outcomes) do total = total + count end
    for _, kind in ipairs(KINDS) do
        local count = case.outcomes[kind] or 0
        if count > 0 then
            words[#words + 1] = ("%s of %s %s"):format(human.group(count), human.count(total, "task"), SAID[kind])
        end
    end
    return human.join(words)
end

-- Of the first task that ended so: attempts that others followed were no end.
local function first_message(case)
    local first
    for _, failure in ipairs(case.errors or {}) do
        if not failure.retried then
            first = failure
            break
        end
    end
    local message = first and first.message or case.reason
    if not message then return "" end
    return ": " .. human.clean(message):sub(1, 200)
end

local function fault_of(model, case)
    if case.as_expected then return nil end -- it went as it was to go
    local words = outcomes_text(case)
    if words == "" then
        if case.status ~= "error" and case.status ~= "faulted" then return nil end
        words = case.status == "error" and "ended in an error of the scenario" or "could not be measured"
    end
    local text = ("%s: %s%s"):format(case_text(model, case), words, first_message(case))
    if (case.replaced or 0) > 0 then text = ("%s (%s replaced)"):format(text, human.count(case.replaced, "worker")) end
    return { kind = "fault", text = text, evidence = { outcomes = case.outcomes, replaced = case.replaced,
        status = case.status, cases = { case.index } } }
end

local function more_of(kind, left)
    local indexes = {}
    for i, finding in ipairs(left) do indexes[i] = finding.evidence.cases[1] end
    return { kind = kind, text = ("%s more of the kind, in cases %s"):format(human.group(#left), human.ranges(indexes)),
        evidence = { cases = indexes } }
end

local function range(list)
    table.sort(list)
    local low, high = human.duration(list[1]), human.duration(list[#list])
    return low == high and low or ("%s to %s"):format(low, high)
end

-- "in 0.77 to 2.3 ms under builtin (5 faults, 3 tasks lost)"
local function recovery_under(name, found)
    local lost = ("%s, %s lost"):format(human.count(found.faults, "fault"), human.count(found.lost, "task"))
    if #found.times == 0 then return ("not at all under %s (%s)"):format(name, lost) end
    return ("in %s under %s (%s)"):format(range(found.times), name, lost)
end

-- How long it took after faults made on purpose until another worker was ready, by pool.
local function recovery(model)
    local by_pool, order, indexes = {}, {}, {}
    for _, case in ipairs(model.doc.cases or {}) do
        local name = human.value(case.params.pool)
        if case.faults and #case.faults > 0 then
            if not by_pool[name] then
                order[#order + 1], by_pool[name] = name, { times = {}, faults = 0, lost = 0 }
            end
            local found = by_pool[name]
            for _, fault in ipairs(case.faults) do found.times[#found.times + 1] = fault.recovered_s end
            found.faults = found.faults + #case.faults
            for _, kind in ipairs(KINDS) do found.lost = found.lost + (case.outcomes[kind] or 0) end
            indexes[#indexes + 1] = case.index
        end
    end
    if #order == 0 then return nil end
    local words = {}
    for i, name in ipairs(order) do words[i] = recovery_under(name, by_pool[name]) end
    return { kind = "recovery", text = "after a fault another worker was ready " .. human.join(words),
        evidence = { pools = by_pool, cases = indexes } }
end

---@param model rig.Model
---@return table[] findings
function M.find(model)
    local out = {}
    for kind, find in pairs({ wrong = wrong_of, fault = fault_of }) do
        local left = {}
        local said = 0
        for _, case in ipairs(model.doc.cases or {}) do
            local finding = find(model, case)
            if finding then
                said = said + 1
                table.insert(said <= MOST_CASES and out or left, finding)
            end
        end
        if #left > 0 then out[#out + 1] = more_of(kind, left) end
    end
    table.sort(out, function(a, b)
        if a.kind ~= b.kind then return a.kind == "fault" end
        return a.evidence.cases[1] < b.evidence.cases[1]
    end)
    out[#out + 1] = recovery(model)
    return out
end

return M
