--- The steps under `faults` in a scenario: what is to happen to a worker, to which one, and when. Checked strictly, and
--- put into one form, plain values, which may cross into a fresh process.
--- Not for making them happen: inside.lua does that in workers, watch.lua in the coordinator.
--- Neighbours: declare.lua checks a list when the scenario is loaded, case.lua what a function returned.

local names = require "rig.names"
local units = require "rig.units"
local values = require "rig.values"

local M = {}

---@class rig.FaultStep
---@field action "kill"|"exit"|"stop"|"hang"|"error"|"truncate"
---@field given any               what stands behind the action's name
---@field signal? string          kill: "KILL"
---@field seconds? number         stop and hang: how long; 0: until somebody ends it
---@field stage "init"|"idle"|"task"|"result"|"finish"
---@field worker? integer         whose; nil: whoever has the task
---@field task? integer           with `worker` the n-th that it begins in an iteration, else that of the n-th item
---@field iteration integer|"every"
---@field times integer           how often it may happen in an iteration
---@field text string             the step as one would write it
---@field what string             what happens, in short

local ACTIONS = { "kill", "exit", "stop", "hang", "error", "truncate" }
local STAGES = { "init", "idle", "task", "result", "finish" }
local FIELDS = {
    "kill", "exit", "stop", "hang", "error", "truncate", "stage", "worker", "at_task", "iteration", "times",
}
local SIGNALS = { "SIGABRT", "SIGBUS", "SIGFPE", "SIGHUP", "SIGILL", "SIGKILL", "SIGQUIT", "SIGSEGV", "SIGTERM" }

--- How many steps a case may have: the board has words for so many.
M.MOST_STEPS = 16
local LONGEST_S = 86400
local LONGEST_TEXT = 1000

--- How it is written, for messages.
M.FORM = '{ kill = "SIGKILL", worker = 2, at_task = 10 }'

local is_field, is_stage, is_signal = {}, {}, {}
for _, name in ipairs(FIELDS) do is_field[name] = true end
for _, name in ipairs(STAGES) do is_stage[name] = true end
for _, name in ipairs(SIGNALS) do is_signal[name] = true end

local function is_whole(v, least, most)
    return math.type(v) and math.tointeger(v) ~= nil and v >= least and v <= most
end

local function duration(v)
    if v == true then return 0 end
    local seconds, problem = v, nil
    if type(v) == "string" then seconds, problem = units.parse_duration(v) end
    if not seconds then return nil, problem end
    if type(seconds) ~= "number" or not (seconds > 0 and seconds <= LONGEST_S) then return nil end
    return seconds
end

-- What each action takes: the step's own field for it, or nil and what would be right.
local TAKES = {
    kill = function(step, v)
        local name = type(v) == "string" and (v:find "^SIG" and v or "SIG" .. v)
        if not is_signal[name] then
            return ("is no signal that ends a worker; %s"):format(names.suggest(tostring(name or v), SIGNALS))
        end
        step.signal = name:sub(4)
    end,
    exit = function(_, v)
        if not is_whole(v, 0, 255) then return "is no exit status; give 0 to 255" end
    end,
    error = function(_, v)
        if type(v) ~= "string" or v == "" or #v > LONGEST_TEXT then
            return ("is no message; give a text of at most %d bytes"):format(LONGEST_TEXT)
        end
    end,
    truncate = function(_, v)
        if not is_whole(v, 0, 1 << 40) then return "is no number of bytes; give how many of the result go out" end
    end,
}

function TAKES.stop(step, v)
    local problem
    step.seconds, problem = duration(v)
    if not step.seconds then
        return ("is no time (%s); give true, or how long: \"200ms\""):format(problem or "more than 0, at most a day")
    end
end

TAKES.hang = TAKES.stop

-- What the coordinator can do to a worker that waits for work; everything else a worker does to itself.
local FROM_OUTSIDE = { kill = true, stop = true }

local function action_of(given)
    local found
    for _, name in ipairs(ACTIONS) do
        if given[name] ~= nil then
            if found then return nil, ("has both %s and %s"):format(found, name), "make two steps of it" end
            found = name
        end
    end
    if found then return found end
    return nil, "says nothing that is to happen", "give one of " .. names.join(ACTIONS, "or")
end

local function whole_field(given, name, most)
    local v = given[name]
    if v == nil or is_whole(v, 1, most) then return v and math.tointeger(v) end
    return nil, ("%s = %s is not from 1 to %d"):format(name, values.show(v), most)
end

