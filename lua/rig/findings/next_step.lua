-- What to run next, as a command: the experiment that would settle what the findings leave open.
-- Neighbours: points; findings.lua puts it last.

local human = require("rig.report.human")
local points = require("rig.findings.points")

local M = {}

local function quoted(word)
    if word:find("^[%w_./=,:+-]+$") then return word end
    return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function command(doc, words)
    local list = { "rig", quoted(doc.scenario.file or doc.scenario.name) }
    for _, word in ipairs(words) do list[#list + 1] = quoted(word) end
    return table.concat(list, " ")
end

local function suggestion(text, why, cases)
    return { kind = "next", text = ("%s   (%s)"):format(text, why),
        evidence = { command = text, why = why, cases = cases } }
end

-- The words that choose one case alone.
local function only(doc, case)
    local words = {}
    for _, name in ipairs(doc.varying or {}) do
        local value = case.params[name]
        if name ~= "runs" and value ~= nil and type(value) ~= "table" then
            local text = math.type(value) == "float" and ("%.14g"):format(value) or tostring(value)
            words[#words + 1] = name .. "=" .. text
        end
    end
    return words
end

local function alone(doc, case, why)
    return suggestion(command(doc, only(doc, case)), why, { case.index })
end

local function first_bad(doc)
    for _, status in ipairs({ "faulted", "failed" }) do
        for _, case in ipairs(doc.cases or {}) do
            if case.status == status then
                local which = status == "faulted" and "the case with the fault" or "the case with wrong results"
                return alone(doc, case, which .. ", alone")
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
        return suggestion("rig " .. quoted(why), "one axis at a time", e.cases)
    end
    local first, second = a.params.pool, b.params.pool
    local axis = suspect(axes, e.delivery)
    if not tostring(first):find("^[%w_]+$") or not tostring(second):find("^[%w_]+$") then return nil end
    local pools = ("pool=%s,%s+%s=%s,%s+%s=%s,%s"):format(first, first, axis, tostring(b.params[axis]), second, axis,
        tostring(a.params[axis]), second)
    local words = { pools }
    if e.along then words[2] = ("%s=%s"):format(e.along, tostring(e.at)) end
    return suggestion(command(model.doc, words),
        ("they differ in %s; this changes %s alone"):format(human.join(axes), axis), e.cases)
end

local function more_runs(model, findings)
    for _, finding in ipairs(findings) do
        if finding.kind == "faster" and (finding.evidence.runs or 1) < 6 then
            return suggestion(command(model.doc, { "runs=6" }),
                "six fresh runs of each case: every ratio gets an interval", finding.evidence.cases)
        end
    end
end

---@param model rig.Model
---@param findings table[]  what was found
---@param opts { exists: (fun(path: string): boolean)|nil }  exists: whether a scenario file is there
---@return table|nil finding
function M.find(model, findings, opts)
    local bad = first_bad(model.doc)
    if bad then return bad end
    local by_axes = false
    for _, finding in ipairs(findings) do by_axes = by_axes or finding.evidence.pairs ~= nil end
    for _, finding in ipairs(findings) do
        if finding.kind == "cause" and not by_axes then
            local step = one_axis(model, finding, opts)
            if step then return step end
        end
    end
    return more_runs(model, findings)
end

return M
