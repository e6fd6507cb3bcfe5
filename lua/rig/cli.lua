--- The command: reads its words, does what they say, prints, and says with which status to exit. The only module of
--- rig that prints.
--- Not for measuring or judging: runner.lua and results.lua do, report/text.lua lays out.
--- Neighbours: options.lua reads the words, commands.lua has show, check and list.

local core = require "rig.core"
local outputs = require "rig.outputs"
local status = require "rig.status"

local M = {}

local EXIT = status.EXIT
-- A mistake of rig's own is none of the verdicts that scripts rely on; sysexits.h calls this EX_SOFTWARE.
local EXIT_INTERNAL = 70

local STDOUT, STDERR = 1, 2

local MOST_PROBLEMS = 5

-- A message longer than this is somebody's data, not something to read.
local LONGEST_PROBLEM = 4000

-- ---- printing ------------------------------------------------------------------------------------------------------

-- Why what was asked for could not be printed, once that has happened.
local unprinted

-- A reader that has seen enough (`| head`) is no failure, and neither is being told to stop.
local function say(fd, text)
    local ok, why, code = core.write(fd, text)
    if not ok and fd ~= STDERR and code ~= "EPIPE" and code ~= "ECANCELED" then unprinted = unprinted or why end
end

local function escaped(text)
    return (text:gsub(".", function(c) return ("\\x%02x"):format(c:byte()) end))
end

-- As messages may quote anything: what a terminal would act on is shown, not done, and each message looks like one.
local function printable(text)
    local valid = utf8.len(text)
    local length = valid or #text
    if length > LONGEST_PROBLEM then
        local cut = text:sub(1, (valid and utf8.offset(text, LONGEST_PROBLEM + 1) or LONGEST_PROBLEM + 1) - 1)
        text = ("%s… (%d more characters)"):format(valid and cut or cut:gsub("[\128-\255]", escaped),
            length - LONGEST_PROBLEM)
    elseif not valid then
        text = text:gsub("[\128-\255]", escaped)
    end
    text = text:gsub("\xC2[\128-\159]", escaped):gsub("[^\n\t\32-\126\128-\255]", escaped)
    return (text:gsub("\n([^%s])", "\n    %1"))
end

local function complain(text)
    say(STDERR, "rig: " .. printable(tostring(text)) .. "\n")
end

-- Why a run or a command did not come about: a signal is the reason for whatever else it led to.
local function refuse(problem)
    local signo = core.interrupted()
    complain(signo and ("interrupted by signal %d"):format(signo) or problem)
    return signo and 128 + signo or EXIT.error
end

-- Where a document goes that is asked for on stdout: what scripts print must not get into it.
local document_fd

local function keep_stdout()
    local problem
    if not document_fd then document_fd, problem = core.redirect_stdout() end
    return document_fd, problem
end

local function wants_color(opts, fd)
    if opts.color ~= "auto" then return opts.color == "always" end
    local no_color = os.getenv "NO_COLOR"
    return core.isatty(fd) and (no_color == nil or no_color == "") and os.getenv "TERM" ~= "dumb"
end

---What a report must know about where it is shown.
local function look_of(opts, fd)
    return { color = wants_color(opts, fd), columns = core.isatty(fd) and core.columns(fd) or nil }
end

-- ---- run -----------------------------------------------------------------------------------------------------------

local function load_scenario(opts)
    local scenario = require "rig.scenario"
    local s, problem = scenario.load(opts.scenario)
    if not s then
        local meant = problem.kind == "usage" and require("rig.options").command_like(opts.scenario)
        return nil, meant and ("%s; or did you mean rig %s?"):format(tostring(problem), meant) or problem
    end
    local ok
    ok, problem = scenario.override(s, opts.settings)
    if not ok then return nil, problem end
    return s
end

local function plan_of(opts)
    local s, problem = load_scenario(opts)
    if not s then return nil, problem end
    return require("rig.plan").make(s, {
        only = opts.only, smoke = opts.smoke, seed = opts.seed, timeout = opts.timeout,
    })
end

-- Whether all that was asked for can be written; what scripts print must then stay out of stdout.
local function prepare_outputs(opts, sources)
    local list, mistake = outputs.requested(opts)
    if not list then
        complain(mistake)
        return nil, EXIT.error
    end
    local problem, usage = outputs.problem(list, sources)
    if not problem and outputs.use_stdout(list) then
        local fd, why = keep_stdout()
        problem = not fd and "stdout: cannot be written: " .. outputs.reason_of(why) or nil
    end
    if not problem then return list, 0 end
    complain(problem)
    return nil, usage and EXIT.error or EXIT.unreadable
end

