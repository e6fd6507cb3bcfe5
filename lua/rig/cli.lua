--- The command: reads its words, does what they say, prints, and says with which status to exit. The only module of
--- rig that prints.
--- Not for measuring or judging: runner.lua and results.lua do, report/text.lua lays out.
--- Neighbours: options.lua reads the words, commands.lua has show, check and list.

local core = require "rig.core"
local status = require "rig.status"

local M = {}

local EXIT = status.EXIT
-- A mistake of rig's own is none of the verdicts that scripts rely on; sysexits.h calls this EX_SOFTWARE.
local EXIT_INTERNAL = 70

local STDOUT, STDERR = 1, 2

local MOST_PROBLEMS = 5

local function say(fd, text)
    core.write(fd, text)
end

local function complain(text)
    say(STDERR, "rig: " .. tostring(text) .. "\n")
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

-- Checked before the run, because an hour's results that cannot be written are worse than an error now.
local function check_output(path)
    if not path or path == "-" then return true end
    if path:sub(-1) == "/" then return nil, ("%s: is a folder; name a file in it"):format(path) end
    local folder = path:match("^(.*/)[^/]*$") or "./"
    local there, why, code = io.open(folder, "r")
    if not there then return nil, ("%s: %s"):format(path, code == 2 and "its folder does not exist" or why) end
    there:close()
    local itself <close> = io.open(path, "r")
    if itself and not itself:read(0) and itself:seek "end" ~= 0 then
        return nil, ("%s: is a folder; name a file in it"):format(path)
    end
    local probe = folder .. (".rig-%d.tmp"):format(core.getpid())
    local file, denied = io.open(probe, "w")
    if not file then return nil, ("%s: cannot be written: %s"):format(path, (denied:gsub("^.*: ", ""))) end
    file:close()
    os.remove(probe)
    return true
end

local function write_json(opts, doc)
    if not opts.json then return 0 end
    local text, problem = require("rig.report.json").render(doc)
    if text and opts.json == "-" then
        local ok, why = core.write(STDOUT, text)
        if not ok then problem = "stdout: " .. tostring(why) end
    elseif text then
        local ok, why = core.write_file(opts.json, text)
        if not ok then problem = why end
    end
    if not problem then return 0 end
    complain(problem)
    return EXIT.unreadable
end

-- What is shown while a run goes on, and where.
local function new_view(opts, plan)
    local fd = opts.json == "-" and STDERR or STDOUT
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
end

-- The words that ran it, as `rig show` says them.
local function command_words(argv)
    local words = { argv[0] or "rig" }
    return table.move(argv, 1, #argv, 2, words)
end

local function run(opts, argv)
    local plan, problem = plan_of(opts)
    if not plan then
        complain(problem)
        return EXIT.error
    end
    local ok, unwritable = check_output(opts.json)
    if not ok then
        complain(unwritable)
        return EXIT.unreadable
    end
    local view = new_view(opts, plan)
    local doc
    doc, problem = require("rig.runner").run(plan, {
        argv = command_words(argv), label = opts.label, force = opts.force, fail_fast = opts.fail_fast,
        budget_s = opts.budget_s,
        on_start = function() if view.printer then say(view.fd, view.printer:header()) end end,
        on_case = function(case) on_case(view, case) end,
        on_iteration = function(case, done, total) view.progress:update(case, done, total) end,
    })
    view.progress:erase()
    if not doc then
        complain(problem)
        return EXIT.error
    end
    if view.printer then say(view.fd, view.printer:finish(doc)) end
    tell_problems(doc)
    return status.worst(doc.exit, write_json(opts, doc))
end

-- ---- the words -----------------------------------------------------------------------------------------------------

local function help(opts)
    local commands = require "rig.commands"
    if (opts.command == "run" or opts.command == "check") and opts.scenario then
        local s, problem = require("rig.scenario").load(opts.scenario)
        if not s then
            complain(problem)
            return EXIT.error
        end
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

-- The other commands print a text and have a status, or a problem.
local function other(opts)
    local text, exit, problem = require("rig.commands")[opts.command](opts, {
        plan_of = plan_of, look = look_of(opts, STDOUT),
    })
    if text then say(STDOUT, text) end
    if problem then complain(problem) end
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
    if opts.command == "run" then return run(opts, argv) end
    return other(opts)
end

---Does what the words say. Never raises.
---@param argv string[] the words; argv[0] is the program's name
---@return integer exit what to exit with
function M.main(argv)
    local fine, exit = xpcall(act, debug.traceback, argv)
    if fine then return exit end
    local signo = core.interrupted()
    if signo then return 128 + signo end
    complain(("internal error, please report it: %s"):format(exit))
    return EXIT_INTERNAL
end

return M
