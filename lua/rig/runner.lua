--- Runs a plan: its cases in order, the scenario's last word over all of them, and the results document.
--- Not for measuring (case.lua), for printing or for exiting (cli.lua): what happens is told through callbacks.
--- Neighbours: results.lua puts the document together, env.lua has the facts in it.

local bisect = require "rig.bisect"
local core = require "rig.core"
local env = require "rig.env"
local equal = require "rig.equal"
local json = require "rig.json"
local measure_case = require "rig.case"
local results = require "rig.results"
local status = require "rig.status"
local thresholds = require "rig.thresholds"
local trace = require "rig.trace"
local units = require "rig.units"
local values = require "rig.values"

local M = {}

local SIGALRM = 14

---@class rig.RunOptions
---@field force? boolean       also what does not fit in memory
---@field fail_fast? boolean   stop at the first case that did not pass
---@field budget_s? number     seconds for the whole run
---@field strict? boolean      cases that were not measured are no success: exit 6
---@field find_crossing? string a parameter: more of its values are run, to find where one of two becomes the faster
---@field label? string
---@field argv? string[]
---@field on_start? fun(doc: table, plan: rig.Plan)
---@field on_case? fun(case: table, doc: table)
---@field on_iteration? fun(case: rig.Case, done: integer, total: integer)

local function scenario_facts(s)
    local params = {}
    for _, param in ipairs(s.params) do
        local list = {}
        for i, value in ipairs(param.values) do
            local kind = type(value)
            list[i] = (kind == "table" or kind == "userdata") and values.text(param, value) or value
        end
        params[param.name] = list
    end
    return {
        name = s.name, about = s.about, kind = s.hooks.body and "body" or "map", file = s.file, source = s.source,
        sha256 = s.source and env.sha256(s.source), git_commit = s.file and env.git_commit(s.file), params = params,
    }
end

local function new_document(plan, opts)
    return results.new {
        rig = { version = core.version, commit = core.build and core.build.commit, build = core.build },
        argv = opts.argv or {}, label = opts.label, seed = plan.seed, scenario = scenario_facts(plan.scenario),
        host = env.host(), started = env.timestamp(), varying = plan.varying,
    }
end

M.new_document = new_document

local function leave_out(case, reason)
    local record = measure_case.empty(case)
    record.status, record.reason = "skipped", reason
    return record
end

local function budget_reason(opts)
    return ("budget of %s spent"):format(units.format_duration(opts.budget_s))
end

local function any_iteration(records)
    for _, record in pairs(records) do
        if #record.iterations > 0 then return true end
    end
    return false
end

