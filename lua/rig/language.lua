--- What a scenario writes with, beside the primitives: rows of numbers, lists, sums, `rig.value`, `rig.scenario`,
--- `rig.pool_type`.
--- Pure Lua, so scenarios can be checked where nothing can be run.
--- Not for processes and arrays, which core gives. Neighbour: init merges these functions into `rig`.

local mistake = require("rig.mistake")
local pool_type = require("rig.pool_type")
local scenario = require("rig.scenario")
local sweep = require("rig.sweep")
local values = require("rig.values")

local M = {}

-- Both are called straight from a function of M, never as `return need_…`: raise counts the calls.
local function need_number(name, argument, v)
    if type(v) ~= "number" or v ~= v or v == math.huge or v == -math.huge then
        mistake.raise(("rig.%s: %s is %s, not a finite number"):format(name, argument, values.show(v)), 1)
    end
end

local function need_count(name, argument, v, least)
    local whole = math.type(v) and math.tointeger(v)
    if not whole or whole < least then
        mistake.raise(("rig.%s: %s is %s, not an integer of at least %d"):format(
            name, argument, values.show(v), least), 1)
    end
    return whole
end

---Integers in a geometric row, truncated, with exact ends: `rig.logspace(1e5, 10^8.2, 5)` is 100000, 630957, 3981071,
---25118864, 158489319. Numbers that truncation makes equal are given once.
---@param first number at least 1
---@param last number above first
---@param points integer at least 2
---@return integer[]
function M.logspace(first, last, points)
    need_number("logspace", "the first number", first)
    need_number("logspace", "the last number", last)
    points = need_count("logspace", "the number of points", points, 2)
    if first < 1 then
        mistake.raise(("rig.logspace: the first number is %s; start at 1 or more"):format(values.show(first)))
    elseif last <= first then
        mistake.raise(("rig.logspace: %s to %s does not rise; give the smaller number first"):format(
            values.show(first), values.show(last)))
    elseif last >= 2 ^ 63 then
        mistake.raise(("rig.logspace: the last number is %s, which no integer can be"):format(values.show(last)))
    elseif points > sweep.MAX_SWEEP then
        mistake.raise(("rig.logspace: %d points are too many; give at most %d"):format(points, sweep.MAX_SWEEP))
    end
    return sweep.geometric(first, last, points, true)
end

---Numbers at equal distances, both ends included where the step meets them: `rig.range(1, 8)`, `rig.range(0, 1, 0.25)`.
---@param first number
---@param last number
---@param step? number 1 unless given; negative to count down
---@return number[]
function M.range(first, last, step)
    if step == nil then step = 1 end
    need_number("range", "the first number", first)
    need_number("range", "the last number", last)
    need_number("range", "the step", step)
    if step == 0 then mistake.raise("rig.range: the step is 0; give one that leads to the last number") end
    -- counted, not added up: a sum of steps drifts away from the last number
    local count = math.floor((last - first) / step + 1e-9)
    if count < 0 then
        mistake.raise(("rig.range: steps of %s never lead from %s to %s; turn the step around"):format(
            values.show(step), values.show(first), values.show(last)))
    end
    local list = {}
    for i = 0, math.tointeger(count) do list[i + 1] = math.tointeger(first + i * step) or first + i * step end
    return list
end

-- Plain tables are copied so that no two entries are one table; what else has an identity stays the same thing.
local function copy(v, seen)
    if type(v) ~= "table" or getmetatable(v) then return v end
    if seen[v] then return seen[v] end
    local result = {}
    seen[v] = result
    for key, inner in next, v do result[key] = copy(inner, seen) end
    return result
end

---A list of n times the same value. A table is copied for every entry, whatever is nested in it, so that changing one
---entry changes no other; arrays and tables with metatables are repeated as they are.
---@param n integer
---@param v any
---@return any[]
function M.fill(n, v)
    n = need_count("fill", "the number of entries", n, 0)
    if v == nil then mistake.raise("rig.fill: the value is nil, and a list cannot hold that; give it a value") end
    local list = {}
    if type(v) ~= "table" then
        for i = 1, n do list[i] = v end
    else
        for i = 1, n do list[i] = copy(v, {}) end
    end
    return list
end

local function add_up(list)
    local total = 0
    for i = 1, #list do total = total + list[i] end
    return total
end

---The sum of a list of numbers or of an array; made to be a scenario's `reduce`. Integers stay integers.
---@param list number[]
---@return number
function M.sum(list)
    if type(list) == "userdata" and list.sum then return list:sum() end
    if type(list) ~= "table" then
        mistake.raise(("rig.sum: %s is not a list of numbers"):format(values.show(list)))
    end
    -- one pcall for all of it: looking at every number first would be timed with the reduction
    local fine, total = pcall(add_up, list)
    if fine then return total end
    for i = 1, #list do
        if type(list[i]) ~= "number" then
            mistake.raise(("rig.sum: entry %d is %s, not a number; return numbers from map or write another reduce")
                :format(i, values.show(list[i])))
        end
    end
    error(total, 0)
end

---Marks a list as one value of a parameter, where a bare list would be swept.
---@param list table
---@return table
function M.value(list)
    if type(list) ~= "table" or getmetatable(list) then
        mistake.raise(("rig.value: %s is not a plain list; write rig.value{1, 2, 3}"):format(values.show(list)))
    end
    return values.value(copy(list, {}))
end

---Declares a pool of a script's own.
M.pool_type = pool_type.declare

---Declares a scenario; a scenario file returns what this returns.
M.scenario = scenario.declare

return M
