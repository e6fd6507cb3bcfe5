-- What a terminal shows of a run: a header, a row for each case as it ends, and what came out of it. `rig show` prints
-- a saved document with the same code.
-- Strings only: whoever calls it writes them. Neighbours: columns (the table), chart (the bars), layout.

local chart = require("rig.report.chart")
local columns = require("rig.report.columns")
local human = require("rig.report.human")
local layout = require("rig.report.layout")

local M = {}

local DEFAULT_COLUMNS = 100
local NARROWEST = 60
local MOST_FAILURES = 10

---@class rig.TextInfo  a plan, a results document, or as much of one
---@field scenario { name: string, about: string|nil, kind: "map"|"body"|nil, hooks: table|nil }
---@field varying string[]
---@field cases { index: integer, params: table, run: integer|nil }[]
---@field estimate_s number|nil  how long it will take

---@class rig.TextOptions
---@field color boolean|nil
---@field columns integer|nil  of the terminal; 100 where there is none

---@class rig.TextPrinter
local Printer = {}
Printer.__index = Printer

-- A body is told by its hook in a plan, by its kind in a document.
local function kind_of(info)
    local scenario = info.scenario
    return scenario.kind or (scenario.hooks and scenario.hooks.body and "body") or "map"
end

local function is_rated(info)
    if info.scenario.hooks then return info.scenario.hooks.work ~= nil end
    for _, case in ipairs(info.cases) do
        if case.rates then return true end
    end
    return false
end

--- Prepares printing: columns and widths are chosen once, from what is planned.
---@param info rig.TextInfo
---@param opts rig.TextOptions|nil
---@return rig.TextPrinter printer
function M.begin(info, opts)
    opts = opts or {}
    local printer = setmetatable({
        info = { scenario = info.scenario, varying = info.varying or {}, cases = info.cases or {},
            estimate_s = info.estimate_s, kind = kind_of(info), rated = is_rated(info) },
        width = math.max(NARROWEST, opts.columns or DEFAULT_COLUMNS), paint = layout.painter(opts.color),
    }, Printer)
    printer.columns = columns.of(printer.info, printer.width)
    return printer
end

-- Before ---------------------------------------------------------------------------------------------

-- "4 workers", where all cases agree.
local function common(cases, name)
    local value
    for i, case in ipairs(cases) do
        if i > 1 and case.params[name] ~= value then return nil end
        value = case.params[name]
    end
    return value
end

local function varies(info, name)
    for _, one in ipairs(info.varying) do
        if one == name then return true end
    end
    return false
end

