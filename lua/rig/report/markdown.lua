-- A results document as Markdown for a pull request's comment or a job's summary: the verdict first, then what it rests
-- on, how to run it again, and the rest folded away. Never longer than GitHub takes.
-- Not for terminals (text). Neighbours: columns (the table of cases), change and judged (verdicts), plain.

local change = require("rig.report.change")
local columns = require("rig.report.columns")
local human = require("rig.report.human")
local judged = require("rig.report.judged")
local layout = require("rig.report.layout")
local plain = require("rig.report.plain")
local text_report = require("rig.report.text")

local M = {}

--- GitHub refuses comments of more than 65,536 characters. Counted in bytes, which are never fewer.
M.MOST_BYTES = 65000

-- Rows of each list, tried one after the other until the whole fits.
local ROW_LIMITS = { 200, 60, 20, 8, 3 }
local LONGEST_TEXT = 600
local LONGEST_CELL = 120
local LONGEST_COMMAND = 2000
-- As wide as a comment shows without scrolling.
local TABLE_WIDTH = 110

-- ---- text that is shown as it is -----------------------------------------------------------------------------------

local ESCAPED = {
    ["<"] = "&lt;", [">"] = "&gt;", ["&"] = "&amp;",
    -- between two of them GitHub sets mathematics, and a backslash does not stop it
    ["$"] = "<span>$</span>",
    -- must not notify people, nor link to issues
    ["@"] = "@<!-- -->", ["#"] = "#<!-- -->",
}
for mark in ("\\`*_[]|~!"):gmatch(".") do ESCAPED[mark] = "\\" .. mark end

local function cell(text, longest)
    longest = longest or LONGEST_CELL
    -- no character takes more than four bytes; what cannot be shown need not be looked at
    text = layout.cut(human.clean(plain.text(tostring(text):sub(1, 4 * longest + 4))), longest)
    text = text:gsub("[\\`*_%[%]|~!<>&$@#]", ESCAPED)
    return (text:gsub("(%w)\\_%f[%w]", "%1_")) -- inside a word it emphasises nothing
end

-- Where a line may begin with it: no list in a list.
local function escape(text, longest)
    return (cell(text, longest or LONGEST_TEXT):gsub("^[-+=]", "\\%0"):gsub("^(%d+)([.)])", "%1\\%2"))
end

