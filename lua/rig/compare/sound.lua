--- Whether the figures of a results document fit each other: statistics and their samples, outcomes and their sums.
--- What does not was not written by a run, and is no measure for another.
--- Not for the document's shape (report/schema.lua), nor for whether its figures are good.
--- Neighbours: baseline.lua (asks before comparing), stats.lua (computes them again).

local human = require "rig.report.human"
local stats = require "rig.stats"

local M = {}

-- What another machine's mathematics may differ by, and far less than anybody would change by hand.
local CLOSE = 1e-9

local function is_close(x, y, scale)
    return math.abs(x - y) <= CLOSE * math.max(math.abs(x), math.abs(y), scale or 0)
end

local function sum(list)
    return stats.sum(list)
end

local function numbers_of(values)
    local list = {}
    for _, value in ipairs(values) do
        if type(value) == "number" then list[#list + 1] = value end
    end
    return list
end

local function check_times(name, list, path)
    for i, seconds in ipairs(list) do
        if not (seconds >= 0 and seconds < math.huge) then
            return ("%s.phases.%s[%d] is %s, which is no time"):format(path, name, i, seconds)
        end
    end
end

local function check_summary(saved, samples, path)
    local made = stats.summary(samples)
    if not made or not saved then
        if not made and not saved then return nil end
        return ("%s is %s, and there are %d samples"):format(path, saved and "there" or "missing", #samples)
    end
    for name, value in pairs(made) do
        local given = saved[name]
        if type(value) == "number" and given ~= nil and not is_close(value, given, made.max) then
            return ("%s.%s is not that of its samples"):format(path, name)
        end
    end
    for i, limit in ipairs(saved.ci95 or {}) do
        if not made.ci95 or not made.ci95[i] or not is_close(limit, made.ci95[i], made.max) then
            return path .. ".ci95 is not that of its samples"
        end
    end
end

local KINDS = { "ok", "error", "timeout", "died", "cancelled" }

local function check_outcomes(case, path)
    local total, told = {}, 0
    for i, iteration in ipairs(case.iterations) do
        local outcomes = iteration.outcomes
        if outcomes then
            told = told + 1
            for _, kind in ipairs(KINDS) do total[kind] = (total[kind] or 0) + outcomes[kind] end
            local split = iteration.tasks_by_worker or {}
            if #split > 0 and sum(split) ~= outcomes.ok then
                return ("%s.iterations[%d].tasks_by_worker does not add up to its outcomes"):format(path, i)
            end
        end
    end
    for _, kind in ipairs(KINDS) do
        local count = case.outcomes[kind]
        if kind ~= "ok" and count > 0 and case.as_expected then
            return ("%s.outcomes.%s is %s: that was expected, but a case with tasks that did not end ok is no baseline")
                :format(path, kind, human.value(count))
        end
        if kind ~= "ok" and count > 0 then
            return ("%s.outcomes.%s is %s, and the case is ok"):format(path, kind, human.value(count))
        end
        if told == #case.iterations and count ~= (total[kind] or 0) then
            return ("%s.outcomes.%s is not the sum of its iterations"):format(path, kind)
        end
    end
end

local function check_right(case, path)
    local right = 0
    for i, iteration in ipairs(case.iterations) do
        if iteration.right == false then
            return ("%s.iterations[%d].right is false, and the case is ok"):format(path, i)
        end
        if iteration.right then right = right + 1 end
    end
    if case.verified ~= right then
        return ("%s.verified is %s, and %d iterations were right"):format(path, human.value(case.verified), right)
    end
    if case.expected and right < #case.iterations then
        return ("%s.verified is %d of %d, and the case is ok"):format(path, right, #case.iterations)
    end
end

-- Of maps on a pool; a body's seconds are its calls'.
local function check_totals(case, path)
    local phases, n = case.phases, #case.phases.map_s
    if n == 0 or not phases.start_s or not phases.close_s then return nil end
    local barrier = case.params.barrier and phases.deliver_s or 0
    local total = phases.start_s + barrier + phases.close_s + sum(phases.map_s) + sum(phases.reduce_s)
    if case.s_per_iteration and not is_close(total / n, case.s_per_iteration) then
        return path .. ".s_per_iteration is not that of its phases"
    end
    if case.total_s and total > case.total_s * (1 + CLOSE) then
        return path .. ".total_s is shorter than its phases"
    end
    local tasks = case.counters.tasks
    if tasks and #case.warmup == 0 and case.replaced == 0 and tasks ~= case.outcomes.ok then
        return path .. ".counters.tasks is not the number of its outcomes"
    end
end

local function check_metrics(case, path)
    for name, metric in pairs(case.metrics) do
        local values = numbers_of(metric.values)
        local median = stats.median(values)
        local saved = metric.median
        if (median == nil) ~= (saved == nil) or median and not is_close(median, saved) then
            return ("%s.metrics.%s.median is not that of its values"):format(path, human.clean(name))
        end
    end
end

local function check_lengths(case, path)
    local n = #case.phases.map_s
    if #case.iterations ~= n then
        return ("%s has %d iterations and %d times in phases.map_s"):format(path, #case.iterations, n)
    end
    if #case.phases.reduce_s ~= n then
        return ("%s has %d times in phases.reduce_s and %d in phases.map_s"):format(path, #case.phases.reduce_s, n)
    end
end

local function check_case(case, path, of_body)
    if case.status ~= "ok" then return nil end
    local phases = case.phases
    return check_lengths(case, path) or check_times("map_s", phases.map_s, path)
        or check_times("reduce_s", phases.reduce_s, path)
        or check_summary(case.stats.map, phases.map_s, path .. ".stats.map")
        or check_summary(case.stats.reduce, phases.reduce_s, path .. ".stats.reduce")
        or check_outcomes(case, path) or check_right(case, path) or check_metrics(case, path)
        or not of_body and check_totals(case, path) or nil
end

-- A parameter has a type of its own, which is that of the values declared for it. An axis may say "preset".
local function check_params(doc, case, path)
    local chunk = case.params.chunk
    if type(chunk) == "string" and tonumber(chunk) then
        return ("%s.params.chunk is %q, which is neither a number nor a word"):format(path, chunk)
    end
    for name, declared in pairs(doc.scenario.params) do
        local value, known = case.params[name], type(declared) ~= "table" or #declared == 0
        for _, one in ipairs(type(declared) == "table" and declared or {}) do
            known = known or type(one) == type(value) or one == "preset" or type(value) == "table"
        end
        if value ~= nil and not known then
            return ("%s.params.%s is %s, which is none of the values of that parameter"):format(path,
                human.clean(name), human.value(value))
        end
    end
end

local CASE_OF_PASSED = { ok = true, skipped = true }

local function check_status(doc)
    local skipped = 0
    for i, case in ipairs(doc.cases) do
        if case.status == "skipped" then skipped = skipped + 1 end
        if doc.status == "passed" and not CASE_OF_PASSED[case.status] then
            return ("status is passed, and cases[%d] is %s"):format(i, case.status)
        end
    end
    if doc.status == "passed" and doc.exit ~= 0 then
        return ("status is passed, and exit is %s"):format(human.value(doc.exit))
    end
    if doc.skipped ~= skipped then
        return ("skipped is %s, and %d cases were"):format(human.value(doc.skipped), skipped)
    end
end

--- Whether the figures of a document fit each other.
---@param doc table  of a shape that results.check accepts
---@return true|nil
---@return string|nil problem  names the place, as in "cases[3].stats.map.median is not that of its samples"
function M.check(doc)
    local problem = check_status(doc)
    for i, case in ipairs(doc.cases) do
        local path = ("cases[%d]"):format(i)
        problem = problem or check_params(doc, case, path) or check_case(case, path, doc.scenario.kind == "body")
    end
    if problem then return nil, problem end
    return true
end

return M
