-- Curves through measured times: how they grow with a number (power law, hinge), how they fall with workers
-- (usl), where two of them cross (crossing). Lists of numbers in, a table or nil out. Pure.
-- Not for words about them, except the class of a growth. Neighbours: findings (the sentences), stats, fits/.

local crossing = require("rig.fits.crossing")
local ranks = require("rig.fits.ranks")
local stats = require("rig.stats")
local usl = require("rig.fits.usl")

local M = { crossing = crossing.fit, usl = usl.fit }

-- The ys of each x that has a logarithm, as logarithms, in ascending order of x.
local function log_groups(xs, ys)
    local by_x, order = {}, {}
    for i, x in ipairs(xs) do
        if x > 0 and ys[i] and ys[i] > 0 then
            if not by_x[x] then
                by_x[x] = {}
                order[#order + 1] = x
            end
            table.insert(by_x[x], ys[i])
        end
    end
    table.sort(order)
    local groups = {}
    for i, x in ipairs(order) do
        local logs = {}
        for j, y in ipairs(by_x[x]) do logs[j] = math.log(y) end
        groups[i] = { x = x, log_x = math.log(x), log_y = math.log(stats.median(by_x[x])), all = logs }
    end
    return groups
end

local function log_points(xs, ys)
    local lx, ly, order = {}, {}, {}
    for i, group in ipairs(log_groups(xs, ys)) do
        lx[i], ly[i], order[i] = group.log_x, group.log_y, group.x
    end
    return lx, ly, order
end

-- Below 5 xs the medians alone have no interval; all samples may have one.
local FEWEST_POINTS = 5

-- Slopes between every two values of different xs, ascending, and how many values each x has.
local function slopes_of(groups)
    local slopes, sizes = {}, {}
    local few = #groups < FEWEST_POINTS
    for i, a in ipairs(groups) do
        sizes[i] = few and #a.all or 1
        for j = i + 1, #groups do
            local b = groups[j]
            for _, from in ipairs(few and a.all or { a.log_y }) do
                for _, to in ipairs(few and b.all or { b.log_y }) do
                    slopes[#slopes + 1] = (to - from) / (b.log_x - a.log_x)
                end
            end
        end
    end
    table.sort(slopes)
    return slopes, sizes
end

--- Exponent e of y = c * x^e: the median of the slopes between all pairs of points in log-log, which one
--- bad point does not move. The interval holds the exponents under which the points would show no trend: from
--- the distribution of Kendall's S for 5 xs or more, each with the median of its ys, so that what is no power law
--- widens it; from that of Jonckheere's statistic over all ys for fewer xs.
--- Sources: Theil, Proc. Kon. Ned. Akad. Wetensch. A 53 (1950); Sen, JASA 63 (1968).
---@param xs number[]  positive; there may be several ys at one x
---@param ys number[]  as long as xs; points that are not positive are left out
---@param confidence number|nil  0.95
---@return { exponent: number, low: number|nil, high: number|nil, factor: number, n: integer }|nil fit  factor
---        is c, n the number of different xs; no interval where nothing reaches the confidence; nil below two xs
function M.fit_power(xs, ys, confidence)
    local groups = log_groups(xs, ys)
    if #groups < 2 then return nil end
    local slopes, sizes = slopes_of(groups)
    local fit = { exponent = stats.quantile(slopes, 0.5), n = #groups }
    local outside = ranks.outside(sizes, (1 - (confidence or 0.95)) / 2)
    if outside >= 1 then
        fit.low, fit.high = slopes[outside], slopes[#slopes + 1 - outside]
    end
    local rests = {}
    for i, group in ipairs(groups) do rests[i] = group.log_y - fit.exponent * group.log_x end
    fit.factor = math.exp(stats.median(rests))
    return fit
end

-- Least squares of y = level + slope * max(0, x - x[at]); the sum of squares that remains.
local function hinge_error(lx, ly, at)
    local n, sh, sy, shh, shy = #lx, 0.0, 0.0, 0.0, 0.0
    for i = 1, n do
        local h = math.max(0, lx[i] - lx[at])
        sh, sy, shh, shy = sh + h, sy + ly[i], shh + h * h, shy + h * ly[i]
    end
    local slope = (n * shy - sh * sy) / (n * shh - sh * sh)
    local level = (sy - slope * sh) / n
    local rest = 0.0
    for i = 1, n do
        local off = ly[i] - level - slope * math.max(0, lx[i] - lx[at])
        rest = rest + off * off
    end
    return rest, slope, level
end

--- Where growth begins: fits a level that turns into a power law at one of the points (a hinge in log-log)
--- and keeps the turn with the smallest sum of squares.
---@param xs number[]
---@param ys number[]
---@return { from: number, exponent: number, level: number, gain: number }|nil hinge  from: the x of the turn (the
---        smallest x: growth from the start); gain: squares left by one straight line over those left by the hinge;
---        nil below 4 different xs
function M.fit_hinge(xs, ys)
    local lx, ly, order = log_points(xs, ys)
    if #lx < 4 then return nil end
    local best, line
    for at = 1, #lx - 1 do
        local rest, slope, level = hinge_error(lx, ly, at)
        if at == 1 then line = rest end
        if not best or rest < best.rest then
            best = { rest = rest, from = order[at], exponent = slope, level = math.exp(level) }
        end
    end
    best.gain = line / math.max(best.rest, 1e-12)
    best.rest = nil
    return best
end

local FLAT, NEAR_LINEAR = 0.05, 0.1

--- A word for an exponent. "flat" needs the whole interval within 0.05 of zero; without an interval the
--- exponent itself decides.
---@param fit { exponent: number, low: number|nil, high: number|nil }
---@return string class  "flat", "unclear" (the interval holds both flat and growth), "falling", "sub-linear",
---        "linear" or "super-linear"
function M.growth_class(fit)
    local e = fit.exponent
    local low, high = fit.low or e, fit.high or e
    if low >= -FLAT and high <= FLAT then return "flat" end
    if low <= 0 and high >= 0 and fit.low then return "unclear" end
    if e < 0 then return "falling" end
    if math.abs(e - 1) <= NEAR_LINEAR and low <= 1 + NEAR_LINEAR and high >= 1 - NEAR_LINEAR then return "linear" end
    return e < 1 and "sub-linear" or "super-linear"
end

return M
