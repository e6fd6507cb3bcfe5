-- What a terminal shows once all cases have ended: what the table's marks mean, bars, the scenario's own figures,
-- verdicts, failures, thresholds, findings, the status. Lists of lines each, empty where there is nothing to say.
-- Neighbours: text.lua (prints them), chart (bars), verdicts (A/B runs, thresholds), columns (the names of cases).

local changes = require("rig.report.changes")
local chart = require("rig.report.chart")
local columns = require("rig.report.columns")
local human = require("rig.report.human")
local judged = require("rig.report.judged")
local layout = require("rig.report.layout")
local verdicts = require("rig.report.verdicts")

local M = {}

local MOST_FAILURES = 10
local MOST_FAULTS = 10
-- From this load on each core on, others compete for it.
local BUSY = 0.75

---@class rig.SectionContext
---@field doc table
---@field info table  what text.begin prepared
---@field columns rig.Column[]
---@field width integer
---@field paint fun(style: string|nil, text: string): string

local function shows(ctx, title)
    for _, column in ipairs(ctx.columns) do
        if column.title == title then return true end
    end
    return false
end

local function deliver_note(doc)
    local late, overlaps = false, false
    for _, case in ipairs(doc.cases) do
        overlaps = overlaps or case.params.barrier == false
        late = late or ((case.undelivered or {}).workers or 0) > 0
    end
    if not overlaps then return nil end
    return "deliver: without a barrier it overlaps map"
        .. (late and "; > it had not ended when the pool was closed" or "")
end

