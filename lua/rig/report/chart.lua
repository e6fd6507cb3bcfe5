-- The times of a run as bars: what is compared side by side where there are few, one under the other where there are
-- many. Looked at before any number is read.
-- Neighbours: findings/points (what is compared), findings/compare (ratios), layout (bars), text.lua (prints it).

local columns = require("rig.report.columns")
local compare = require("rig.findings.compare")
local human = require("rig.report.human")
local layout = require("rig.report.layout")
local points = require("rig.findings.points")

local M = {}

local MOST_SIDE_BY_SIDE = 3
local MOST_ROWS = 24
local WIDEST_BAR, NARROWEST_BAR = 24, 6
local INDENT = "    "

local function time_text(model, s)
    return model.of_body and human.duration(s) or columns.seconds(s)
end

local function widest(list)
    local width = 0
    for _, text in ipairs(list) do width = math.max(width, human.width(text)) end
    return width
end

local function largest_time(list)
    local most = 0
    for _, point in ipairs(list) do most = math.max(most, point.seconds) end
    return most
end

-- What stands at one value of the axis, by label.
local function by_label(model, fixed, axis, x)
    local wanted, found = { [axis.name] = x }, {}
    for name, value in pairs(fixed) do wanted[name] = value end
    for _, point in ipairs(points.at(model, wanted)) do found[point.label] = point end
    return found
end

-- One cell: the time, then its bar.
local function cell(model, point, width, most)
    if not point then return "–" end
    return time_text(model, point.seconds) .. " " .. layout.bar(point.seconds / most, width)
end

-- The last column of two: how many times as long the second takes, or how many times as fast as serial it is.
local function last_cell(found, labels)
    local a, b = found[labels[1]], found[labels[2]]
    if #labels ~= 2 or not a or not b then return "" end
    -- what a finding says of the same two, which with several runs is not the ratio of the times shown
    return human.ratio(a.serial and compare.ratio(b, a).ratio or compare.ratio(a, b).ratio)
end

local function last_title(series)
    if #series ~= 2 then return "" end
    return series[1].points[1].serial and "speed-up" or "ratio"
end

local function labels_of(series)
    local labels = {}
    for i, one in ipairs(series) do labels[i] = one.label end
    return labels
end

local function side_by_side(model, fixed, axis, series, width, paint)
    local labels = labels_of(series)
    local keys, all = { axis.name }, {}
    for i, x in ipairs(axis.values) do
        keys[i + 1] = human.value(x)
        for _, point in pairs(by_label(model, fixed, axis, x)) do all[#all + 1] = point end
    end
    local key_width, most = widest(keys), largest_time(all)
    local room = (width - #INDENT - key_width - 10) // #labels - 2 - 9
    local bar = math.max(NARROWEST_BAR, math.min(WIDEST_BAR, room))
    local cell_width = math.max(bar + 9, widest(labels))
    local function row(key, cells, last)
        local parts = { layout.pad(key, key_width, true) }
        for i, text in ipairs(cells) do parts[i + 1] = layout.pad(text, cell_width) end
        parts[#parts + 1] = last ~= "" and layout.pad(last, 8, true) or nil
        return (INDENT .. table.concat(parts, "  "):gsub("%s+$", ""))
    end
    local lines = { paint("dim", row(axis.name, labels, last_title(series))) }
    for _, x in ipairs(axis.values) do
        local found, cells = by_label(model, fixed, axis, x), {}
        for i, label in ipairs(labels) do cells[i] = cell(model, found[label], bar, most) end
        lines[#lines + 1] = row(human.value(x), cells, last_cell(found, labels))
    end
    return lines
end

local function one_under_another(model, list, name_of, width)
    local names, times, lines = {}, {}, {}
    for i, point in ipairs(list) do
        names[i], times[i] = layout.cut(name_of(point), 40), time_text(model, point.seconds)
    end
    local name_width, time_width, most = widest(names), widest(times), largest_time(list)
    local bar = math.max(NARROWEST_BAR, math.min(2 * WIDEST_BAR, width - #INDENT - name_width - time_width - 4))
    for i, point in ipairs(list) do
        lines[i] = ("%s%s  %s %s"):format(INDENT, layout.pad(names[i], name_width),
            layout.pad(times[i], time_width, true), layout.bar(point.seconds / most, bar))
    end
    return lines
end

-- The largest value of the axis at which at least two stand.
local function crowded(model, fixed, axis)
    for i = #axis.values, 1, -1 do
        local wanted = { [axis.name] = axis.values[i] }
        for name, value in pairs(fixed) do wanted[name] = value end
        local list = points.at(model, wanted)
        if #list > 1 then return list, axis.values[i] end
    end
    return {}
end

local function title(model)
    return model.of_body and "Time per call" or "Seconds per iteration"
end

local function draw(model, width, paint)
    local axis = model.axis
    local fixed = points.surroundings(model, axis)[1]
    local series = points.series(model, axis, fixed)
    if axis and #series <= MOST_SIDE_BY_SIDE then
        return side_by_side(model, fixed, axis, series, width, paint), title(model) .. " by " .. axis.name
    end
    local list, at = model.points, nil
    if axis then list, at = crowded(model, fixed, axis) end
    if #list > MOST_ROWS then return {} end
    local name_of = function(point) return point.label end
    return one_under_another(model, list, name_of, width),
        title(model) .. (axis and at and " at " .. points.value_text(model, axis.name, at) or "")
end

--- Lines with bars; none where there is nothing to compare.
---@param doc table
---@param width integer
---@param paint fun(style: string|nil, text: string): string
---@return string[] lines  with a title first
function M.of(doc, width, paint)
    local model = points.of(doc)
    if #model.points < 2 or #model.dims == 0 then return {} end
    local lines, heading = draw(model, width, paint)
    if #lines < 2 then return {} end
    table.insert(lines, 1, "  " .. paint("bold", heading))
    return lines
end

return M
