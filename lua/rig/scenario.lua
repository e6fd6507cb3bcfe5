--- A scenario: its file loaded, what it declares, and what the command line changes of it.
--- Not for running it, and not for which cases follow from it: that is plan.
--- Neighbours: sandbox runs the file, declare checks what stands in it, params reads the command line's values.

local declare = require("rig.declare")
local mistake = require("rig.mistake")
local names = require("rig.names")
local params = require("rig.params")
local pool_type = require("rig.pool_type")
local sandbox = require("rig.sandbox")
local trace = require("rig.trace")
local values = require("rig.values")

local M = {}

---@class rig.Scenario
---@field name string
---@field about string
---@field file string?
---@field source string?
---@field hooks table<string, any>
---@field params rig.Param[]  the scenario's first, in its order; then the built-in ones that it leaves alone
---@field line integer?
---@field thresholds rig.Threshold[]?
---@field pool_types { name: string, about: string, axes: table<string, string> }[]?  that its file declares
---@field calibrate_s number?  seconds that a call of body (or the maps of a case) takes at least

--- The hooks a scenario may have, for help.
M.hooks = declare.hooks

-- What rig.scenario made, so that a file which returns any other table can be told so.
local declared = setmetatable({}, { __mode = "k" })

-- The files being loaded, innermost last; a scenario may load another.
local loading = {}

-- Outside of load (a host's own script) the caller's file is asked, if the call left it on the stack.
local function callers_context()
    local call, caller = debug.getinfo(2, "t"), debug.getinfo(3, "S")
    if call.istailcall or not caller or caller.source:sub(1, 1) ~= "@" then return declare.context(nil, nil) end
    local path = caller.source:sub(2)
    return declare.context(path, (sandbox.read(path)))
end

---Checks what a scenario file declares. Raises a rig.Mistake, whose text is the whole message.
---@param t table
---@return rig.Scenario
function M.declare(t)
    local context = loading[#loading] or callers_context()
    local s = declare.check(t, context)
    declared[s], context.declared = true, true
    return s
end

-- An error's text with the position that Lua put before it taken off, where that is in this file.
local function located(text, path, short)
    for _, prefix in ipairs { path, short } do
        if text:sub(1, #prefix + 1) == prefix .. ":" then
            local line, rest = text:match("^(%d+): (.*)$", #prefix + 2)
            if line then return rest, math.tointeger(line) end
        end
    end
    return text
end

local function as_mistake(failure, path, chunk)
    if mistake.is(failure) then return failure end
    if type(failure) ~= "string" then
        failure = ("%s was raised in place of a message"):format(values.show(failure))
    end
    local text, line = located(failure, path, debug.getinfo(chunk, "S").short_src)
    if not text:find("^rig%.") then text = "loading failed: " .. text end
    -- one message begins one line; what a script adds in others stands under it
    return mistake.new { file = path, line = line, problem = (text:gsub("\n", "\n    ")) }
end

local function returned_mistake(result, context)
    local remedy = "write return rig.scenario { ... }"
    if result == nil then
        local problem = context.declared and "declares a scenario and does not return it" or "returns nothing"
        return mistake.new { file = context.path, line = context.line, problem = problem, remedy = remedy }
    end
    return mistake.new {
        file = context.path, value = result, problem = ("returns %s, not a scenario"):format(values.show(result)),
        remedy = remedy,
    }
end

---Loads a scenario file. Nothing of it runs but the file itself: no hook is called.
---@param path string the file, or what to call the source in messages
---@param text? string the source, where it is not to be read from the file
---@param in_worker? boolean as in sandbox.new
---@return rig.Scenario? s
---@return rig.Mistake? mistake
function M.load(path, text, in_worker)
    if not text then
        local problem, remedy
        text, problem, remedy = sandbox.read(path)
        if not text then
            return nil, mistake.new { file = path, value = path, problem = problem, remedy = remedy, kind = "usage" }
        end
    end
    local box = sandbox.new(path, in_worker)
    local chunk, failure = sandbox.compile(path, text, box.env)
    if not chunk then
        failure.file = path
        return nil, mistake.new(failure)
    end
    local context = declare.context(path, text)
    loading[#loading + 1] = context
    local outer = pool_type.begin_load()
    local fine, result = xpcall(chunk, trace.locate, path)
    local types = pool_type.loaded(outer)
    loading[#loading] = nil
    box.loading = false
    if not fine then return nil, as_mistake(result, path, chunk) end
    if not declared[result or 0] then return nil, returned_mistake(result, context) end
    result.file, result.source, result.pool_types = path, text, types
    return result
end

local function usage(name, value, problem, remedy)
    return nil, mistake.new { key = name, value = value, problem = problem, remedy = remedy, kind = "usage" }
end

local function unknown_param(s, name, value)
    if declare.is_hook(name) then
        return usage(name, value, "a hook is the scenario's own", "change it in the scenario")
    elseif params.is_builtin(name) then
        return usage(name, value, "belongs to a pool, and this scenario's body runs without one", "leave it out")
    end
    return usage(name, value, "no such parameter", names.suggest(name, params.names(s.params)))
end

---Changes parameters as the command line asks. Nothing is changed when any of it is wrong.
---@param s rig.Scenario
---@param settings {name:string, text:string}[]
---@return true?
---@return rig.Mistake?
function M.override(s, settings)
    local lists = {}
    for _, setting in ipairs(settings) do
        local name, text = setting.name, setting.text
        local param = params.find(s.params, name)
        if not param then return unknown_param(s, name, text) end
        if lists[param] then
            return usage(name, text, "given twice", ("write %s=A,B to sweep both values"):format(name))
        end
        local list, problem, remedy, culprit = params.parse(param, text)
        if not list then return usage(name, culprit, problem, remedy) end
        lists[param] = list
    end
    for param, list in pairs(lists) do param.values, param.origin = list, "command line" end
    return true
end

return M
