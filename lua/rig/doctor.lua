--- `rig doctor`: measures this machine, judges it, and gives the text or the JSON to print.
--- Not for printing: that is cli.lua. Neighbours: doctor/measure.lua, doctor/judge.lua, doctor/text.lua.

local core = require "rig.core"
local env = require "rig.env"
local json = require "rig.json"
local judge = require "rig.doctor.judge"
local measure = require "rig.doctor.measure"
local status = require "rig.status"
local text = require "rig.doctor.text"

local M = {}

--- The name of this version of what --json prints.
M.SCHEMA = "rig-doctor/1"

-- No JSON has a number for what has no limit: such a one is left out.
local function finite(limits)
    local copy = {}
    for name, value in pairs(limits) do
        if value ~= math.huge then copy[name] = value end
    end
    return copy
end

local function measured(facts)
    return {
        alone = facts.alone, two = facts.two, all = facts.all, clock = facts.clock, sleep = facts.sleep,
        trips_same_s = facts.trips_same, trips_across_s = facts.trips_across, touch = facts.touch, forks = facts.forks,
        limits = finite(facts.limits), window = facts.window, problems = facts.problems, cpus = json.list(facts.cpus),
    }
end

---Everything as one document: facts, items, verdict.
---@param facts rig.doctor.Facts
---@param diagnosis table
---@param about { started: string, duration_s: number }
---@return table doc
function M.document(facts, diagnosis, about)
    local items, build = json.list(), core.build
    for i, item in ipairs(diagnosis.items) do
        items[i] = { id = item.id, level = item.level, text = item.text, remedy = item.remedy or json.null,
            command = item.command or json.null }
    end
    return {
        schema = M.SCHEMA, rig = { version = core.version, commit = build and build.commit, build = build },
        started = about.started, duration_s = about.duration_s, host = facts.host, level = diagnosis.level,
        items = items, verdict = diagnosis.verdict, measured = measured(facts),
    }
end

-- Without processes of its own there is nothing here that pools could be measured on.
local function reason_to_fail(facts)
    return facts.problems.trips_same or facts.problems.two or facts.problems.forks and not facts.forks
        and facts.touch and facts.problems.forks or nil
end

---@param opts { json: boolean? }
---@param context { look: table?, step: (fun(text: string?))? }
---@return string? said
---@return integer exit 0 also when the machine is bad; 4 when it could not be measured
---@return string? problem
function M.run(opts, context)
    local started, t0, step = env.timestamp(), core.now(), context.step or function() end
    local facts = measure.run(step)
    step()
    if core.interrupted() then return nil, status.EXIT.error end -- the command line says by which signal
    local about = { started = started, duration_s = core.now() - t0, host = facts.host }
    local diagnosis = judge.of(facts)
    local problem = reason_to_fail(facts)
    local exit = problem and status.EXIT.faulted or 0
    problem = problem and "could not measure: " .. problem
    if not opts.json then return text.render(diagnosis, about, context.look), exit, problem end
    return json.encode(M.document(facts, diagnosis, about), { pretty = true }) .. "\n", exit, problem
end

return M
