--- What the command line means: words to a command with its settings, or a usage mistake.
--- Not for acting on it: that is cli.lua. Nothing here prints or exits.
--- Neighbours: argparse does the splitting, mistake carries what is wrong.

local argparse = require "argparse"
local mistake = require "rig.mistake"
local names = require "rig.names"
local units = require "rig.units"

local M = {}

--- The commands, in the order of help.
M.commands = {
    { name = "run", form = "SCENARIO [NAME=VALUE…] [options]", help = "run it; `run` may be left out" },
    { name = "show", form = "RESULTS.json", help = "what that run said: table, findings, how to run it again" },
    { name = "check", form = "SCENARIO [NAME=VALUE…]",
      help = "validate it, list its parameters and cases, run nothing" },
    { name = "list", form = "[FOLDER…]", help = "scenarios and pool types at hand" },
    { name = "doctor", form = "[--json]",
      help = "what on this machine makes timings unreliable, and what to do about it" },
    { name = "compare", form = "BASE.json NEW.json", help = "what changed between two saved results" },
    { name = "ab", form = "BASE HEAD SCENARIO [NAME=VALUE…]",
      help = "two executables (rig, or hosts that embed it), measured by turns" },
    { name = "report", later = true }, { name = "new", later = true },
}

-- Designed, but not in this version: known words deserve another answer than unknown ones.
local LATER = {
    "html", "trace", "sandbox",
}
local is_later = {}
for _, name in ipairs(LATER) do is_later["--" .. name] = true end

local function usage(key, problem, remedy)
    error(mistake.new { kind = "usage", key = key, problem = problem, remedy = remedy }, 0)
end

-- ---- values of options ---------------------------------------------------------------------------------------------

local function duration(option, text)
    local seconds, problem = units.parse_duration(text)
    if not seconds then usage(option, ("%q %s"):format(text, problem), "write it as 300ms, 90s or 5m") end
    if seconds <= 0 then usage(option, ("%s is no time at all"):format(text), "give more than 0 s") end
    return seconds
end

local function seed(option, text)
    local n = math.tointeger(tonumber(text) or "")
    if not n or n < 0 then usage(option, ("'%s' is not a seed"):format(text), "give a whole number from 0 on") end
    return n
end

-- 3% and 0.03 are the same; 3 would be 300 %, which nobody means.
local function share(option, text)
    local percent = text:match "^%s*(.-)%s*%%%s*$"
    local n = tonumber(percent or text)
    n = n and percent and n / 100 or n
    if n and n > 0 and n < 1 then return n end
    local remedy = n and n >= 1 and tonumber(text) and ("write %s%%, or a number below 1"):format(text)
        or "write it as 3% or 0.03"
    usage(option, ("'%s' is no share between 0 and 1"):format(text), remedy)
end

local function setting(text)
    local name, value = text:match("^([%a_][%w_]*)=(.*)$")
    if not name then
        usage(nil, ("'%s' is neither an option nor NAME=VALUE"):format(text),
            "one scenario a run; parameters are set as in workers=1..4")
    end
    return { name = name, text = value }
end

local function two_sides(text)
    local name, values = text:match("^([%a_][%w_]*)=(.+)$")
    if not name then usage("--ab", ("'%s' is not NAME=A,B"):format(text), "write it as in --ab lib=old.so,new.so") end
    return { name = name, text = values }
end

local function settings(texts)
    local list = {}
    for i, text in ipairs(texts or {}) do list[i] = setting(text) end
    return list
end

-- ---- parsers -------------------------------------------------------------------------------------------------------

local function new_parser(command, description)
    local parser = argparse("rig " .. command):description(description):add_help(false)
    parser:flag "-h --help"
    return parser
end

-- Of two values one would be passed over without a word.
local function once(parser, names_of, help, default)
    return parser:option(names_of, help, default):overwrite(false)
end

local function add_choice(parser)
    parser:option("--only", "only these values of a parameter; may be repeated"):count("*"):argname "NAME=VALUE,…"
    once(parser, "--timeout", "longest time for one task; the parameter timeout"):argname "D"
    once(parser, "--seed", "what random numbers start from"):argname "N"
    once(parser, "--runs", "fresh pools for every case; the parameter runs"):argname "N"
    once(parser, "--warmup", "iterations that do not count; the parameter warmup"):argname "N"
    parser:flag("--smoke", "the smallest case, one iteration")
end

