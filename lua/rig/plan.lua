--- Which cases follow from a scenario's parameters, in which order, and what each of them consists of.
--- Not for running them or estimating time; what a case needs in memory is arithmetic and stands here too.
--- Neighbours: choice says which values run, axes what a pool is made of; the runner takes the cases.

local axes = require("rig.axes")
local choice = require("rig.choice")
local mistake = require("rig.mistake")
local params = require("rig.params")
local reach = require("rig.thresholds.reach")
local readonly = require("rig.readonly")
local units = require("rig.units")
local values = require("rig.values")

local M = {}

--- More cases than this are a slip: they would take days, and memory before the first begins.
M.MAX_CASES = 100000

---@class rig.Case
---@field index integer
---@field run integer
---@field params table<string, any>  effective values; pool is its label
---@field p table                    the same, read-only, for hooks
---@field axes rig.Axes
---@field label string
---@field asked boolean              some value of it came from the command line
---@field picked table<string, any>    the values that were combined, axes as they were chosen
---@field refused string?            why it will not run; set by whoever finds out

---@class rig.Plan
---@field scenario rig.Scenario
---@field seed integer
---@field cases rig.Case[]
---@field varying string[]  parameters with more than one value, in order
---@field smoke boolean?
---@field ab boolean?       two sides of every case are compared, as often as that takes
---@field opts rig.PlanOptions  what it was made with

-- A body runs in the coordinator.
local NO_POOL = { preset = "none", impl = "none", start = "none", delivery = "none", channel = "none" }

