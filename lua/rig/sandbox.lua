--- Where a scenario's code runs: a global environment that refuses accidental globals, a `require` that looks
--- beside the scenario first, and no bytecode.
--- Not a fence against malice: files and processes are as open to a scenario as to any program.
--- Neighbours: scenario loads files with it; mistake makes what it complains with.

local mistake = require("rig.mistake")
local names = require("rig.names")
local values = require("rig.values")

local M = {}

-- A scenario is text that somebody wrote; what is larger is something else, perhaps without an end (/dev/zero).
local LARGEST = 16 * 1024 * 1024

---Reads a Lua source, with every reason for which it cannot be one told apart.
---@param path string
---@return string? source
---@return string? problem
---@return string? remedy
function M.read(path)
    local file <close>, reason = io.open(path, "rb")
    if not file then
        reason = reason:gsub("^.*: ", "", 1):lower()
        if reason == "no such file or directory" then reason = "no such file" end
        local with_suffix <close> = io.open(path .. ".lua", "rb")
        return nil, reason, with_suffix and ("did you mean %s.lua?"):format(path) or "rig list shows what is at hand"
    end
    local source, failure = file:read(LARGEST + 1)
    if failure then
        if failure:lower():find("directory", 1, true) then
            return nil, "is a directory, not a scenario", "name one of the .lua files in it"
        end
        return nil, failure:lower(), "give the path of a scenario"
    elseif not source then
        return nil, "is empty", "end it with return rig.scenario { ... }"
    elseif #source > LARGEST then
        return nil, ("has more than %d MiB, as no scenario does"):format(LARGEST >> 20), "give the path of a scenario"
    end
    return source
end

local function syntax_remedy(problem)
    if problem:find("'}' expected", 1, true) then
        return "is there a comma after the entry before it?"
    elseif problem:find("<eof>", 1, true) then
        return "something is not closed"
    end
    return "correct it here or in the line above"
end

-- Compiled again under a name that Lua does not shorten, as it does with long paths.
local function syntax_failure(source)
    local _, message = load(source, "=s", "t")
    local line, problem = tostring(message):match("^s:(%d+): (.*)$")
    problem = problem or tostring(message)
    return { problem = "syntax error: " .. problem, line = tonumber(line), remedy = syntax_remedy(problem) }
end

---Turns source into a function of an environment.
---@param path string
---@param source string
---@param env table
---@return function?
---@return {problem:string, remedy:string, line:integer?}? failure
function M.compile(path, source, env)
    if source:sub(1, 1) == "\27" then
        return nil, { problem = "is compiled Lua (bytecode)", remedy = "give its source" }
    end
    -- a byte order mark and a first line with #! belong to editors and shells; the line stays, so that numbers do
    source = source:gsub("^\xef\xbb\xbf", ""):gsub("^#[^\n]*", "")
    local chunk = load(source, "@" .. path, "t", env)
    if chunk then return chunk end
    return nil, syntax_failure(source)
end

