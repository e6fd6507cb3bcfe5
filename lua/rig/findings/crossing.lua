-- Where along a number one of two becomes the faster one: the values on either side that leave no doubt, and the place
-- between them.
-- Not for by how much: that is compare. Neighbours: points (what is compared), fits (the place and its interval),
-- bisect.lua (measures more values in between; it goes by the rows and brackets from here).

local compare = require("rig.findings.compare")
local fits = require("rig.fits")
local human = require("rig.report.human")
local points = require("rig.findings.points")

local M = {}

local MOST_SURROUNDINGS = 4
local MOST_CROSSINGS = 3
--- Two values nearer to each other than this factor are one and the same to whoever has to choose.
M.CLOSE = 1.10

---@class rig.CrossingRow
---@field x number
---@field a rig.Point
---@field b rig.Point
---@field r rig.Ratio  how many times as long b takes
---@field sign integer  1: b is slower, -1: a is, 0: they cannot be told apart

--- The two series along a number where both were measured, in ascending order; nil where there are not two.
---@param model rig.Model
---@param axis rig.Dim
---@param fixed table<string, any>
---@return rig.CrossingRow[]|nil rows
---@return string[] labels  of a and b; of what there is, where it is not two
function M.rows(model, axis, fixed)
    local series, labels = compare.contenders(axis, points.series(model, axis, fixed)), {}
    for i, one in ipairs(series) do labels[i] = one.label end
    if #series ~= 2 then return nil, labels end
    local rows = {}
    for i, row in ipairs(compare.pair_up(series[1], series[2], axis)) do
        row.sign = row.r.level and 0 or row.r.ratio > 1 and 1 or -1
        rows[i] = row
    end
    table.sort(rows, function(a, b) return a.x < b.x end)
    return rows, labels
end

---@class rig.Bracket
---@field low rig.CrossingRow  the last one that leaves no doubt before the change
---@field high rig.CrossingRow  the first one after it
---@field level rig.CrossingRow[]  those in between, where they cannot be told apart