local function check_count(s, chosen)
    local count = 1
    for _, entry in ipairs(chosen) do
        count = count * (entry.param.name == "runs" and entry.values[1] or #entry.values)
        if count > M.MAX_CASES then
            error(mistake.new {
                file = s.file, line = s.line, key = entry.param.name, value = #entry.values,
                problem = ("the sweeps make more than %s cases"):format(units.group(M.MAX_CASES)),
                remedy = "sweep fewer values, or choose some with --only",
            }, 0)
        end
    end
end

-- Calls take(picked) for every combination, the last parameter changing fastest.
local function each_combination(chosen, take)
    local picked = {}
    local function pick(i)
        local entry = chosen[i]
        if not entry then return take(picked) end
        for _, v in ipairs(entry.values) do
            picked[entry.param.name] = v
            pick(i + 1)
        end
    end
    pick(1)
end

local function refuse_combination(s, chosen, picked, problem, remedy, key)
    local entry, value = chosen[key], picked[key]
    if key == "pool" then value = axes.label(value) end
    local fields = {
        key = key, value = value, problem = ("%s (pool %s)"):format(problem, axes.label(picked.pool)), remedy = remedy,
    }
    if entry.asked then
        fields.kind = "usage"
    else
        fields.file, fields.line = s.file, entry.param.line
    end
    error(mistake.new(fields), 0)
end

local function resolve_axes(s, chosen, picked)
    if not chosen.pool then return NO_POOL end
    local set = {}
    for _, entry in ipairs(chosen) do
        local name = entry.param.name
        if entry.param.axis and picked[name] ~= params.PRESET then set[name] = picked[name] end
    end
    local resolved, problem, remedy, key = axes.resolve(picked.pool, set)
    if not resolved then refuse_combination(s, chosen, picked, problem, remedy, key) end
    return resolved
end

local function is_serial(resolved)
    return resolved.preset ~= "none" and not axes.has_processes(resolved.preset)
end

-- Serial is the same whatever workers and axes say, so it is measured once for all of them.
local function serial_key(chosen, picked)
    local parts = { axes.label(picked.pool) }
    for _, entry in ipairs(chosen) do
        local param = entry.param
        local v = picked[param.name]
        if param.name ~= "workers" and (param.in_serial or not param.pooled) then
            parts[#parts + 1] = type(v) == "table" and tostring(v) or values.text(param, v)
        end
    end
    return table.concat(parts, "\0")
end

local function effective_params(chosen, picked, resolved)
    local effective = {}
    for _, entry in ipairs(chosen) do
        local name = entry.param.name
        effective[name] = values.plain(picked[name])
        if entry.param.axis then effective[name] = resolved[name] end
    end
    effective.pool = chosen.pool and axes.label(picked.pool) or "none"
    if is_serial(resolved) then effective.workers = 1 end
    return effective
end

-- What tells a case from the others, in the order of the sweep: "builtin, 100,000, workers 2".
local function case_label(varying, effective, chosen)
    local parts = {}
    for _, name in ipairs(varying) do
        local v = effective[name]
        if name == "pool" then
            parts[#parts + 1] = v
        else
            local text = math.type(v) and units.group(v) or values.text(chosen[name].param, v)
            parts[#parts + 1] = name == "size" and text or name .. " " .. text
        end
    end
    if #parts == 0 then parts[1] = chosen.pool and effective.pool or "body" end
    return table.concat(parts, ", ")
end

local function make_case(chosen, varying, picked, resolved, run)
    local effective = effective_params(chosen, picked, resolved)
    local label = case_label(varying, effective, chosen)
    if effective.runs > 1 then label = ("%s, run %d"):format(label, run) end
    local own = {}
    for name, value in pairs(picked) do own[name] = value end
    return {
        run = run, params = effective, p = readonly.params(effective), axes = resolved, label = label,
        asked = choice.asked(chosen), picked = own,
    }
end

local function add_run(s, chosen, run, varying, cases, is_ab)
    local serials = {}
    each_combination(chosen, function(picked)
        local resolved = resolve_axes(s, chosen, picked)
        if is_serial(resolved) and not is_ab then
            local key = serial_key(chosen, picked)
            if serials[key] then return end
            serials[key] = true
        end
        local case = make_case(chosen, varying, picked, resolved, run)
        cases[#cases + 1], case.index = case, #cases + 1
    end)
end

local function is_smaller(a, b)
    -- a case with processes finds more of a script's mistakes than serial, though serial is less work
    local first, second = is_serial(a.axes), is_serial(b.axes)
    if first ~= second then return second end
    if a.params.size ~= b.params.size then return a.params.size < b.params.size end
    return a.params.workers < b.params.workers
end

local function smallest(cases)
    local best = cases[1]
    for _, case in ipairs(cases) do
        if is_smaller(case, best) then best = case end
    end
    best.index = 1
    return best
end

local function leave_out(list, name)
    for i = #list, 1, -1 do
        if list[i] == name then table.remove(list, i) end
    end
end

-- The scenario as its file has it, whatever the command line changed.
local function as_declared(s)
    local list, whole = {}, {}
    for i, param in ipairs(s.params) do
        list[i] = setmetatable({ values = param.declared, origin = "scenario" }, { __index = param })
    end
    for name, v in pairs(s) do whole[name] = v end
    whole.params, whole.thresholds = list, nil
    return whole
end

local make

function make(s, opts)
    local chosen = choice.make(s, opts)
    check_count(s, chosen)
    local plan = {
        scenario = s, seed = chosen.seed.values[1], cases = {}, varying = choice.varying(chosen), opts = opts,
    }
    if opts.ab then -- it repeats by itself, and the two sides are one case
        chosen.runs.values = { 1 }
        leave_out(plan.varying, opts.ab)
        leave_out(plan.varying, "runs")
        plan.ab = true
    end
    for run = 1, chosen.runs.values[1] do add_run(s, chosen, run, plan.varying, plan.cases, opts.ab ~= nil) end
    if not opts.ab then reach.check(s, plan, function() return make(as_declared(s), {}) end) end
    if opts.smoke then plan.cases, plan.varying, plan.smoke = { smallest(plan.cases) }, {}, true end
    return plan
end

---@class rig.PlanOptions
---@field only {name:string, text?:string, values?:any[]}[]?
---@field smoke boolean?            the smallest case, once
---@field ab string?                the parameter whose two values are the sides of an A/B run
---@field seed integer?
---@field timeout (number|string)?  seconds, or "300ms"

---The cases of a scenario: parameters in the scenario's order, the first slowest, runs outside all of them.
---@param s rig.Scenario
---@param opts? rig.PlanOptions
---@return rig.Plan? plan
---@return rig.Mistake? mistake
function M.make(s, opts)
    local fine, result = pcall(make, s, opts or {})
    if fine then return result end
    if mistake.is(result) then return nil, result end
    error(result, 0)
end

---More cases of a plan: the same ones at another value of one parameter, behind those that there are. The plan stays as
---it is.
---@param plan rig.Plan
---@param name string
---@param value any
---@param after integer  the index of the last case there is
---@return rig.Case[]? cases
---@return rig.Mistake? mistake
function M.at(plan, name, value, after)
    local fine, result = pcall(function()
        local chosen, cases = choice.make(plan.scenario, plan.opts), {}
        chosen[name].values = { value }
        for run = 1, chosen.runs.values[1] do add_run(plan.scenario, chosen, run, plan.varying, cases) end
        for _, case in ipairs(cases) do case.index = case.index + after end
        return cases
    end)
    if fine then return result end
    if mistake.is(result) then return nil, result end
    error(result, 0)
end

-- Copies of the fixed data that all processes of a case hold together, the coordinator's own included.
local COPIES = {
    inherit = function() return 1 end,
    send = function(workers) return 1 + workers end,
    queue = function(workers) return 1 + workers end,
    shm = function() return 2 end,
}

---What the fixed data of a case takes in all processes together.
---@param case rig.Case
---@param fixed_bytes integer size of the data itself
---@return integer bytes
function M.estimate_memory(case, fixed_bytes)
    local copies = COPIES[case.axes.delivery]
    return copies and copies(case.params.workers) * fixed_bytes or fixed_bytes
end

---Whether a case fits.
---@param case rig.Case
---@param bytes number what it needs
---@param available number what there is
---@return boolean fits
---@return string? reason and what to do about it
function M.fits(case, bytes, available)
    if bytes <= available then return true end
    local delivery, remedy = case.axes.delivery, "take a smaller size"
    if delivery == "send" or delivery == "queue" then
        remedy = remedy .. ", fewer workers, or delivery = inherit, which copies nothing"
    elseif delivery == "shm" then
        remedy = remedy .. " or delivery = inherit, which copies nothing"
    end
    return false, ("%s needs %s of memory and %s are available; %s; --force tries all the same"):format(
        case.label, units.format_bytes(bytes), units.format_bytes(available), remedy)
end

return M
