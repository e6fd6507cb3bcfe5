--- The commands that run nothing: show, compare, check, list, and the help of a scenario. Each gives the text to print
--- and the status to exit with.
--- Not for printing: that is cli.lua.
--- Neighbours: results.lua and report/text.lua (show), baseline.lua (compare), plan.lua and params.lua (check).

local axes = require "rig.axes"
local core = require "rig.core"
local json = require "rig.json"
local match = require "rig.thresholds.match"
local names = require "rig.names"
local params = require "rig.params"
local scenario = require "rig.scenario"
local status = require "rig.status"
local units = require "rig.units"

local M = {}

local EXIT = status.EXIT

-- Columns as wide as their widest word; the last one is left as it is.
local function columns(rows, indent)
    local widths, lines = {}, {}
    for _, row in ipairs(rows) do
        for i = 1, #row - 1 do widths[i] = math.max(widths[i] or 0, utf8.len(row[i]) or #row[i]) end
    end
    for n, row in ipairs(rows) do
        local parts = {}
        for i, word in ipairs(row) do
            parts[i] = word .. (" "):rep((widths[i] or 0) - (utf8.len(word) or #word))
        end
        lines[n] = indent .. table.concat(parts, "  "):gsub("%s+$", "")
    end
    return table.concat(lines, "\n") .. "\n"
end

-- ---- show ----------------------------------------------------------------------------------------------------------

---@param opts table file
---@param context { look: table }
---@return string? text
---@return integer exit
---@return string? problem
---@return table? doc to be written in the forms that were asked for
function M.show(opts, context)
    local doc, problem = require("rig.results").read(opts.file)
    if not doc then return nil, EXIT.unreadable, problem end
    return require("rig.report.text").render(doc, context.look), 0, nil, doc
end

-- ---- compare -------------------------------------------------------------------------------------------------------

---@param opts table base, new, and what decides: gate, min_effect, accept_counters, strict
---@param context { look: table }
---@return string? text
---@return integer exit
---@return string? problem
---@return table? doc the new results with the verdicts
function M.compare(opts, context)
    local baseline = require "rig.baseline"
    local base, problem = baseline.read(opts.base)
    if not base then return nil, EXIT.unreadable, problem end
    local doc
    doc, problem = baseline.read_new(opts.new)
    if not doc then return nil, EXIT.unreadable, problem end
    problem = baseline.apply(doc, base, opts.base, opts)
    if problem then return nil, doc.exit, problem end
    return require("rig.report.changes").render(doc, context.look), doc.exit, nil, doc
end

-- ---- check ---------------------------------------------------------------------------------------------------------

-- A long sweep must not push everything else off the screen.
local function cut(text)
    if #text <= 40 then return text end
    return text:sub(1, 37) .. "..."
end

local function parameter_rows(s, kind)
    local rows = {}
    for _, row in ipairs(params.describe(s)) do
        if row.kind == kind then
            local shown = cut(table.concat(row.values, ", "))
            rows[#rows + 1] = { row.name, shown, row.help ~= "" and row.help or row.accepts }
        end
    end
    return rows
end

local function parameters_text(s)
    local parts = {}
    local own = parameter_rows(s, "own")
    if #own > 0 then parts[#parts + 1] = "Parameters of its own\n" .. columns(own, "  ") end
    parts[#parts + 1] = "Parameters\n" .. columns(parameter_rows(s, "builtin"), "  ")
    return table.concat(parts, "\n")
end

local function title(s)
    return s.about ~= "" and ("%s: %s\n"):format(s.name, s.about) or s.name .. "\n"
end

---What `rig SCENARIO --help` says.
---@param s rig.Scenario
---@return string
function M.scenario_help(s)
    local rows = {}
    for _, row in ipairs(params.describe(s)) do
        rows[#rows + 1] = { row.name, cut(row.default), row.help ~= "" and row.help or "", row.accepts }
    end
    for _, row in ipairs(rows) do
        row[3] = row[3] ~= "" and ("%s (%s)"):format(row[3], row[4]) or row[4]
        row[4] = nil
    end
    return ("%s\nUsage: rig %s [NAME=VALUE…] [options]\n\nParameters, with their defaults\n%s\n%s\n"):format(
        title(s), s.file, columns(rows, "  "), "rig run --help lists the options.")
end

-- "chunk: a number; barrier: true or false", in the order of the axes.
local function understood_text(understood)
    local parts = {}
    for _, axis in ipairs(axes.axes) do
        local accepts = understood[axis.name]
        if accepts then parts[#parts + 1] = ("%s: %s"):format(axis.name, accepts) end
    end
    return #parts > 0 and table.concat(parts, "; ") or "no axis can be set"
end

local function pool_types_text(s)
    local rows = {}
    for i, one in ipairs(s.pool_types or {}) do rows[i] = { one.name, one.about, understood_text(one.axes) } end
    return #rows > 0 and "Pools of its own\n" .. columns(rows, "  ") or nil
end

local function cases_text(plan)
    local lines = { ("%s, in this order"):format(units.count(#plan.cases, "case")) }
    for _, case in ipairs(plan.cases) do
        lines[#lines + 1] = ("  %3d  %s"):format(case.index, case.label)
    end
    return table.concat(lines, "\n") .. "\n"
end

-- Where each threshold applies, among the cases that would run.
local function thresholds_of(plan)
    local list = json.list()
    for i, one in ipairs(plan.scenario.thresholds or {}) do
        list[i] = {
            text = one.condition.text, where = match.plain(one.where), of = match.plain(one.of),
            to = match.plain(one.to), cases = json.list(match.labels(one, plan.cases, plan.varying)),
        }
    end
    return list
end

local function filter_text(word, filter)
    local parts = {}
    for _, name in ipairs(names.keys(filter or {})) do
        local wanted = type(filter[name]) == "table" and filter[name] or { filter[name] }
        local shown = {}
        for i, v in ipairs(wanted) do shown[i] = units.group(v) end
        parts[#parts + 1] = name .. " " .. table.concat(shown, " or ")
    end
    return #parts > 0 and word .. table.concat(parts, ", ") or ""
end

local function thresholds_text(plan)
    local rows = {}
    for i, one in ipairs(thresholds_of(plan)) do
        local about = filter_text("of ", one.of) .. filter_text(" to ", one.to)
            .. filter_text(one.of and " where " or "where ", one.where)
        local pairs_or_cases = one.of and units.count(#one.cases, "pair") or units.count(#one.cases, "case")
        rows[i] = { one.text, #one.cases > 0 and "in " .. pairs_or_cases or "left out by the command line", about }
    end
    return #rows > 0 and "Thresholds\n" .. columns(rows, "  ") or nil
end

local function check_json(plan)
    local s = plan.scenario
    local rows = json.list()
    for i, row in ipairs(params.describe(s)) do
        row.values = json.list(row.values)
        rows[i] = row
    end
    local cases = json.list()
    for i, case in ipairs(plan.cases) do
        local effective = {}
        for name, value in pairs(case.params) do
            local kind = type(value)
            effective[name] = (kind == "table" or kind == "userdata") and tostring(value) or value
        end
        cases[i] = { index = case.index, run = case.run, label = case.label, params = effective, axes = case.axes }
    end
    return json.encode({
        name = s.name, about = s.about, file = s.file, parameters = rows, cases = cases, seed = plan.seed,
        varying = json.list(plan.varying), pool_types = json.list(s.pool_types or {}), thresholds = thresholds_of(plan),
    }, { pretty = true, order = { "name", "about", "file", "index", "label" } }) .. "\n"
end

---@param opts table
---@param context { plan_of: fun(opts: table): rig.Plan?, any }
---@return string? text
---@return integer exit
---@return any problem
function M.check(opts, context)
    local plan, problem = context.plan_of(opts)
    if not plan then return nil, EXIT.error, problem end
    if opts.json then return check_json(plan), 0 end
    local parts = { title(plan.scenario), parameters_text(plan.scenario) }
    parts[#parts + 1] = pool_types_text(plan.scenario)
    parts[#parts + 1] = cases_text(plan)
    parts[#parts + 1] = thresholds_text(plan)
    return table.concat(parts, "\n"), 0
end

-- ---- list ----------------------------------------------------------------------------------------------------------

-- Beside the working directory first, then where `cmake --install` puts them, seen from the executable.
local function scenario_folders()
    local folders = { "scenarios" }
    local link = core.exec { "readlink", "/proc/" .. core.getpid() .. "/exe", timeout = 2 }
    local program = link and link.status == 0 and link.stdout:match "^(.*)/[^/]*\n?$"
    if program then
        folders[#folders + 1] = program .. "/../scenarios"
        folders[#folders + 1] = program .. "/../share/rig/scenarios"
    end
    return folders
end

local function lua_files(folder)
    local said = core.exec { "find", folder, "-maxdepth", "2", "-name", "*.lua", "-type", "f", timeout = 5 }
    local files = {}
    for path in ((said and said.stdout) or ""):gmatch "[^\n]+" do files[#files + 1] = path end
    table.sort(files)
    return files
end

local function scenarios_in(folders)
    local found, seen = {}, {}
    for _, folder in ipairs(folders) do
        for _, path in ipairs(lua_files(folder)) do
            local stem = path:match "scenarios/(.*)$" or path
            if not seen[stem] then
                seen[stem] = true
                local s, problem = scenario.load(path)
                found[#found + 1] = { file = path, name = s and s.name, about = s and s.about,
                    problem = not s and tostring(problem) or nil, pool_types = s and s.pool_types }
            end
        end
    end
    return found
end

-- The presets, and the pool types of the scenarios that were found.
local function pools_at_hand(scenarios)
    local found = {}
    for _, preset in ipairs(axes.presets) do
        if not preset.later and not preset.own then found[#found + 1] = { name = preset.name, help = preset.help } end
    end
    for _, one in ipairs(scenarios) do
        for _, own in ipairs(one.pool_types or {}) do
            found[#found + 1] = { name = own.name, help = own.about, file = one.file }
        end
        one.pool_types = nil
    end
    return found
end

local function list_text(scenarios, pools)
    local parts, rows = {}, {}
    for i, one in ipairs(scenarios) do
        rows[i] = { one.file, one.problem and "does not load: " .. one.problem or one.about }
    end
    parts[1] = #rows > 0 and "Scenarios\n" .. columns(rows, "  ")
        or "No scenarios here; name a folder, as in rig list scenarios\n"
    rows = {}
    for i, one in ipairs(pools) do
        rows[i] = { one.name, one.file and ("%s (%s)"):format(one.help, one.file) or one.help }
    end
    parts[2] = "Pools\n" .. columns(rows, "  ")
    return table.concat(parts, "\n")
end

---@param opts table folders, json
---@return string? text
---@return integer exit
---@return string? problem
function M.list(opts)
    for _, folder in ipairs(opts.folders or {}) do
        local there, why, code = core.real_path(folder)
        if not there then
            why = code == "ENOENT" and "no such folder" or why:match "[^:]*$":gsub("^ ", "")
            return nil, EXIT.error, ("'%s': %s"):format(folder, why)
        end
    end
    local folders = #(opts.folders or {}) > 0 and opts.folders or scenario_folders()
    local scenarios = scenarios_in(folders)
    local pools = pools_at_hand(scenarios)
    if opts.json then
        return json.encode({ scenarios = json.list(scenarios), pools = json.list(pools) }, { pretty = true }) .. "\n", 0
    end
    return list_text(scenarios, pools), 0
end

---@param opts { json: boolean? }
---@param context { look: table, step: fun(text: string?) }
---@return string? text
---@return integer exit
---@return string? problem
function M.doctor(opts, context)
    return require("rig.doctor").run(opts, context)
end

return M
