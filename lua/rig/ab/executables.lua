--- Sides of an A/B run that are programs: two builds of rig, or hosts that embed it and hand their words to
--- rig_command. Each value is a whole run of one case by one of them. They are asked only what they understand: what
--- the older one does not know is left out, and said.
--- Neighbours: run.lua (asks for values), command.lua, forked.lua (sides that are values of a parameter).

local core = require "rig.core"
local json = require "rig.json"
local measure_case = require "rig.case"
local mistake = require "rig.mistake"
local results = require "rig.results"
local units = require "rig.units"

local M = {}

local CHECK_S = 60 -- only against hanging: to check a scenario runs nothing of it but the file itself

local function usage(key, value, problem, remedy)
    return mistake.new { kind = "usage", key = key, value = value, problem = problem, remedy = remedy }
end

-- Of the end only: a program may print megabytes.
local function last_line(text)
    local line = text:sub(-2000):gsub("%s+$", ""):match "[^\n]*$":gsub("^rig: ", "")
    return line
end

-- ---- what they understand ------------------------------------------------------------------------------------------

local function words_of(program, command, scenario, settings, only)
    local words = { program, command, scenario }
    for _, one in ipairs(settings) do words[#words + 1] = one.name .. "=" .. one.text end
    for _, one in ipairs(only or {}) do
        words[#words + 1] = "--only"
        words[#words + 1] = one.name .. "=" .. one.text
    end
    return words
end

local function without_null(value)
    if type(value) ~= "table" then return value end
    local copy = {}
    for key, inner in next, value do
        if inner ~= json.null then copy[key] = without_null(inner) end
    end
    return copy
end

local function is_list_of(value, fits)
    if type(value) ~= "table" then return false end
    for key, one in pairs(value) do
        if math.type(key) ~= "integer" or not fits(one) then return false end
    end
    return true
end

-- What is wrong with the answer to `check`, or nil.
local function not_a_check(found)
    if type(found) ~= "table" then return "no object" end
    local function is_case(case)
        return type(case) == "table" and type(case.params) == "table" and type(case.label) == "string"
            and type(case.run) == "number"
    end
    if not is_list_of(found.cases, is_case) or #found.cases == 0 then return "it has no cases" end
    if not is_list_of(found.varying, function(name) return type(name) == "string" end) then
        return "it does not say what varies"
    end
    if not is_list_of(found.parameters, function(one) return type(one) == "table" end) then
        return "it has no parameters"
    end
end

-- The parameters and cases of the scenario, as a program sees them; nil and what it says where it refuses.
local function check(program, opts, settings, only)
    local words = words_of(program, "check", opts.scenario, settings, only)
    words[#words + 1] = "--json"
    words.timeout = math.min(CHECK_S, opts.budget_s or CHECK_S)
    local said, message = core.exec(words)
    if not said then return nil, message end
    if said.status ~= 0 then
        return nil, said.signal and ("it was ended by signal %d"):format(said.signal) or last_line(said.stderr)
    end
    local found, problem = json.decode(said.stdout)
    if found ~= nil then problem = not_a_check(found) end
    if problem then return nil, "it does not answer `check --json` like rig: " .. problem end
    return without_null(found)
end

-- What was asked for, without what a program refuses when it stands alone; and what it said of it.
local function understood(program, opts, list, as)
    local kept, unknown = {}, {}
    for _, one in ipairs(list or {}) do
        local settings, only = as == "only" and {} or { one }, as == "only" and { one } or {}
        local ok, problem = check(program, opts, settings, only)
        if ok then
            kept[#kept + 1] = one
        else
            unknown[#unknown + 1] = ("%s=%s: %s"):format(one.name, one.text, problem)
        end
    end
    return kept, unknown
end

-- As in a run of two values of a parameter; where both know how.
local function pin(opts)
    for _, one in ipairs(opts.settings) do
        if one.name == "pin" then return end
    end
    local settings = { { name = "pin", text = "true" } }
    for _, program in ipairs { opts.base, opts.head } do
        local found = check(program, opts, settings, {})
        if not found then return end
        for _, param in ipairs(found.parameters or {}) do
            -- the scenario's own word stands
            if param.name == "pin" and param.default ~= "false" then return end
        end
    end
    table.insert(opts.settings, settings[1])
end

local function check_base(opts)
    local found, problem = check(opts.base, opts, opts.settings, opts.only)
    if found then return found, opts.settings, {}, opts.only end
    local plain, why = check(opts.base, opts, {}, {})
    if not plain then
        return nil, mistake.new {
            file = opts.base, kind = "usage", problem = ("it refuses the scenario: %s"):format(why),
            remedy = "give both sides a scenario that the older one understands",
        }
    end
    local settings, unknown = understood(opts.base, opts, opts.settings)
    local only, unknown_only = understood(opts.base, opts, opts.only, "only")
    table.move(unknown_only, 1, #unknown_only, #unknown + 1, unknown)
    found, why = check(opts.base, opts, settings, only)
    if not found or #unknown == 0 then return nil, usage(opts.base, nil, why or problem) end
    return found, settings, unknown, only
end

-- ---- the cases of both ---------------------------------------------------------------------------------------------

local function text_of(value)
    if math.type(value) == "float" then return ("%.17g"):format(value) end
    return tostring(value)
end

-- A case in the words of a command line. What does not vary the program sets by itself.
local function case_settings(case, varying, settings)
    local list, varies = {}, {}
    for _, name in ipairs(varying) do
        if name ~= "runs" then
            varies[name] = true
            list[#list + 1] = { name = name, text = text_of(case.params[name]) }
        end
    end
    for _, one in ipairs(settings) do
        if not varies[one.name] and one.name ~= "runs" and one.name ~= "iterations" then list[#list + 1] = one end
    end
    if (case.params.runs or 1) ~= 1 then list[#list + 1] = { name = "runs", text = "1" } end
    return list
end

-- What was chosen and leaves one value only, which so does not vary.
local function fixed_choice(only, varying)
    local list, varies = {}, {}
    for _, name in ipairs(varying) do varies[name] = true end
    for _, one in ipairs(only or {}) do
        if not varies[one.name] then list[#list + 1] = one end
    end
    return list
end

local function key_of(case, varying)
    local words = {}
    for i, name in ipairs(varying) do words[i] = text_of(case.params[name]) end
    return table.concat(words, "\0")
end

local function twins_of(head, base, opts, unknown)
    local known, list = {}, {}
    for _, case in ipairs(base.cases) do known[key_of(case, head.varying)] = true end
    for _, case in ipairs(head.cases) do
        if case.run == 1 and known[key_of(case, head.varying)] then
            local twin = { index = #list + 1, label = case.label, params = case.params }
            local one = { index = twin.index, run = 1, label = case.label, params = case.params, axes = case.axes }
            twin.a, twin.b = one, one
            twin.settings = case_settings(case, head.varying, opts.settings)
            twin.only = fixed_choice(opts.only, head.varying)
            list[twin.index] = twin
        elseif case.run == 1 then
            unknown[#unknown + 1] = ("case %s"):format(case.label)
        end
    end
    return list
end

-- ---- measuring -----------------------------------------------------------------------------------------------------

local function end_text(said)
    local why = said.signal and ("was ended by signal %d"):format(said.signal)
        or ("ended with exit status %d"):format(said.status)
    local text = last_line(said.stderr)
    return ("it %s%s"):format(why, text ~= "" and ": " .. text or "")
end

-- What is wrong with what a program printed, or nil: results of this scenario, of one case, and an end that fits them.
local function not_the_results(said, doc, problem, opts)
    if doc == nil then
        local how = end_text(said)
        return said.status == 0 and "it printed no results: " .. (problem or "nothing") or how
    end
    local ok, wrong = results.check(doc)
    if not ok then return "it printed no results: " .. wrong end
    if doc.scenario.name ~= opts.name then
        return ("it answered with results of the scenario %s"):format(doc.scenario.name)
    end
    if #doc.cases ~= 1 then return ("it ran %d cases instead of one"):format(#doc.cases) end
    if said.status ~= doc.exit then
        return ("its results say exit status %d, and %s"):format(doc.exit, end_text(said))
    end
end

local function record_of(doc, twin)
    local record = without_null(doc.cases[1])
    record.label = twin.label
    local verify = type(doc.verify) == "table" and doc.verify
    if verify and verify.right == false and record.status == "ok" then
        record.status = "failed"
        record.reason = type(verify.message) == "string" and verify.message or "verify says that it is wrong"
    end
    return record
end

local function measure(program, opts, twin, side, iterations, limit_s)
    local words = words_of(program, "run", opts.scenario, twin.settings, twin.only)
    local given = iterations or opts.iterations
    if given then words[#words + 1] = "iterations=" .. given end
    for _, word in ipairs { "--json", "-", "--quiet", "--no-progress" } do words[#words + 1] = word end
    if opts.seed then table.move({ "--seed", tostring(opts.seed) }, 1, 2, #words + 1, words) end
    if opts.force then words[#words + 1] = "--force" end
    words.timeout = limit_s
    local said, message, code = core.exec(words)
    if not said and code == "ETIMEDOUT" then
        local reason = ("it had not ended after %s"):format(units.format_duration(limit_s))
        return measure_case.lost(twin[side], reason, "timeout")
    elseif not said then
        return nil, message, code
    end
    local doc, problem
    if said.stdout ~= "" then doc, problem = json.decode(said.stdout) end
    problem = not_the_results(said, doc, problem, opts)
    if problem then return measure_case.lost(twin[side], problem) end
    return record_of(doc, twin)
end

-- ---- ready ---------------------------------------------------------------------------------------------------------

local function read_source(path)
    local file <close> = io.open(path, "rb")
    return file and file:read "a"
end

local function iterations_given(settings)
    for _, one in ipairs(settings) do
        if one.name == "iterations" then return one.text end
    end
end

-- Values go to the programs as words of a command line, where a comma parts two values.
local function unspeakable(head)
    for _, case in ipairs(head.cases) do
        for _, name in ipairs(head.varying) do
            local value = case.params[name]
            if type(value) == "table" or tostring(value):find("[,{]") or tostring(value):find "^table: " then
                local shown = json.encode(value) or "a value"
                return usage(name, value, shown .. " cannot be named on a command line",
                    ("choose others with --only %s=…"):format(name))
            end
        end
    end
end

local function is_body(head)
    local first = head.cases[1]
    return first ~= nil and type(first.axes) == "table" and first.axes.preset == "none"
end

---Asks both programs what they make of the scenario.
---@param opts table  base, head, scenario, settings, only, seed, force, budget_s
---@return table|nil ready  plan (as much of one as a document needs), twins, sides
---@return rig.Mistake|nil
function M.ready(opts)
    local head, problem = check(opts.head, opts, opts.settings, opts.only)
    if not head then return nil, usage(opts.head, opts.head, tostring(problem)) end
    pin(opts)
    local base, settings, unknown, only = check_base(opts)
    if not base then return nil, settings end
    if #unknown > 0 then -- what one of them does not know neither is given: they would do different things
        opts.settings, opts.only = settings, only
        head, problem = check(opts.head, opts, settings, only)
        if not head then return nil, usage(opts.head, opts.head, tostring(problem)) end
    end
    problem = unspeakable(head)
    if problem then return nil, problem end
    local given = iterations_given(opts.settings)
    if given and not math.tointeger(given) then
        return nil, usage("iterations", given, ("'%s' is more than one number"):format(given), "give one, or none")
    end
    opts.iterations = given
    local twins = twins_of(head, base, opts, unknown)
    if #twins == 0 then
        return nil, usage(opts.base, opts.base, "knows none of the cases", table.concat(unknown, "; "))
    end
    local name = type(head.name) == "string" and head.name or opts.scenario
    opts.name = name
    return {
        twins = twins,
        plan = { seed = opts.seed or head.seed or 0, varying = head.varying, cases = {}, scenario = {
            name = name, about = type(head.about) == "string" and head.about or "", file = opts.scenario,
            hooks = { body = is_body(head) or nil }, params = {}, source = read_source(opts.scenario),
        } },
        sides = {
            what = "executables", a = opts.base, b = opts.head, unknown = unknown, fixed_iterations = given ~= nil,
            measure = function(twin, side, iterations, limit_s)
                return measure(side == "a" and opts.base or opts.head, opts, twin, side, iterations, limit_s)
            end,
        },
    }
end

return M
