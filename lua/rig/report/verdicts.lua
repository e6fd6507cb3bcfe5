-- On a terminal: the table of verdicts of an A/B run or of a comparison, what must be known to believe it, and the
-- thresholds. Lists of lines, empty where there is nothing to say.
-- Neighbours: change (figures), judged (sentences), columns (lines of a table), sections (puts them in their place).

local change = require("rig.report.change")
local columns = require("rig.report.columns")
local human = require("rig.report.human")
local judged = require("rig.report.judged")
local layout = require("rig.report.layout")

local M = {}

local GAP = 2
local NARROWEST_CASE = 12

local STYLE = { improved = "green", unchanged = nil, inconclusive = "yellow" }

local function verdict_cell(doc)
    return function(v)
        local text = judged.word(v)
        if judged.is_red(doc, v) then return text, "red" end
        if judged.is_yellow(doc, v) then return text, "yellow" end
        return text, judged.is_valid(doc) and STYLE[v.verdict] or nil
    end
end

local function column(title, cell, right, rank)
    return { title = title, cell = cell, right = right, rank = rank, width = human.width(title) }
end

local function several(verdicts, field)
    for _, v in ipairs(verdicts) do
        if v[field] ~= verdicts[1][field] then return true end
    end
    return false
end

local function all_columns(doc, verdicts)
    local list = { column("case", function(v) return human.clean(v.case) end) }
    if several(verdicts, "metric") or not doc.ab then
        list[2] = column("metric", function(v) return human.clean(v.metric) end)
    end
    local more = {
        column("base", function(v) return change.value(v.a, v.unit) end, true, 2),
        column("new", function(v) return change.value(v.b, v.unit) end, true, 1),
        column("change", change.of),
        column(doc.ab and "pairs" or "samples", change.samples, true, 3),
        column("verdict", verdict_cell(doc)),
    }
    return table.move(more, 1, #more, #list + 1, list)
end

local function total_width(list)
    local width = 0
    for _, one in ipairs(list) do width = width + GAP + one.width end
    return width
end

local function measure(list, verdicts)
    for _, one in ipairs(list) do
        for _, v in ipairs(verdicts) do one.width = math.max(one.width, human.width((one.cell(v)))) end
    end
end

local function drop_least(list)
    local worst
    for i, one in ipairs(list) do
        if one.rank and (not worst or one.rank > list[worst].rank) then worst = i end
    end
    if worst then table.remove(list, worst) end
    return worst ~= nil
end

local function without_interval(v)
    return change.of({ kind = v.kind, a = v.a, b = v.b, effect = v.effect })
end

-- Long names of cases give way first, down to what still tells them apart; then columns, last the intervals.
local function fit(list, width, verdicts)
    local case = list[1]
    local function is_wide()
        return total_width(list) - case.width + math.min(case.width, NARROWEST_CASE) > width
    end
    while is_wide() and drop_least(list) do end
    if is_wide() then
        for _, one in ipairs(list) do
            if one.cell == change.of then one.cell, one.width = without_interval, human.width(one.title) end
        end
        measure(list, verdicts)
    end
    local room = math.max(NARROWEST_CASE, case.width - math.max(0, total_width(list) - width))
    if room < case.width then
        local cell = case.cell
        case.width = room
        case.cell = function(v) return layout.cut(cell(v), room) end
    end
end

--- A table: a row for each verdict.
---@param doc table  a results document
---@param verdicts table[]  of its verdicts, those to show
---@param width integer
---@param paint fun(style: string|nil, text: string): string
---@return string[] lines
function M.table(doc, verdicts, width, paint)
    if #verdicts == 0 then return {} end
    local list = all_columns(doc, verdicts)
    measure(list, verdicts)
    fit(list, width, verdicts)
    local titles = columns.line(list, function(one) return one.title end, function(_, text) return text end)
    local lines = { paint("dim", (titles:gsub("%s+$", ""))) }
    for _, v in ipairs(verdicts) do
        lines[#lines + 1] = columns.line(list, function(one) return one.cell(v) end, paint):gsub("%s+$", "")
    end
    return lines
end

--- Verdicts with their title, and below them what must be known to believe them.
---@param doc table
---@param width integer
---@param paint fun(style: string|nil, text: string): string
---@return string[] lines
function M.of(doc, width, paint)
    local lines = M.table(doc, doc.verdicts or {}, width, paint)
    local title = judged.title(doc)
    if title and (#lines > 0 or doc.ab) then
        table.insert(lines, 1, "  " .. paint("bold", layout.wrap(title, width, "    ", width - 2)))
    end
    for _, note in ipairs(judged.notes(doc)) do
        local wrapped = layout.wrap(note.text, width, "    ", width - 2)
        lines[#lines + 1] = "  " .. paint(note.style or "dim", wrapped)
    end
    return lines
end

local function threshold_line(t, width, paint)
    local mark, style = "✓", "green"
    if judged.is_left_out(t) then mark, style = "–", "dim" end
    if not t.passed then mark, style = "✗", "red" end
    local said = ("%s: %s"):format(human.clean(change.threshold_name(t)), change.threshold(t))
    return "    " .. paint(style, mark) .. " " .. layout.wrap(said, width, "      ", width - 6)
end

--- Thresholds: whether each held, what was measured, and how it was judged.
---@param doc table
---@param width integer
---@param paint fun(style: string|nil, text: string): string
---@return string[] lines
function M.thresholds(doc, width, paint)
    if #(doc.thresholds or {}) == 0 then return {} end
    local lines = { "  " .. paint("bold", "Thresholds") }
    for _, t in ipairs(doc.thresholds) do lines[#lines + 1] = threshold_line(t, width, paint) end
    return lines
end

return M