-- When and to whom. Outside of tasks it is one worker's, the first if none is named.
local function place(step, given)
    step.stage = given.stage or (step.action == "truncate" and "result" or "task")
    if not is_stage[step.stage] then
        local what = values.show(given.stage)
        return ("stage = %s is none"):format(what), names.suggest(tostring(given.stage), STAGES)
    end
    local problem
    for field, most in pairs { worker = 4096, at_task = 1 << 53, times = 1 << 20 } do
        local v
        v, problem = whole_field(given, field, most)
        if problem then return problem, "give a whole number" end
        step[field == "at_task" and "task" or field] = v
    end
    step.times = step.times or 1
    local within = step.stage == "task" or step.stage == "result"
    if step.task and not within then
        return ("at_task = %d belongs to the stages task and result"):format(step.task),
            ("leave it out beside stage = %q"):format(step.stage)
    end
    if within then step.task = step.task or 1 else step.worker = step.worker or 1 end
    if step.action == "truncate" and step.stage ~= "result" then
        return ("truncate cuts a result, and this is stage = %q"):format(step.stage),
            'leave stage out, or write "result"'
    elseif step.stage == "idle" and not FROM_OUTSIDE[step.action] then
        return ("%s is nothing that can be done to a worker from outside"):format(step.action),
            'in stage = "idle" give kill or stop'
    elseif step.stage == "idle" and step.action == "stop" and step.seconds > 0 then
        return ("stop = %s: nobody would continue an idle worker"):format(values.show(step.given)),
            "give stop = true, and a timeout, or another stage"
    elseif (step.stage == "init" or step.stage == "finish") and given.iteration ~= nil then
        return ("iteration = %s, and a worker has its %s once"):format(values.show(given.iteration), step.stage),
            "leave it out"
    end
end

-- What happens, without when and to whom.
local function what_of(step)
    local v = step.given
    local what = v == true and step.action or ("%s %s"):format(step.action, type(v) == "string" and v or values.show(v))
    if step.stage == "task" or step.action == "truncate" then return what end
    return ("%s, stage %s"):format(what, step.stage)
end

local function text_of(step, given)
    local parts = { ("%s = %s"):format(step.action, values.show(step.given)) }
    if step.worker then parts[#parts + 1] = "worker " .. step.worker end
    if step.task then parts[#parts + 1] = (step.worker and "its task " or "task ") .. step.task end
    if given.stage and step.stage ~= "task" then parts[#parts + 1] = "stage " .. step.stage end
    if given.iteration then parts[#parts + 1] = "iteration " .. step.iteration end
    if step.times > 1 then parts[#parts + 1] = step.times .. " times" end
    return table.concat(parts, ", ")
end

local function is_list(v)
    if type(v) ~= "table" or getmetatable(v) then return false end
    local count = 0
    for _ in pairs(v) do count = count + 1 end
    for i = 1, count do
        if v[i] == nil then return false end
    end
    return true
end

local function step_of(given)
    if type(given) ~= "table" or getmetatable(given) then
        return nil, ("%s is not a step"):format(values.show(given)), "write " .. M.FORM
    end
    for key in pairs(given) do
        if not is_field[key] then
            return nil, ("unknown key %s"):format(values.show(key)), names.suggest(tostring(key), FIELDS)
        end
    end
    local action, problem, remedy = action_of(given)
    if not action then return nil, problem, remedy end
    local step = { action = action, given = given[action] }
    problem = TAKES[action](step, step.given)
    if problem then
        local what, todo = problem:match "^(.-); (.*)$"
        return nil, ("%s = %s %s"):format(action, values.show(step.given), what), todo
    end
    problem, remedy = place(step, given)
    if problem then return nil, problem, remedy end
    step.iteration = given.iteration or 1
    if step.iteration ~= "every" and not is_whole(step.iteration, 1, 1 << 53) then
        return nil, ("iteration = %s is not a number from 1"):format(values.show(given.iteration)), 'or write "every"'
    end
    step.text, step.what = text_of(step, given), what_of(step)
    return step
end

---The steps of a scenario, or of one of its cases.
---@param given any
---@return rig.FaultStep[]? steps
---@return string? problem
---@return string? remedy
---@return integer? index of the step that is wrong; nil: it is the list
function M.check(given)
    if not is_list(given) then
        return nil, ("%s is not a list of steps"):format(values.show(given)), "write faults = { " .. M.FORM .. " }"
    elseif #given > M.MOST_STEPS then
        return nil, ("%d steps are more than %d"):format(#given, M.MOST_STEPS), "leave some out"
    end
    local steps = {}
    for i, one in ipairs(given) do
        local step, problem, remedy = step_of(one)
        if not step then return nil, problem, remedy, i end
        steps[i] = step
    end
    return steps
end

---Why a step cannot happen in a case; nil where it can.
---@param step rig.FaultStep
---@param case rig.Case
---@return string? problem
---@return string? remedy
function M.bar(step, case)
    local params, preset = case.params, case.axes.preset
    if preset == "serial" and step.action ~= "error" and step.action ~= "hang" then
        return ("pool serial has no processes, and %s would befall the coordinator"):format(step.action),
            "leave serial out, or let faults be function(p) and return nothing for it"
    elseif preset == "serial" and (step.stage == "idle" or step.stage == "init") then
        return ("pool serial has no workers that are %s"):format(step.stage == "idle" and "idle" or "made"),
            "leave serial out, or let faults be function(p) and return nothing for it"
    elseif step.stage == "idle" and case.axes.max_messages then
        return ("no worker of %s waits for work: each leaves after its message"):format(preset),
            "take another stage, or let faults be function(p) and return nothing for it"
    elseif step.iteration ~= "every" and params.iterations and step.iteration > params.iterations then
        return ("there is no iteration %d of %d"):format(step.iteration, params.iterations), "take more iterations"
    elseif step.worker and step.worker > params.workers then
        return ("there is no worker %d among %d"):format(step.worker, params.workers), "take more workers"
    elseif step.seconds == 0 and params.timeout <= 0 then
        return ("%s = true lasts until somebody ends it, and nobody would"):format(step.action),
            'give timeout = "1s" or so, or a time in place of true'
    end
end

return M