local function facts(info)
    local cases, body = info.cases, info.kind == "body"
    local words = { human.count(#cases, "case") }
    local pool, workers = common(cases, "pool"), common(cases, "workers")
    if not body and pool and not varies(info, "pool") then words[#words + 1] = columns.param("pool", pool) end
    if not body and workers and not varies(info, "workers") then words[#words + 1] = human.count(workers, "worker") end
    local iterations = common(cases, "iterations")
    if iterations and not varies(info, "iterations") then
        words[#words + 1] = human.count(iterations, body and "call" or "iteration") .. (#cases > 1 and " each" or "")
    end
    if info.estimate_s then words[#words + 1] = "about " .. human.duration(info.estimate_s) end
    return table.concat(words, ", ")
end

--- The header, through the titles of the columns.
---@return string text  ends in a newline
function Printer:header()
    local info, paint = self.info, self.paint
    local name = human.clean(info.scenario.name)
    local about = info.scenario.about and ": " .. human.clean(info.scenario.about) or ""
    local first = layout.wrap(name .. about, self.width)
    local titles = columns.line(self.columns, function(column) return column.title end, paint)
    return table.concat({
        paint("bold", first:sub(1, #name)) .. first:sub(#name + 1),
        paint("dim", layout.wrap(facts(info), self.width)),
        "", paint("dim", (titles:gsub("%s+$", ""))),
    }, "\n") .. "\n"
end

-- Cases ----------------------------------------------------------------------------------------------

local SAID = { skipped = "skipped: ", error = "✗ ", faulted = "✗ ", failed = "✗ ", interrupted = "" }
local STYLE = { skipped = "yellow", error = "red", faulted = "red", failed = "red", interrupted = "yellow" }

local function first_line(text)
    return human.clean(text:match("^[^\n]*"))
end

-- A case that has no times: its parameters, then why.
function Printer:reason_row(case)
    local params = columns.of_params(self.info)
    local line = columns.line(params, function(column) return column.cell(case) end, self.paint)
    if #params == 0 then line = " " end
    local last = params[#params]
    if last and not last.right then line = line .. (" "):rep(last.width - human.width((last.cell(case)))) end
    local text = (SAID[case.status] or "") .. first_line(case.reason or case.status)
    -- lines that follow begin under the first, unless that leaves no room to read
    local indent = human.width(line) + 2
    local hang = indent <= self.width // 2 and indent or 6
    local wrapped = layout.wrap(text, self.width, (" "):rep(hang), self.width - indent)
    return line .. "  " .. self.paint(STYLE[case.status], wrapped) .. "\n"
end

--- The row of a case that has ended, and what is wrong with it.
---@param case table
---@return string text  ends in a newline
function Printer:case(case)
    if case.status == "skipped" or #case.phases.map_s == 0 then return self:reason_row(case) end
    local paint = self.paint
    local text = columns.line(self.columns, function(column) return column.cell(case) end, paint)
    text = text:gsub("%s+$", "") .. "\n"
    if case.status ~= "ok" and case.reason then
        local wrapped = layout.wrap((SAID[case.status] or "") .. first_line(case.reason), self.width, (" "):rep(8),
            self.width - 6)
        text = text .. "      " .. paint(STYLE[case.status], wrapped) .. "\n"
    end
    return text
end

-- After ----------------------------------------------------------------------------------------------

local function shows(self, title)
    for _, column in ipairs(self.columns) do
        if column.title == title then return true end
    end
    return false
end

-- What the table's marks mean, where they occur.
function Printer:notes(doc)
    local late, overlaps = false, false
    for _, case in ipairs(doc.cases) do
        overlaps = overlaps or case.params.barrier == false
        late = late or ((case.undelivered or {}).workers or 0) > 0
    end
    local notes = {}
    if overlaps and shows(self, "deliver") then
        notes[1] = late and "deliver: without a barrier it overlaps map; > it had not ended when the pool was closed"
            or "deliver: without a barrier it overlaps map"
    end
    if shows(self, "iterations") and self.info.kind == "map" then
        notes[#notes + 1] = "iterations: the time of each map beside the case's longest"
    end
    if shows(self, "own mem") then notes[#notes + 1] = "own mem: most memory that one worker shares with nobody" end
    for i, note in ipairs(notes) do notes[i] = self.paint("dim", "  " .. layout.wrap(note, self.width, "  ", self.width - 2)) end
    return notes
end

local function metric_text(metric)
    local value, unit = metric.median, metric.unit
    if not value then return "–" end
    if unit == "s" then return human.duration(value) end
    if unit == "B" or unit == "bytes" then return human.bytes(value) end
    return human.short(value) .. (unit and " " .. human.clean(unit) or "")
end

local function rate_text(case, name, format)
    return case.rates and case.rates[name] and format(case.rates[name]) .. "/s" or nil
end

-- Figures of the scenario's own, by name; rates where the table has no room for them.
local function figures_of(case, kind)
    local figures = {}
    for name, metric in pairs(case.metrics or {}) do figures[human.clean(name)] = metric_text(metric) end
    if kind == "map" then
        figures["bytes"] = rate_text(case, "bytes_per_s", human.bytes)
        figures["items"] = rate_text(case, "items_per_s", human.short)
    end
    return figures
end

--- The scenario's own figures: a second table, because their names are known only when they have been recorded.
---@param doc table
---@return string[] lines
function Printer:metrics(doc)
    local by_case, widths, names = {}, {}, {}
    for i, case in ipairs(doc.cases) do
        by_case[i] = figures_of(case, self.info.kind)
        for name, text in pairs(by_case[i]) do
            if not widths[name] then names[#names + 1] = name end
            widths[name] = math.max(widths[name] or human.width(name), human.width(text))
        end
    end
    if #names == 0 then return {} end
    table.sort(names)
    local list = columns.of_params(self.info)
    for _, name in ipairs(names) do list[#list + 1] = { title = name, width = widths[name], right = true } end
    local lines = { "  " .. self.paint("bold", "Metrics") .. self.paint("dim", " (medians)"),
        self.paint("dim", "  " .. columns.line(list, function(column) return column.title end, self.paint)) }
    for i, case in ipairs(doc.cases) do
        if next(by_case[i]) then
            lines[#lines + 1] = "  " .. columns.line(list, function(column)
                if column.cell then return column.cell(case) end
                return by_case[i][column.title] or "–"
            end, self.paint)
        end
    end
    return lines
end

-- Where and how, unless the message already says it.
local function failure_place(failure, message)
    local words = {}
    if failure.worker and failure.worker > 0 then words[#words + 1] = "worker " .. failure.worker end
    if failure.pid then words[#words + 1] = "pid " .. failure.pid end
    if failure.signal then words[#words + 1] = "signal " .. failure.signal end
    if failure.exit then words[#words + 1] = "exit " .. failure.exit end
    if #words == 0 or message:find("pid", 1, true) then return "" end
    return " (" .. table.concat(words, ", ") .. ")"
end

local function failure_text(case, info, group)
    local words, failure = {}, group.first
    for _, column in ipairs(columns.of_params(info)) do words[#words + 1] = (column.cell(case)) end
    local where = #words > 0 and table.concat(words, ", ") .. ": " or ""
    local what = {}
    if failure.iteration then what[#what + 1] = "iteration " .. failure.iteration end
    if #group.tasks > 0 then
        what[#what + 1] = (#group.tasks == 1 and "task " or "tasks ") .. human.ranges(group.tasks)
    end
    local message = human.clean(failure.message or "")
    return ("%s%s %s%s%s"):format(where, table.concat(what, ", "), failure.outcome, failure_place(failure, message),
        message ~= "" and ": " .. message or "")
end

-- Tasks that ended in the same way in the same iteration are told together.
local function failure_groups(case)
    local list, by_key = {}, {}
    for _, failure in ipairs(case.errors or {}) do
        local key = ("%s\0%s\0%s\0%s"):format(failure.iteration, failure.outcome, failure.pid, failure.message)
        if not by_key[key] then
            by_key[key] = { first = failure, tasks = {} }
            list[#list + 1] = by_key[key]
        end
        table.insert(by_key[key].tasks, failure.task)
    end
    return list
end

function Printer:failures(doc)
    local lines, left = {}, 0
    for _, case in ipairs(doc.cases) do
        for _, group in ipairs(failure_groups(case)) do
            if #lines < MOST_FAILURES then
                local text = failure_text(case, self.info, group)
                lines[#lines + 1] = "    " .. layout.wrap(text, self.width, "      ", self.width - 4)
            else
                left = left + 1
            end
        end
    end
    if #lines == 0 then return lines end
    if left > 0 then lines[#lines + 1] = ("    and %s more; all are in the JSON"):format(human.group(left)) end
    table.insert(lines, 1, "  " .. self.paint("red", "Failures"))
    return lines
end

function Printer:findings(doc)
    local lines, number = {}, 0
    for _, finding in ipairs(doc.findings or {}) do
        local text = human.clean(finding.text)
        if finding.kind == "next" then
            -- a command stays on one line: it is there to be copied
            local command, why = finding.evidence.command, finding.evidence.why
            lines[#lines + 1] = "    " .. self.paint("bold", "next: ") .. (command and human.clean(command) or text)
            if command and why then
                local wrapped = layout.wrap("(" .. human.clean(why) .. ")", self.width, (" "):rep(10), self.width - 10)
                lines[#lines + 1] = (" "):rep(10) .. self.paint("dim", wrapped)
            end
        else
            number = number + 1
            local style = (finding.kind == "fault" or finding.kind == "wrong") and "red" or nil
            lines[#lines + 1] = ("   %2d. %s"):format(number,
                self.paint(style, layout.wrap(text, self.width, (" "):rep(7), self.width - 7)))
        end
    end
    if #lines > 0 then table.insert(lines, 1, "  " .. self.paint("bold", "Findings")) end
    return lines
end

local STATUS_STYLE = { passed = "green", failed = "red", faulted = "red", error = "red", regressed = "red" }

-- "passed: 10 cases, 90 of 90 results right, 23.6 s"
function Printer:verdict(doc)
    local right, all, counts = 0, 0, {}
    for _, case in ipairs(doc.cases) do
        counts[case.status] = (counts[case.status] or 0) + 1
        if case.expected then right, all = right + case.verified, all + #case.iterations end
    end
    local words = { human.count(#doc.cases, "case") }
    for _, status in ipairs({ "failed", "faulted", "error", "skipped", "interrupted" }) do
        if counts[status] then words[#words + 1] = ("%d %s"):format(counts[status], status) end
    end
    if all > 0 then words[#words + 1] = ("%s of %s right"):format(human.group(right), human.count(all, "result")) end
    if doc.duration_s then words[#words + 1] = human.duration(doc.duration_s) end
    local status = self.paint(STATUS_STYLE[doc.status] or "yellow", doc.status)
    return ("  %s: %s%s"):format(status, table.concat(words, ", "),
        doc.exit ~= 0 and (" (exit %d)"):format(doc.exit) or "")
end

--- What came out of it: notes, bars, metrics, failures, findings, the verdict.
---@param doc table  a finished results document
---@return string text  ends in a newline
function Printer:finish(doc)
    local parts = {}
    local function add(lines, before)
        if #lines > 0 then parts[#parts + 1] = before .. table.concat(lines, "\n") .. "\n" end
    end
    add(self:notes(doc), "") -- they belong to the table above
    add(chart.of(doc, self.width, self.paint), "\n")
    add(self:metrics(doc), "\n")
    add(self:failures(doc), "\n")
    add(self:findings(doc), "\n")
    add({ self:verdict(doc) }, "\n")
    return table.concat(parts)
end

-- A saved document ------------------------------------------------------------------------------------

local function origin_lines(doc, width, paint)
    local host = doc.host or {}
    local words = { ("measured %s"):format(human.clean(doc.started:gsub("T", " "):gsub("Z$", " UTC"))) }
    if host.cpu then words[#words + 1] = human.clean(host.cpu) end
    if host.cores then words[#words + 1] = human.count(host.cores, "core") end
    if host.kernel then words[#words + 1] = human.clean(("%s %s"):format(host["os"] or "kernel", host.kernel)) end
    words[#words + 1] = "rig " .. human.clean(doc.rig.version)
    local lines = { layout.wrap(table.concat(words, ", "), width) }
    if doc.label then lines[#lines + 1] = layout.wrap("label: " .. human.clean(doc.label), width) end
    for i, line in ipairs(lines) do lines[i] = paint("dim", line) end
    return table.concat(lines, "\n") .. "\n"
end

local function shell_word(word)
    word = human.clean(word)
    if word:find("^[%w_./=,:+@%%-]+$") then return word end
    return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- The command that ran it, to be run again.
---@param doc table
---@return string|nil
function M.command(doc)
    local words = {}
    for i, word in ipairs(doc.argv or {}) do words[i] = shell_word(word) end
    if #words == 0 then return nil end
    return table.concat(words, " ")
end

--- All of a saved document, as its run showed it; then where it was measured, and how to run it again.
---@param doc table  as results.read returned it
---@param opts rig.TextOptions|nil
---@return string text
function M.render(doc, opts)
    local printer = M.begin(doc, opts)
    local parts = { printer:header() }
    for _, case in ipairs(doc.cases) do parts[#parts + 1] = printer:case(case) end
    parts[#parts + 1] = printer:finish(doc)
    parts[#parts + 1] = "\n" .. origin_lines(doc, printer.width, printer.paint)
    local command = M.command(doc)
    if command then parts[#parts + 1] = printer.paint("dim", "again: ") .. command .. "\n" end
    return table.concat(parts)
end

return M
