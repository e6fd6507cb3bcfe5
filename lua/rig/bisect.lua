--- Finds where one of two becomes the faster one: measures both at values between two that were swept, each time in
--- the widest gap that is left.
--- Not for saying what was found: findings/crossing.lua does, from the cases. Not for measuring: the runner lends that.
--- Neighbours: runner.lua, plan.lua (more cases of a plan).

local crossing = require "rig.findings.crossing"
local mistake = require "rig.mistake"
local names = require "rig.names"
local plan_of = require "rig.plan"
local points = require "rig.findings.points"

local M = {}

--- Values that are tried at most.
M.STEPS = 8
-- Between values further apart than this factor the middle is the geometric one.
local WIDE = 1.5
-- Repetitions of the same combination.
local REPEATS = { runs = true, seed = true }

local function usage(name, problem, remedy)
    return mistake.new { kind = "usage", key = "--find-crossing " .. name, problem = problem, remedy = remedy }
end

local function param_of(plan, name)
    for _, param in ipairs(plan.scenario.params) do
        if param.name == name then return param end
    end
end

-- Values of a parameter among the cases.
local function values_in(plan, name)
    local list, seen = {}, {}
    for _, case in ipairs(plan.cases) do
        local value = case.params[name]
        -- a pool without processes stands for every number of workers
        local counts = value ~= nil and not (name == "workers" and case.axes.preset == "serial")
        if counts and not seen[value] then
            seen[value] = true
            list[#list + 1] = value
        end
    end
    return list
end

local function all_numbers(list)
    for _, value in ipairs(list) do
        if type(value) ~= "number" then return false end
    end
    return true
end

-- Whatever is compared: the combinations of all that varies and is no number.
local function contenders(plan, name)
    local list, seen = {}, {}
    for _, case in ipairs(plan.cases) do
        local words = {}
        for _, other in ipairs(plan.varying) do
            if not REPEATS[other] and not all_numbers(values_in(plan, other)) then
                words[#words + 1] = tostring(case.params[other])
            end
        end
        local label = table.concat(words, ", ")
        local is_baseline = name == "workers" and case.axes.preset == "serial"
        if #words > 0 and not is_baseline and not seen[label] then
            seen[label] = true
            list[#list + 1] = label
        end
    end
    return list
end

local SUPPORTED = { integer = true, number = true, duration = true }

-- Those that could be searched: of what varies, or else of all.
local function candidates(plan)
    local varying, all = {}, {}
    for _, param in ipairs(plan.scenario.params) do
        local name = param.name
        if SUPPORTED[param.type] and not param.single and not REPEATS[name] then
            local list = values_in(plan, name)
            if #list > 1 and all_numbers(list) then varying[#varying + 1] = name end
            all[#all + 1] = name
        end
    end
    return #varying > 0 and varying or all, all
end

-- Another number that varies: there would be a crossing for each of its values.
local function another_number(plan, name)
    for _, other in ipairs(plan.varying) do
        if other ~= name and not REPEATS[other] then
            local list = values_in(plan, other)
            if #list > 1 and all_numbers(list) then return other, list end
        end
    end
end

---Why no crossing can be looked for along a parameter, before anything runs.
---@param plan rig.Plan
---@param name string
---@return rig.Mistake? problem
function M.problem(plan, name)
    local param = param_of(plan, name)
    if not param then return usage(name, "no such parameter", names.suggest(name, select(2, candidates(plan)))) end
    local list = values_in(plan, name)
    if not SUPPORTED[param.type] or param.single or REPEATS[name] or not all_numbers(list) then
        return usage(name, "not a number that can be searched", "use " .. names.join(candidates(plan)))
    end
    if param.choices then return usage(name, "takes only its choices, and nothing between them", "use another") end
    if #list < 2 then
        return usage(name, "has one value, and a crossing lies between two",
            ("sweep it, as in %s=%s"):format(name, name == "workers" and "1..8" or "1e3..1e6:4"))
    end
    local who = contenders(plan, name)
    if #who ~= 2 then
        local there = #who > 2 and ("there are %d: %s"):format(#who, table.concat(who, "; "))
            or #who == 1 and "there is only " .. who[1] or "nothing but numbers varies"
        return usage(name, "needs two to be compared, and " .. there, "choose two, as in pool=builtin,custom")
    end
    local other, others = another_number(plan, name)
    if other then
        return usage(name, ("%s varies too"):format(other),
            ("give it one value, as in %s=%s"):format(other, tostring(others[#others])))
    end
end

-- Three digits where that is between the two all the same: the value is read and typed by people.
local function rounded(value, low, high, is_integer)
    local short = tonumber(("%.2e"):format(value))
    if short > low and short < high then value = short end
    if not is_integer then return value end
    local whole = math.tointeger(math.floor(value + 0.5))
    return whole and whole > low and whole < high and whole or nil
end

---A value between two others, in the middle: the geometric one where they are far apart. Nil where there is none.
---@param low number
---@param high number
---@param is_integer boolean
---@return number?
function M.middle(low, high, is_integer)
    if is_integer and high - low < 2 or high <= low then return nil end
    local value = low > 0 and high / low > WIDE and math.sqrt(low) * math.sqrt(high) or low + (high - low) / 2
    return rounded(value, low, high, is_integer)
end

local function is_close(low, high)
    return low > 0 and high / low <= crossing.CLOSE
end

-- Where to measure next: in the widest gap between values that leave no doubt and those that do. While none does, that
-- is the bracket itself.
local function next_value(bracket, is_integer)
    local row, best, widest = bracket.low, nil, 0
    local rest = table.move(bracket.level, 1, #bracket.level, 1, {})
    rest[#rest + 1] = bracket.high
    for _, after in ipairs(rest) do
        local gap = row.x > 0 and math.log(after.x / row.x) or math.huge
        if gap > widest and not is_close(row.x, after.x) then
            local value = M.middle(row.x, after.x, is_integer)
            if value then best, widest = value, gap end
        end
        row = after
    end
    return best
end

local function dim_of(model, name)
    for _, dim in ipairs(model.dims) do
        if dim.name == name then return dim end
    end
end

-- The place to search: the last change of sign, and later only within it.
local function find_bracket(doc, name, within)
    local model = points.of(doc)
    local dim = dim_of(model, name)
    local rows = dim and crossing.rows(model, dim, {})
    local found
    for _, bracket in ipairs(rows and crossing.brackets(rows) or {}) do
        local inside = not within or bracket.low.x >= within.low.x and bracket.high.x <= within.high.x
        if inside then found = bracket end
    end
    return found
end

local function are_ok(doc, from)
    for i = from, #doc.cases do
        if doc.cases[i].status ~= "ok" then return false end
    end
    return true
end

---Narrows the crossing down, until the values on either side are within 10 %, or those between cannot be told apart by
---this many runs, or after 8 values.
---@param plan rig.Plan
---@param name string  a parameter that `problem` has nothing against
---@param doc table  with the cases of the plan; more are added
---@param measure fun(case: rig.Case): boolean  measures a case and adds it; false: nothing more is to be run
function M.run(plan, name, doc, measure)
    local is_integer = param_of(plan, name).type == "integer"
    local bracket
    for _ = 1, M.STEPS do
        bracket = find_bracket(doc, name, bracket)
        local value = bracket and next_value(bracket, is_integer)
        local cases = value and plan_of.at(plan, name, value, #doc.cases)
        if not cases then return end
        local first = #doc.cases + 1
        for _, case in ipairs(cases) do
            if not measure(case) then return end
        end
        if not are_ok(doc, first) then return end
    end
end

return M
