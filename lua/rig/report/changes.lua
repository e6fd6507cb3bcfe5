-- What changed since a baseline, for a terminal: a table of the verdicts that say something, a line for those that do
-- not, and what a reader must know about the comparison.
-- Strings only. Not for A/B runs. Neighbours: compare.lua (makes the verdicts), layout, human.

local human = require("rig.report.human")
local layout = require("rig.report.layout")

local M = {}

local DEFAULT_COLUMNS = 100
local LONGEST_CASE = 48

-- Beyond these, a factor is what people say.
local DOUBLE, HALF = 2, 0.5

local function percent(ratio)
    local share = (ratio - 1) * 100
    local text = (math.abs(share) < 9.95 and "%+.1f" or "%+.0f"):format(share)
    return (text:gsub("^[+-]0%.0$", "0.0"))
end

--- A change and its interval.
---@param effect number|nil  new/base
---@param low number|nil
---@param high number|nil
---@return string such as "+6.4 % (+2.1 to +10.9)", "30.8 x (28.4 to 31.0)"
function M.change(effect, low, high)
    if not effect then return "–" end
    local as, unit = percent, " %"
    if effect >= DOUBLE or effect <= HALF then
        as, unit = function(ratio) return (human.ratio(ratio):gsub(" x$", "")) end, " x"
    end
    if not low then return as(effect) .. unit end
    return ("%s%s (%s to %s)"):format(as(effect), unit, as(low), as(high))
end

local function quantity(value, unit)
    if not value then return "–" end
    if unit == "s" then return human.duration(value) end
    return human.group(math.tointeger(value) or value) .. (unit == "B" and " B" or "")
end

local function is_told(verdict)
    if verdict.kind ~= "time" then return verdict.verdict == "changed" end
    -- a figure without an interval is one number beside another: the median of the maps says more
    return verdict.low ~= nil or verdict.metric == "map"
end

local STYLE = { regressed = "red", changed = "red", improved = "green", inconclusive = "yellow" }

local function style_of(verdict)
    local style = STYLE[verdict.verdict]
    return style == "red" and not verdict.gates and "yellow" or style
end

local ADVICE = { regressed = true, changed = true }

local function word_of(verdict)
    if ADVICE[verdict.verdict] and not verdict.gates then return verdict.verdict .. " (advice)" end
    return verdict.verdict
end

local TITLES = { "case", "metric", "base", "new", "change", "verdict" }
local TO_THE_RIGHT = { false, false, true, true, false, false }

local function row_of(verdict)
    return {
        layout.cut(human.clean(verdict.case), LONGEST_CASE), human.clean(verdict.metric),
        quantity(verdict.a, verdict.unit), quantity(verdict.b, verdict.unit),
        M.change(verdict.effect, verdict.low, verdict.high), word_of(verdict),
    }
end

local function table_lines(verdicts, paint)
    local rows, widths, lines = { TITLES }, {}, {}
    for _, verdict in ipairs(verdicts) do rows[#rows + 1] = row_of(verdict) end
    for _, row in ipairs(rows) do
        for i, text in ipairs(row) do widths[i] = math.max(widths[i] or 0, human.width(text)) end
    end
    for n, row in ipairs(rows) do
        local cells = {}
        for i, text in ipairs(row) do
            cells[i] = i == #row and text or layout.pad(text, widths[i], TO_THE_RIGHT[i])
        end
        local style = n == 1 and "dim" or style_of(verdicts[n - 1])
        cells[#cells] = paint(style, cells[#cells])
        lines[n] = "    " .. table.concat(cells, "  ")
    end
    return lines
end

local NAME = { exact = "exact counter", tolerance = "counter of the kernel", time = "other time" }

-- "40 exact counters unchanged": what the table leaves out.
local function quiet_line(verdicts)
    local counts, words = {}, {}
    for _, verdict in ipairs(verdicts) do
        if not is_told(verdict) then
            local how = verdict.kind == "time" and "without an interval (runs=6 gives one)" or "unchanged"
            local key = verdict.kind .. how
            counts[key] = counts[key] or { n = 0, name = NAME[verdict.kind], how = how, kind = verdict.kind }
            counts[key].n = counts[key].n + 1
        end
    end
    for _, kind in ipairs({ "exact", "tolerance", "time" }) do
        for _, count in pairs(counts) do
            if count.kind == kind then
                local plural = kind == "tolerance" and "counters of the kernel" or nil
                words[#words + 1] = ("%s %s"):format(human.count(count.n, count.name, plural), count.how)
            end
        end
    end
    return #words > 0 and table.concat(words, ", ") or nil
end

local function heading(baseline)
    local started = baseline.started and baseline.started:gsub("T", " "):gsub("Z$", " UTC")
    return human.clean("Since " .. baseline.file .. (started and (" (%s)"):format(started) or ""))
end

--- What the verdicts come to, as one line.
---@param verdicts table[]
---@return string such as "2 exact counters changed; times: 1 slower (advice), 3 unchanged"
function M.summary(verdicts)
    local told, words = {}, {}
    for _, verdict in ipairs(verdicts) do
        local is_time = verdict.kind == "time"
        if is_time and is_told(verdict) or not is_time and verdict.verdict == "changed" then
            local key = ("%s %s"):format(is_time and "time" or NAME[verdict.kind], word_of(verdict))
            if not told[key] then told[#told + 1] = key end
            told[key] = (told[key] or 0) + 1
        end
    end
    for i, key in ipairs(told) do words[i] = ("%d x %s"):format(told[key], key) end
    return #words > 0 and table.concat(words, ", ") or "nothing changed"
end

--- The section of a report.
---@param doc table  with baseline and verdicts
---@param width integer
---@param paint fun(style: string|nil, text: string): string
---@return string[] lines  none where the document was compared with nothing
function M.section(doc, width, paint)
    local baseline, verdicts = doc.baseline, doc.verdicts or {}
    if not baseline then return {} end
    local shown = {}
    for _, verdict in ipairs(verdicts) do
        if is_told(verdict) then shown[#shown + 1] = verdict end
    end
    local lines = { "  " .. paint("bold", heading(baseline)) }
    if #shown > 0 then table.move(table_lines(shown, paint), 1, #shown + 1, 2, lines) end
    local notes = { quiet_line(verdicts) }
    for _, note in ipairs(baseline.notes or {}) do notes[#notes + 1] = note end
    for _, note in ipairs(notes) do
        lines[#lines + 1] = "    " .. paint("dim", layout.wrap(human.clean(note), width, "      ", width - 4))
    end
    return lines
end

--- What `rig compare` shows.
---@param doc table  the new document, with baseline and verdicts
---@param opts rig.TextOptions|nil
---@return string text  ends in a newline
function M.render(doc, opts)
    opts = opts or {}
    local paint = layout.painter(opts.color)
    local lines = M.section(doc, math.max(60, opts.columns or DEFAULT_COLUMNS), paint)
    local exit = doc.exit ~= 0 and (" (exit %d)"):format(doc.exit) or ""
    local style = doc.status == "passed" and "green" or doc.exit == 0 and "yellow" or "red"
    table.insert(lines, 1, paint("bold", human.clean(doc.scenario.name)))
    lines[#lines + 1] = ("\n  %s: %s%s"):format(paint(style, doc.status), M.summary(doc.verdicts), exit)
    return table.concat(lines, "\n") .. "\n"
end

return M