local function notes(ctx)
    local list = {}
    if shows(ctx, "deliver") then list[1] = deliver_note(ctx.doc) end
    if shows(ctx, "iterations") and ctx.info.kind == "map" then
        list[#list + 1] = "iterations: the time of each map beside the case's longest"
    end
    if shows(ctx, "own mem") then list[#list + 1] = "own mem: most memory that one worker shares with nobody" end
    for i, note in ipairs(list) do
        list[i] = ctx.paint("dim", "  " .. layout.wrap(note, ctx.width, "  ", ctx.width - 2))
    end
    return list
end

local function metric_text(metric)
    local value, unit = metric.median, metric.unit
    if not value then return "–" end
    if unit == "s" then return human.duration(value) end
    if unit == "B" or unit == "bytes" then return human.bytes(value) end
    return human.short(value) .. (unit and " " .. human.clean(unit) or "")
end

local function rate_text(case, name, format)
    local rates = case.rates
    if not rates or not rates[name] then return nil end
    local ends = rates[name .. "_ci95"] or {}
    local interval = #ends == 2 and (" (%s to %s)"):format(format(ends[1]), format(ends[2])) or ""
    return format(rates[name]) .. "/s" .. interval
end

-- Figures of the scenario's own, by name, and rates where the table of cases has none.
local function figures_of(case, kind)
    local figures = {}
    for name, metric in pairs(case.metrics or {}) do figures[human.clean(name)] = metric_text(metric) end
    local rates = case.rates or {}
    -- the table of a body's cases has a column for its rate, and no room for how sure it is
    if kind == "map" or #(rates.bytes_per_s_ci95 or rates.items_per_s_ci95 or {}) > 0 then
        figures["bytes/s"] = rate_text(case, "bytes_per_s", human.bytes)
        figures["items/s"] = rate_text(case, "items_per_s", human.short)
    end
    return figures
end

local function figure_columns(info, figures)
    local widths, names = {}, {}
    for _, of_case in ipairs(figures) do
        for name, text in pairs(of_case) do
            if not widths[name] then names[#names + 1] = name end
            widths[name] = math.max(widths[name] or human.width(name), human.width(text))
        end
    end
    if #names == 0 then return nil end
    table.sort(names)
    local list = columns.of_params(info)
    for _, name in ipairs(names) do list[#list + 1] = { title = name, width = widths[name], right = true } end
    return list
end

-- A second table, because names of metrics are known only when they have been recorded.
local function metrics(ctx)
    local figures = {}
    for i, case in ipairs(ctx.doc.cases) do figures[i] = figures_of(case, ctx.info.kind) end
    local list = figure_columns(ctx.info, figures)
    if not list then return {} end
    local titles = columns.line(list, function(column) return column.title end, ctx.paint)
    local heading = "  " .. ctx.paint("bold", "Metrics") .. ctx.paint("dim", " (medians)")
    local lines = { heading, ctx.paint("dim", "  " .. titles) }
    for i, case in ipairs(ctx.doc.cases) do
        if next(figures[i]) then
            lines[#lines + 1] = "  " .. columns.line(list, function(column)
                if column.cell then return column.cell(case) end
                return figures[i][column.title] or "–"
            end, ctx.paint)
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

-- "builtin, 100,000: "
local function place_of(case, info)
    local words = {}
    for _, column in ipairs(columns.of_params(info)) do words[#words + 1] = (column.cell(case)) end
    return #words > 0 and table.concat(words, ", ") .. ": " or ""
end

local function failure_text(case, info, group)
    local failure = group.first
    local where = place_of(case, info)
    local what = {}
    if failure.iteration then what[#what + 1] = "iteration " .. failure.iteration end
    if #group.tasks > 0 then
        what[#what + 1] = (#group.tasks == 1 and "task " or "tasks ") .. human.ranges(group.tasks)
    end
    if #what > 0 then where = where .. table.concat(what, ", ") .. " " end
    local message = human.clean(failure.message or "")
    return where .. failure.outcome .. failure_place(failure, message) .. (message ~= "" and ": " .. message or "")
end

-- Tasks that ended in the same way in the same iteration are told together.
local function failure_groups(case)
    local list, by_key = {}, {}
    for _, failure in ipairs(case.errors or {}) do
        if failure.retried then goto next end
        local key = ("%s\0%s\0%s\0%s"):format(failure.iteration, failure.outcome, failure.pid, failure.message)
        if not by_key[key] then
            by_key[key] = { first = failure, tasks = {} }
            list[#list + 1] = by_key[key]
        end
        table.insert(by_key[key].tasks, failure.task)
        ::next::
    end
    return list
end

-- "kill SIGKILL, stage result (worker 2, iteration 1, task 8); another one was ready 0.93 ms later"
local function fault_text(fault)
    local words = { "worker " .. fault.worker }
    if fault.iteration then words[#words + 1] = "iteration " .. fault.iteration end
    if fault.task then words[#words + 1] = "task " .. fault.task end
    local after = fault.recovered_s and "another one was ready " .. human.duration(fault.recovered_s) .. " later"
        or "no other one was needed, or came"
    return ("%s (%s); %s"):format(human.clean(fault.what), table.concat(words, ", "), after)
end

-- What was made to happen, and attempts that failed and were followed by another.
local function faults(ctx)
    local list, lines = {}, {}
    for _, case in ipairs(ctx.doc.cases) do
        local where = place_of(case, ctx.info)
        for _, fault in ipairs(case.faults or {}) do list[#list + 1] = where .. fault_text(fault) end
        if (case.retried or 0) > 0 then
            list[#list + 1] = ("%s%s failed and %s followed by another"):format(where,
                human.count(case.retried, "attempt"), case.retried == 1 and "was" or "were")
        end
    end
    for i = 1, math.min(#list, MOST_FAULTS) do
        lines[i] = "    " .. layout.wrap(list[i], ctx.width, "      ", ctx.width - 4)
    end
    if #list == 0 then return lines end
    if #list > #lines then
        lines[#lines + 1] = ("    and %s more; all are in the JSON"):format(human.group(#list - #lines))
    end
    table.insert(lines, 1, "  " .. ctx.paint("bold", "Faults made"))
    return lines
end

local function failures(ctx)
    local lines, left = {}, 0
    for _, case in ipairs(ctx.doc.cases) do
        for _, group in ipairs(case.as_expected and {} or failure_groups(case)) do
            if #lines < MOST_FAILURES then
                local text = failure_text(case, ctx.info, group)
                lines[#lines + 1] = "    " .. layout.wrap(text, ctx.width, "      ", ctx.width - 4)
            else
                left = left + 1
            end
        end
    end
    if #lines == 0 then return lines end
    if left > 0 then lines[#lines + 1] = ("    and %s more; all are in the JSON"):format(human.group(left)) end
    table.insert(lines, 1, "  " .. ctx.paint("red", "Failures"))
    return lines
end

-- A command stays on one line, however long: it is there to be copied.
local function next_lines(ctx, finding)
    local command, why = finding.evidence.command, finding.evidence.why
    local text = type(command) == "string" and command or finding.text
    local lines = { "    " .. ctx.paint("bold", "next: ") .. human.clean(text) }
    if type(why) == "string" then
        local wrapped = layout.wrap("(" .. human.clean(why) .. ")", ctx.width, (" "):rep(10), ctx.width - 10)
        lines[2] = (" "):rep(10) .. ctx.paint("dim", wrapped)
    end
    return lines
end

local function findings(ctx)
    local lines, number = {}, 0
    for _, finding in ipairs(ctx.doc.findings or {}) do
        if finding.kind == "next" then
            local said = next_lines(ctx, finding)
            table.move(said, 1, #said, #lines + 1, lines)
        else
            number = number + 1
            local style = (finding.kind == "fault" or finding.kind == "wrong") and "red" or nil
            local wrapped = layout.wrap(human.clean(finding.text), ctx.width, (" "):rep(7), ctx.width - 7)
            lines[#lines + 1] = ("   %2d. %s"):format(number, ctx.paint(style, wrapped))
        end
    end
    if #lines > 0 then table.insert(lines, 1, "  " .. ctx.paint("bold", "Findings")) end
    return lines
end

local STATUS_STYLE = { passed = "green", failed = "red", faulted = "red", error = "red", regressed = "red" }

local function counts_text(doc)
    local right, all, counts, measured = 0, 0, {}, false
    for _, case in ipairs(doc.cases) do
        measured = measured or #case.phases.map_s > 0
        counts[case.status] = (counts[case.status] or 0) + 1
        if case.expected then
            right, all = right + case.verified, all + #case.iterations
            for _, iteration in ipairs(case.as_expected and case.iterations or {}) do
                if iteration.right == nil then all = all - 1 end -- tasks were to be lost: no result to be right
            end
        end
    end
    local words = { human.count(doc.ab and judged.cases(doc) or #doc.cases, "case") }
    if doc.status == "inconclusive" and not counts.ok then
        table.insert(words, 1, measured and "no case was measured to its end" or "nothing was measured")
    end
    for _, status in ipairs({ "failed", "faulted", "error", "skipped", "interrupted" }) do
        if counts[status] then words[#words + 1] = ("%d %s"):format(counts[status], status) end
    end
    if all > 0 and not doc.ab then
        words[#words + 1] = ("%s of %s right"):format(human.group(right), human.count(all, "result"))
    end
    words[#words + 1] = judged.compared(doc)
    words[#words + 1] = judged.counts(doc)
    words[#words + 1] = judged.thresholds(doc)
    if doc.duration_s then words[#words + 1] = human.duration(doc.duration_s) end
    return table.concat(words, ", ")
end

-- "passed: 10 cases, 90 of 90 results right, 23.6 s"
local function verdict(ctx)
    local doc = ctx.doc
    local exit = doc.exit ~= 0 and (" (exit %d)"):format(doc.exit) or ""
    local said = ("%s: %s%s"):format(doc.status, counts_text(doc), exit)
    local wrapped = layout.wrap(said, ctx.width, "    ", ctx.width - 2)
    local is_partial = doc.status == "passed" and judged.compared(doc) ~= nil
    local status = ctx.paint(not is_partial and STATUS_STYLE[doc.status] or "yellow", doc.status)
    local lines = { "  " .. status .. wrapped:sub(#doc.status + 1) }
    local verify = doc.verify
    if verify and not verify.right then
        local why = "✗ verify: " .. human.clean(verify.message or "it says that the run is wrong")
        table.insert(lines, 1, "  " .. ctx.paint("red", layout.wrap(why, ctx.width, "    ", ctx.width - 2)))
    end
    return lines
end

-- Whether a finding says what disturbed the run. That iterations varied is not yet a reason.
local function is_told_what_disturbed(doc)
    for _, finding in ipairs(doc.findings or {}) do
        if finding.kind == "noise" and not (finding.evidence or {}).mad then return true end
    end
    return false
end

-- Other work on the machine is the commonest reason for figures that do not repeat.
local function busy(ctx)
    if is_told_what_disturbed(ctx.doc) then return {} end
    local host = ctx.doc.host or {}
    local load = host.load and host.load[1]
    if not load or not host.cores or load < host.cores * BUSY then return {} end
    local said = ("the machine was busy when the run began: load %.1f on %s; differences may come from that"):format(
        load, human.count(host.cores, "core"))
    return { ctx.paint("yellow", "  " .. layout.wrap(said, ctx.width, "  ", ctx.width - 2)) }
end

--- All of them, with an empty line before each but the notes, which belong to the table above.
---@param doc table  a finished results document
---@param info table  what text.begin prepared
---@param list rig.Column[]  the columns of the table
---@param width integer
---@param paint fun(style: string|nil, text: string): string
---@return string text  ends in a newline
function M.all(doc, info, list, width, paint)
    local ctx = { doc = doc, info = info, columns = list, width = width, paint = paint }
    local parts = {}
    local function add(lines, before)
        if #lines > 0 then parts[#parts + 1] = before .. table.concat(lines, "\n") .. "\n" end
    end
    -- of an A/B run each case is one of hundreds of values: its verdicts say what there is to say
    if not doc.ab then
        add(notes(ctx), "")
        add(chart.of(doc, width, paint), "\n")
        add(metrics(ctx), "\n")
    end
    add(doc.baseline and changes.section(doc, width, paint) or verdicts.of(doc, width, paint), "\n")
    add(faults(ctx), "\n")
    add(failures(ctx), "\n")
    add(verdicts.thresholds(doc, width, paint), "\n")
    add(findings(ctx), "\n")
    add(busy(ctx), "\n")
    add(verdict(ctx), "\n")
    return table.concat(parts)
end

return M
