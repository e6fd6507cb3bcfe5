-- Which setting of a pool explains a difference: pairs of cases that differ in one axis and in nothing else, the
-- ratio of each, and so which axis matters and which do not.
-- Not for pools that differ in several axes at once: from those nothing follows.
-- Neighbours: points, compare (ratios), cause (phases).

local compare = require("rig.findings.compare")
local human = require("rig.report.human")
local points = require("rig.findings.points")

local M = {}

local AXES = points.axis_names
-- An axis explains a difference when it alone makes at least half of it (in logarithms), and matters at all from here.
local HALF = 0.5
local MATTERS = 1.5
local DOES_NOT = 1.25
local MOST_PAIRS = 3

-- Beside the axes, what says which pool it is or which repetition.
local NOT_COMPARED = { pool = true, preset = true, runs = true, run = true, seed = true }
for _, name in ipairs(AXES) do NOT_COMPARED[name] = true end

local function surroundings_key(point)
    local words = {}
    for name, value in pairs(point.params) do
        if not NOT_COMPARED[name] and type(value) ~= "table" then words[#words + 1] = name .. "=" .. tostring(value) end
    end
    table.sort(words)
    return table.concat(words, "\0")
end

local function differing(a, b)
    local found
    for _, name in ipairs(AXES) do
        if a.params[name] ~= b.params[name] then
            if found then return nil end
            found = name
        end
    end
    return found
end

-- One direction for each pair of values, so that the ratios of all pairs can stand side by side.
local function add_pair(found, axis, a, b)
    local from, to = a, b
    if tostring(a.params[axis]) > tostring(b.params[axis]) then from, to = b, a end
    local key = tostring(from.params[axis]) .. "\0" .. tostring(to.params[axis])
    found[axis] = found[axis] or {}
    local group = found[axis][key]
    if not group then
        group = { axis = axis, from = from.params[axis], to = to.params[axis], ratios = {}, points = {}, log = 0.0 }
        found[axis][key] = group
    end
    local ratio = compare.ratio(from, to).ratio
    table.insert(group.ratios, ratio)
    table.insert(group.points, from)
    table.insert(group.points, to)
    group.log = group.log + math.log(ratio)
end

local function pairs_of(list)
    local by_key, found = {}, {}
    for _, point in ipairs(list) do
        if not point.serial then
            local key = surroundings_key(point)
            by_key[key] = by_key[key] or {}
            for _, other in ipairs(by_key[key]) do
                local axis = differing(other, point)
                if axis then add_pair(found, axis, other, point) end
            end
            table.insert(by_key[key], point)
        end
    end
    return found
end

local function turn_upwards(group)
    if group.log < 0 then
        group.from, group.to, group.log = group.to, group.from, -group.log
        for i, ratio in ipairs(group.ratios) do group.ratios[i] = 1 / ratio end
    end
    table.sort(group.ratios)
    group.mean = math.exp(group.log / #group.ratios)
    return group
end

-- The groups of an axis, the largest ratio first.
local function sorted_groups(groups)
    local list = {}
    for _, group in pairs(groups) do list[#list + 1] = turn_upwards(group) end
    table.sort(list, function(a, b)
        if a.mean ~= b.mean then return a.mean > b.mean end
        return tostring(a.from) .. tostring(a.to) < tostring(b.from) .. tostring(b.to)
    end)
    return list
end

local function value(axis, v)
    if axis == "barrier" then return v and "on" or "off" end
    if axis == "impl" then return v == "c" and "C" or "Lua" end
    return human.value(v)
end

-- "delivery (inherit to queue) 28.9 to 30.1 x"
local function group_text(group, with_name)
    local ratios = group.ratios
    local range = #ratios > 1 and human.ratio_range(ratios[1], ratios[#ratios]) or human.ratio(ratios[1])
    return ("%s(%s to %s) %s"):format(with_name and group.axis .. " " or "", value(group.axis, group.from),
        value(group.axis, group.to), range)
end

local function groups_text(list)
    local words = {}
    for i, group in ipairs(list) do
        if i > MOST_PAIRS then break end
        words[i] = group_text(group, i == 1)
    end
    return table.concat(words, ", ")
end

-- Sorts the axes into those that explain the spread, those that take part, and those that do not matter.
local function judge(found, spread)
    local explains, partly, not_at_all = {}, {}, {}
    for _, axis in ipairs(AXES) do
        if found[axis] then
            local list = sorted_groups(found[axis])
            local largest = list[1].mean
            if largest >= MATTERS and math.log(largest) >= HALF * math.log(spread) then
                explains[#explains + 1] = list
            elseif largest >= DOES_NOT then
                partly[#partly + 1] = list
            else
                not_at_all[#not_at_all + 1] = list
            end
        end
    end
    table.sort(explains, function(a, b) return a[1].mean > b[1].mean end)
    return explains, partly, not_at_all
end

local function names_of(lists)
    local words = {}
    for i, list in ipairs(lists) do words[i] = list[1].axis end
    return human.join(words)
end

local function each_text(lists)
    local words = {}
    for i, list in ipairs(lists) do words[i] = groups_text(list) end
    return table.concat(words, ", ")
end

local function evidence_of(found, axis, x, spread, cases)
    local list = {}
    for _, name in ipairs(AXES) do
        for _, group in ipairs(found[name] and sorted_groups(found[name]) or {}) do
            list[#list + 1] = { axis = name, from = group.from, to = group.to, ratio = group.mean,
                ratios = group.ratios, cases = points.indexes(table.unpack(group.points)) }
        end
    end
    return { at = axis and x or nil, along = axis and axis.name or nil, spread = spread, pairs = list, cases = cases }
end

local function spread_of(list)
    local low, high = math.huge, 0
    for _, point in ipairs(list) do
        if not point.serial then low, high = math.min(low, point.seconds), math.max(high, point.seconds) end
    end
    return high / low
end

local function say(model, axis, x, list)
    local found = pairs_of(list)
    local axes = 0
    for _ in pairs(found) do axes = axes + 1 end
    -- one axis alone is a comparison, and already said as one
    if axes < 2 then return nil end
    local spread = spread_of(list)
    local explains, partly, not_at_all = judge(found, spread)
    local words = {}
    if #explains > 0 then
        words[1] = ("%s %s the difference when changed alone: %s"):format(names_of(explains),
            #explains == 1 and "explains" or "each explain", each_text(explains))
    elseif #partly > 0 then
        words[1] = ("no axis alone explains the spread of %s"):format(human.ratio(spread))
    else
        words[1] = "no axis that was changed alone matters"
    end
    if #partly > 0 then words[#words + 1] = "in part: " .. each_text(partly) end
    if #not_at_all > 0 then
        local said = #not_at_all == 1 and "this does not: " or "these do not: "
        words[#words + 1] = (#explains + #partly > 0 and said or "") .. each_text(not_at_all)
    end
    local where = axis and "at " .. points.value_text(model, axis.name, x) .. " " or ""
    return { kind = "cause", text = where .. table.concat(words, "; "),
        evidence = evidence_of(found, axis, x, spread, points.indexes(table.unpack(list))) }
end

---@param model rig.Model
---@return table[] findings
function M.find(model)
    local axis = model.axis
    if model.of_body then return {} end
    if not axis then return { say(model, nil, nil, points.at(model, {})) } end
    -- the largest value where enough was measured: the largest cases are those that may not fit
    for i = #axis.values, 1, -1 do
        local finding = say(model, axis, axis.values[i], points.at(model, { [axis.name] = axis.values[i] }))
        if finding then return { finding } end
    end
    return {}
end

return M
