-- Which of the things compared is faster, by how much, at which values, and up to where they are level.
-- Not for why: that is cause and axes. Neighbour: points.lua (what is compared).

local human = require("rig.report.human")
local points = require("rig.findings.points")
local stats = require("rig.stats")

local M = {}

local MOST_SURROUNDINGS = 6
local MOST_RATIOS = 4
local MOST_NAMED = 5

local ENOUGH_RUNS = 6
-- Below this a single run says nothing: identical code differs by as much.
local LEVEL = 1.10
-- And with an interval, a difference that nobody would act on.
local LEVEL_WITH_INTERVAL = 1.03
-- What one run cannot show is not therefore absent: only so little apart are two called level from one run.
local LEVEL_IN_ONE_RUN = 1.05

-- One standard error of a median, relative, if the values were normal.
local function relative_error(median, mad, n)
    if n < 2 or median <= 0 then return 0 end
    return 1.4826 * mad / median / math.sqrt(n)
end

-- How uncertain the time of a point is, from the spread of its iterations and of its runs.
local function uncertainty(point)
    local worst = 0
    for _, case in ipairs(point.cases) do
        local map = case.stats and case.stats.map
        if map then worst = math.max(worst, relative_error(map.median, map.mad, map.n)) end
    end
    local of_runs = relative_error(point.seconds, stats.mad(point.values), #point.values)
    return math.max(worst / math.sqrt(#point.cases), of_runs)
end

-- Runs with the same number were measured one after the other, and share what the machine did meanwhile.
local function paired_ratios(a, b)
    local by_run, ratios = {}, {}
    for i, case in ipairs(a.cases) do by_run[case.run or 1] = a.values[i] end
    for i, case in ipairs(b.cases) do
        local other = by_run[case.run or 1]
        if other then ratios[#ratios + 1] = b.values[i] / other end
    end
    table.sort(ratios)
    return ratios
end

---@class rig.Ratio
---@field ratio number  median of the ratios of each run; of one run, or of other runs each, that of the medians
---@field low number|nil  95 % interval, from runs measured one after the other (nil below 6 runs)
---@field high number|nil
---@field runs integer
---@field level boolean  no difference that this many runs can show

--- How many times as long b takes as a. Whatever prints a ratio of two points takes it from here, so that a chart and
--- a sentence never differ.
---@param a rig.Point
---@param b rig.Point
---@return rig.Ratio
function M.ratio(a, b)
    local ratios = paired_ratios(a, b)
    local runs = math.min(#a.values, #b.values)
    local ratio = #ratios > 1 and stats.quantile(ratios, 0.5) or b.seconds / a.seconds
    local size = math.max(ratio, 1 / ratio)
    if #ratios >= ENOUGH_RUNS then
        local low, high = stats.median_interval(ratios)
        local apart = low > 1 or high < 1
        return { ratio = ratio, low = low, high = high, runs = runs, level = not apart or size < LEVEL_WITH_INTERVAL }
    end
    local limit = math.max(LEVEL, 1 + 3 * math.sqrt(uncertainty(a) ^ 2 + uncertainty(b) ^ 2))
    return { ratio = ratio, runs = runs, level = size < limit }
end

--- How far ratios of so many runs may be believed, in brackets at the end of a sentence.
---@param runs integer
---@return string
function M.runs_text(runs)
    if runs >= ENOUGH_RUNS then return ("%d runs"):format(runs) end
    return (runs == 1 and "one run" or runs .. " runs") .. ("; runs=%d gives an interval"):format(ENOUGH_RUNS)
end

--- A ratio with its interval, where it has one.
---@param r rig.Ratio
---@return string
local function ratio_text(r)
    if not r.low then return human.ratio(r.ratio) end
    return ("%s (%s)"):format(human.ratio(r.ratio), (human.ratio_range(r.low, r.high):gsub(" x$", "")))
end

local function at_text(model, axis, x)
    return axis and " at " .. points.value_text(model, axis.name, x) or ""
end

local function at_again(model, axis, x)
    return axis and " at " .. points.value_again(model, axis.name, x) or ""
end

--- Ratios of two series where both were measured.
---@param first { label: string, points: rig.Point[] }
---@param second { label: string, points: rig.Point[] }
---@param axis rig.Dim|nil
---@return { x: number, a: rig.Point, b: rig.Point, r: rig.Ratio }[]
function M.pair_up(first, second, axis)
    local rows, by_x = {}, {}
    for _, point in ipairs(first.points) do by_x[axis and point.params[axis.name] or 1] = point end
    for _, point in ipairs(second.points) do
        local x = axis and point.params[axis.name] or 1
        local other = by_x[x]
        if other then rows[#rows + 1] = { x = x, a = other, b = point, r = M.ratio(other, point) } end
    end
    return rows
end

local function turned(r)
    return { ratio = 1 / r.ratio, low = r.high and 1 / r.high, high = r.low and 1 / r.low, runs = r.runs,
        level = r.level }
end

-- Puts the one that is slower at the largest value where they differ second.
local function slower_second(rows, first, second)
    local last
    for _, row in ipairs(rows) do
        if not row.r.level then last = row end
    end
    if not last or last.r.ratio >= 1 then return rows, first, second, last ~= nil end
    for i, row in ipairs(rows) do rows[i] = { x = row.x, a = row.b, b = row.a, r = turned(row.r) } end
    return rows, second, first, true
end

local function largest_ratio(rows)
    local largest = 1
    for _, row in ipairs(rows) do largest = math.max(largest, row.r.ratio, 1 / row.r.ratio) end
    return largest
end

-- "30.8 x … at 158M ints, 9.2 x at 25.1M ints": from the largest value down, the extremes when there are many.
local function ratios_text(model, axis, slow, fast, ahead)
    local first = ahead[#ahead]
    local words = { ("%s takes %s as long as %s%s"):format(slow.label, ratio_text(first.r), fast.label,
        at_text(model, axis, first.x)) }
    for i = #ahead - 1, 1, -1 do
        if #ahead <= MOST_RATIOS or i == 1 or i >= #ahead + 2 - MOST_RATIOS then
            words[#words + 1] = ratio_text(ahead[i].r) .. at_again(model, axis, ahead[i].x)
        end
    end
    return table.concat(words, ", ")
end

-- Level because too little was measured, not because they were found to be.
local function is_untold(r)
    return r.level and r.runs == 1 and math.max(r.ratio, 1 / r.ratio) > LEVEL_IN_ONE_RUN
end

-- What holds where the slower one is not slower: level up to somewhere, or even faster.
local function below_text(model, axis, rows, slow)
    local level, faster, words = {}, {}, {}
    for i, row in ipairs(rows) do
        if row.r.level then level[#level + 1] = row
        elseif row.r.ratio < 1 then faster[#faster + 1] = i end
    end
    if #faster > 0 then
        local i = faster[#faster]
        words[1] = ("%s is the faster one%s (%s)"):format(slow.label, at_again(model, axis, rows[i].x),
            human.ratio(rows[i].r.ratio))
    end
    if #level > 0 and #faster == 0 and rows[1].r.level then
        local last, untold = 1, is_untold(rows[1].r)
        while rows[last + 1] and rows[last + 1].r.level do
            last = last + 1
            untold = untold or is_untold(rows[last].r)
        end
        words[#words + 1] = ("%s %s %s"):format(untold and "they cannot be told apart from one run" or "they are level",
            last == 1 and "at" or "up to", points.value_again(model, axis.name, rows[last].x))
    end
    return #words > 0 and "; " .. table.concat(words, "; ") or ""
end

local function evidence_of(rows, axis, slow, fast)
    local list, cases = {}, {}
    for i, row in ipairs(rows) do
        list[i] = { at = axis and row.x or nil, ratio = row.r.ratio, low = row.r.low, high = row.r.high,
            level = row.r.level, fast_s = row.a.seconds, slow_s = row.b.seconds }
        for _, index in ipairs(points.indexes(row.a, row.b)) do cases[#cases + 1] = index end
    end
    return { fast = fast.label, slow = slow.label, along = axis and axis.name or nil, ratios = list,
        runs = rows[1].r.runs, cases = cases }
end

-- With what it rests on.
local function level_text(rows, axis, fast, slow)
    local untold, most = false, human.ratio(largest_ratio(rows))
    for _, row in ipairs(rows) do untold = untold or is_untold(row.r) end
    if untold then
        return ("%s and %s cannot be told apart from one run%s (%s%s; runs=%d gives an interval)"):format(fast.label,
            slow.label, axis and " at any " .. axis.name or "", #rows > 1 and "up to " or "", most, ENOUGH_RUNS)
    end
    return ("%s and %s are level%s: within %s (%s)"):format(fast.label, slow.label,
        axis and " at every " .. axis.name or "", most, M.runs_text(rows[1].r.runs))
end

local function compare_two(model, axis, first, second)
    local paired = M.pair_up(first, second, axis)
    if #paired == 0 then return nil end
    local rows, fast, slow, differ = slower_second(paired, first, second)
    local text
    if differ then
        local ahead = {}
        for _, row in ipairs(rows) do
            if not row.r.level and row.r.ratio > 1 then ahead[#ahead + 1] = row end
        end
        text = ratios_text(model, axis, slow, fast, ahead) .. (axis and below_text(model, axis, rows, slow) or "")
        text = ("%s (%s)"):format(text, M.runs_text(rows[1].r.runs))
    else
        text = level_text(rows, axis, fast, slow)
    end
    return { kind = "faster", text = text, evidence = evidence_of(rows, axis, slow, fast) }
end

-- The first few of many, and how far the rest goes.
local function named(words, last)
    if #words <= MOST_NAMED then return human.join(words) end
    local left = #words - MOST_NAMED
    local first = table.concat(words, ", ", 1, MOST_NAMED)
    return ("%s and %d more%s"):format(first, left, last and " up to " .. last or "")
end

-- The order of three or more at one value.
local function rank(model, axis, x, list)
    table.sort(list, function(a, b) return a.seconds < b.seconds end)
    local best, level, untold, slower, rows = list[1], {}, {}, {}, {}
    local runs = #best.values
    for i = 2, #list do
        local r = M.ratio(best, list[i])
        runs = math.min(runs, r.runs)
        rows[i - 1] = { label = list[i].label, seconds = list[i].seconds, ratio = r.ratio, low = r.low, high = r.high,
            level = r.level }
        if is_untold(r) then untold[#untold + 1] = ("%s (%s)"):format(list[i].label, human.ratio(r.ratio))
        elseif r.level then level[#level + 1] = list[i].label
        else slower[#slower + 1] = ("%s %s"):format(list[i].label, ratio_text(r)) end
    end
    local words = { ("%s%s is fastest: %s%s"):format(
        axis and "at " .. points.value_text(model, axis.name, x) .. " " or "", best.label, human.duration(best.seconds),
        model.per) }
    if #level > 0 then words[#words + 1] = "level with it: " .. named(level) end
    if #untold > 0 then words[#words + 1] = "cannot be told apart from it in one run: " .. named(untold) end
    if #slower > 0 then words[#words + 1] = "slower: " .. named(slower, slower[#slower]) end
    return { kind = "faster", text = ("%s (%s)"):format(table.concat(words, "; "), M.runs_text(runs)),
        evidence = { fastest = best.label, seconds = best.seconds, at = axis and x or nil,
            along = axis and axis.name or nil, others = rows, runs = runs,
            cases = points.indexes(table.unpack(list)) } }
end

local function points_at(series, axis, x)
    local list = {}
    for _, one in ipairs(series) do
        for _, point in ipairs(one.points) do
            if not axis or point.params[axis.name] == x then list[#list + 1] = point end
        end
    end
    return list
end

local function rank_ends(model, axis, series, out)
    if not axis then
        out[#out + 1] = rank(model, nil, nil, points_at(series, nil, nil))
        return
    end
    local crowded = {}
    for _, x in ipairs(axis.values) do
        if #points_at(series, axis, x) > 1 then crowded[#crowded + 1] = x end
    end
    for _, x in ipairs({ crowded[#crowded], #crowded > 1 and crowded[1] or nil }) do
        out[#out + 1] = rank(model, axis, x, points_at(series, axis, x))
    end
end

--- Serial beside pools of several sizes is a baseline, not a contender.
---@param axis rig.Dim|nil
---@param series { label: string, points: rig.Point[] }[]
---@return { label: string, points: rig.Point[] }[]
function M.contenders(axis, series)
    if not axis or axis.name ~= "workers" then return series end
    local kept = {}
    for _, one in ipairs(series) do
        if not one.points[1].serial then kept[#kept + 1] = one end
    end
    return kept
end

---@param model rig.Model
---@return table[] findings
function M.find(model)
    local out = {}
    if not model.contender then return out end
    local axis = model.axis
    for i, fixed in ipairs(points.surroundings(model, axis)) do
        if i > MOST_SURROUNDINGS then break end
        local series = M.contenders(axis, points.series(model, axis, fixed))
        if #series == 2 then
            out[#out + 1] = compare_two(model, axis, series[1], series[2])
        elseif #series > 2 then
            rank_ends(model, axis, series, out)
        end
    end
    return out
end

return M