-- Results that did not live up to a baseline must not become the next one.
local function without_baseline(opts, list, doc)
    local path, kept = opts.baseline or opts.command == "compare" and opts.base, {}
    for _, output in ipairs(list) do
        local is_it = path and output.path ~= "-" and require("rig.baseline").is_same_file(path, output.path)
        if doc.exit == 0 or not is_it then
            kept[#kept + 1] = output
        else
            complain(("%s: %s is the baseline and was kept; to keep these results too, name another file"):format(
                output.option, path))
        end
    end
    return kept
end

local function write_outputs(list, doc)
    local text, problems = outputs.write(list, doc)
    if text then say(document_fd, text) end
    for _, problem in ipairs(problems) do complain(problem) end
    return #problems > 0 and EXIT.unreadable or 0
end

-- What is shown while a run goes on, and where.
local function new_view(opts, plan, fd)
    local shows_progress = not opts.quiet and not opts.no_progress and core.isatty(STDERR)
    local expected, total
    if not opts.quiet and (opts.budget_s or shows_progress) then expected, total = require("rig.estimate").run(plan) end
    local progress = require("rig.progress").new(plan, { fd = STDERR, enabled = shows_progress, expected = expected })
    local view = { fd = fd, progress = progress }
    if not opts.quiet then
        local info = { scenario = plan.scenario, varying = plan.varying, cases = plan.cases, estimate_s = total }
        view.printer = require("rig.report.text").begin(info, look_of(opts, fd))
    end
    return view
end

local function on_case(view, case)
    view.progress:erase()
    view.progress:advance()
    if view.printer then say(view.fd, view.printer:case(case)) end
end

-- On stderr once more, so that whoever keeps only that knows why the status is not 0.
local function tell_problems(doc)
    local told, others = {}, 0
    for _, case in ipairs(doc.cases) do
        local problem = case.status ~= "ok" and case.status ~= "skipped" and (case.reason or case.status)
        if problem and not told[problem] then
            told[problem] = true
            told[#told + 1] = problem
            if #told <= MOST_PROBLEMS then complain(problem) else others = others + 1 end
        end
    end
    if others > 0 then complain(("%d cases more did not pass"):format(others)) end
    if doc.verify and not doc.verify.right then complain(doc.verify.message) end
    local broken = require("rig.thresholds").complaints(doc)
    for i = 1, math.min(#broken, MOST_PROBLEMS) do complain(broken[i]) end
    if #broken > MOST_PROBLEMS then complain(("%d thresholds more do not hold"):format(#broken - MOST_PROBLEMS)) end
end

-- What is left to do when a run has been shown.
local function conclude(opts, view, list, doc)
    tell_problems(doc)
    local annotations = outputs.annotations(doc)
    if annotations then say(view.fd, annotations) end
    return status.worst(doc.exit, write_outputs(without_baseline(opts, list, doc), doc))
end

-- The words that ran it, as `rig show` says them.
local function command_words(argv)
    local words = { argv[0] or "rig" }
    return table.move(argv, 1, #argv, 2, words)
end

-- Before the run: a baseline that is none is better known now than in an hour.
local function baseline_of(opts, plan)
    if not opts.baseline then return nil, 0 end
    local baseline = require "rig.baseline"
    local base, problem = baseline.read(opts.baseline)
    if base then
        problem = baseline.check_plan(base, plan)
        problem = problem and ("%s: %s"):format(opts.baseline, problem)
    end
    if not problem then return base, 0 end
    complain(problem)
    return nil, EXIT.unreadable
end

local function same_file(a, b)
    return a and b and (a == b or core.real_path(a) ~= nil and core.real_path(a) == core.real_path(b))
end

local function run(opts, argv)
    local list, unwritable = prepare_outputs(opts, {
        { path = opts.scenario, what = "the scenario" },
        -- JSON may take the place of the baseline, by what without_baseline allows
        { path = not same_file(opts.baseline, opts.json) and opts.baseline or nil, what = "the baseline" },
    })
    if not list then return unwritable end
    local plan, problem = plan_of(opts)
    if not plan then return refuse(problem) end
    local base, unusable = baseline_of(opts, plan)
    if unusable ~= 0 then return unusable end
    local view = new_view(opts, plan, outputs.use_stdout(list) and STDERR or STDOUT)
    local doc
    doc, problem = require("rig.runner").run(plan, {
        argv = command_words(argv), label = opts.label, force = opts.force, fail_fast = opts.fail_fast,
        budget_s = opts.budget_s, strict = opts.strict and not base, find_crossing = opts.find_crossing,
        on_start = function() if view.printer then say(view.fd, view.printer:header()) end end,
        on_case = function(case) on_case(view, case) end,
        on_iteration = function(case, done, total) view.progress:update(case, done, total) end,
    })
    view.progress:erase()
    if not doc then return refuse(problem) end
    problem = base and require("rig.baseline").apply(doc, base, opts.baseline, opts)
    if view.printer then say(view.fd, view.printer:finish(doc)) end
    if problem then complain(problem) end
    return conclude(opts, view, list, doc)
end

-- ---- A/B -----------------------------------------------------------------------------------------------------------

local function ab_ready(opts)
    local command = require "rig.ab.command"
    if opts.command == "ab" then return command.of_executables(opts) end
    local s, problem = load_scenario(opts)
    if not s then return nil, problem end
    return command.of_param(s, opts)
end

local function ab_view(opts, ready, fd)
    local shows_progress = not opts.quiet and not opts.no_progress and core.isatty(STDERR)
    local view = { fd = fd, progress = require("rig.ab.progress").new { fd = STDERR, enabled = shows_progress } }
    if not opts.quiet then
        view.report = require "rig.report.ab"
        view.info = { scenario = ready.plan.scenario, sides = ready.sides, budget_s = opts.budget_s }
    end
    return view
end

local function run_ab(opts, argv)
    local sources = { { path = opts.scenario, what = "the scenario" }, { path = opts.base, what = "the base" },
        { path = opts.head, what = "the new executable" } }
    for side in (opts.ab and opts.ab.text or ""):gmatch "[^,]+" do
        sources[#sources + 1] = { path = side, what = "a side of the run" }
    end
    local list, unwritable = prepare_outputs(opts, sources)
    if not list then return unwritable end
    local ready, problem = ab_ready(opts)
    if not ready then return refuse(problem) end
    local view = ab_view(opts, ready, outputs.use_stdout(list) and STDERR or STDOUT)
    local doc
    doc, problem = require("rig.ab.command").run(ready, {
        argv = command_words(argv), label = opts.label, force = opts.force, fail_fast = opts.fail_fast,
        budget_s = opts.budget_s, min_effect = opts.min_effect, strict = opts.strict,
        on_start = function(known)
            view.progress:erase()
            if view.report then say(view.fd, view.report.header(view.info, known, look_of(opts, view.fd))) end
        end,
        on_block = function(done) view.progress:update(done) end,
    })
    view.progress:erase()
    if not doc then return refuse(problem) end
    if doc.ab.valid and doc.ab.reason then complain(doc.ab.reason) end
    if view.report then say(view.fd, view.report.finish(doc, look_of(opts, view.fd))) end
    return conclude(opts, view, list, doc)
end

-- ---- the words -----------------------------------------------------------------------------------------------------

local function help(opts)
    local commands = require "rig.commands"
    if (opts.command == "run" or opts.command == "check") and opts.scenario then
        local s, problem = require("rig.scenario").load(opts.scenario)
        if not s then return refuse(problem) end
        say(STDOUT, commands.scenario_help(s))
        return 0
    end
    say(STDOUT, require("rig.options").help(opts.command))
    return 0
end

local function version()
    local build = core.build or {}
    say(STDOUT, ("rig %s (%s, %s)\n"):format(core.version, build.commit or "?", build.compiler or "?"))
    return 0
end

-- The other commands print a text and have a status, or a problem; some also a document to be written.
local function other(opts)
    local fd, unwritable = STDOUT, nil
    if opts.json == true then fd, unwritable = keep_stdout() end
    if unwritable then
        complain("stdout: cannot be written: " .. outputs.reason_of(unwritable))
        return EXIT.unreadable
    end
    local list, refused = prepare_outputs(opts, {
        { path = opts.file, what = "what is read" },
        { path = not same_file(opts.base, opts.json) and opts.base or nil, what = "what is compared" },
        { path = not same_file(opts.new, opts.json) and opts.new or nil, what = "what is compared" },
    })
    if not list then return refused end
    if outputs.use_stdout(list) then fd = STDERR end
    local text, exit, problem, doc = require("rig.commands")[opts.command](opts, {
        plan_of = plan_of, look = look_of(opts, fd),
        step = require("rig.progress").steps(STDERR, not opts.no_progress and core.isatty(STDERR)),
    })
    if core.interrupted() then return refuse() end
    if text and not opts.quiet then say(fd, text) end
    if problem then complain(problem) end
    if doc then exit = status.worst(exit, write_outputs(without_baseline(opts, list, doc), doc)) end
    return exit
end

local function act(argv)
    local words = table.move(argv, 1, #argv, 1, {})
    local opts, mistake = require("rig.options").parse(words)
    if not opts then
        complain(mistake)
        return EXIT.error
    end
    if opts.command == "version" then return version() end
    if opts.command == "help" or opts.help then
        if opts.command == "help" then opts.command = nil end
        return help(opts)
    end
    if opts.command == "ab" or opts.ab then return run_ab(opts, argv) end
    if opts.command == "run" then return run(opts, argv) end
    return other(opts)
end

local function ended_by_error(failure)
    if core.interrupted() then return refuse() end
    -- Lua's own text, raised without a traceback; what was needed is free again, or this could not be said
    if tostring(failure):match "^[^\n]*":find "not enough memory$" then
        complain "not enough memory"
        return EXIT.unreadable
    end
    complain(("internal error, please report it: %s"):format(failure))
    return EXIT_INTERNAL
end

---Does what the words say. Never raises.
---@param argv string[] the words; argv[0] is the program's name
---@return integer exit what to exit with
function M.main(argv)
    unprinted = nil
    local fine, exit = xpcall(act, debug.traceback, argv)
    if not fine then exit = ended_by_error(exit) end
    if not unprinted then return exit end
    complain("stdout: cannot be written: " .. outputs.reason_of(unprinted))
    return exit == EXIT_INTERNAL and exit or status.worst(exit, EXIT.unreadable)
end

return M
