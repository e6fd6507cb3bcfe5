-- Which cases a threshold is about: those whose parameters it names, the runs of one case together, and for a ratio the
-- pairs that differ in nothing but what `of` and `to` say.
-- Works on cases of a plan as on cases of a results document. Not for whether a threshold holds.
-- Neighbours: thresholds.lua (judges), reach.lua (asks before the run).

local M = {}

---@alias rig.Filter table<string, any[]>  parameter -> values, any of which will do

---@class rig.CaseGroup
---@field label string
---@field cases table[]  one for each run
---@field params table

local function same(a, b)
    if type(a) ~= "table" or type(b) ~= "table" then return a == b end
    if #a ~= #b then return false end
    for i = 1, #a do
        if not same(a[i], b[i]) then return false end
    end
    return true
end

-- A plan's case keeps what its pool is made of beside its parameters, a document's among them.
local function value_of(case, name)
    local value = case.params[name]
    if value == nil and case.axes then value = case.axes[name] end
    return value
end

---@param filter rig.Filter?
---@param case table
---@return boolean
function M.matches(filter, case)
    for name, wanted in pairs(filter or {}) do
        local value, found = value_of(case, name), false
        for _, one in ipairs(wanted) do found = found or same(one, value) end
        if not found then return false end
    end
    return true
end

---A filter as results have it: one value, or the list of those that will do.
---@param filter rig.Filter?
---@return table<string, any>?
function M.plain(filter)
    if not filter then return nil end
    local plain = {}
    for name, wanted in pairs(filter) do plain[name] = #wanted == 1 and wanted[1] or wanted end
    return plain
end

local function is_serial(case)
    return value_of(case, "preset") == "serial"
end

local function text_of(value)
    if type(value) ~= "table" then return math.type(value) == "float" and ("%.17g"):format(value) or tostring(value) end
    local words = {}
    for i, one in ipairs(value) do words[i] = text_of(one) end
    return "{" .. table.concat(words, ",") .. "}"
end

-- What tells cases apart, but for some names.
local function key_of(case, varying, without)
    local words = {}
    for _, name in ipairs(varying) do
        if not without[name] then words[#words + 1] = name .. "=" .. text_of(value_of(case, name)) end
    end
    return table.concat(words, "\0")
end

-- "builtin, 100,000, run 2" without the run
local function label_of(case)
    local label = case.label or "?"
    return (case.params.runs or 1) > 1 and label:gsub(", run %d+$", "") or label
end

---The cases, the runs of each together, in order.
---@param cases table[]
---@param varying string[]
---@return rig.CaseGroup[]
function M.groups(cases, varying)
    local list, by_key = {}, {}
    for _, case in ipairs(cases) do
        local key = key_of(case, varying, { runs = true })
        if not by_key[key] then
            by_key[key] = { label = label_of(case), params = case.params, cases = {} }
            list[#list + 1] = by_key[key]
        end
        table.insert(by_key[key].cases, case)
    end
    return list
end

---@param groups rig.CaseGroup[]
---@param filter rig.Filter?
---@return rig.CaseGroup[]
function M.select(groups, filter)
    local found = {}
    for _, group in ipairs(groups) do
        if M.matches(filter, group.cases[1]) then found[#found + 1] = group end
    end
    return found
end

local AXES = { "start", "delivery", "channel", "chunk", "barrier" }

-- Serial is measured once, whatever workers and axes say: it stands beside all of them.
local function left_open(a, b, threshold)
    local without = { runs = true }
    for _, filter in ipairs { threshold.of, threshold.to } do
        for name in pairs(filter) do without[name] = true end
    end
    if is_serial(a.cases[1]) or is_serial(b.cases[1]) then
        without.workers = true
        for _, axis in ipairs(AXES) do without[axis] = true end
    end
    return without
end

-- What is left of `where` for a case: serial is not asked for what it does not have.
local function where_of(threshold, group)
    if not is_serial(group.cases[1]) then return threshold.where end
    local filter = {}
    for name, wanted in pairs(threshold.where or {}) do filter[name] = wanted end
    filter.workers = nil
    for _, axis in ipairs(AXES) do filter[axis] = nil end
    return filter
end

local function sides(groups, threshold, filter)
    local found = {}
    for _, group in ipairs(M.select(groups, filter)) do
        if M.matches(where_of(threshold, group), group.cases[1]) then found[#found + 1] = group end
    end
    return found
end

---The pairs that a ratio is about.
---@param groups rig.CaseGroup[]
---@param threshold rig.Threshold
---@param varying string[]
---@return {of: rig.CaseGroup, to: rig.CaseGroup}[]
function M.pairs(groups, threshold, varying)
    local found = {}
    for _, of in ipairs(sides(groups, threshold, threshold.of)) do
        for _, to in ipairs(sides(groups, threshold, threshold.to)) do
            local without = left_open(of, to, threshold)
            local together = key_of(of.cases[1], varying, without) == key_of(to.cases[1], varying, without)
            if of ~= to and together then found[#found + 1] = { of = of, to = to } end
        end
    end
    return found
end

---What a threshold is about, as labels; a ratio's are "custom, 10 / builtin, 10".
---@param threshold rig.Threshold
---@param cases table[]
---@param varying string[]
---@return string[]
function M.labels(threshold, cases, varying)
    local groups, labels = M.groups(cases, varying), {}
    if threshold.of then
        for i, pair in ipairs(M.pairs(groups, threshold, varying)) do labels[i] = M.pair_label(pair) end
    else
        for i, group in ipairs(M.select(groups, threshold.where)) do labels[i] = group.label end
    end
    return labels
end

---@param pair {of: rig.CaseGroup, to: rig.CaseGroup}
---@return string
function M.pair_label(pair)
    return pair.of.label .. " / " .. pair.to.label
end

return M
