-- What findings look at: the measured cases of a document as points (fresh runs of one combination together), what
-- varies between them, and how combinations are called in sentences.
-- Not for saying anything about them. Neighbours: compare, growth, cause, axes and ready build on it.

local axes = require("rig.axes")
local human = require("rig.report.human")
local stats = require("rig.stats")

local M = {}

-- Repetitions of the same combination: they make a point more certain, not another point.
local REPEATS = { runs = true, run = true, seed = true }

-- What means nothing to a pool without processes, so that it is measured once for all values.
local NOT_OF_SERIAL = { workers = true, start = true, delivery = true, channel = true, chunk = true, barrier = true }

---@class rig.Point
---@field params table
---@field label string
---@field seconds number  median over the runs, of one iteration (or call)
---@field values number[]  by run
---@field cases table[]
---@field indexes integer[]

---@class rig.Dim
---@field name string
---@field values any[]  numbers in ascending order, others as declared
---@field numeric boolean

---@class rig.Model
---@field doc table
---@field points rig.Point[]
---@field dims rig.Dim[]  of what was measured
---@field declared rig.Dim[]  of all cases, also of those that failed: for naming them
---@field contender rig.Dim|nil  what is compared: the pool, else the first that is no number
---@field context rig.Dim[]  what else varies and is no number
---@field axis rig.Dim|nil  the number along which is compared: the one with most values
---@field per string  what a time is of: " per iteration", " per call", or nothing for a metric
---@field of_body boolean  calls of a body instead of maps on a pool: there are no phases
---@field metric string|nil  a metric of the scenario's own, taken as the time

local TIME_UNITS = { s = 1, ms = 1e-3, us = 1e-6, ["µs"] = 1e-6, ns = 1e-9 }

-- A metric of the scenario's own as seconds; nil where it is no time.
local function metric_seconds(case, name)
    local metric = case.metrics and case.metrics[name]
    local factor = metric and TIME_UNITS[metric.unit]
    return factor and metric.median and metric.median * factor
end

--- Seconds of one iteration of a case; of a call, where the scenario has a body; or what a metric says.
---@param case table
---@param metric string|nil
---@return number|nil
function M.seconds(case, metric)
    if metric then return metric_seconds(case, metric) end
    local map = case.stats and case.stats.map
    if M.is_body(case) and map then return map.median end
    return case.s_per_iteration
end

--- Whether a case measured calls of a body instead of maps on a pool.
---@param case table
---@return boolean
function M.is_body(case)
    local first = case.iterations and case.iterations[1]
    return first ~= nil and first.ready == nil and #(first.tasks_by_worker or {}) == 0
end

---@param case table
---@return boolean
function M.is_serial(case)
    return case.params.preset == "serial" or case.params.pool == "serial"
end

-- Cases whose time may be compared: a wrong result or a lost task makes the time of nothing.
local function is_measured(case, metric)
    local seconds = case.status == "ok" and M.seconds(case, metric)
    return seconds and seconds > 0
end

-- A list as a value of a parameter counts by what is in it.
local function identity(value)
    return type(value) == "table" and human.value(value) or value
end

local function dims_of(doc, cases)
    local dims = {}
    for _, name in ipairs(doc.varying or {}) do
        local dim, seen = { name = name, values = {}, numeric = true }, {}
        for _, case in ipairs(cases) do
            local value = case.params[name]
            local skipped = M.is_serial(case) and NOT_OF_SERIAL[name]
            if value ~= nil and not seen[identity(value)] and not skipped then
                seen[identity(value)] = true
                dim.numeric = dim.numeric and type(value) == "number"
                table.insert(dim.values, value)
            end
        end
        if dim.numeric then table.sort(dim.values) end
        if #dim.values > 1 and not REPEATS[name] then dims[#dims + 1] = dim end
    end
    return dims
end

local function key_of(case, dims)
    local words = {}
    for i, dim in ipairs(dims) do
        local nothing = M.is_serial(case) and NOT_OF_SERIAL[dim.name]
        words[i] = nothing and "" or tostring(identity(case.params[dim.name]))
    end
    return table.concat(words, "\0")