-- The budget is no fault of a case: it is cut off, keeps what it has, and counts as left out. But a run that was cut
-- off before anything in it ended has found out nothing, and it may be that something hangs.
local function note_budget(record, opts, before)
    if record.status ~= "interrupted" then return end
    if #record.iterations == 0 and not any_iteration(before) then
        record.status = "faulted"
        record.reason = ("%s before its first iteration ended: if something hangs, --timeout tells which task; "
            .. "else give a longer --budget"):format(budget_reason(opts))
        return
    end
    for i, iteration in ipairs(record.iterations) do
        if iteration.right == false then -- wrong is wrong, however little there was time for
            record.status, record.reason = "failed", ("iteration %d: wrong result; then the %s"):format(i,
                budget_reason(opts))
            return
        end
    end
    record.status = "skipped"
    record.reason = ("%s, after %s of this case"):format(budget_reason(opts),
        units.count(#record.iterations, "iteration"))
end

-- Why nothing more is to be run after this case, or nil.
local function reason_to_stop(record, opts)
    local signo = core.interrupted()
    if signo == SIGALRM and opts.budget_s then return budget_reason(opts) end
    if signo then return ("not run: interrupted by signal %d"):format(signo) end
    if record.broken then return "not run: the scenario failed before" end
    if opts.fail_fast and record.status ~= "ok" and record.status ~= "skipped" then
        return ("not run: %s did not pass, and -x stops there"):format(record.label)
    end
end

-- Cases are measured in an order that is drawn, anew in each round: what drifts while they run (heat, memory that the
-- machine has to find first, other work) then falls on all of them and not on the last ones. Rounds follow each other.
local function order_of(plan)
    local rng, order, round = core.rng("order", plan.seed or 0), {}, {}
    for i, case in ipairs(plan.cases) do
        round[#round + 1] = i
        local next_case = plan.cases[i + 1]
        if not next_case or next_case.run ~= case.run then
            rng:shuffle(round)
            table.move(round, 1, #round, #order + 1, order)
            round = {}
        end
    end
    return order
end

local function keep(case, record, opts, doc)
    record.broken = nil
    results.add(doc, results.case(record, case.axes))
    if opts.on_case then opts.on_case(record, doc) end
end

-- Measures a case after those `before`; why nothing more is to be run, or nil, comes with it.
local function measure_one(plan, case, opts, doc, before)
    local record = measure_case.measure(plan, case, opts)
    local stopped = reason_to_stop(record, opts)
    if core.interrupted() == SIGALRM and opts.budget_s then note_budget(record, opts, before) end
    doc.order[#doc.order + 1] = case.index
    return record, stopped
end

-- Told and kept in the order of the plan, as soon as all before a case have been measured.
local function hand_on(plan, opts, doc, records)
    local case = plan.cases[#doc.cases + 1]
    while case and records[case] do
        keep(case, records[case], opts, doc)
        case = plan.cases[#doc.cases + 1]
    end
end

local function run_cases(plan, opts, doc)
    local stopped
    local records = {}
    doc.order = json.list()
    for _, i in ipairs(order_of(plan)) do
        local case = plan.cases[i]
        if stopped then
            records[case] = leave_out(case, stopped)
        else
            records[case], stopped = measure_one(plan, case, opts, doc, records)
        end
        hand_on(plan, opts, doc, records)
    end
    if opts.find_crossing and not stopped then
        bisect.run(plan, opts.find_crossing, doc, function(case)
            local record
            record, stopped = measure_one(plan, case, opts, doc, doc.cases)
            keep(case, record, opts, doc)
            return not stopped
        end)
    end
    return stopped
end

-- What is written is what was measured, whatever a scenario does to the document that it is shown.
local function copy_of(value)
    if type(value) ~= "table" then return value end
    local copy = {}
    for key, inner in pairs(value) do copy[key] = copy_of(inner) end
    return setmetatable(copy, getmetatable(value)) -- lists stay marked as such
end

-- The scenario's verdict over the whole experiment: nil where there is none.
local function verify(plan, doc)
    local judge = plan.scenario.hooks.verify
    if not judge then return nil end
    local answer = table.pack(xpcall(judge, trace.handler, copy_of(doc)))
    if not answer[1] then return { exit = status.EXIT.error, message = answer[2] .. " (in verify)" } end
    local right, why = equal.verdict("verify", table.pack(table.unpack(answer, 2, answer.n)))
    if right == nil then return { exit = status.EXIT.error, message = why } end
    if right then return { exit = 0 } end
    return { exit = status.EXIT.failed, message = why or "verify says that it is wrong" }
end

M.verify = verify

local function conclude(doc, verdict)
    if not verdict then return end
    doc.verify = { right = verdict.exit == 0, message = verdict.message }
    if verdict.exit == 0 then return end
    doc.exit = status.worst(doc.exit, verdict.exit)
    doc.status = status.word(doc.exit)
end

local function judge_thresholds(plan, doc)
    local list = plan.scenario.thresholds
    if not list then return end
    doc.thresholds = thresholds.judge(doc, list, { smoke = plan.smoke })
    for _, entry in ipairs(doc.thresholds) do
        if not entry.passed then
            doc.exit = status.worst(doc.exit, status.EXIT.failed)
            doc.status = status.word(doc.exit)
        end
    end
end

-- What was not measured cannot be told, and for whoever is strict that is no success.
local function be_strict(doc)
    if doc.exit ~= 0 or doc.status ~= "inconclusive" and doc.skipped == 0 then return end
    doc.exit = status.EXIT.inconclusive
    doc.status = status.word(doc.exit)
end

local function start_budget(opts)
    if not opts.budget_s then return true end
    local ok, message = core.alarm(opts.budget_s)
    if not ok then return nil, message end
    return true
end

-- What the command line, or whoever called rig.run, set: a case is not the same without it.
local function given_params(s)
    local list = {}
    for _, param in ipairs(s.params) do
        if param.origin == "command line" then list[#list + 1] = param.name end
    end
    return list
end

local function exists(path)
    local file = io.open(path)
    return file ~= nil and file:close()
end

---Runs all cases. Raises only where rig itself is at fault.
---@param plan rig.Plan
---@param opts? rig.RunOptions
---@return table? doc the results document; doc.exit is what to leave with
---@return string? message why nothing could be run
function M.run(plan, opts)
    opts = opts or {}
    local problem = opts.find_crossing and bisect.problem(plan, opts.find_crossing)
    if problem then return nil, problem end
    local doc = new_document(plan, opts)
    local ok, message = start_budget(opts)
    if not ok then return nil, message end
    core.set_force(opts.force or false)
    local started = core.now()
    if opts.on_start then opts.on_start(doc, plan) end
    local stopped = run_cases(plan, opts, doc)
    local verdict = not stopped and verify(plan, doc) or nil
    if opts.budget_s then core.alarm(0) end
    core.set_force(false)
    local signo = core.interrupted()
    if signo == SIGALRM and opts.budget_s then signo = nil end
    env.add_changes(doc.host)
    results.finish(doc, { ended = env.timestamp(), duration_s = core.now() - started, signal = signo },
        { exists = exists, given = given_params(plan.scenario), find_crossing = opts.find_crossing })
    conclude(doc, verdict)
    judge_thresholds(plan, doc)
    if opts.strict then be_strict(doc) end
    return doc
end

return M
