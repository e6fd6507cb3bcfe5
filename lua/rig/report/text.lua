-- What a terminal shows of a run: a header, a row for each case as it ends, and what came out of it. `rig show` prints
-- a saved document with the same code.
-- Strings only: whoever calls it writes them. Neighbours: columns (the table), sections (what comes after it), layout.

local columns = require("rig.report.columns")
local human = require("rig.report.human")
local layout = require("rig.report.layout")
local sections = require("rig.report.sections")

local M = {}

local DEFAULT_COLUMNS = 100
local NARROWEST = 60

---@class rig.TextInfo  a plan, a results document, or as much of one
---@field scenario { name: string, about: string|nil, kind: "map"|"body"|nil, hooks: table|nil }
---@field varying string[]
---@field cases { index: integer, params: table, run: integer|nil }[]
---@field estimate_s number|nil  how long it will take
---@field ab table|nil  of an A/B run: its verdicts take the place of the table of cases

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
            estimate_s = info.estimate_s, kind = kind_of(info), rated = is_rated(info), ab = info.ab },
        width = math.max(NARROWEST, opts.columns or DEFAULT_COLUMNS), paint = layout.painter(opts.color),
    }, Printer)
    printer.columns = columns.of(printer.info, printer.width)
    return printer
end

-- "4 workers", where all cases agree. What serial says of workers means nothing.
local function common(cases, name)
    local value
    for _, case in ipairs(cases) do
        local mine = case.params[name]
        if name ~= "workers" or case.params.pool ~= "serial" then
            if value ~= nil and mine ~= value then return nil end
            value = mine
        end
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
    local about = info.scenario.about or ""
    about = about ~= "" and ": " .. human.clean(about) or ""
    local first = layout.wrap(name .. about, self.width)
    local lines = {
        paint("bold", first:sub(1, #name)) .. first:sub(#name + 1),
        paint("dim", layout.wrap(facts(info), self.width)),
    }
    if not info.ab then
        local titles = columns.line(self.columns, function(column) return column.title end, paint)
        table.move({ "", paint("dim", (titles:gsub("%s+$", ""))) }, 1, 2, 3, lines)
    end
    return table.concat(lines, "\n") .. "\n"
end

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
---@return string text  ends in a newline; empty for a sound case of an A/B run
function Printer:case(case)
    if self.info.ab and case.status == "ok" then return "" end
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

--- What came out of it: notes, bars, metrics, failures, findings, the verdict.
---@param doc table  a finished results document
---@return string text  ends in a newline
function Printer:finish(doc)
    return sections.all(doc, self.info, self.columns, self.width, self.paint)
end

local function origin_lines(doc, width, paint)
    local host = doc.host or {}
    local words = { ("measured %s"):format(human.clean(doc.started:gsub("T", " "):gsub("Z$", " UTC"))) }
    if host.cpu then words[#words + 1] = human.clean(host.cpu) end
    if host.cores then words[#words + 1] = human.count(host.cores, "core") end
    if host["os"] then words[#words + 1] = human.clean(host["os"]) end
    if host.kernel then words[#words + 1] = "kernel " .. human.clean(host.kernel) end
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
