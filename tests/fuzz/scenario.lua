-- Scenarios, settings and thresholds from any text. What the input is, its first byte says:
--   ?TEXT                  a threshold
--   =NAME=VALUE NUL ...    settings for a scenario with a parameter of every type
--   anything else          a scenario's source; behind a first NUL come settings for it
-- Promised: a scenario, or a mistake that names no code of rig's own; what was declared can be planned (or is refused
-- with a mistake) and described.
-- Not for running: there is no core here, and no file, process or module that a script could reach.

local json = require "rig.json"
local mistake = require "rig.mistake"

-- ---- what is left to scripts ---------------------------------------------------------------------------------------

local real_require, real_getinfo = require, debug.getinfo
local setmetatable_of_any = debug.setmetatable

-- Scripts (their require is the sandbox's) get rig's language and nothing else.
local function limited_require(name)
    if real_getinfo(2, "S").source == "@rig/sandbox.lua" and name ~= "rig" then
        error(("module '%s' not found"):format(tostring(name)), 0)
    end
    return real_require(name)
end

-- These take as long as a number says, in one step that no limit sees.
local MOST = 100000
local function too_much(n)
    return type(n) == "number" and (n > MOST or n < -MOST)
end

local function limited(fn, a, b, c)
    return function(...)
        if too_much((select(a, ...))) or b and too_much((select(b, ...))) or c and too_much((select(c, ...))) then
            error("too much for one step", 0)
        end
        return fn(...)
    end
end

local function take_away()
    local none = function() error("not here", 0) end
    os = { time = os.time, clock = os.clock, date = none, getenv = none, exit = os.exit }
    io = { open = function() return nil, "not here" end, lines = none, read = none }
    package.loadlib, package.searchpath, package.searchers = none, none, nil
    dofile, loadfile, print, warn = none, none, none, none
    require = limited_require
    local real_load, real_setmetatable = load, setmetatable
    -- bytecode is not for reading, and finalizers run without a limit
    function load(text, name, _, ...) return real_load(text, name, "t", ...) end
    function setmetatable(t, meta)
        if type(meta) == "table" and rawget(meta, "__gc") ~= nil then error("no finalizers here", 0) end
        return real_setmetatable(t, meta)
    end
    string.rep = limited(string.rep, 2)
    table.move = limited(table.move, 2, 3, 4)
    table.concat = limited(table.concat, 3, 4)
    collectgarbage = function() return 0 end
    debug = { getinfo = debug.getinfo, getlocal = debug.getlocal, getupvalue = debug.getupvalue,
        traceback = debug.traceback }
end

package.loaded["rig.core"] = { getpid = function() return 1 end }

local commands = require "rig.commands"
local params = require "rig.params"
local plan_of = require "rig.plan"
local scenario = require "rig.scenario"
local thresholds = require "rig.thresholds.text"

package.loaded.rig = setmetatable({ sleep = function() end, now = function() return 0 end }, {
    __index = require "rig.language",
})
for _, name in ipairs { "rig.names", "rig.thresholds.match", "rig.trace" } do real_require(name) end
take_away()

-- ---- and how all of it is as before for the next one ---------------------------------------------------------------

local kept = {}

local function keep(t)
    if type(t) ~= "table" or kept[t] then return end
    local copy = { fields = {}, meta = getmetatable(t) }
    for key, value in next, t do copy.fields[key] = value end
    kept[t] = copy
end

keep(_G)
keep(getmetatable "")
keep(package)
keep(package.loaded)
for _, t in pairs(package.loaded) do keep(t) end
for _, t in pairs(_G) do keep(t) end

local function restore()
    for t, copy in next, kept do
        if getmetatable(t) ~= copy.meta then setmetatable_of_any(t, copy.meta) end
        for key in next, t do
            if copy.fields[key] == nil then t[key] = nil end
        end
        for key, value in next, copy.fields do
            if rawget(t, key) ~= value then rawset(t, key, value) end
        end
    end
end

-- ---- promises ------------------------------------------------------------------------------------------------------

local function check_text(text, given)
    assert(type(text) == "string" and #text > 0)
    local own = text:match "rig/[%w_/]*%.lua:%d+" or text:match "argparse%.lua:%d+"
    assert(not own or given:find(own, 1, true), text)
end

local function check_mistake(problem, given)
    assert(mistake.is(problem), "refused with what is no mistake")
    check_text(problem.message, given)
end

local function settings_of(text)
    local list = {}
    for one in (text .. "\0"):gmatch "([^\0]*)\0" do
        local name, value = one:match "^([%a_][%w_]*)=(.*)$"
        if name then list[#list + 1] = { name = name, text = value } end
    end
    return list
end

local function is_small(s)
    local cases = 1
    for _, param in ipairs(s.params) do cases = cases * #param.values end
    return cases * params.find(s.params, "runs").values[1] <= 12
end

local function check_plan(s, given)
    if not is_small(s) then return end
    local plan, problem = plan_of.make(s, {})
    if not plan then return check_mistake(problem, given) end
    assert(#plan.cases > 0)
    if #plan.cases > 2 then return end
    assert(#commands.scenario_help(s) > 0)
    local text = commands.check({ json = false }, { plan_of = function() return plan end })
    check_text(text, given)
    if #given % 4 ~= 0 then return end -- JSON is for results.lua; here, for some
    text = commands.check({ json = true }, { plan_of = function() return plan end })
    assert(json.decode(text))
end

local function use(s, settings, given)
    local ok, problem = scenario.override(s, settings)
    if not ok then return check_mistake(problem, given) end
    check_plan(s, given)
end

local EVERY_TYPE = [[
local rig = require "rig"
return rig.scenario {
    name = "every", about = "a parameter of every type", items = 3, map = function(x) return x end,
    params = { whole = 3, float = 0.5, word = "a", yes = true },
    thresholds = { "map.median < 1 s" },
}]]

local function take_threshold(text)
    local condition, problem, remedy = thresholds.parse(text)
    if not condition then
        check_text(problem, text)
        assert(remedy == nil or type(remedy) == "string")
        return
    end
    assert(condition.text == text and math.type(condition.limit) and condition.limit == condition.limit)
    local again = assert(thresholds.parse(condition.metric .. "." .. condition.statistic .. condition.wanted))
    assert(again.limit == condition.limit and again.op == condition.op)
end

local function take(bytes)
    local kind = bytes:sub(1, 1)
    if kind == "?" then return take_threshold(bytes:sub(2)) end
    if kind == "=" then
        return use(assert(scenario.load("every.lua", EVERY_TYPE)), settings_of(bytes:sub(2)), bytes)
    end
    local text, settings = bytes:match "^([^\0]*)\0?(.*)$"
    local s, problem = scenario.load("input.lua", text)
    if not s then return check_mistake(problem, bytes) end
    use(s, settings_of(settings), bytes)
end

return take, restore
