-- Text on a terminal: colours, padding by what is seen, wrapping with a hanging indent, bars and sparklines.
-- Knows nothing of results. Neighbours: report/columns, chart and text draw with it.

local human = require("rig.report.human")

local M = {}

local CODES = { bold = "1", dim = "2", red = "31", green = "32", yellow = "33" }

--- A function that colours text, or returns it as it is.
---@param color boolean|nil
---@return fun(style: string|nil, text: string): string
function M.painter(color)
    if not color then
        return function(_, text) return text end
    end
    return function(style, text)
        if not style or text == "" then return text end
        return ("\27[%sm%s\27[0m"):format(CODES[style], text)
    end
end

--- Pads to a width by what is seen; longer text stays whole.
---@param text string  without colours
---@param width integer
---@param right boolean|nil  aligned to the right
---@return string
function M.pad(text, width, right)
    local spaces = (" "):rep(width - human.width(text))
    return right and spaces .. text or text .. spaces
end

--- Shortens to a width, with an ellipsis where something is missing.
---@param text string
---@param width integer
---@return string
function M.cut(text, width)
    if human.width(text) <= width then return text end
    return text:sub(1, (utf8.offset(text, width) or 1) - 1) .. "…"
end

-- A number and its unit are read as one, and must not be parted by the end of a line.
local UNITS = {}
for _, unit in ipairs({ "x", "%", "s", "ms", "µs", "ns", "bytes", "kB", "MB", "GB", "TB" }) do UNITS[unit] = true end

local function words_of(text)
    local words = {}
    for word in text:gmatch("%S+") do
        local last = words[#words]
        if last and last:find("%d$") and UNITS[word:match("^[^%s,;:.)]+")] then
            words[#words] = last .. " " .. word
        else
            words[#words + 1] = word
        end
    end
    return words
end

--- Breaks text into lines at spaces; words longer than a line stay whole (a path must be copyable).
---@param text string
---@param width integer  of a line, its indent included
---@param indent string|nil  before every line but the first
---@param first integer|nil  room on the first line, when something stands before it
---@return string lines  joined by newlines
function M.wrap(text, width, indent, first)
    indent = indent or ""
    local lines, line = {}, nil
    for _, word in ipairs(words_of(text)) do
        local room = #lines == 0 and (first or width) or width - #indent
        if line and human.width(line) + 1 + human.width(word) > room then
            lines[#lines + 1] = line
            line = word
        else
            line = line and line .. " " .. word or word
        end
    end
    lines[#lines + 1] = line or ""
    return table.concat(lines, "\n" .. indent)
end

local EIGHTHS = { "▏", "▎", "▍", "▌", "▋", "▊", "▉" }

--- A horizontal bar. Something that is not nothing shows at least the thinnest line.
---@param share number  of the whole width, 0 to 1
---@param width integer  columns
---@return string
function M.bar(share, width)
    local eighths = math.max(1, math.floor(math.min(share, 1) * width * 8 + 0.5))
    local rest = eighths % 8
    return ("█"):rep(eighths // 8) .. (rest > 0 and EIGHTHS[rest] or "")
end

local LEVELS = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" }

--- One small column for each value, relative to the largest. More values than columns share one: their largest.
---@param values number[]
---@param width integer
---@return string
function M.spark(values, width)
    local largest = 0
    for _, value in ipairs(values) do largest = math.max(largest, value) end
    if largest <= 0 then return "" end
    local count, marks = math.min(#values, width), {}
    for i = 1, count do
        local highest = 0
        for k = (i - 1) * #values // count + 1, i * #values // count do highest = math.max(highest, values[k]) end
        marks[i] = LEVELS[math.max(1, math.ceil(highest / largest * #LEVELS))]
    end
    return table.concat(marks)
end

return M
