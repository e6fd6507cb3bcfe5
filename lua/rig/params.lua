--- The parameters of a scenario: the built-in ones with their bounds, its own ones typed by their default, and
--- what help says about them.
--- Not for reading files or command lines: scenario does, and tells where a mistake stands.
--- Neighbours: values and sweep check, axes gives those that are axes of a pool, plan makes cases of them.

local axes = require("rig.axes")
local names = require("rig.names")
local sweep = require("rig.sweep")
local values = require("rig.values")

local M = {}

---@class rig.Param: rig.Spec
---@field kind "builtin"|"own"
---@field values any[]      what it sweeps; one value where it does not
---@field default any       rig's own for a built-in one, the first value of the scenario's otherwise
---@field declared any[]    its values before the command line changed them
---@field help string
---@field origin "default"|"scenario"|"command line"
---@field line integer?     where the scenario sets it
---@field axis boolean?     an axis of the pool
---@field pooled boolean?   it means something only where there is a pool
---@field in_serial boolean?  and in one without processes too
---@field later any         any value but this is not available yet

--- What an axis is set to where its pool decides.
M.PRESET = "preset"

-- A double counts exactly up to here, and readers of the results must see the size that was measured.
local MAX_SIZE = 1 << 53

local function accepted_pools()
    return table.concat(axes.available(axes.presets), ", ") .. ", or one changed as in custom+delivery=inherit"
end

---@type rig.Param[]
local BUILTIN = {
    { name = "pool", type = "pool", default = "builtin", pooled = true, check_value = axes.check_pool,
      parse_value = axes.parse_pool, show_value = axes.label,
      accepts = accepted_pools(), help = "which pool maps the items" },
    { name = "size", type = "integer", default = 1, min = 0, max = MAX_SIZE,
      help = "how much data, in whatever the scenario counts" },
    { name = "workers", type = "integer", default = 4, min = 1, max = 4096, help = "processes that do the tasks" },
    { name = "iterations", type = "integer", default = 9, min = 1, max = 1000000, help = "maps on one pool" },
    { name = "runs", type = "integer", default = 1, min = 1, max = 10000, single = true,
      help = "fresh pools for every case" },
    { name = "warmup", type = "integer", default = 0, min = 0, max = 1000000,
      help = "iterations before those that count, kept apart" },
    { name = "max_tasks", type = "integer", default = 0, min = 0, max = MAX_SIZE, words = { none = 0 },
      pooled = true, help = "tasks after which a worker is replaced" },
    { name = "retry", type = "integer", default = 0, min = 0, max = 1000,
      pooled = true, in_serial = true,
      help = "how often a task that failed, took too long or died is tried again; every attempt is recorded" },
    { name = "timeout", type = "duration", default = 0, min = 0, max = 1e6, words = { none = 0 },
      help = "longest time for one task" },
    { name = "seed", type = "integer", default = 1, help = "what random numbers start from" },
    { name = "pin", type = "boolean", default = false, pooled = true,
      help = "each worker stays on one processor: the first on the first, and so on in turn" },
    { name = "gc", type = "enum", default = "default", choices = { "default", "stop", "incremental", "generational" },
      help = "Lua's collector: as it is, stopped where it is timed and in workers, or a mode of its own" },
}

-- The axes stand behind `warmup`, and what their pool says is one more value that each can have.
for i, axis in ipairs(axes.axes) do
    local param = { default = M.PRESET, axis = true, pooled = true, help = axis.help, words = { preset = M.PRESET } }
    for key, v in pairs(axis.spec) do
        if key ~= "words" then param[key] = v end
    end
    for word, v in pairs(axis.spec.words or {}) do param.words[word] = v end
    table.insert(BUILTIN, 6 + i, param)
end

local builtin_named = {}
for _, param in ipairs(BUILTIN) do builtin_named[param.name] = param end

---@param name string
---@return boolean
function M.is_builtin(name)
    return builtin_named[name] ~= nil
end

---Whether a parameter means something only where there is a pool, so not beside `body`.
---@param name string
---@return boolean
function M.needs_pool(name)
    return builtin_named[name].pooled == true
end

---The names of the built-in parameters, in the order of help.
---@return string[]
function M.builtin_names()
    local list = {}
    for i, param in ipairs(BUILTIN) do list[i] = param.name end
    return list
end

local function copy(t)
    local result = {}
    for key, v in pairs(t) do result[key] = v end
    return result
end

---A built-in parameter, set by a scenario or at its default.
---@param name string
---@param given any nil for the default
---@return rig.Param?
---@return string? problem
---@return string? remedy
---@return any culprit
function M.builtin(name, given)
    local param = copy(builtin_named[name])
    if param.type == "pool" then param.accepts = accepted_pools() end -- pool types have come since
    param.kind, param.origin = "builtin", given == nil and "default" or "scenario"
    if given == nil then
        param.values = { param.default }
    else
        local list, problem, remedy, culprit = sweep.list(param, given)
        if problem then return nil, problem, remedy, culprit end
        param.values = list
    end
    param.declared = param.values
    return param
end

local OWN_FIELDS = { "choices", "default", "help", "max", "min" }
local is_own_field = {}
for _, field in ipairs(OWN_FIELDS) do is_own_field[field] = true end