-- A fence must be longer than any run of backticks inside.
local function code_block(text)
    text = layout.cut(plain.line(text), LONGEST_COMMAND)
    local longest = 2
    for run in text:gmatch("`+") do longest = math.max(longest, #run) end
    local fence = ("`"):rep(longest + 1)
    return ("%s\n%s\n%s"):format(fence, text, fence)
end

-- ---- pieces --------------------------------------------------------------------------------------------------------

local function row(cells)
    return "| " .. table.concat(cells, " | ") .. " |"
end

local function left_out(count)
    return ("*and %s more; all are in the JSON*"):format(human.group(count))
end

-- titles: { text, right }; cells_of: the escaped cells of one of the list.
local function table_of(titles, list, most, cells_of)
    local heads, rules = {}, {}
    for i, title in ipairs(titles) do
        heads[i], rules[i] = cell(title[1]), title[2] and "---:" or "---"
    end
    local lines = { row(heads), row(rules) }
    for i = 1, math.min(#list, most) do lines[#lines + 1] = row(cells_of(list[i])) end
    if #list > most then lines[#lines + 1] = "\n" .. left_out(#list - most) end
    return table.concat(lines, "\n")
end

local function folded(title, text)
    return ("<details><summary>%s</summary>\n\n%s\n\n</details>"):format(title, text)
end

local MARK = { passed = "✅", failed = "❌", regressed = "❌", faulted = "❌", error = "❌" }

local function heading(doc)
    local exit = doc.exit ~= 0 and (" (exit %d)"):format(doc.exit) or ""
    local name = escape(doc.scenario.name, LONGEST_CELL)
    local partial = doc.status == "passed" and judged.compared(doc)
    return ("### %s %s: %s%s"):format(not partial and MARK[doc.status] or "⚠️", name, doc.status, exit)
end

local function summary(doc)
    local right, all, words = 0, 0, { human.count(#doc.cases, "case") }
    local counts = {}
    for _, case in ipairs(doc.cases) do
        counts[case.status] = (counts[case.status] or 0) + 1
        if case.expected then right, all = right + case.verified, all + #case.iterations end
    end
    for _, status in ipairs({ "failed", "faulted", "error", "skipped", "interrupted" }) do
        if counts[status] then words[#words + 1] = ("%d %s"):format(counts[status], status) end
    end
    words[#words + 1] = judged.compared(doc)
    words[#words + 1] = judged.counts(doc)
    words[#words + 1] = judged.thresholds(doc)
    if all > 0 then words[#words + 1] = ("%s of %s right"):format(human.group(right), human.count(all, "result")) end
    if doc.duration_s then words[#words + 1] = human.duration(doc.duration_s) end
    return table.concat(words, ", ") .. "."
end

local function verdict_word(doc, v)
    local word = judged.word(v)
    if judged.is_red(doc, v) then return "❌ **" .. word .. "**" end
    if judged.is_yellow(doc, v) then return "⚠️ " .. word end
    if v.verdict == "improved" and judged.is_valid(doc) then return "✅ " .. word end
    return word
end

local function verdict_table(doc, most)
    local list = {}
    -- what counts stands where it is seen first
    for _, wanted in ipairs({ true, false }) do
        for _, v in ipairs(doc.verdicts or {}) do
            if judged.is_red(doc, v) == wanted then list[#list + 1] = v end
        end
    end
    if #list == 0 then return nil end
    return table_of({ { "case" }, { "metric" }, { "base", true }, { "new", true }, { "change", true },
        { doc.ab and "pairs" or "samples", true }, { "verdict" } }, list, most, function(v)
        return { cell(v.case), cell(v.metric), cell(change.value(v.a, v.unit)), cell(change.value(v.b, v.unit)),
            cell(change.of(v)), change.samples(v), verdict_word(doc, v) }
    end)
end

local function verdicts(doc, most)
    local parts = {}
    local title = judged.title(doc)
    if title then parts[1] = ("**%s**"):format(escape(title)) end
    parts[#parts + 1] = verdict_table(doc, most)
    local notes = {}
    for i, note in ipairs(judged.notes(doc)) do
        notes[i] = ("- %s%s"):format(note.style == "red" and "❌ " or "", escape(note.text))
    end
    if #notes > 0 and #parts > 0 then parts[#parts + 1] = table.concat(notes, "\n") end
    return #parts > 0 and table.concat(parts, "\n\n") or nil
end

local function case_row(list, params, case)
    local cells = {}
    local untimed = case.status == "skipped" or #case.phases.map_s == 0
    for i, column in ipairs(list) do
        if untimed and i > params then
            cells[i] = i == #list and cell(("%s: %s"):format(case.status, case.reason or "")) or ""
        else
            cells[i] = cell((column.cell(case)))
        end
    end
    return cells
end

local function case_table(doc, most)
    if doc.ab or #doc.cases == 0 then return nil end
    local printer = text_report.begin(doc, { columns = TABLE_WIDTH })
    local params = #columns.of_params(printer.info)
    local titles, list = {}, {}
    for _, column in ipairs(printer.columns) do
        if column.title ~= "iterations" then -- blocks of text make no picture in a proportional type
            list[#list + 1] = column
            titles[#list] = { column.title, column.right }
        end
    end
    return table_of(titles, doc.cases, most, function(case) return case_row(list, params, case) end)
end

local function thresholds(doc, most)
    local list = {}
    for _, passed in ipairs({ false, true }) do
        for _, t in ipairs(doc.thresholds or {}) do
            if t.passed == passed then list[#list + 1] = t end
        end
    end
    if #list == 0 then return nil end
    local titles = { { "" }, { "threshold" }, { "case" }, { "measured", true }, { "judged by" }, { "" } }
    return table_of(titles, list, most, function(t)
        local mark = judged.is_left_out(t) and "–" or t.passed and "✅" or "❌"
        return { mark, cell(t.text), cell(t.case or ""), cell(change.measured(t)), cell(change.judged_by(t)),
            cell(t.reason or "") }
    end)
end

local BAD = { failed = true, faulted = true, error = true, interrupted = true }

local function list_of(list, most, line_of)
    if #list == 0 then return nil end
    local lines = {}
    for i = 1, math.min(#list, most) do lines[i] = line_of(list[i]) end
    if #list > most then lines[#lines + 1] = "- " .. left_out(#list - most) end
    return table.concat(lines, "\n")
end

local function label_of(case)
    return cell(case.label or ("case %d"):format(case.index))
end

local function failures(doc, most)
    local list, verify = {}, doc.verify
    if verify and not verify.right then list[1] = verify end
    for _, case in ipairs(doc.cases) do
        if BAD[case.status] then list[#list + 1] = case end
    end
    return list_of(list, most, function(one)
        if one == verify then return "- **verify**: " .. escape(verify.message or "says that the run is wrong") end
        return ("- **%s** %s: %s"):format(label_of(one), one.status, escape(one.reason or ""))
    end)
end

local function findings(doc, most)
    local list = {}
    for _, finding in ipairs(doc.findings or {}) do
        if finding.kind ~= "next" then list[#list + 1] = finding end
    end
    return list_of(list, most, function(finding) return "1. " .. escape(finding.text) end)
end

local function task_errors(doc, most)
    local list = {}
    for _, case in ipairs(doc.cases) do
        for _, failure in ipairs(not case.as_expected and case.errors or {}) do
            if not failure.retried then list[#list + 1] = { case, failure } end
        end
    end
    local text = list_of(list, most, function(one)
        local failure = one[2]
        local iteration = failure.iteration and (" iteration %d"):format(failure.iteration) or ""
        local task = failure.task and (" task %d"):format(failure.task) or ""
        return ("- %s,%s%s %s: %s"):format(label_of(one[1]), iteration, task, cell(failure.outcome),
            escape(failure.message or ""))
    end)
    return text and folded("Tasks that did not end well", text)
end

local function origin(doc)
    local host, rows = doc.host or {}, {}
    local facts = {
        { "measured", (doc.started:gsub("T", " "):gsub("Z$", " UTC")) }, { "processor", host.cpu },
        { "cores", host.cores }, { "memory", host.memory_bytes and human.bytes(host.memory_bytes) },
        { "system", host["os"] }, { "kernel", host.kernel }, { "governor", host.governor },
        { "rig", doc.rig.commit and ("%s (%s)"):format(doc.rig.version, doc.rig.commit) or doc.rig.version },
        { "seed", doc.seed }, { "label", doc.label },
    }
    for i = 1, #facts do
        if facts[i][2] ~= nil then rows[#rows + 1] = { cell(facts[i][1]), cell(facts[i][2]) } end
    end
    local function same(cells) return cells end
    return folded("Where it was measured", table_of({ { "" }, { "" } }, rows, #rows, same))
end

local function again(doc)
    local command = text_report.command(doc)
    return command and "Again:\n\n" .. code_block(command) or nil
end

local function render(doc, most)
    local parts = { heading(doc), summary(doc) }
    local function add(part, title)
        if not part then return end
        if title then parts[#parts + 1] = "#### " .. title end
        parts[#parts + 1] = part
    end
    add(failures(doc, most), "Failures")
    add(verdicts(doc, most))
    add(case_table(doc, most))
    add(thresholds(doc, most), "Thresholds")
    add(findings(doc, most), "Findings")
    add(again(doc))
    add(task_errors(doc, most))
    add(origin(doc))
    return table.concat(parts, "\n\n") .. "\n"
end

---@param doc table  a results document
---@return string markdown  at most M.MOST_BYTES long
function M.render(doc)
    local text
    for _, most in ipairs(ROW_LIMITS) do
        text = render(doc, most)
        if #text <= M.MOST_BYTES then return text end
    end
    -- rows of many parameters: better cut than refused
    local cut = text:sub(1, M.MOST_BYTES - 100)
    cut = cut:sub(1, (utf8.offset(cut, 0, #cut) or #cut) - 1)
    return cut:match("^(.*)\n") .. "\n\n*cut: all is in the JSON*\n"
end

return M
