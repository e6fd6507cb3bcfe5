--- What a scenario declares, checked strictly: every key known, every hook callable, every parameter in bounds.
--- Not for files: it is given the table that stands in one, and the source only to name lines and to keep the order.
--- Neighbours: scenario calls it, params checks the parameters, source finds lines.

local expected = require("rig.faults.expected")
local mistake = require("rig.mistake")
local names = require("rig.names")
local params = require("rig.params")
local source = require("rig.source")
local steps = require("rig.faults.steps")
local thresholds = require("rig.thresholds.declare")
local units = require("rig.units")
local values = require("rig.values")

local M = {}

---@class rig.Hook
---@field name string
---@field form string        how it is written
---@field only "map"|nil     it belongs to `map` and means nothing beside `body`
---@field value boolean?     a value will do in place of a function

--- The hooks, in the order in which they are called.
---@type rig.Hook[]
M.hooks = {
    { name = "memory", form = "function(p) return bytes end" },
    { name = "setup", form = "function(p) return state end" },
    { name = "fixed", form = "function(p) return data end", only = "map" },
    { name = "items", form = "function(p) return list end", only = "map", value = true },
    { name = "init", form = "function(p, fixed) return state end", only = "map" },
    { name = "map", form = "function(item, fixed, w) return result end" },
    { name = "finish", form = "function(w) end", only = "map" },
    { name = "reduce", form = "function(results, p) return result end", only = "map" },
    { name = "body", form = "function(p, state, n) end" },
    { name = "expect", form = "a value or function(p, result) return right end", value = true },
    { name = "verify", form = "function(results) return right end" },
    { name = "work", form = "function(p) return { bytes = n, items = n } end" },
    { name = "faults", form = "a list of steps or function(p) return list end", only = "map", value = true },
    { name = "expect_outcomes", form = "counts or function(p) return counts end", only = "map", value = true },
    { name = "teardown", form = "function(p, state) end" },
}

local hook_named = {}
for _, hook in ipairs(M.hooks) do hook_named[hook.name] = hook end