-- The names that the code which read a global can see without one: a misspelt local is the usual reason.
-- That code is 3 calls up from here: this function, remedy_for_reading, __index.
local function visible_names()
    local found = {}
    for i = 1, math.huge do
        local name = debug.getlocal(4, i)
        if not name then break end
        if name:find("^[%a_]") then found[#found + 1] = name end
    end
    local reader = debug.getinfo(4, "f").func
    for i = 1, math.huge do
        local name = debug.getupvalue(reader, i)
        if not name then break end
        if name ~= "_ENV" then found[#found + 1] = name end
    end
    return found
end

local function remedy_for_reading(name)
    if name == "rig" then return 'add local rig = require "rig"' end
    local candidates = visible_names()
    for _, global in ipairs(names.keys(_G)) do candidates[#candidates + 1] = global end
    local nearest, close = names.nearest(tostring(name), candidates)
    if close then return ("did you mean %s?"):format(nearest) end
    return ("declare it before: local %s = ..."):format(tostring(name))
end

-- Raises at the script's line, `depth` calls up. While the file loads, its reader wants the parts of a mistake; later
-- the error may cross processes and must be plain text.
local function complain(state, depth, fields)
    local file, line = mistake.position(depth + 1)
    if not fields.file then fields.file, fields.line = file or state.path, line end
    local found = mistake.new(fields)
    error(state.loading and found or found.message, 0)
end

local function guard_globals(env, state)
    return setmetatable(env, {
        __index = function(_, name)
            local v = _G[name]
            if v ~= nil then return v end
            local remedy = remedy_for_reading(name)
            complain(state, 1, { key = tostring(name), problem = "undefined, read here as a global", remedy = remedy })
        end,
        __newindex = function(_, name, value)
            complain(state, 1, {
                key = tostring(name), value = value, remedy = ("write local %s = ..."):format(tostring(name)),
                problem = ("%s is assigned to a global"):format(values.show(value)),
            })
        end,
        __metatable = "scenario",
    })
end

-- Nil where there is no core (a scenario is only checked): nothing forks there.
local function process_id()
    local found, core = pcall(require, "rig.core")
    return found and core.getpid() or nil
end

-- `os` as scripts see it. In the coordinator its exit would end the run and lose what was measured; in a forked process
-- it ends that one, through whatever the core has put in the place of exit there.
local function guard_os(state)
    local real, guarded = os, {}
    local coordinator = not state.in_worker and process_id() or nil
    for name, v in pairs(real) do guarded[name] = v end
    function guarded.exit(...)
        if state.in_worker or process_id() ~= coordinator then real.exit(...) end
        complain(state, 1, { problem = "os.exit would end the run", remedy = "return from the hook instead" })
    end
    return guarded
end

local function is_ours(name)
    return name == "rig" or name:sub(1, 4) == "rig."
end

local function load_beside(state, name, path)
    local source, problem, remedy = M.read(path)
    local chunk, failure
    if source then chunk, failure = M.compile(path, source, state.env) end
    if not chunk then
        failure = failure or { problem = problem, remedy = remedy }
        failure.file = path
        complain(state, 3, failure)
    end
    -- what Lua's own require does: a module that returns nothing counts as true, and is not run twice
    local value = chunk(name, path)
    if value == nil then value = true end
    state.modules[name] = value
    return value, path
end

local function load_library(state, name, path)
    local open, problem = package.loadlib(path, "luaopen_" .. name:gsub("^[^-]*%-", ""):gsub("%.", "_"))
    if not open then
        local remedy = "is it a module for Lua 5.4?"
        complain(state, 3, { key = "require", value = name, problem = problem, remedy = remedy })
    end
    state.modules[name] = open(name, path) or true
    return state.modules[name], path
end

local function load_installed(state, name, dir)
    local found, value, where = pcall(require, name)
    if found then return value, where end
    if not tostring(value):find(("module '%s' not found"):format(name), 1, true) then error(value, 0) end
    complain(state, 3, {
        key = "require", value = name, remedy = "correct its name or install it",
        problem = ("module %s is neither beside the scenario (%s/) nor installed"):format(values.show(name), dir),
    })
end

local function require_beside(state, name)
    if type(name) ~= "string" or name == "" or name:find("%c") then
        complain(state, 2, { key = "require", value = name, problem = values.show(name) .. " is not a module's name" })
    end
    if is_ours(name) then return require(name) end
    if state.modules[name] ~= nil then return state.modules[name] end
    local dir = state.path:match("^(.*)/[^/]*$") or "."
    local path = package.searchpath(name, dir .. "/?.lua;" .. dir .. "/?/init.lua")
    local library = not path and package.searchpath(name, dir .. "/?.so")
    local value, where
    -- no tail calls: they would take away the frames that complain counts
    if path then
        value, where = load_beside(state, name, path)
    elseif library then
        value, where = load_library(state, name, library)
    else
        value, where = load_installed(state, name, dir)
    end
    return value, where
end

---@class rig.Sandbox
---@field path string
---@field env table
---@field loading boolean  true until the scenario's file has run

---An environment for one scenario's file and the modules beside it.
---@param path string
---@param in_worker? boolean this process is a worker that has not been forked: os.exit ends it, and no run
---@return rig.Sandbox
function M.new(path, in_worker)
    local env = {}
    local state = { path = path, env = env, loading = true, modules = {}, in_worker = in_worker }
    env._G = env
    env.require = function(name)
        local value, where = require_beside(state, name)
        return value, where
    end
    -- code made at run time is held to the same rules as the file around it
    env.load = function(chunk, name, mode, ...)
        if select("#", ...) > 0 then return load(chunk, name, mode or "t", (...)) end
        return load(chunk, name, mode or "t", env)
    end
    env.loadfile = function(file, mode, ...)
        if select("#", ...) > 0 then return loadfile(file, mode or "t", (...)) end
        return loadfile(file, mode or "t", env)
    end
    env.dofile = function(file)
        local chunk, problem = loadfile(file, "t", env)
        if not chunk then error(problem, 2) end
        return chunk()
    end
    env.os = guard_os(state)
    state.modules.os = env.os
    guard_globals(env, state)
    return state
end

return M
