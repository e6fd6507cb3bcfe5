-- What a scenario writes under `thresholds`, checked strictly when it is loaded: the text of each, and every parameter
-- and value in where, of and to.
-- Not for judging. That a threshold matches some case is for reach.lua to say, once there are cases.
-- Neighbours: rig.declare (calls it), text.lua (reads the condition).

local axes = require("rig.axes")
local metrics = require("rig.thresholds.metrics")
local names = require("rig.names")
local text = require("rig.thresholds.text")
local values = require("rig.values")

local M = {}

---@class rig.ThresholdContext
---@field params rig.Param[]
---@field hooks table<string, any>
---@field source string?
---@field fail fun(index: integer?, value: any, problem: string, remedy: string)  raises

local FORM = '{ "map.median < 10 ms", where = { pool = "builtin" } }'

local FIELDS = { "where", "of", "to" }
local is_field = { where = true, of = true, to = true }

-- What cases say about their pool beside the parameters, as in results.
local function derived(name)
    if name == "preset" then
        return { name = name, type = "enum", choices = axes.available(axes.presets), free = true }
    elseif name == "impl" then
        return { name = name, type = "enum", choices = { "c", "lua" }, free = true }
    end
end

local function find(context, name)
    for _, param in ipairs(context.params) do
        if param.name == name then return param end
    end
    return context.hooks.map and derived(name) or nil
end

