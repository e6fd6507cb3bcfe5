-- What to run next, as a command: the experiment that would settle what the findings leave open.
-- Neighbours: points; findings.lua puts it last.

local axes_of_pools = require("rig.axes")
local human = require("rig.report.human")
local points = require("rig.findings.points")

local M = {}

local function quoted(word)
    if word:find("^[%w_./=,:+-]+$") then return word end
    return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- The program as it was called, so that the line can be copied: it need not be on the path.
local function program(doc)
    local word = (doc.argv or {})[1]
    return word and word ~= "" and quoted(word) or "rig"
end

local function command(doc, words)
    local list = { program(doc), quoted(doc.scenario.file or doc.scenario.name) }
    for _, word in ipairs(words) do list[#list + 1] = quoted(word) end
    return table.concat(list, " ")
end

local function suggestion(text, why, cases)
    return { kind = "next", text = ("%s   (%s)"):format(text, why),
        evidence = { command = text, why = why, cases = cases } }
end

-- As short as reads back as the same number.
local function number_text(value)
    if math.type(value) == "integer" then return tostring(value) end
    for digits = 14, 16 do
        local text = ("%%.%dg"):format(digits):format(value)
        if tonumber(text) == value then return text end
    end
    return ("%.17g"):format(value)
end

local function value_text(value)
    return type(value) == "number" and number_text(value) or tostring(value)
end

-- Options that set a parameter, or several.
local SETTING_OPTIONS = {
    ["--seed"] = { "seed" }, ["--timeout"] = { "timeout" }, ["--warmup"] = { "warmup" },
    ["--smoke"] = { "iterations", "warmup" },
}

-- What was set when it ran, by name: the words of the command line, or true where only that it was set is known.
local function settings_of(doc, opts)
    local params, set = doc.scenario.params or {}, {}
    for _, name in ipairs(opts.given or {}) do set[name] = true end
    for _, word in ipairs(doc.argv or {}) do
        local name, text = word:match("^([%a_][%w_]*)=(.*)$")
        if name and params[name] ~= nil then set[name] = text end
        for _, one in ipairs(SETTING_OPTIONS[word:match("^[^=]*")] or {}) do set[one] = set[one] or true end
    end
    return set
end

-- In the order of the sweep, then of the alphabet; without `runs`, which chooses no case.
local function names_to_set(doc, set)
    local list, rest, taken = {}, {}, { runs = true }
    local function take(into, name)
        if not taken[name] then into[#into + 1], taken[name] = name, true end
    end
    for _, name in ipairs(doc.varying or {}) do take(list, name) end
    for name in pairs(set) do take(rest, name) end
    -- where --only left one value of several
    for name, values in pairs(doc.scenario.params or {}) do
        if type(values) == "table" and #values > 1 then take(rest, name) end
    end
    table.sort(rest)
    return table.move(rest, 1, #rest, #list + 1, list)
end

-- The words that choose one case alone, and set what was set for it.
local function only(doc, case, opts)
    local words = {}
    for _, name in ipairs(names_to_set(doc, settings_of(doc, opts))) do
        local value = case.params[name]
        if value ~= nil and type(value) ~= "table" and type(value) ~= "userdata" then
            words[#words + 1] = name .. "=" .. value_text(value)
        end
    end
    for _, word in ipairs(doc.argv or {}) do
        if word == "--force" then words[#words + 1] = word end
    end
    return words
end

-- The words after those that are given here, which set again what was set when it ran.
local function with_settings(doc, words, opts)
    local set, taken, list = settings_of(doc, opts), {}, {}
    for _, word in ipairs(words) do taken[word:match("^[^=]*")] = true end
    for name, text in pairs(set) do
        local values = (doc.scenario.params or {})[name]
        if text == true and type(values) == "table" and #values > 0 then
            local texts = {}
            for i, value in ipairs(values) do texts[i] = value_text(value) end
            text = table.concat(texts, ",")
        end
        if not taken[name] and text ~= true then list[#list + 1] = name .. "=" .. text end
    end
    table.sort(list)
    local all = table.move(words, 1, #words, 1, {})
    return table.move(list, 1, #list, #all + 1, all)
end

local function alone(doc, case, why, opts)
    return suggestion(command(doc, only(doc, case, opts)), why, { case.index })
end

local function first_bad(doc, opts)
    for _, status in ipairs({ "faulted", "failed" }) do
        for _, case in ipairs(doc.cases or {}) do
            if case.status == status then
                local which = status == "faulted" and "the case with the fault" or "the case with wrong results"
                return alone(doc, case, which .. ", alone", opts)
            end
        end
    end
end

local function differing_axes(a, b)
    local list = {}
    for _, name in ipairs(points.axis_names) do
        if a.params[name] ~= b.params[name] then list[#list + 1] = name end
    end
    return list
end

-- The axis that the phases accuse; else the first that differs.
local function suspect(axes, delivery)
    if delivery and delivery >= 0.5 then
        for _, name in ipairs(axes) do
            if name == "delivery" then return name end
        end
    end
    return axes[1]
end

local function point_of(model, index)
    for _, point in ipairs(model.points) do
        for _, one in ipairs(point.indexes) do
            if one == index then return point end
        end
    end
end

-- A pool with one axis changed, as the command line takes it; nil where that cannot be, as spawn with inherit.
local function changed(pool, axis, value)
    local checked = axes_of_pools.check_pool { base = pool, [axis] = value }
    if checked and not axes_of_pools.resolve(checked, {}) then return nil end
    return ("%s+%s=%s"):format(pool, axis, tostring(value))
end

-- The two pools of a cause that differ in several axes, and each of them with the suspect changed alone.
local function one_axis(model, cause, opts)
    local e = cause.evidence
    local a, b = point_of(model, e.cases[1]), point_of(model, e.cases[#e.cases])
    if not a or not b or not e.slow then return nil end
    local axes = differing_axes(a, b)
    if #axes < 2 then return nil end
    local file = model.doc.scenario.file
    local why = file and file:gsub("%.lua$", "_why.lua")
    if why and why ~= file and opts.exists and opts.exists(why) then
        return suggestion(program(model.doc) .. " " .. quoted(why), "one axis at a time", e.cases)
    end
    local first, second = a.params.pool, b.params.pool
    local axis = suspect(axes, e.delivery)
    if not tostring(first):find("^[%w_]+$") or not tostring(second):find("^[%w_]+$") then return nil end
    local pools = { first }
    pools[#pools + 1] = changed(first, axis, b.params[axis])
    pools[#pools + 1] = changed(second, axis, a.params[axis])
    if #pools == 1 then return nil end
    pools[#pools + 1] = second
    local words = { "pool=" .. table.concat(pools, ",") }
    if e.along then words[2] = ("%s=%s"):format(e.along, tostring(e.at)) end
    return suggestion(command(model.doc, with_settings(model.doc, words, opts)),
        ("they differ in %s; this changes %s alone"):format(human.join(axes), axis), e.cases)
end

local function more_runs(model, findings, opts)
    for _, finding in ipairs(findings) do
        if finding.kind == "faster" and (finding.evidence.runs or 1) < 6 then
            local words = with_settings(model.doc, { "runs=6" }, opts)
            if opts.find_crossing then
                words[#words + 1], words[#words + 2] = "--find-crossing", opts.find_crossing
            end
            return suggestion(command(model.doc, words),
                "six fresh runs of each case: every ratio gets an interval", finding.evidence.cases)
        end
    end
end

---@param model rig.Model
---@param findings table[]  what was found
---@param opts { exists: (fun(path: string): boolean)|nil, given: string[]|nil }  exists: whether a scenario file is
---        there; given: parameters that were set for this run
---@return table|nil finding
function M.find(model, findings, opts)
    local bad = first_bad(model.doc, opts)
    if bad then return bad end
    local by_axes = false
    for _, finding in ipairs(findings) do by_axes = by_axes or finding.evidence.pairs ~= nil end
    for _, finding in ipairs(findings) do
        if finding.kind == "cause" and not by_axes then
            local step = one_axis(model, finding, opts)
            if step then return step end
        end
    end
    return more_runs(model, findings, opts)
end

return M
