-- Where two curves cross: the x at which the ratio of their times passes 1, and between which xs it may be.
-- Not for finding new xs to measure, nor for curves that touch and part again. Neighbours: fits (exports it), stats,
-- ranks, distributions.

local distributions = require("rig.distributions")
local ranks = require("rig.fits.ranks")
local stats = require("rig.stats")

local M = {}

local function as_list(value)
    return type(value) == "table" and value or { value }
end

-- ln(b/a) of the runs with the same number, or of every pair where the runs do not correspond.
local function log_ratios(as, bs)
    local list = {}
    if #as == #bs then
        for k, a in ipairs(as) do list[k] = math.log(bs[k] / a) end
    else
        for _, a in ipairs(as) do
            for _, b in ipairs(bs) do list[#list + 1] = math.log(b / a) end
        end
    end
    table.sort(list)
    return list, #as == #bs
end

-- The ratio at one x, with ranks for its interval where it has enough runs of its own.
local function point_of(x, as, bs, confidence)
    local list, is_paired = log_ratios(as, bs)
    local point = { x = x, log_x = math.log(x), d = stats.quantile(list, 0.5), runs = math.min(#as, #bs) }
    local k
    if is_paired then
        k = stats.median_rank(#list, confidence)
        point.mean, point.of_pairs = stats.mean(list), list
    else
        k = ranks.outside({ #as, #bs }, (1 - confidence) / 2)
    end
    if k and k >= 1 then point.low, point.high = list[k], list[#list + 1 - k] end
    return point
end

local function points_of(xs, as, bs, confidence)
    local points = {}
    for i, x in ipairs(xs) do
        local a, b = as_list(as[i]), as_list(bs[i])
        if x > 0 and #a > 0 and #b > 0 then points[#points + 1] = point_of(x, a, b, confidence) end
    end
    table.sort(points, function(one, other) return one.x < other.x end)
    return points
end

-- With 2 to 5 runs no rank reaches the confidence. The spread of all xs together then gives each the interval of
-- Student's t around its mean, on the assumption that it is the same everywhere.
local function add_pooled(points, confidence)
    local sum, df = 0.0, 0
    for _, point in ipairs(points) do
        if point.of_pairs and #point.of_pairs > 1 then
            local deviation = stats.stddev(point.of_pairs)
            df = df + #point.of_pairs - 1
            sum = sum + deviation * deviation * (#point.of_pairs - 1)
        end
    end
    if df == 0 then return end
    local t = distributions.student_quantile((1 + confidence) / 2, df)
    for _, point in ipairs(points) do
        if not point.low and point.of_pairs then
            local reach = t * math.sqrt(sum / df / #point.of_pairs)
            point.d = point.mean
            point.low, point.high = point.d - reach, point.d + reach
        end
    end
end

-- What stands between two points: the estimate on the straight line; its two distances combined as those of a weighted
-- mean of independent values.
local function between(one, other, w)
    local d = (1 - w) * one.d + w * other.d
    if not (one.low and other.low) then return d, nil, nil end
    local down = math.sqrt(((1 - w) * (one.d - one.low)) ^ 2 + (w * (other.d - other.low)) ^ 2)
    local up = math.sqrt(((1 - w) * (one.high - one.d)) ^ 2 + (w * (other.high - other.d)) ^ 2)
    return d, d - down, d + up
end

local function x_between(one, other, w)
    return math.exp((1 - w) * one.log_x + w * other.log_x)
end

-- Every place where the line of the estimates passes 0.
local function changes(points)
    local found = {}
    for i = 2, #points do
        local one, other = points[i - 1], points[i]
        if one.d ~= 0 and one.d * other.d <= 0 then
            found[#found + 1] = { x = x_between(one, other, one.d / (one.d - other.d)), from = one.x, to = other.x }
        end
    end
    return found
end

local STEPS, HALVINGS = 32, 20

-- How far from `one` towards `other` (0 to 1) the band stays on the given side; nil: not even at `one`. Steps first, as
-- the edge of the band is no straight line and may come back.
local function sure_share(one, other, side)
    local function is_sure(w)
        local _, low, high = between(one, other, w)
        return side < 0 and high < 0 or side > 0 and low > 0
    end
    local sure
    for s = 0, STEPS do
        local w = s / STEPS
        if not is_sure(w) then
            for _ = 1, sure and HALVINGS or 0 do
                local middle = (sure + w) / 2
                if is_sure(middle) then sure = middle else w = middle end
            end
            return sure
        end
        sure = w
    end
    return 1
end

-- The last x, going inwards from one end, up to which the ratio is surely on the side of that end; nil when it is not
-- even at the end.
local function sure_up_to(points, first, last, by)
    local side = points[first].d < 0 and -1 or 1
    local sure
    for i = first, last - by, by do
        local share = sure_share(points[i], points[i + by], side)
        if not share then return sure end
        sure = x_between(points[i], points[i + by], share)
        if share < 1 then return sure end
    end
    return sure
end

local SIDES = { [-1] = "below", [1] = "above", [0] = "level" }

local function side_of(d)
    return d < 0 and -1 or d > 0 and 1 or 0
end

---@class rig.Crossing
---@field x number  where the estimated ratio passes 1, interpolated in the logarithm of x
---@field low number|nil  the ratio is surely still on its first side below this x; nil: nowhere, or no interval at all
---@field high number|nil  and surely on its other side above this one
---@field from number  the two measured xs around the crossing
---@field to number
---@field rises boolean  b/a goes from below 1 to above 1: b is the faster one on the left
---@field judged_by "interval"|"points"  points: one run or unmatched ones, nothing is known of the noise
---@field runs integer  the fewest at any x
---@field changes integer  how often the estimates pass 1; above 1 they wobble, and x is the middle one

--- Where the ratio b/a passes 1 along x. With one run there is a crossing of the points, without interval; with 2 to
--- 5 runs the interval comes from the spread at all xs together (Student's t), with 6 or more from the order
--- statistics of the ratios at each x, nothing being assumed of the noise. It holds every x at which the ratio may be 1
--- (Fieller's way), so no correction for many xs is due; that the ratio is a straight line in log-log between
--- neighbouring xs is assumed throughout.
---@param xs number[]  positive
---@param as (number|number[])[]  seconds of the first contender at each x, one or several runs
---@param bs (number|number[])[]  of the second; the k-th run of both belongs together where there are equally many
---@param confidence number|nil  0.95
---@return rig.Crossing|nil crossing
---@return string|nil why  no crossing: "below" or "above" (b/a stays there), "returns" (it passes 1 and comes back),
---        "level" (it ends at 1), "few" (fewer than two xs)
function M.fit(xs, as, bs, confidence)
    confidence = confidence or 0.95
    local points = points_of(xs, as, bs, confidence)
    if #points < 2 then return nil, "few" end
    add_pooled(points, confidence)
    local first, last = side_of(points[1].d), side_of(points[#points].d)
    local found = changes(points)
    if first == last and #found > 0 then return nil, "returns" end
    if first == last or first == 0 or last == 0 then return nil, SIDES[first == 0 and last or first] end
    local middle = found[(#found + 1) // 2]
    local crossing = { x = middle.x, from = middle.from, to = middle.to, rises = first < 0, changes = #found,
        runs = math.huge, judged_by = "interval" }
    for _, point in ipairs(points) do
        crossing.runs = math.min(crossing.runs, point.runs)
        if not point.low then crossing.judged_by = "points" end
    end
    if crossing.judged_by == "interval" then
        crossing.low = sure_up_to(points, 1, #points, 1)
        crossing.high = sure_up_to(points, #points, 1, -1)
    end
    return crossing
end

return M
