--- `rig.pool_type{ name, about, axes, start, map, close }`: a pool of a script's own, declared, checked and put among
--- the presets, so that it is swept like them.
--- Not for running it: pools/own.lua does. Pure, so scenarios can be checked where nothing can be run.
--- Neighbours: axes.lua holds it, scenario.lua says which file it belongs to.

local axes = require("rig.axes")
local mistake = require("rig.mistake")
local names = require("rig.names")
local values = require("rig.values")

local M = {}

local KEYS = { "name", "about", "axes", "start", "map", "close" }
local FORMS = {
    start = "function(pool) return state end",
    map = "function(pool, state, tasks) end",
    close = "function(pool, state) end",
}
-- What results and the command line say where there is no pool type.
local TAKEN = { none = true, preset = true }

-- Scenario files that have been loaded, and the one that is being loaded; 0 is a program of its own. Types of two
-- files may have one name, and the same file loaded again declares its types again.
local loads, loading = 0, 0

-- Raises where M.declare was called; `extra` are the frames between it and this call, this one included.
local function refuse(extra, text, ...)
    mistake.raise(("rig.pool_type: " .. text):format(...), extra)
end

local function check_keys(spec)
    if type(spec) ~= "table" or getmetatable(spec) then
        refuse(2, "%s is not a table; write rig.pool_type { name = \"mine\", … }", values.show(spec))
    end
    local known = {}
    for _, key in ipairs(KEYS) do known[key] = true end
    for key, v in pairs(spec) do
        if not known[key] then
            refuse(2, "unknown key %s, given %s; %s", tostring(key), values.show(v), names.suggest(key, KEYS))
        end
    end
    for _, key in ipairs { "start", "map", "close" } do
        if type(spec[key]) ~= "function" then
            local problem = spec[key] == nil and "missing" or values.show(spec[key]) .. " is not a function"
            refuse(2, "%s: %s; write %s = %s", key, problem, key, FORMS[key])
        end
    end
end

local function check_name(name, about)
    if type(name) ~= "string" or not name:find("^[%a_][%w_]*$") or TAKEN[name] then
        refuse(2, "name: %s is not a name for a pool; give letters, digits and _", values.show(name))
    elseif about ~= nil and (type(about) ~= "string" or about:find("%c")) then
        refuse(2, "about: %s is not a line of text", values.show(about))
    end
    local there = axes.preset(name)
    if there and not there.own then
        refuse(2, "name: %s is a preset of rig's own; choose another name", name)
    elseif there and (there.own.load == loading or there.own.load == 0) then
        refuse(2, "name: there is a pool type %s already, declared at %s; choose another name", name,
            there.own.where or "an unknown place")
    end
end

-- A list as it stands, anything else as the only entry.
local function as_list(given)
    if type(given) == "table" and not getmetatable(given) then return given end
    return { given }
end

local function check_value(axis, v)
    local checked, problem, remedy = values.check(axis.spec, v)
    if checked ~= nil then
        for _, value in ipairs(axis.values) do
            if value.name == checked and value.later then
                checked, problem = nil, ("%s is not available in this version"):format(checked)
                remedy = "use " .. names.join(axes.available(axis.values))
            end
        end
    end
    if checked ~= nil and axis.name == "start" and checked ~= "fork" then
        checked, problem, remedy = nil, ("%s is not how pool:fork starts a worker"):format(checked), "use fork"
    end
    if checked == nil then refuse(4, "axes: %s: %s; %s", axis.name, problem, remedy) end
    return checked
end

-- A list names the values that it understands, the first its default. A chunk of one is a default, and any number goes.
local function check_axis(axis, given)
    local list = as_list(given)
    if #list == 0 then refuse(3, "axes: %s: the list is empty; name what it understands", axis.name) end
    local known, texts = {}, {}
    for i, v in ipairs(list) do
        local checked = check_value(axis, v)
        known[checked], texts[i] = true, values.text(axis.spec, checked)
    end
    local default = values.check(axis.spec, list[1])
    known.accepts = names.join(texts)
    if axis.name == "chunk" and #list == 1 then
        known.all, known.numbers = true, default ~= "auto"
        known.accepts = known.numbers and "a number" or "auto or a number"
    end
    return default, known
end

local function check_axes(given, preset)
    if given == nil then return end
    if type(given) ~= "table" or getmetatable(given) then
        refuse(2, "axes: %s is not a table; write axes = { chunk = 1, barrier = { true, false } }", values.show(given))
    end
    for key in pairs(given) do
        if not axes.axis[key] then
            local known = {}
            for i, axis in ipairs(axes.axes) do known[i] = axis.name end
            refuse(2, "axes: %s is not an axis of a pool; %s", values.show(key), names.suggest(key, known))
        end
    end
    for _, axis in ipairs(axes.axes) do
        local v = given[axis.name]
        if v ~= nil then preset[axis.name], preset.understands[axis.name] = check_axis(axis, v) end
    end
end

---@class rig.PoolTypeSpec
---@field name string
---@field about? string
---@field axes? table<string, any>  what it understands: a value or a list of them, the first its default
---@field start fun(pool: rig.OwnPool): any                        returns a state, which the others are given
---@field map fun(pool: rig.OwnPool, state: any, tasks: rig.OwnTasks)  ends every task by pool:finish
---@field close fun(pool: rig.OwnPool, state: any)                 lets the workers end

---Declares a pool of a script's own. What it returns is the pool in a scenario (`pool = { "builtin", mine }`) and in
---`rig.pool { preset = mine }`; so is its name.
---@param spec rig.PoolTypeSpec
---@return table type  with `name`
function M.declare(spec)
    check_keys(spec)
    check_name(spec.name, spec.about)
    local preset = { name = spec.name, impl = "lua", help = spec.about or "", understands = {} }
    check_axes(spec.axes, preset)
    local file, line = mistake.position(1)
    preset.own = {
        start = spec.start, map = spec.map, close = spec.close, load = loading,
        where = file and ("%s:%d"):format(file, line),
    }
    axes.add_type(preset)
    return setmetatable({ name = preset.name, preset = preset }, axes.type_meta)
end

---A file begins to load: what it declares is its own, and what other files declared is theirs.
---@return integer outer to be given to `loaded`
function M.begin_load()
    local outer = loading
    if outer == 0 then axes.hide_types(function(preset) return preset.own.load > 0 end) end
    loads = loads + 1
    loading = loads
    return outer
end

---The file has been loaded.
---@param outer integer
---@return { name: string, about: string, axes: table<string, string> }[] types that it declared
function M.loaded(outer)
    local found = {}
    for _, preset in ipairs(axes.presets) do
        if preset.own and preset.own.load == loading then
            local understood = {}
            for name, known in pairs(preset.understands) do understood[name] = known.accepts end
            found[#found + 1] = { name = preset.name, about = preset.help, axes = understood }
        end
    end
    loading = outer
    return found
end

return M