end

local function points_of(cases, dims, metric)
    local points, by_key = {}, {}
    for _, case in ipairs(cases) do
        local key = key_of(case, dims)
        local point = by_key[key]
        if not point then
            point = { params = case.params, serial = M.is_serial(case), cases = {}, values = {}, indexes = {} }
            by_key[key] = point
            points[#points + 1] = point
        end
        table.insert(point.cases, case)
        table.insert(point.values, M.seconds(case, metric))
        table.insert(point.indexes, case.index)
    end
    for _, point in ipairs(points) do point.seconds = stats.median(point.values) end
    return points
end

local function pick(model)
    local context = {}
    for _, dim in ipairs(model.declared) do
        if not dim.numeric then
            if dim.name == "pool" and model.contender then table.insert(context, 1, model.contender) end
            if not model.contender or dim.name == "pool" then
                model.contender = dim
            else
                context[#context + 1] = dim
            end
        end
    end
    for _, dim in ipairs(model.dims) do
        if dim.numeric and (not model.axis or #dim.values > #model.axis.values) then model.axis = dim end
    end
    model.context = context
end

-- What the elements of the fixed data are called, where `size` counts them.
local function noun_of(cases)
    for _, case in ipairs(cases) do
        local kind = case.fixed_type
        if kind and case.fixed_n and case.fixed_n == case.params.size then
            if kind:find("^[iu]%d") then return "ints" end
            if kind:find("^f%d") then return "floats" end
            return kind == "string" and "bytes" or "values"
        end
    end
end

---@param doc table
---@param metric string|nil  a metric to look at instead of the time of iterations
---@return rig.Model
function M.of(doc, metric)
    local cases = {}
    for _, case in ipairs(doc.cases or {}) do
        if is_measured(case, metric) then cases[#cases + 1] = case end
    end
    local model = { doc = doc, dims = dims_of(doc, cases), declared = dims_of(doc, doc.cases or {}),
        noun = noun_of(doc.cases or {}), metric = metric }
    model.points = points_of(cases, model.dims, metric)
    model.of_body = cases[1] ~= nil and M.is_body(cases[1])
    model.per = metric and "" or model.of_body and " per call" or " per iteration"
    pick(model)
    for _, point in ipairs(model.points) do point.label = M.label(model, point.params) end
    return model
end

--- Metrics that are times and were recorded in two cases or more, in alphabetical order.
---@param doc table
---@return string[] names
function M.time_metrics(doc)
    local counts, names = {}, {}
    for _, case in ipairs(doc.cases or {}) do
        for name in pairs(case.metrics or {}) do
            if is_measured(case, name) then counts[name] = (counts[name] or 0) + 1 end
        end
    end
    for name, count in pairs(counts) do
        if count > 1 then names[#names + 1] = name end
    end
    table.sort(names)
    return names
end

--- A value of a parameter in a sentence: "25.1M ints", "8 workers", "kind=table".
---@param model rig.Model
---@param name string
---@param value any
---@return string
function M.value_text(model, name, value)
    if type(value) == "number" then
        if name == "size" and model.noun then return human.short(value) .. " " .. model.noun end
        if name == "workers" then return human.count(value, "worker") end
        if name == "iterations" then return human.count(value, "iteration") end
        if name == "bytes" or name:find("_bytes$") then return human.bytes(value) end
        if name:find("_s$") then return human.duration(value) end
        return ("%s %s"):format(name, human.short(value))
    end
    -- a word speaks for itself; true and false do not
    if name == "pool" or type(value) == "string" and not tonumber(value) then return human.value(value) end
    return ("%s=%s"):format(name, human.value(value))
end

--- The same once it is clear what is counted: "25.1M" after "158M ints".
---@param model rig.Model
---@param name string
---@param value any
---@return string
function M.value_again(model, name, value)
    if type(value) ~= "number" or name == "bytes" or name:find("_bytes$") or name:find("_s$") then
        return M.value_text(model, name, value)
    end
    return human.short(value)
end

--- What a combination is called in sentences, without the numbers that vary: "custom", "custom, kind=table".
---@param model rig.Model
---@param params table
---@return string
function M.label(model, params)
    local words = {}
    if model.contender then words[1] = M.value_text(model, model.contender.name, params[model.contender.name]) end
    for _, dim in ipairs(model.context) do
        words[#words + 1] = M.value_text(model, dim.name, params[dim.name])
    end
    local pool = params.pool ~= "none" and params.pool -- a body has none
    if #words == 0 then return pool and human.value(pool) or model.doc.scenario.name end
    return table.concat(words, ", ")
end

--- Where in the sweep a combination stands: the numbers that vary, "at 25.1M ints and 4 workers".
---@param model rig.Model
---@param params table
---@param again boolean|nil  once it is clear what is counted
---@return string|nil  nil where no number varies
function M.place_text(model, params, again)
    local words, value_text = {}, again and M.value_again or M.value_text
    for _, dim in ipairs(model.declared) do
        if dim.numeric then words[#words + 1] = value_text(model, dim.name, params[dim.name]) end
    end
    return #words > 0 and "at " .. human.join(words) or nil
end

---@param dim rig.Dim
---@return any
local function largest(dim)
    return dim.values[#dim.values]
end

-- Whether a point stands at these values; one without processes stands at every number of workers.
local function stands_at(point, fixed)
    for name, value in pairs(fixed) do
        local any = point.serial and NOT_OF_SERIAL[name]
        if not any and identity(point.params[name]) ~= identity(value) then return false end
    end
    return true
end

---@param model rig.Model
---@param fixed table<string, any>
---@return rig.Point[] in the order of the cases
function M.at(model, fixed)
    local found = {}
    for _, point in ipairs(model.points) do
        if stands_at(point, fixed) then found[#found + 1] = point end
    end
    return found
end

--- The combinations of everything that varies but the contender and one number; other numbers stand at their largest.
---@param model rig.Model
---@param axis rig.Dim|nil
---@return table<string, any>[] fixed  values by name
function M.surroundings(model, axis)
    local base, list = {}, {}
    for _, dim in ipairs(model.dims) do
        if dim.numeric and dim ~= axis then base[dim.name] = largest(dim) end
    end
    local seen = {}
    for _, point in ipairs(model.points) do
        local fixed, words = {}, {}
        for name, value in pairs(base) do fixed[name] = value end
        for i, dim in ipairs(model.context) do
            fixed[dim.name] = point.params[dim.name]
            words[i] = tostring(identity(point.params[dim.name]))
        end
        local key = table.concat(words, "\0")
        if not seen[key] then
            seen[key] = true
            list[#list + 1] = fixed
        end
    end
    return list
end

--- Points along a number, one list for each contender that has any, in ascending order of that number. A pool without
--- processes has one point, whatever its number of workers.
---@param model rig.Model
---@param axis rig.Dim|nil
---@param fixed table<string, any>
---@return { label: string, points: rig.Point[] }[]
function M.series(model, axis, fixed)
    local list, by_label = {}, {}
    for _, point in ipairs(M.at(model, fixed)) do
        if not by_label[point.label] then
            by_label[point.label] = { label = point.label, points = {} }
            list[#list + 1] = by_label[point.label]
        end
        table.insert(by_label[point.label].points, point)
    end
    for _, one in ipairs(axis and list or {}) do
        table.sort(one.points, function(a, b) return a.params[axis.name] < b.params[axis.name] end)
    end
    return list
end

--- The case indexes of points, for evidence.
---@param ... rig.Point
---@return integer[]
function M.indexes(...)
    local list = {}
    for _, point in ipairs({ ... }) do
        for _, index in ipairs(point.indexes) do list[#list + 1] = index end
    end
    table.sort(list)
    return list
end

M.axis_names = {}
for _, axis in ipairs(axes.axes) do M.axis_names[#M.axis_names + 1] = axis.name end
M.axis_names[#M.axis_names + 1] = "impl"

return M