local known_keys = { "name", "about", "params", "thresholds", "calibrate" }
for _, hook in ipairs(M.hooks) do known_keys[#known_keys + 1] = hook.name end
for _, name in ipairs(params.builtin_names()) do known_keys[#known_keys + 1] = name end

local is_known = {}
for _, name in ipairs(known_keys) do is_known[name] = true end

---@class rig.DeclareContext
---@field path string?
---@field text string?
---@field keys rig.SourceKey[]?
---@field line integer?  of the call of rig.scenario
---@field declared boolean?
---@field fail fun(key:string, value:any, problem:string, remedy:string, inner?:string)  raises at the key's line

---@param path string?
---@param text string? the source
---@return rig.DeclareContext
function M.context(path, text)
    local keys, line = source.scenario_keys(text)
    local context = { path = path, text = text, keys = keys, line = line }
    function context.fail(at, value, problem, remedy, inner)
        local where = source.line_of(keys, at, inner) or line
        error(mistake.new {
            file = path, line = where, key = inner or at, value = value, problem = problem, remedy = remedy,
        }, 0)
    end
    return context
end

local function check_keys(t, context)
    for key, v in pairs(t) do
        if type(key) ~= "string" then
            local problem = ("%s has no name"):format(values.show(v))
            context.fail(("[%s]"):format(tostring(key)), v, problem, "write it as key = value")
        end
    end
    for _, key in ipairs(names.keys(t)) do
        if not is_known[key] then
            local _, close = names.nearest(key, known_keys)
            local remedy = names.suggest(key, known_keys)
            if not close then remedy = remedy .. "; a parameter of your own belongs in params" end
            context.fail(key, t[key], ("unknown key, given %s"):format(values.show(t[key])), remedy)
        end
    end
end

local function check_text(t, key, context)
    local v = t[key]
    if v == nil then return nil end
    if type(v) ~= "string" or v == "" or v:find("%c") then
        context.fail(key, v, ("%s is not a line of text"):format(values.show(v)), 'write it as "..."')
    end
    return v
end

local function is_count(v)
    return math.type(v) and math.tointeger(v) and v >= 0
end

local function check_hook(hook, v, context)
    if type(v) == "function" then return v end
    if hook.name == "items" and is_count(v) then return math.tointeger(v) end
    if hook.name == "items" and type(v) == "table" and not getmetatable(v) then return v end
    if hook.value and hook.name ~= "items" then return v end
    local accepted = "write " .. hook.name .. " = " .. hook.form
    if hook.name == "items" then accepted = "give a list, a count, or " .. hook.form end
    local shown, kind = values.show(v), "a " .. type(v)
    if shown ~= kind then shown = shown .. " is " .. kind .. "," else shown = shown .. " is" end
    context.fail(hook.name, v, shown .. " not a function", accepted)
end

-- What a function returns is checked when it has been called.
local function check_faults(hooks, context)
    if hooks.faults ~= nil and type(hooks.faults) ~= "function" then
        local _, problem, remedy, i = steps.check(hooks.faults)
        if problem then
            error(mistake.new {
                file = context.path, key = i and ("faults[%d]"):format(i) or "faults", value = hooks.faults,
                line = i and source.line_of_entry(context.keys, "faults", i) or source.line_of(context.keys, "faults")
                    or context.line,
                problem = problem, remedy = remedy,
            }, 0)
        end
    end
    if hooks.expect_outcomes ~= nil and type(hooks.expect_outcomes) ~= "function" then
        local _, problem, remedy = expected.check(hooks.expect_outcomes)
        if problem then context.fail("expect_outcomes", hooks.expect_outcomes, problem, remedy) end
    end
end

local function check_hooks(t, context)
    local hooks = {}
    for _, hook in ipairs(M.hooks) do
        if t[hook.name] ~= nil then hooks[hook.name] = check_hook(hook, t[hook.name], context) end
    end
    return hooks
end

-- A scenario maps items in a pool, or it times a body; the rest follows from which.
local function check_shape(t, hooks, context)
    if hooks.map and hooks.body then
        context.fail("body", hooks.body, "map and body exclude each other", "keep the one that is to be measured")
    elseif not hooks.map and not hooks.body then
        context.fail("map", nil, "missing: nothing would be measured",
            ("write map = %s, or body = %s"):format(hook_named.map.form, hook_named.body.form))
    elseif hooks.map and hooks.items == nil then
        context.fail("items", nil, "missing: map has nothing to work on", "give a list, a count, or a function(p)")
    end
    if not hooks.body then return end
    for _, hook in ipairs(M.hooks) do
        if hook.only and hooks[hook.name] ~= nil then
            context.fail(hook.name, hooks[hook.name], "belongs to map, and this scenario has a body",
                "make what body needs in setup")
        end
    end
    for _, name in ipairs(params.builtin_names()) do
        if t[name] ~= nil and params.needs_pool(name) then
            context.fail(name, t[name], "belongs to a pool, and body runs without one", "remove it, or use map")
        end
    end
end

local function check_own_name(name, hooks, context)
    if type(name) ~= "string" or not name:find("^[%a_][%w_]*$") then
        context.fail("params", name, ("%s is not a name"):format(values.show(name)), "use letters, digits and _")
    elseif params.is_builtin(name) then
        context.fail("params", name, "a built-in parameter", "set it beside params, not in it", name)
    elseif name == "preset" or (name == "impl" and hooks.map) then
        context.fail("params", name, "results use this name for what the pool is", "choose another name", name)
    end
end

local function own_params(t, hooks, context)
    local given = t.params
    if given == nil then return {} end
    if type(given) ~= "table" or getmetatable(given) then
        context.fail("params", given, ("%s is not a table"):format(values.show(given)),
            "write params = { name = default }")
    end
    local found = {}
    for name in pairs(given) do check_own_name(name, hooks, context) end
    for _, name in ipairs(names.keys(given)) do
        local param, problem, remedy, culprit = params.own(name, given[name])
        if not param then context.fail("params", culprit, problem, remedy, name) end
        param.line = source.line_of(context.keys, "params", name)
        found[name] = param
    end
    return found
end

local function builtin_params(t, hooks, context)
    local found = {}
    for _, name in ipairs(params.builtin_names()) do
        if hooks.map or not params.needs_pool(name) then
            local param, problem, remedy, culprit = params.builtin(name, t[name])
            if not param then context.fail(name, culprit, problem, remedy) end
            param.line = t[name] ~= nil and source.line_of(context.keys, name) or nil
            found[name] = param
        end
    end
    return found
end

-- The scenario's parameters in the order in which it names them, as far as the source tells; then the others.
local function in_order(builtin, own, context)
    local list, taken = {}, {}
    local function take(found, name)
        local param = found[name]
        if param and not taken[name] then list[#list + 1], taken[name] = param, true end
    end
    for _, key in ipairs(context.keys or {}) do
        if key.name == "params" then
            for _, inner in ipairs(key.keys or {}) do take(own, inner.name) end
        elseif builtin[key.name] and builtin[key.name].origin == "scenario" then
            take(builtin, key.name)
        end
    end
    for _, name in ipairs(params.builtin_names()) do
        if builtin[name] and builtin[name].origin == "scenario" then take(builtin, name) end
    end
    for _, name in ipairs(names.keys(own)) do take(own, name) end
    for _, name in ipairs(params.builtin_names()) do take(builtin, name) end
    return list
end

-- Threshold i is blamed at its own line, where the source shows one.
local function own_thresholds(t, hooks, list, context)
    if t.thresholds == nil then return nil end
    local function line_of(i)
        return source.line_of_entry(context.keys, "thresholds", i) or source.line_of(context.keys, "thresholds")
    end
    local function key_of(i) return i and ("thresholds[%d]"):format(i) or "thresholds" end
    local function fail(i, value, problem, remedy)
        error(mistake.new {
            file = context.path, line = i and line_of(i) or source.line_of(context.keys, "thresholds") or context.line,
            key = key_of(i), value = value, problem = problem, remedy = remedy,
        }, 0)
    end
    local found = thresholds.check(t.thresholds, { params = list, hooks = hooks, source = context.text, fail = fail })
    for i, threshold in ipairs(found) do threshold.line, threshold.key = line_of(i) or context.line, key_of(i) end
    return found
end

-- How long a calibrated call takes at least, in seconds.
local CALIBRATED_S, LONGEST_CALIBRATED_S = 0.02, 60

local function check_calibrate(t, hooks, list, context)
    local given = t.calibrate
    if given == nil or given == false then return nil end
    local seconds, problem = CALIBRATED_S, "is neither true nor a duration"
    if given ~= true then seconds = nil end
    if type(given) == "string" and not tonumber(given) then seconds, problem = units.parse_duration(given) end
    if seconds and (seconds <= 0 or seconds > LONGEST_CALIBRATED_S) then
        seconds, problem = nil, ("is not from 1 ns to %d s"):format(LONGEST_CALIBRATED_S)
    end
    if not seconds then
        context.fail("calibrate", given, ("%s %s"):format(values.show(given), problem), 'write true, or as in "20ms"')
    elseif hooks.map and #params.find(list, "iterations").values > 1 then
        context.fail("calibrate", given, "beside map it sets iterations, and those are swept",
            "remove one of them")
    end
    return seconds
end

local function file_stem(path)
    local stem = (path or "scenario"):match("([^/]+)$"):gsub("%.lua$", "")
    return stem
end

---Raises a rig.Mistake, whose text is the whole message.
---@param t any what rig.scenario was given
---@param context rig.DeclareContext
---@return rig.Scenario
function M.check(t, context)
    if type(t) ~= "table" or getmetatable(t) then
        context.fail("rig.scenario", t, ("%s is not a table"):format(values.show(t)), "write rig.scenario { ... }")
    end
    check_keys(t, context)
    local hooks = check_hooks(t, context)
    check_shape(t, hooks, context)
    check_faults(hooks, context)
    local list = in_order(builtin_params(t, hooks, context), own_params(t, hooks, context), context)
    return {
        name = check_text(t, "name", context) or file_stem(context.path),
        about = check_text(t, "about", context) or "",
        file = context.path, line = context.line, hooks = hooks,
        params = list, thresholds = own_thresholds(t, hooks, list, context),
        calibrate_s = check_calibrate(t, hooks, list, context),
    }
end

---@param name string
---@return boolean
function M.is_hook(name)
    return hook_named[name] ~= nil
end

return M
