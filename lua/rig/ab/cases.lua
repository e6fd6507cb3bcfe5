--- The cases of an A/B run: those of a plan in which one parameter has two values, in twos that differ in nothing else.
--- Pure. Neighbours: plan.lua (makes the cases), run.lua (measures them).

local mistake = require "rig.mistake"
local names = require "rig.names"
local params = require "rig.params"
local readonly = require "rig.readonly"
local values = require "rig.values"

local M = {}

---@class rig.Twin  a case as both sides run it
---@field index integer
---@field label string   without the parameter that differs
---@field params table   those of side A without the parameter that differs
---@field a rig.Case
---@field b rig.Case

local function usage(key, value, problem, remedy)
    return mistake.new { kind = "usage", key = key, value = value, problem = problem, remedy = remedy }
end

-- The same value on both sides shows what noise does; a sweep would refuse it.
local function two_values(param, text)
    local half = text:sub(1, #text // 2)
    if #text % 2 == 1 and text == half .. "," .. half then
        local list, problem, remedy, culprit = params.parse(param, half)
        if not list then return nil, problem, remedy, culprit end
        if #list == 1 then return { list[1], list[1] } end
    end
    return params.parse(param, text)
end

--- Gives the parameter that differs its two values.
---@param s rig.Scenario
---@param name string
---@param text string  "base/libdec.so,head/libdec.so"
---@return table|nil param  with both values
---@return rig.Mistake|nil
function M.override(s, name, text)
    local param = params.find(s.params, name)
    if not param then
        return nil, usage("--ab " .. name, name, "no such parameter", names.suggest(name, params.names(s.params)))
    end
    if name == "runs" or name == "iterations" or name == "warmup" or name == "seed" then
        return nil, usage("--ab", name, ("%s only says how much is measured"):format(name),
            "name a parameter that changes what is measured")
    end
    local list, problem, remedy, culprit = two_values(param, text)
    if not list then return nil, usage("--ab " .. name, culprit, problem, remedy) end
    if #list ~= 2 then
        return nil, usage("--ab " .. name, text, ("%s is %s, and there are two sides"):format(text,
            #list == 1 and "one value" or ("%d values"):format(#list)), ("write --ab %s=A,B"):format(name))
    end
    param.values, param.origin = list, "command line"
    return param
end

-- What a case is told by from the others, but for the parameter that differs.
local function key_of(s, case, name)
    local words = { tostring(case.run) }
    for _, param in ipairs(s.params) do
        if param.name ~= name then
            local value = case.picked[param.name]
            words[#words + 1] = type(value) == "table" and tostring(value) or values.text(param, value)
        end
    end
    return table.concat(words, "\0")
end

--- Workers of an A/B run stay on their processors, unless the scenario or the command line says otherwise: where the
--- kernel puts them differs from pool to pool, by more than most changes, above all when something else runs.
---@param s rig.Scenario
---@return boolean pinned
function M.pin(s)
    local param = params.find(s.params, "pin")
    if not param or param.origin ~= "default" then return false end
    param.values = { true }
    return true
end

--- Both sides of each case. Random numbers are seeded by a case's index: both sides get the same.
---@param plan rig.Plan  in which the parameter has two values and nothing was left out as measured elsewhere
---@param name string
---@return rig.Twin[]
function M.twins(plan, name)
    local list, by_key = {}, {}
    for _, case in ipairs(plan.cases) do
        local key = key_of(plan.scenario, case, name)
        local twin = by_key[key]
        if not twin then
            twin = { index = #list + 1, label = case.label, params = {}, a = case }
            for param, value in pairs(case.params) do
                if param ~= name then twin.params[param] = value end
            end
            by_key[key], list[#list + 1] = twin, twin
        else
            twin.b = case
        end
        case.index = twin.index
    end
    return list
end

--- The same case with another number of iterations.
---@param case rig.Case
---@param iterations integer
---@return rig.Case
function M.with_iterations(case, iterations)
    local copy, effective = {}, {}
    for key, value in pairs(case) do copy[key] = value end
    for key, value in pairs(case.params) do effective[key] = value end
    effective.iterations = iterations
    copy.params, copy.p = effective, readonly.params(effective)
    return copy
end

return M
