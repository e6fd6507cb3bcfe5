-- A diagnosis as a terminal shows it: one item a paragraph, what is wrong before what is well, the verdict last.
-- Not for judging. Neighbours: judge.lua (the diagnosis), report/layout.lua (wrapping and colours).

local human = require("rig.report.human")
local layout = require("rig.report.layout")

local M = {}

local DEFAULT_WIDTH, MOST_WIDTH = 80, 100
local COLORS = { ok = "green", warning = "yellow", bad = "red" }
local LEVEL_WIDTH, NAME_WIDTH = 7, 14

-- Ids are short for those who read JSON; what is not a word of its own is written out for people.
local NAMES = { two = "two at once", all = "all at once" }

local function name_of(item)
    return NAMES[item.id] or (item.id:gsub("_", " "))
end

local function title(host, seconds)
    local parts = { host.cpu or "an unknown processor", human.count(host.cores or 1, "processor") }
    if host.memory_bytes then parts[#parts + 1] = human.bytes(host.memory_bytes) .. " of memory" end
    if host.kernel then parts[#parts + 1] = "Linux " .. host.kernel end
    parts[#parts + 1] = "looked at for " .. human.duration(seconds)
    return human.clean(table.concat(parts, ", "))
end

local function item_lines(item, width, paint)
    local name = layout.pad(name_of(item), NAME_WIDTH)
    local indent = (" "):rep(2 + LEVEL_WIDTH + 2 + NAME_WIDTH + 2)
    local lines = { ("  %s  %s  %s"):format(paint(COLORS[item.level], layout.pad(item.level, LEVEL_WIDTH)), name,
        layout.wrap(item.text, width, indent, width - #indent)) }
    if item.remedy then
        lines[2] = indent .. "→ " .. layout.wrap(item.remedy, width, indent .. "  ", width - #indent - 2)
    end
    -- on a line of its own and never broken, so that it can be copied
    if item.command then lines[#lines + 1] = (" "):rep(6) .. paint("bold", "$ " .. item.command) end
    return lines
end

-- What nothing was found out about needs no paragraph each.
local function unknown_line(items, width, paint)
    local names = {}
    for _, item in ipairs(items) do
        if item.level == "unknown" then names[#names + 1] = name_of(item) end
    end
    if #names == 0 then return nil end
    return paint("dim", "  " .. layout.wrap("not to be told from here: " .. human.join(names), width, "  ", width - 2))
end

--- The whole text.
---@param diagnosis table  as judge.of returned it
---@param about { host: table, duration_s: number }
---@param look { color: boolean|nil, columns: integer|nil }|nil
---@return string
function M.render(diagnosis, about, look)
    look = look or {}
    local width = math.min(look.columns or DEFAULT_WIDTH, MOST_WIDTH)
    local paint = layout.painter(look.color)
    local lines = { layout.wrap(title(about.host, about.duration_s), width), "" }
    for _, level in ipairs({ "bad", "warning", "ok" }) do
        for _, item in ipairs(diagnosis.items) do
            if item.level == level then
                for _, line in ipairs(item_lines(item, width, paint)) do lines[#lines + 1] = line end
            end
        end
    end
    lines[#lines + 1] = unknown_line(diagnosis.items, width, paint)
    lines[#lines + 1] = ""
    lines[#lines + 1] = "  " .. layout.wrap(diagnosis.verdict.text, width, "  ", width - 2)
    return table.concat(lines, "\n") .. "\n"
end

return M