--- Where the sign changes.
---@param rows rig.CrossingRow[]
---@return rig.Bracket[]
function M.brackets(rows)
    local list, low, level = {}, nil, {}
    for _, row in ipairs(rows) do
        if row.sign == 0 then
            level[#level + 1] = row
        else
            if low and low.sign ~= row.sign then list[#list + 1] = { low = low, high = row, level = level } end
            low, level = row, {}
        end
    end
    return list
end

-- The samples of both, as fits wants them: all that show one crossing, so that the noise is known as well as can be.
local function place(rows, bracket, is_only)
    local xs, as, bs = {}, {}, {}
    for _, row in ipairs(rows) do
        if is_only or row.x >= bracket.low.x and row.x <= bracket.high.x then
            xs[#xs + 1], as[#as + 1], bs[#bs + 1] = row.x, row.a.values, row.b.values
        end
    end
    return fits.crossing(xs, as, bs)
end

-- Within what was measured, whatever a fit says of the space around it.
local function limits(bracket, found)
    local low, high = bracket.low.x, bracket.high.x
    if not found then return low, high, nil, false end
    local is_interval = found.judged_by == "interval" and (found.low or found.high) ~= nil
    low, high = math.max(low, found.low or low), math.min(high, found.high or high)
    local x = found.x >= low and found.x <= high and found.x or nil
    return low, high, x, is_interval
end

-- Nobody chooses half a worker.
local function value_near(axis, x)
    for _, value in ipairs(axis.values) do
        if math.type(value) ~= "integer" then return x end
    end
    return math.floor(x + 0.5)
end

local function is_close(low, high)
    return low > 0 and high / low <= M.CLOSE
end

local function level_text(model, axis, level)
    if #level == 0 then return "" end
    local first = points.value_again(model, axis.name, level[1].x)
    local last = points.value_again(model, axis.name, level[#level].x)
    if #level == 1 then return ("; at %s they cannot be told apart"):format(first) end
    return ("; from %s to %s they cannot be told apart"):format(first, last)
end

local function faster(row, labels)
    return row.sign > 0 and labels[1] or labels[2]
end

local function how_much(row)
    return human.ratio(math.max(row.r.ratio, 1 / row.r.ratio))
end

-- What the limits rest on.
local function basis_text(runs, is_interval)
    local said = runs == 1 and "one run" or runs .. " runs"
    return is_interval and said .. ", 95 % interval" or said .. ", no interval"
end

local function place_text(model, axis, low, high, x)
    local again = points.value_again
    if not x then
        return ("between %s and %s"):format(points.value_text(model, axis.name, low), again(model, axis.name, high))
    end
    return ("at about %s, between %s and %s"):format(points.value_text(model, axis.name, value_near(axis, x)),
        again(model, axis.name, value_near(axis, low)), again(model, axis.name, value_near(axis, high)))
end

local function cases_of(rows)
    local cases = {}
    for _, row in ipairs(rows) do
        for _, index in ipairs(points.indexes(row.a, row.b)) do cases[#cases + 1] = index end
    end
    table.sort(cases)
    return cases
end

local function side_text(model, axis, row, labels, where)
    return ("%s %s is the faster one (%s at %s)"):format(where, faster(row, labels), how_much(row),
        points.value_again(model, axis.name, row.x))
end

local function say(model, axis, rows, labels, bracket, asked, is_only)
    local low, high, x, is_interval = limits(bracket, place(rows, bracket, is_only))
    local runs = bracket.low.r.runs
    local text = ("%s and %s change places %s: %s, %s%s"):format(labels[1], labels[2],
        place_text(model, axis, low, high, x), side_text(model, axis, bracket.low, labels, "below"),
        side_text(model, axis, bracket.high, labels, "above"), level_text(model, axis, bracket.level))
    if not asked and not is_close(low, high) then
        text = ("%s; --find-crossing %s narrows it down"):format(text, axis.name)
    end
    return { kind = "crossing", text = ("%s (%s)"):format(text, basis_text(runs, is_interval)), evidence = {
        along = axis.name, below = faster(bracket.low, labels), above = faster(bracket.high, labels), low = low,
        high = high, at = x, is_interval = is_interval, measured_low = bracket.low.x, measured_high = bracket.high.x,
        runs = runs, cases = cases_of({ bracket.low, bracket.high, table.unpack(bracket.level) }),
    } }
end

-- What to answer whoever asked for a crossing that is not there.
local function none(model, axis, rows, labels)
    if #rows == 0 then return nil end
    local sign, runs = 0, rows[1].r.runs
    for _, row in ipairs(rows) do sign = sign ~= 0 and sign or row.sign end
    local first = points.value_text(model, axis.name, rows[1].x)
    local last = points.value_again(model, axis.name, rows[#rows].x)
    local text = ("%s and %s do not change places from %s to %s: "):format(labels[1], labels[2], first, last)
    if sign == 0 then
        text = text .. "they cannot be told apart anywhere"
    else
        text = ("%s%s is the faster one or level with it throughout"):format(text, labels[sign > 0 and 1 or 2])
    end
    -- with enough runs each ratio had its interval; only a place could have lacked one
    local basis = rows[1].r.low and runs .. " runs" or basis_text(runs, false)
    return { kind = "crossing", text = ("%s (%s)"):format(text, basis),
        evidence = { along = axis.name, runs = runs, cases = cases_of(rows) } }
end

local function along(model, axis, asked, out)
    for i, fixed in ipairs(points.surroundings(model, axis)) do
        if i > MOST_SURROUNDINGS then break end
        local rows, labels = M.rows(model, axis, fixed)
        local brackets = rows and M.brackets(rows) or {}
        for k = 1, math.min(#brackets, MOST_CROSSINGS) do
            out[#out + 1] = say(model, axis, rows, labels, brackets[k], asked, #brackets == 1)
        end
        if rows and #brackets == 0 and asked then out[#out + 1] = none(model, axis, rows, labels) end
    end
end

---@param model rig.Model
---@param opts { find_crossing: string|nil }|nil  the parameter along which a crossing was asked for
---@return table[] findings
function M.find(model, opts)
    local out, asked = {}, opts and opts.find_crossing
    if not model.contender then return out end
    for _, axis in ipairs(model.dims) do
        if axis.numeric and (axis == model.axis or axis.name == asked) then
            along(model, axis, axis.name == asked, out)
        end
    end
    return out
end

return M
