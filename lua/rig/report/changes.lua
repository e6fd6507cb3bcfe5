-- What changed since a baseline: which of its verdicts a table shows, a line for the others, and what a reader must
-- know about the comparison. What `rig compare` prints.
-- Strings only. Neighbours: compare.lua (makes the verdicts), verdicts.lua (the table), judged.lua (counts).

local human = require("rig.report.human")
local judged = require("rig.report.judged")
local layout = require("rig.report.layout")
local verdicts = require("rig.report.verdicts")

local M = {}

local DEFAULT_COLUMNS = 100
local NARROWEST = 60

-- A figure without an interval is one number beside another: the median of the maps says more. Counters that are what
-- they were fill pages.
local function is_told(verdict)
    if verdict.kind ~= "time" then return verdict.verdict == "changed" end
    return verdict.low ~= nil or verdict.metric == "map"
end

local NAME = { exact = "exact counter", tolerance = "counter of the kernel", time = "other time" }
local PLURAL = { tolerance = "counters of the kernel" }

-- "40 exact counters unchanged": what the table leaves out.
local function quiet_line(list)
    local counts, words = {}, {}
    for _, verdict in ipairs(list) do
        if not is_told(verdict) then counts[verdict.kind] = (counts[verdict.kind] or 0) + 1 end
    end
    for _, kind in ipairs({ "exact", "tolerance", "time" }) do
        if counts[kind] then
            local how = kind == "time" and "without an interval (runs=6 gives one)" or "unchanged"
            words[#words + 1] = ("%s %s"):format(human.count(counts[kind], NAME[kind], PLURAL[kind]), how)
        end
    end
    return #words > 0 and table.concat(words, ", ") or nil
end

--- The section of a report.
---@param doc table  with baseline and verdicts
---@param width integer
---@param paint fun(style: string|nil, text: string): string
---@return string[] lines  none where the document was compared with nothing
function M.section(doc, width, paint)
    local baseline, all, told = doc.baseline, doc.verdicts or {}, {}
    if not baseline then return {} end
    for _, verdict in ipairs(all) do
        if is_told(verdict) then told[#told + 1] = verdict end
    end
    local lines = { "  " .. paint("bold", layout.wrap(judged.title(doc), width, "    ", width - 2)) }
    table.move(verdicts.table(doc, told, width, paint), 1, #told + 1, 2, lines)
    local notes = { quiet_line(all) }
    for _, note in ipairs(baseline.notes or {}) do notes[#notes + 1] = note end
    for _, note in ipairs(notes) do
        lines[#lines + 1] = "  " .. paint("dim", layout.wrap(human.clean(note), width, "    ", width - 2))
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
    local lines = M.section(doc, math.max(NARROWEST, opts.columns or DEFAULT_COLUMNS), paint)
    local exit = doc.exit ~= 0 and (" (exit %d)"):format(doc.exit) or ""
    local some = judged.compared(doc)
    local style = doc.status == "passed" and not some and "green" or doc.exit == 0 and "yellow" or "red"
    table.insert(lines, 1, paint("bold", human.clean(doc.scenario.name)))
    local counts = (some and some .. ", " or "") .. (judged.counts(doc) or "nothing that decides")
    lines[#lines + 1] = ("\n  %s: %s%s"):format(paint(style, doc.status), counts, exit)
    return table.concat(lines, "\n") .. "\n"
end

return M
