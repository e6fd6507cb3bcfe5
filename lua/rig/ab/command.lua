--- What the command line asks of an A/B run, made ready to be measured: `--ab NAME=A,B` and
--- `rig ab BASE HEAD SCENARIO`.
--- Not for printing or exiting: that is cli.lua. Neighbours: run.lua measures, cases.lua and executables.lua say what.

local cases = require "rig.ab.cases"
local forked = require "rig.ab.forked"
local mistake = require "rig.mistake"
local params = require "rig.params"
local plan_of = require "rig.plan"
local run = require "rig.ab.run"
local runner = require "rig.runner"
local values = require "rig.values"

local M = {}

local function iterations_are_given(s)
    local param = params.find(s.params, "iterations")
    return param ~= nil and param.origin == "command line"
end

local function sides_of_param(plan, name, twins, opts)
    local iterations_given = iterations_are_given(plan.scenario)
    local words, param = {}, params.find(plan.scenario.params, name)
    for i, value in ipairs(param.values) do
        words[i] = values.text(param, value)
    end
    return {
        what = name, a = words[1], b = words[2] or words[1], fixed_iterations = iterations_given, twins = twins,
        verify = function(doc) return runner.verify(plan, doc) end,
        thresholds = plan.scenario.thresholds,
        measure = function(twin, side, iterations, limit_s)
            local case = twin[side]
            if iterations then case = cases.with_iterations(case, iterations) end
            return forked.measure(plan, case, { force = opts.force, limit_s = limit_s })
        end,
    }
end

---Two values of a parameter.
---@param s rig.Scenario
---@param opts table  ab ({name, text}), and what plan.make takes
---@return table|nil ready  plan, twins, sides
---@return rig.Mistake|nil
function M.of_param(s, opts)
    local name = opts.ab.name
    local param, problem = cases.override(s, name, opts.ab.text)
    if not param then return nil, problem end
    if name ~= "pin" then cases.pin(s) end
    local plan
    plan, problem = plan_of.make(s, {
        only = opts.only, smoke = opts.smoke, seed = opts.seed, timeout = opts.timeout, ab = name,
    })
    if not plan then return nil, problem end
    local twins = cases.twins(plan, name)
    for _, twin in ipairs(twins) do
        if not twin.b then
            return nil, mistake.new { kind = "usage", key = "--ab " .. name, problem = "one of its sides was left out",
                remedy = "name another parameter with --only" }
        end
    end
    return { plan = plan, twins = twins, sides = sides_of_param(plan, name, twins, opts) }
end

---Two executables.
---@param opts table  base, head, scenario, settings, only, …
---@return table|nil ready
---@return any problem
function M.of_executables(opts)
    return require("rig.ab.executables").ready(opts)
end

---Measures and judges.
---@param ready table  what of_param or of_executables gave
---@param opts table  min_effect, budget_s, strict, fail_fast, force, label, argv, on_start, on_block
---@return table|nil doc
---@return string|nil problem
function M.run(ready, opts)
    local doc = runner.new_document(ready.plan, opts)
    return run.run(doc, ready.twins, ready.sides, {
        min_effect = opts.min_effect, budget_s = opts.budget_s, strict = opts.strict, fail_fast = opts.fail_fast,
        seed = ready.plan.seed, on_start = opts.on_start, on_block = opts.on_block,
    })
end

return M