local function add_look(parser)
    once(parser, "--color --colour", "auto, always or never", "auto"):choices { "auto", "always", "never" }
end

-- What A/B runs and comparisons with saved results understand.
local function add_judging(parser)
    once(parser, "--min-effect", "the smallest change that counts; 3% when not given"):argname "P"
    parser:flag("--strict", "what was not measured or cannot be told is no success: exit status 6")
end

local function add_gates(parser)
    parser:option("--gate", "time or counters (of the kernel) decide too; may be repeated"):count("*")
        :choices { "time", "counters" }
    parser:flag("--accept-counters", "exact counters may have changed")
end

-- The forms in which results are written, beside JSON: outputs.lua.
local function add_outputs(parser)
    once(parser, "--csv --export-csv", "every sample as a row of a table; - is stdout"):argname "F"
    once(parser, "--markdown --export-markdown", "a summary for a pull request"):argname "F"
    once(parser, "--junit --junit-xml", "JUnit XML for CI systems"):argname "F"
end

-- What whatever measures understands.
local function add_running(parser)
    once(parser, "--label", "a text that is kept in the results"):argname "TEXT"
    parser:flag("-x --fail-fast --exitfirst", "stop at the first case that does not pass")
    parser:flag("--force", "run also what does not fit in memory")
    parser:flag("-q --quiet", "say nothing but what went wrong")
    parser:flag("--no-progress", "no status line")
    add_look(parser)
end

local function run_parser()
    local parser = new_parser("run", "Runs a scenario and says what it found.")
    parser:argument("scenario", "a Lua file"):args "?"
    parser:argument("settings", "parameters: VALUE[,VALUE…], 1..8, 1e5..1e8:5"):args "*":argname "NAME=VALUE"
    add_choice(parser)
    once(parser, "--json --export-json", "write the results there; - is stdout"):argname "F"
    add_outputs(parser)
    once(parser, "--budget", "longest time for the whole run"):argname "D"
    once(parser, "--find-crossing", "run more values of NAME: where one of two becomes the faster"):argname "NAME"
    once(parser, "--ab", "measure two values of a parameter by turns, and judge"):argname "NAME=A,B"
    once(parser, "--baseline", "compare with these saved results"):argname "F"
    add_gates(parser)
    add_judging(parser)
    add_running(parser)
    return parser
end

local function ab_parser()
    local parser = new_parser("ab", "Measures a scenario with two executables by turns, and says whether they differ.")
    parser:argument("base", "the executable before the change"):args "?"
    parser:argument("head", "the executable after it"):args "?"
    parser:argument("scenario", "a Lua file"):args "?"
    parser:argument("settings", "parameters, as for run"):args "*":argname "NAME=VALUE"
    parser:option("--only", "only these values of a parameter; may be repeated"):count("*"):argname "NAME=VALUE,…"
    once(parser, "--seed", "what random numbers start from"):argname "N"
    once(parser, "--json --export-json", "write the results there; - is stdout"):argname "F"
    add_outputs(parser)
    once(parser, "--budget", "longest time for the whole run"):argname "D"
    add_judging(parser)
    add_running(parser)
    return parser
end

local function check_parser()
    local parser = new_parser("check", "Validates a scenario, lists its parameters and cases, and runs nothing.")
    parser:argument("scenario", "a Lua file"):args "?"
    parser:argument("settings", "parameters, as for run"):args "*":argname "NAME=VALUE"
    add_choice(parser)
    parser:flag("--json", "as JSON")
    add_look(parser)
    return parser
end

local function show_parser()
    local parser = new_parser("show", "Shows saved results.")
    parser:argument("file", "results as --json wrote them"):args "?":argname "RESULTS.json"
    add_outputs(parser)
    add_look(parser)
    return parser
end

local function compare_parser()
    local parser = new_parser("compare", "Says what changed between two saved results of a scenario.")
    parser:argument("base", "results as --json wrote them, of a run that passed"):args "?":argname "BASE.json"
    parser:argument("new", "results to compare with them"):args "?":argname "NEW.json"
    add_gates(parser)
    add_judging(parser)
    once(parser, "--json --export-json", "write NEW with the verdicts there; - is stdout"):argname "F"
    add_outputs(parser)
    parser:flag("-q --quiet", "say nothing but what went wrong")
    add_look(parser)
    return parser
end

