-- What a terminal shows of an A/B run: what it is about to measure, and in the end what a saved one shows too.
-- Strings only. Neighbours: text (the rest of a run), verdicts (the table), ab/run.lua (measures).

local human = require("rig.report.human")
local layout = require("rig.report.layout")
local paired = require("rig.paired")
local text = require("rig.report.text")

local M = {}

local DEFAULT_COLUMNS = 100

local function sides_text(sides)
    local of = sides.what == "executables" and "" or human.clean(sides.what) .. ": "
    return ("A/B: %s%s (base) and %s (new), by turns"):format(of, human.clean(sides.a), human.clean(sides.b))
end

local function plan_text(info, known)
    local words = { human.count(known.cases, "case"), ("up to %d pairs each"):format(paired.looks[#paired.looks]) }
    if info.budget_s and info.budget_s < known.most_s then
        words[#words + 1] = ("the budget of %s"):format(human.duration(info.budget_s))
    elseif known.most_s > 0 then
        words[#words + 1] = ("about %s if each takes all of them"):format(human.duration(known.most_s))
    end
    return table.concat(words, ", ")
end

--- What is known when the first values have been measured.
---@param info { scenario: table, sides: table, budget_s: number|nil }
---@param known { cases: integer, most_s: number }
---@param look rig.TextOptions
---@return string text  ends in a newline
function M.header(info, known, look)
    local width, paint = look.columns or DEFAULT_COLUMNS, layout.painter(look.color)
    local about = info.scenario.about or ""
    local name = human.clean(info.scenario.name)
    local first = layout.wrap(name .. (about ~= "" and ": " .. human.clean(about) or ""), width)
    return table.concat({
        paint("bold", first:sub(1, #name)) .. first:sub(#name + 1),
        layout.wrap(sides_text(info.sides), width),
        paint("dim", layout.wrap(plan_text(info, known), width)),
    }, "\n") .. "\n"
end

--- What came out of it.
---@param doc table  a finished results document
---@param look rig.TextOptions
---@return string text  ends in a newline
function M.finish(doc, look)
    local printer = text.begin(doc, look)
    local parts = {}
    for i, case in ipairs(doc.cases) do parts[i] = printer:case(case) end
    return table.concat(parts) .. printer:finish(doc)
end

return M