local function param_names(context)
    local list = {}
    for _, param in ipairs(context.params) do
        if param.name ~= "runs" then list[#list + 1] = param.name end
    end
    if context.hooks.map then table.move({ "preset", "impl" }, 1, 2, #list + 1, list) end
    return list
end

local function checked(param, v)
    if param.type == "pool" and type(v) == "string" then return axes.parse_pool(v, param.declared) end
    return values.check(param, v)
end

local function is_declared(param, v)
    local wanted = values.text(param, v)
    for _, one in ipairs(param.declared) do
        if values.text(param, one) == wanted then return true end
    end
    return false
end

-- A value as results have it.
local function plain(param, v)
    if param.type == "pool" then return axes.label(v) end
    return values.plain(v)
end

local function check_value(context, i, field, param, v)
    local place = ("%s: %s: "):format(field, param.name)
    local value, problem, remedy = checked(param, v)
    if value == nil then context.fail(i, v, place .. problem, remedy) end
    -- what an axis comes to follows from the pool as well
    if param.free or param.axis then return plain(param, value) end
    if not is_declared(param, value) then
        local known = values.texts(param, param.declared)
        local remedy_of = type(value) == "number" and "use " .. names.join(known)
            or names.suggest(values.text(param, value), known)
        context.fail(i, v, ("%s%s is not among its values"):format(place, values.show(v)), remedy_of)
    end
    return plain(param, value)
end

local function is_list(v)
    return type(v) == "table" and not getmetatable(v) and #v > 0
end

local function check_filter(context, i, field, given)
    if type(given) ~= "table" or getmetatable(given) or next(given) == nil or #given > 0 then
        context.fail(i, given, ("%s is %s, not a table of parameters"):format(field, values.show(given)),
            ("write %s = { size = 1000 }"):format(field))
    end
    local filter = {}
    for _, name in ipairs(names.keys(given)) do
        local param = find(context, name)
        if name == "runs" then
            context.fail(i, given, ("%s: runs of a case are judged together"):format(field), "leave runs out")
        elseif not param then
            context.fail(i, name, ("%s: no parameter %s"):format(field, name),
                names.suggest(name, param_names(context)))
        end
        filter[name] = {}
        for k, v in ipairs(is_list(given[name]) and given[name] or { given[name] }) do
            filter[name][k] = check_value(context, i, field, param, v)
        end
    end
    return filter
end

-- Whether the scenario records a metric of this name: it says so where it stands in quotes; where other modules may do
-- it, nobody can know before the run.
local function recorder(context)
    local source = context.source
    if not source then return function() return nil end end
    local outside = source:gsub("%-%-[^\n]*", ""):gsub("thresholds%s*=%s*%b{}", "")
    local elsewhere = false
    for name in outside:gmatch "require%s*%(?%s*[\"']([^\"']+)" do
        elsewhere = elsewhere or name ~= "rig" and not name:find "^rig%."
    end
    local computed = outside:find "metric%s*%(%s*[^\"'%s]" ~= nil
    return function(name)
        local called = outside:find('"' .. name .. '"', 1, true) or outside:find("'" .. name .. "'", 1, true)
        if called and outside:find("metric", 1, true) then return true end
        if elsewhere or computed then return nil end
        return false
    end
end

local function check_metric(context, i, condition)
    local spec = metrics.of(condition.metric)
    if not spec then return end
    local missing = spec.needs and context.hooks[spec.needs] == nil
    if context.hooks.body and spec.pooled then
        context.fail(i, condition.text, ("%s belongs to a pool, and body runs without one"):format(condition.metric),
            "use map (the time of a call), s_per_iteration, or a figure of rig.metric")
    elseif missing then
        context.fail(i, condition.text, ("%s comes from %s, which this scenario lacks"):format(condition.metric,
            spec.needs), ("add %s, or use another metric"):format(spec.needs))
    end
end

local function check_ratio(context, i, threshold)
    local condition = threshold.condition
    if condition.statistic ~= "ratio" then
        local field = threshold.of and "of" or threshold.to and "to"
        if field then
            context.fail(i, condition.text, ("%s belongs to a ratio, and this is a %s"):format(field,
                condition.statistic), ("use where, or %s.ratio with of and to"):format(condition.metric))
        end
        return
    end
    for _, field in ipairs { "of", "to" } do
        if not threshold[field] then
            context.fail(i, condition.text, ("the ratio lacks %s"):format(field),
                'write of = { pool = "custom" }, to = { pool = "builtin" }')
        end
    end
end

local function check_fields(context, i, given)
    for key, v in pairs(given) do
        if key ~= 1 and not is_field[key] then
            local remedy = type(key) == "string" and names.suggest(key, FIELDS) or "one text in each: write " .. FORM
            context.fail(i, v, ("%s does not belong in a threshold"):format(values.show(key)), remedy)
        end
    end
end

local function check_one(context, i, given, recorded)
    if type(given) == "string" then given = { given } end
    if type(given) ~= "table" or getmetatable(given) then
        context.fail(i, given, ("%s is not a threshold"):format(values.show(given)), "write " .. FORM)
    end
    check_fields(context, i, given)
    if type(given[1]) ~= "string" then
        context.fail(i, given[1], "the text is missing", "write " .. FORM)
    end
    local condition, problem, remedy = text.parse(given[1], recorded)
    if not condition then
        context.fail(i, given[1], ("%s: %s"):format(values.show(given[1]), problem), remedy)
    end
    local threshold = { condition = condition }
    for _, field in ipairs(FIELDS) do
        if given[field] ~= nil then threshold[field] = check_filter(context, i, field, given[field]) end
    end
    check_metric(context, i, condition)
    check_ratio(context, i, threshold)
    return threshold
end

---Raises through context.fail.
---@param given any what stands under `thresholds`
---@param context rig.ThresholdContext
---@return rig.Threshold[]
function M.check(given, context)
    if type(given) ~= "table" or getmetatable(given) then
        context.fail(nil, given, ("%s is not a list of thresholds"):format(values.show(given)),
            "write { " .. FORM .. " }")
    end
    for _, key in ipairs(names.keys(given)) do
        local problem = ("%s stands beside the thresholds, not in one"):format(key)
        context.fail(nil, given, problem, "write { " .. FORM .. " }")
    end
    if #given == 0 then
        context.fail(nil, given, "the list is empty", "write { " .. FORM .. " }, or leave it out")
    end
    local list, recorded = {}, recorder(context)
    for i = 1, #given do list[i] = check_one(context, i, given[i], recorded) end
    return list
end

return M
