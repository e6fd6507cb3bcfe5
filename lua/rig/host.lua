--- `rig.run(scenario, options)`: a scenario run by a Lua program, which gets the results document as a table.
--- Not for printing or exiting: that is cli.lua. C hosts have rig_run_file and rig_run_string.
--- Neighbours: scenario.lua, plan.lua, runner.lua.

local mistake = require "rig.mistake"
local names = require "rig.names"
local plan = require "rig.plan"
local runner = require "rig.runner"
local scenario = require "rig.scenario"
local values = require "rig.values"

local M = {}

local KNOWN = {
    "params", "overrides", "only", "smoke", "seed", "timeout", "budget_s", "label", "force", "fail_fast", "on_case",
    "source",
}

---@class rig.HostOptions
---@field params? table<string, any>  overrides, as on the command line: { workers = "1..4", size = 1000 }
---@field overrides? string[]         the same as "name=value"
---@field only? {name: string, text: string}[]
---@field smoke? boolean              the smallest case, once
---@field seed? integer
---@field timeout? number             seconds for one task
---@field budget_s? number            seconds for the whole run
---@field label? string
---@field force? boolean
---@field fail_fast? boolean
---@field on_case? fun(case: table, doc: table)
---@field source? string              the scenario's text; the first argument then names it in messages

-- Straight from M.run, so that the error stands where it was called.
local function check_types(what, opts)
    local is_scenario = type(what) == "table" and type(rawget(what, "hooks")) == "table"
        and type(rawget(what, "params")) == "table"
    if type(what) ~= "string" and not is_scenario then
        mistake.raise(("rig.run: %s is neither a scenario's file nor what rig.scenario returned"):format(
            values.show(what)), 1)
    elseif type(opts) ~= "table" then
        mistake.raise(("rig.run: the options are %s; give a table"):format(values.show(opts)), 1)
    end
    for _, name in ipairs { "params", "overrides", "only" } do
        local given = opts[name]
        if given ~= nil and type(given) ~= "table" then
            mistake.raise(("rig.run: %s is %s; give a table"):format(name, values.show(given)), 1)
        end
    end
    local source = opts.source
    if source ~= nil and type(source) ~= "string" then
        mistake.raise(("rig.run: source is %s; give a text"):format(values.show(source)), 1)
    end
end

local function check_options(opts)
    local known = {}
    for _, name in ipairs(KNOWN) do known[name] = true end
    for name in pairs(opts) do
        if not known[name] then
            mistake.raise(("rig.run: no option '%s'; %s"):format(tostring(name), names.suggest(name, KNOWN)), 1)
        end
    end
end

local function settings(params)
    local list = {}
    for _, name in ipairs(names.keys(params or {})) do
        local value = params[name]
        if type(value) == "table" then
            local words = {}
            for i, one in ipairs(value) do words[i] = tostring(one) end
            value = table.concat(words, ",")
        end
        list[#list + 1] = { name = name, text = tostring(value) }
    end
    return list
end

local function add_overrides(list, texts)
    for _, text in ipairs(texts or {}) do
        local name, value = tostring(text):match("^([%a_][%w_]*)=(.*)$")
        if not name then
            local remedy = "as in workers=1..4"
            return nil, mistake.new { kind = "usage", key = text, problem = "is not name=value", remedy = remedy }
        end
        list[#list + 1] = { name = name, text = value }
    end
    return list
end

---Runs a scenario.
---@param what string|rig.Scenario a file, or what rig.scenario{…} returned
---@param opts? rig.HostOptions
---@return table? results the document; results.exit is 0 when all passed
---@return any problem text by tostring
function M.run(what, opts)
    if opts == nil then opts = {} end
    check_types(what, opts)
    check_options(opts)
    local s, problem = what, nil
    if type(what) == "string" then s, problem = scenario.load(what, opts.source) end
    if not s then return nil, problem end
    local list, ok
    list, problem = add_overrides(settings(opts.params), opts.overrides)
    if not list then return nil, problem end
    ok, problem = scenario.override(s, list)
    if not ok then return nil, problem end
    local made
    made, problem = plan.make(s, { only = opts.only, smoke = opts.smoke, seed = opts.seed, timeout = opts.timeout })
    if not made then return nil, problem end
    return runner.run(made, opts)
end

return M
