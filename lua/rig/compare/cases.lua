--- Which cases of two documents are the same one: by their parameters, whatever their number or order. The runs of a
--- case are one group.
--- Not for judging what was measured in them: that is compare.lua.
--- Neighbours: report/human.lua (how values are written).

local human = require "rig.report.human"

local M = {}

-- How often and how long something is measured does not make it another thing, unless it is what varies.
local NOT_IDENTITY = { runs = true, iterations = true, warmup = true, timeout = true, seed = true }

-- A number is itself, written 4 or 4.0; a list is what is in it.
local function identity(value)
    local kind = type(value)
    if kind == "number" then return ("%.17g"):format(value) end
    if kind == "table" then return "{" .. human.value(value) .. "}" end
    return kind .. ":" .. tostring(value)
end

-- What a preset makes of an axis is what is measured, not which case it is: nobody asked for it by name.
local function is_declared(doc, name)
    local declared = doc.scenario.params
    if next(declared) == nil then return true end
    local list = declared[name]
    return list ~= nil and not (type(list) == "table" and #list == 1 and list[1] == "preset")
end

local function key_of(params, names)
    local words = {}
    for i, name in ipairs(names) do
        words[i] = params[name] == nil and "" or name .. "=" .. identity(params[name])
    end
    return table.concat(words, "\0")
end

local function varying_of(doc)
    local varying = {}
    for _, name in ipairs(doc.varying) do
        if name ~= "runs" then varying[name] = true end
    end
    return varying
end

local function names_of(doc)
    local found = {}
    for _, case in ipairs(doc.cases) do
        for name in pairs(case.params) do found[name] = true end
    end
    return found
end

-- A parameter that only one side knows tells nothing, while it has one value there: a scenario may have got a new one.
local function names_to_match(base, new)
    local in_base, in_new, list = names_of(base), names_of(new), {}
    local varies_base, varies_new = varying_of(base), varying_of(new)
    for _, names in ipairs({ in_base, in_new }) do
        for name in pairs(names) do
            local varies = varies_base[name] or varies_new[name]
            local told = not NOT_IDENTITY[name] and in_base[name] and in_new[name]
                and (is_declared(base, name) or is_declared(new, name))
            if (varies or told) and not (names == in_new and in_base[name]) then list[#list + 1] = name end
        end
    end
    table.sort(list)
    return list
end

---@class rig.CaseGroup  all runs of a case in one document
---@field key string
---@field label string
---@field params table  of its first run
---@field cases table[]  those that ended ok, and were measured
---@field all table[]

-- The names that vary on either side, so that both sides call a case the same.
local function label_names(base, new)
    local list, seen = {}, { runs = true }
    for _, doc in ipairs({ new, base }) do
        for _, name in ipairs(doc.varying) do
            if not seen[name] then list[#list + 1] = name end
            seen[name] = true
        end
    end
    return list
end

local function label_of(case, names)
    local words = {}
    for _, name in ipairs(names) do
        local value = case.params[name]
        if value ~= nil then
            local text = human.value(value)
            words[#words + 1] = (name == "pool" or name == "size") and text or human.clean(name) .. " " .. text
        end
    end
    if #words > 0 then return table.concat(words, ", ") end
    local label = case.label or tostring(case.params.pool)
    return human.clean((label:gsub(", run %d+$", "")))
end

--- The cases of a document, all runs of one together, in the order of their first.
---@param doc table
---@param names string[]  of the parameters that tell cases apart
---@param labels string[]  of those in labels
---@return { groups: rig.CaseGroup[], by_key: table<string, rig.CaseGroup> }
local function groups_of(doc, names, labels)
    local groups, by_key = {}, {}
    for _, case in ipairs(doc.cases) do
        local key = key_of(case.params, names)
        local group = by_key[key]
        if not group then
            group = { key = key, label = label_of(case, labels), params = case.params, cases = {}, all = {} }
            groups[#groups + 1], by_key[key] = group, group
        end
        group.all[#group.all + 1] = case
        if case.status == "ok" and #case.phases.map_s > 0 then group.cases[#group.cases + 1] = case end
    end
    return { groups = groups, by_key = by_key }
end

--- Two cases of one document that cannot be told apart.
---@param doc table
---@return integer|nil first  positions in doc.cases; nil where there are none
---@return integer|nil second
function M.duplicates(doc)
    local names, seen = {}, {}
    for name in pairs(names_of(doc)) do names[#names + 1] = name end
    table.sort(names)
    for i, case in ipairs(doc.cases) do
        local key = ("%s\0%s"):format(case.run, key_of(case.params, names))
        if seen[key] then return seen[key], i end
        seen[key] = i
    end
end

-- The value that all cases of a document have.
local function constant(doc, name)
    local first = doc.cases[1] and doc.cases[1].params[name]
    for _, case in ipairs(doc.cases) do
        local value = case.params[name]
        if first == nil or value == nil or identity(value) ~= identity(first) then return nil end
    end
    return first
end

local MOST_NAMED = 4

-- "a; b; c and 7 more"
local function some(labels)
    if #labels <= MOST_NAMED then return table.concat(labels, "; ") end
    return ("%s and %d more"):format(table.concat(labels, "; ", 1, MOST_NAMED), #labels - MOST_NAMED)
end

local function value_text(value)
    return value == nil and "absent" or human.value(value)
end

-- "chunk is 1 in the base and 2 now"
local function differences(was, is, names)
    local words = {}
    for _, name in ipairs(names) do
        local a, b = was[name], is[name]
        if (a == nil) ~= (b == nil) or a ~= nil and identity(a) ~= identity(b) then
            words[#words + 1] = ("%s is %s in the base and %s now"):format(human.clean(name), value_text(a),
                value_text(b))
        end
    end
    return words
end

-- What looks like the same case and is not one, with what tells them apart.
local function note_near_misses(of_base, of_new, names, notes)
    local told, by_label, count = {}, {}, 0
    for _, group in ipairs(of_base.groups) do
        if not of_new.by_key[group.key] then by_label[group.label] = group end
    end
    for _, group in ipairs(of_new.groups) do
        local near = not of_base.by_key[group.key] and by_label[group.label]
        if near then
            local words = differences(near.params, group.params, names)
            notes[#notes + 1] = ("%s: %s, not compared"):format(group.label, table.concat(words, ", "))
            told[group], told[near], count = true, true, count + 1
        end
    end
    return told, count
end

local AXES = { "start", "delivery", "channel", "chunk", "barrier", "impl" }

-- Presets that are not what they were.
local function note_axes(matched, names, notes)
    local in_key, told = {}, {}
    for _, name in ipairs(names) do in_key[name] = true end
    local others = {}
    for _, name in ipairs(AXES) do
        if not in_key[name] then others[#others + 1] = name end
    end
    for _, pair in ipairs(matched) do
        for _, words in ipairs(differences(pair.base.params, pair.new.params, others)) do
            local note = ("%s: %s, as its pool sets it"):format(pair.new.label, words)
            if not told[note] then notes[#notes + 1] = note end
            told[note] = true
        end
    end
end

local function note_missing(groups, others, told, where, notes)
    local labels = {}
    for _, group in ipairs(groups) do
        if not others[group.key] and not told[group] then labels[#labels + 1] = group.label end
    end
    if #labels > 0 then notes[#notes + 1] = ("only in %s, not compared: %s"):format(where, some(labels)) end
    return #labels
end

-- "faulted" where all runs of a case did, nil where one can be compared.
local function unusable(group)
    if #group.cases > 0 then return nil end
    local first = group.all[1]
    return first.status == "ok" and "without samples" or first.status
end

local function pair_up(groups, by_key, notes)
    local pairs_found, count = {}, 0
    for _, group in ipairs(groups) do
        local other = by_key[group.key]
        local problem = other and (unusable(other) and unusable(other) .. " in the base"
            or unusable(group) and unusable(group) .. " now")
        if problem then
            notes[#notes + 1] = ("%s: %s, not compared"):format(group.label, problem)
            -- what is skipped on both sides is as it was
            if unusable(other) ~= "skipped" or unusable(group) ~= "skipped" then count = count + 1 end
        elseif other then
            pairs_found[#pairs_found + 1] = { base = other, new = group }
        end
    end
    return pairs_found, count
end

-- Parameters with one value on each side, and not the same one.
local function differing(base, new, names)
    local was, is = {}, {}
    for _, name in ipairs(names) do
        was[name], is[name] = constant(base, name), constant(new, name)
        if was[name] == nil or is[name] == nil then was[name], is[name] = nil, nil end
    end
    return differences(was, is, names)
end

--- The cases that are in both documents and were measured in both.
---@param base table
---@param new table
---@return { base: rig.CaseGroup, new: rig.CaseGroup }[] pairs  in the order of the new document
---@return string[] notes  what is only on one side, and what was not measured
---@return string[] differing  parameters that have one value on each side, and another
---@return integer left_out  how many cases of either side were not compared; skipped on both is none
function M.match(base, new)
    local names, labels, notes = names_to_match(base, new), label_names(base, new), {}
    local of_base, of_new = groups_of(base, names, labels), groups_of(new, names, labels)
    local matched, unmeasured = pair_up(of_new.groups, of_base.by_key, notes)
    note_axes(matched, names, notes)
    local told, near = note_near_misses(of_base, of_new, names, notes)
    local gone = note_missing(of_base.groups, of_new.by_key, told, "the base", notes)
    local added = note_missing(of_new.groups, of_base.by_key, told, "the new results", notes)
    return matched, notes, differing(base, new, names), unmeasured + near + gone + added
end

return M