local TYPES = { integer = "integer", float = "number", boolean = "boolean", string = "string" }

-- The type of one value of a parameter of the scenario's own.
local function type_of(v)
    if values.is_value(v) then return "value" end
    return TYPES[math.type(v) or type(v)]
end

-- The type that all of a list share; whole numbers beside fractions are numbers.
local function common_type(list)
    local common
    for _, v in ipairs(list) do
        local found = type_of(v)
        if not found then
            local what = sweep.is_list(v) and "is a list inside a list" or "cannot be a parameter"
            return nil, ("%s %s"):format(values.show(v), what),
                "give numbers, strings, booleans, or rig.value{...} for a list as one value", v
        end
        local numeric = (found == "integer" or found == "number") and (common == "integer" or common == "number")
        if common and common ~= found and not numeric then
            return nil, ("%s stands among values of type %s"):format(values.show(v), common),
                "give values of one type", v
        end
        common = (numeric and found ~= common) and "number" or found
    end
    return common
end

-- `{ default = …, choices = …, help = … }`: the long form, where a bare default says too little.
local function is_long(given)
    return type(given) == "table" and not getmetatable(given) and not sweep.is_list(given)
end

local function check_long(given)
    for _, key in ipairs(names.keys(given)) do
        if not is_own_field[key] then
            return ("%s is not a field of a parameter"):format(values.show(key)), names.suggest(key, OWN_FIELDS)
        end
    end
    if given.default == nil then
        return ("%s has no default"):format(values.show(given)), "give default, whose type is the parameter's"
    elseif given.help ~= nil and type(given.help) ~= "string" then
        return ("help is %s, not a string"):format(values.show(given.help)), "describe the parameter in a few words"
    elseif given.choices ~= nil and not sweep.is_list(given.choices) then
        return ("choices is %s, not a list"):format(values.show(given.choices)), "list the values it may have"
    end
    for _, bound in ipairs { "min", "max" } do
        if given[bound] ~= nil and type(given[bound]) ~= "number" then
            return ("%s is %s, not a number"):format(bound, values.show(given[bound])), "give a number or leave it out"
        end
    end
end

-- Several strings are all that the scenario knows what to do with; a single one may be anything, such as a path.
local function choices_of(kind, given, long)
    if long.choices then return long.choices end
    if kind == "string" and sweep.is_list(given) and #given > 1 then return given end
end

---A parameter of the scenario's own, typed by what it is given.
---@param name string
---@param given any a value, a list to sweep, or { default=, choices=, min=, max=, help= }
---@return rig.Param?
---@return string? problem
---@return string? remedy
---@return any culprit
function M.own(name, given)
    local long = is_long(given) and given or {}
    if is_long(given) then
        local problem, remedy = check_long(given)
        if problem then return nil, problem, remedy, given end
        given = given.default
    end
    local listed = sweep.is_list(given)
    if listed then
        local problem, remedy = sweep.list_problem(given)
        if problem then return nil, problem, remedy, given end
    end
    local kind, problem, remedy, culprit = common_type(listed and given or { given })
    if not kind then return nil, problem, remedy, culprit end
    local choices = choices_of(kind, given, long)
    local param = {
        name = name, kind = "own", type = kind == "string" and choices and "enum" or kind, choices = choices,
        min = long.min, max = long.max, help = long.help or "", origin = "scenario",
    }
    param.values, problem, remedy, culprit = sweep.list(param, given)
    if not param.values then return nil, problem, remedy, culprit end
    param.default, param.declared = param.values[1], param.values
    return param
end

---Reads what stands after NAME= on the command line for a parameter.
---@param param rig.Param
---@param text string
---@return any[]? list
---@return string? problem
---@return string? remedy
---@return any culprit
function M.parse(param, text)
    local spec = param
    if param.type == "pool" then
        spec = copy(param)
        spec.parse_value = function(piece) return axes.parse_pool(piece, param.declared) end
    end
    local list, problem, remedy, culprit = sweep.parse(spec, text)
    if problem then return nil, problem, remedy, culprit end
    return list
end

---@param list rig.Param[]
---@param name string
---@return rig.Param?
function M.find(list, name)
    for _, param in ipairs(list) do
        if param.name == name then return param end
    end
end

---@param list rig.Param[]
---@return string[]
function M.names(list)
    local found = {}
    for i, param in ipairs(list) do found[i] = param.name end
    return found
end

---@class rig.ParamRow
---@field name string
---@field kind "builtin"|"own"
---@field type string
---@field accepts string    "an integer from 1 to 4096"
---@field values string[]   what will run, as text
---@field default string    what runs when the command line says nothing
---@field origin "default"|"scenario"|"command line"
---@field help string

---What `rig check` and `--help` show of a scenario's parameters, in the scenario's order, own ones included.
---@param s rig.Scenario
---@return rig.ParamRow[]
function M.describe(s)
    local rows = {}
    for i, param in ipairs(s.params) do
        rows[i] = {
            name = param.name, kind = param.kind, type = param.type, accepts = values.expected(param),
            values = values.texts(param, param.values),
            default = table.concat(values.texts(param, param.declared), ","),
            origin = param.origin, help = param.help,
        }
    end
    return rows
end

return M