local function list_parser()
    local parser = new_parser("list", "Lists the scenarios and pool types at hand.")
    parser:argument("folders", "where to look for scenarios"):args "*":argname "FOLDER"
    parser:flag("--json", "as JSON")
    add_look(parser)
    return parser
end

local function doctor_parser()
    local parser = new_parser("doctor", "Measures what makes timings unreliable on this machine; takes a few seconds.")
    parser:flag("--json", "as JSON, with all that was measured")
    parser:flag("--no-progress", "no status line")
    add_look(parser)
    return parser
end

local PARSERS = {
    run = run_parser, ab = ab_parser, check = check_parser, show = show_parser, list = list_parser,
    compare = compare_parser, doctor = doctor_parser,
}

---The help of one command, or of all.
---@param command? string
---@return string
function M.help(command)
    if command then return PARSERS[command]():get_help() .. "\n" end
    local lines = { "Usage: rig SCENARIO [NAME=VALUE…] [options]" }
    for _, entry in ipairs(M.commands) do
        if not entry.later then lines[#lines + 1] = ("       rig %s %s"):format(entry.name, entry.form) end
    end
    lines[#lines + 1] = "\nMeasures pools of processes, as a scenario declares it, and says what it found.\n"
    for _, entry in ipairs(M.commands) do
        if not entry.later then lines[#lines + 1] = ("  %-7s %s"):format(entry.name, entry.help) end
    end
    lines[#lines + 1] = ""
    lines[#lines + 1] = "`rig COMMAND --help` lists a command's options, `rig SCENARIO --help` a scenario's parameters."
    lines[#lines + 1] = "Exit status: 0 passed, 1 a check failed, 2 usage or scenario error, 3 a regression, 4 a task"
    lines[#lines + 1] = "did not end well, 5 a file could not be read or written, 6 inconclusive (with --strict),"
    lines[#lines + 1] = "70 a mistake of rig's own, 128+n ended by signal n."
    return table.concat(lines, "\n") .. "\n"
end

-- ---- the words -----------------------------------------------------------------------------------------------------

local function refuse_later(words)
    for _, word in ipairs(words) do
        if word == "--" then return end
        local option = word:match("^(%-%-[%w-]+)")
        if option and is_later[option] then
            usage(option, "not available in this version", "--json keeps all there is to know")
        end
    end
end

-- What begins with a dash is an option to argparse, and --seed would lack its value.
local function refuse_negative_seed(words)
    for i, word in ipairs(words) do
        if word == "--" then return end
        local value = words[i + 1]
        if word == "--seed" and value and value:find "^%-%d" then seed("--seed", value) end
    end
end

local function split(command, words)
    local fine, parsed = PARSERS[command]():pparse(words)
    if fine then return parsed end
    local problem = parsed:gsub("\nDid you mean ", "; did you mean "):gsub("\n", " "):gsub("^%u", string.lower)
    usage(nil, problem, not problem:find("did you mean", 1, true) and ("see rig %s --help"):format(command) or nil)
end

-- Options that set a parameter, beside that parameter set by its name.
local function refuse_said_twice(set, parsed)
    for _, one in ipairs(set) do
        for _, name in ipairs { "seed", "timeout", "runs", "warmup" } do
            if one.name == name and parsed[name] then
                usage(name, ("given twice, as --%s and as %s="):format(name, name), "leave one of them out")
            end
        end
    end
end

-- Options of a comparison, which without one would be passed over without a word.
local function judgement(command, opts, parsed)
    opts.base, opts.new, opts.baseline = parsed.base, parsed.new, parsed.baseline
    opts.accept_counters, opts.strict, opts.gate = parsed.accept_counters, parsed.strict, {}
    for _, what in ipairs(parsed.gate or {}) do opts.gate[what] = true end
    opts.min_effect = parsed.min_effect and share("--min-effect", parsed.min_effect) or 0.03
    local to_saved = command == "compare" or parsed.baseline
    for _, one in ipairs { { "--smoke", parsed.smoke }, { "--find-crossing", parsed.find_crossing } } do
        if one[2] and parsed.ab then usage(one[1], "an A/B run measures every case again and again", "leave it out") end
    end
    if parsed.baseline and parsed.ab then
        usage("--baseline", "an A/B run measures both of its sides", "leave out --baseline or --ab")
    end
    for _, one in ipairs { { "--gate", next(opts.gate) }, { "--accept-counters", parsed.accept_counters } } do
        if one[2] and not to_saved then usage(one[1], "there is no baseline", "add --baseline F") end
    end
    if parsed.min_effect and not (to_saved or parsed.ab or command == "ab") then
        usage("--min-effect", "there is nothing to compare with", "add --baseline F or --ab NAME=A,B")
    end
end

local function collect(command, parsed)
    local opts = {
        command = command, help = parsed.help, scenario = parsed.scenario, file = parsed.file, folders = parsed.folders,
        json = parsed.json, csv = parsed.csv, markdown = parsed.markdown, junit = parsed.junit, label = parsed.label,
        fail_fast = parsed.fail_fast, force = parsed.force, quiet = parsed.quiet, no_progress = parsed.no_progress,
        color = parsed.color, smoke = parsed.smoke, find_crossing = parsed.find_crossing,
        base = parsed.base, head = parsed.head, strict = parsed.strict,
    }
    if opts.help then return opts end
    opts.settings, opts.only = settings(parsed.settings), settings(parsed.only)
    refuse_said_twice(opts.settings, parsed)
    for _, name in ipairs { "runs", "warmup" } do
        if parsed[name] then table.insert(opts.settings, { name = name, text = parsed[name] }) end
    end
    opts.timeout = parsed.timeout and duration("--timeout", parsed.timeout)
    opts.budget_s = parsed.budget and duration("--budget", parsed.budget)
    opts.seed = parsed.seed and seed("--seed", parsed.seed)
    opts.ab = parsed.ab and two_sides(parsed.ab)
    judgement(command, opts, parsed)
    return opts
end

local NEEDS = {
    run = { "scenario", "a scenario, as in rig scenarios/hello.lua; rig list shows what is at hand",
        "the scenario's name is empty" },
    ab = { "scenario", "two executables and a scenario, as in rig ab base/rig head/rig scenarios/hello.lua",
        "the scenario's name is empty" },
    check = { "scenario", "a scenario, as in rig check scenarios/hello.lua", "the scenario's name is empty" },
    compare = { "new", "two results, as in rig compare base.json new.json", "the name of the results is empty" },
    show = { "file", "results, as in rig show out.json", "the name of the results is empty" },
}

-- `rig SCENARIO` is `rig run SCENARIO`: only a word that is a command is taken for one.
local function command_of(words)
    local first = words[1]
    for _, entry in ipairs(M.commands) do
        if entry.name == first then
            if entry.later then usage(first, "not available in this version", "rig --help lists what is") end
            return first, table.move(words, 2, #words, 1, {})
        end
    end
    return "run", words
end

-- `rig chek x.lua`: were chek a scenario, x.lua would be none of what may follow it.
local function refuse_mistyped(command, words)
    local first, second = words[1], words[2]
    if command ~= "run" or first == "run" or not second then return end
    if second:find "^%-" or second:find("=", 1, true) then return end
    local meant = M.command_like(first)
    if meant then usage(nil, ("no command %s"):format(first), ("did you mean rig %s?"):format(meant)) end
end

local function refuse_nothing(command, opts)
    local need = NEEDS[command]
    if not need or opts.help then return end
    local given = opts[need[1]]
    if not given then usage(nil, "nothing to " .. command, "name " .. need[2]) end
    if given == "" then usage(nil, need[3], "name " .. need[2]) end
end

local function parse(words)
    local first = words[1]
    if #words == 1 and (first == "--help" or first == "-h" or first == "help") then return { command = "help" } end
    if #words == 1 and (first == "--version" or first == "-V") then return { command = "version" } end
    local command, rest = command_of(words)
    refuse_mistyped(command, words)
    refuse_later(rest)
    refuse_negative_seed(rest)
    local opts = collect(command, split(command, rest))
    refuse_nothing(command, opts)
    return opts
end

---Reads the command line.
---@param words string[] without the program's name
---@return table? opts command, and what belongs to it
---@return rig.Mistake? mistake
function M.parse(words)
    local fine, result = pcall(parse, words)
    if fine then return result end
    if mistake.is(result) then return nil, result end
    error(result, 0)
end

---What a missing scenario may have been meant as: somebody mistyped a command.
---@param word string
---@return string? command
function M.command_like(word)
    if word:find("[/.]") then return nil end
    local known = {}
    for i, entry in ipairs(M.commands) do known[i] = entry.name end
    local nearest, close = names.nearest(word, known)
    return close and nearest or nil
end

return M
