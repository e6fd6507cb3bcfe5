-- Statistics of samples: what a results document says about a list of times, and the fits that findings
-- build on. Lists of numbers in, numbers out; never reorders what it is given.
-- Not for judging two versions against each other: that is compare, a module of its own.
-- Neighbours: results.lua (puts a summary into every case), findings (fits and intervals).

local M = {}

--- A copy in ascending order.
---@param xs number[]
---@return number[] sorted
function M.sorted(xs)
    local copy = table.move(xs, 1, #xs, 1, {})
    table.sort(copy)
    return copy
end

--- The sum with the error of each addition carried along, so that a million small numbers on top of a
--- large one are not lost. Source: Neumaier, ZAMM 54 (1974), the improved Kahan-Babuska algorithm.
---@param xs number[]
---@return number sum  0.0 for an empty list
function M.sum(xs)
    local sum, lost = 0.0, 0.0
    for _, x in ipairs(xs) do
        local next_sum = sum + x
        if math.abs(sum) >= math.abs(x) then
            lost = lost + ((sum - next_sum) + x)
        else
            lost = lost + ((x - next_sum) + sum)
        end
        sum = next_sum
    end
    return sum + lost
end

---@param xs number[]
---@return number|nil mean  nil for an empty list
function M.mean(xs)
    if #xs == 0 then return nil end
    local first = M.sum(xs) / #xs
    local rest = {}
    for i, x in ipairs(xs) do rest[i] = x - first end
    return first + M.sum(rest) / #xs -- a second look removes the rounding of the division
end

--- Sample standard deviation (n - 1), two passes with a correction for the mean's own rounding.
--- Source: Chan, Golub, LeVeque, The American Statistician 37 (1983), equation 1.7.
---@param xs number[]
---@return number|nil stddev  nil below two values
function M.stddev(xs)
    if #xs < 2 then return nil end
    local mean = M.mean(xs)
    local squares, rest = {}, {}
    for i, x in ipairs(xs) do
        rest[i] = x - mean
        squares[i] = rest[i] * rest[i]
    end
    local correction = M.sum(rest)
    return math.sqrt((M.sum(squares) - correction * correction / #xs) / (#xs - 1))
end

--- Quantile by linear interpolation of the order statistics: R's and NumPy's default.
--- Source: Hyndman and Fan, The American Statistician 50 (1996), definition 7.
---@param sorted number[]  in ascending order
---@param p number  from 0 to 1
---@return number|nil quantile  nil for an empty list
function M.quantile(sorted, p)
    if #sorted == 0 then return nil end
    local h = (#sorted - 1) * p + 1
    local below = math.min(math.floor(h), #sorted)
    local above = math.min(below + 1, #sorted)
    return sorted[below] + (h - below) * (sorted[above] - sorted[below])
end

---@param xs number[]
---@return number|nil median  nil for an empty list
function M.median(xs)
    return M.quantile(M.sorted(xs), 0.5)
end

--- Median of the distances to the median, unscaled (times 1.4826 it estimates a normal's deviation).
---@param xs number[]
---@return number|nil mad  nil for an empty list
function M.mad(xs)
    local median = M.median(xs)
    local distances = {}
    for i, x in ipairs(xs) do distances[i] = math.abs(x - median) end
    return M.median(distances)
end

local HUGE_BITS = 100
local HUGE = 2.0 ^ HUGE_BITS

--- The largest k for which the k-th smallest and the k-th largest of n values enclose the median at the
--- confidence asked for: P(B < k) <= (1 - confidence) / 2 with B ~ Binomial(n, 1/2). Exact, nothing is
--- assumed of the distribution. Source: Conover, Practical Nonparametric Statistics (1999), section 3.2.
---@param n integer
---@param confidence number|nil  0.95
---@return integer|nil k  nil where no pair of order statistics reaches the confidence (below 6 at 0.95)
function M.median_rank(n, confidence)
    local tail = (1 - (confidence or 0.95)) / 2
    -- A term is scaled * 2^-shift, as 0.5^n itself is zero above n = 1074; scaling by powers of two rounds nothing, so
    -- that a term is exact below 2^53 and a tail that equals the sum is not missed.
    local scaled, shift, cumulated, k = 1.0, n, 0.0, 0
    while k <= n // 2 do
        if shift < 1000 then cumulated = cumulated + scaled * 2.0 ^ -shift end
        if cumulated > tail then break end
        scaled = scaled * (n - k) / (k + 1)
        while scaled >= HUGE do scaled, shift = scaled / HUGE, shift - HUGE_BITS end
        k = k + 1
    end
    return k > 0 and k or nil
end

--- Interval of the median from order statistics, at least at the confidence asked for.
---@param sorted number[]  in ascending order
---@param confidence number|nil  0.95
---@return number|nil low  nil where there are too few values (below 6 at 0.95)
---@return number|nil high
function M.median_interval(sorted, confidence)
    local k = M.median_rank(#sorted, confidence)
    if not k then return nil end
    return sorted[k], sorted[#sorted + 1 - k]
end

--- Values far outside the middle half; they are counted, never dropped.
--- Source: Tukey, Exploratory Data Analysis (1977): beyond 1.5 (mild) and 3 (severe) times the quartiles' distance.
---@param sorted number[]  in ascending order
---@return { mild: integer, severe: integer } outliers
function M.outliers(sorted)
    local outliers = { mild = 0, severe = 0 }
    if #sorted == 0 then return outliers end
    local q1, q3 = M.quantile(sorted, 0.25), M.quantile(sorted, 0.75)
    local spread = q3 - q1
    for _, x in ipairs(sorted) do
        local outside = math.max(q1 - x, x - q3)
        if outside > 3 * spread then
            outliers.severe = outliers.severe + 1
        elseif outside > 1.5 * spread then
            outliers.mild = outliers.mild + 1
        end
    end
    return outliers
end

--- Everything a results document says about one list of samples.
---@param xs number[]
---@return table|nil summary  n, median, mean, stddev, mad, min, max, p25, p75, p95, p99, ci95 ({low, high} or
---        nil below 6 samples), outliers ({mild, severe}); nil for an empty list
function M.summary(xs)
    if #xs == 0 then return nil end
    local sorted = M.sorted(xs)
    local low, high = M.median_interval(sorted)
    return {
        n = #sorted,
        median = M.quantile(sorted, 0.5),
        mean = M.mean(sorted),
        stddev = M.stddev(sorted),
        mad = M.mad(sorted),
        min = sorted[1],
        max = sorted[#sorted],
        p25 = M.quantile(sorted, 0.25),
        p75 = M.quantile(sorted, 0.75),
        p95 = M.quantile(sorted, 0.95),
        p99 = M.quantile(sorted, 0.99),
        ci95 = low and { low, high } or nil,
        outliers = M.outliers(sorted),
    }
end

-- Distribution of Kendall's S under independence, as the number of permutations of n values with each
-- number of inversions. Source: Kendall, Rank Correlation Methods (1970), chapter 5.
local function inversion_counts(n)
    local counts = { [0] = 1.0 }
    local highest = 0
    for size = 2, n do
        local wider = {}
        for inversions = 0, highest + size - 1 do
            local sum = 0.0
            for k = math.max(0, inversions - highest), math.min(size - 1, inversions) do
                sum = sum + counts[inversions - k]
            end
            wider[inversions] = sum / size -- divided at once: probabilities instead of factorials
        end
        counts, highest = wider, highest + size - 1
    end
    return counts, highest
end

local EXACT_POINTS = 40

-- How many of the sorted slopes lie outside the interval on each side (Hollander and Wolfe, Nonparametric
-- Statistical Methods (1999), section 9.3): the largest r with P(inversions < r) <= tail.
local function slopes_outside(points, slopes, tail)
    if points > EXACT_POINTS then
        local z = 1.959963984540054 -- normal approximation for the many points of long sweeps, 95 % only
        local c = z * math.sqrt(points * (points - 1) * (2 * points + 5) / 18)
        return math.floor((slopes - c) / 2)
    end
    local probability, highest = inversion_counts(points)
    local cumulated, r = 0.0, 0
    while r <= highest do
        cumulated = cumulated + probability[r]
        if cumulated > tail then break end
        r = r + 1
    end
    return r
end

-- Logarithms of both, one point for each x (the median of its ys), in ascending order of x.
local function log_points(xs, ys)
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
    local lx, ly = {}, {}
    for i, x in ipairs(order) do
        lx[i], ly[i] = math.log(x), math.log(M.median(by_x[x]))
    end
    return lx, ly, order
end

--- Exponent e of y = c * x^e: the median of the slopes between all pairs of points in log-log, which one
--- bad point does not move. The interval (95 %, from the distribution of Kendall's S) needs 5 points.
--- Sources: Theil, Proc. Kon. Ned. Akad. Wetensch. A 53 (1950); Sen, JASA 63 (1968).
---@param xs number[]  positive; several ys at one x count as their median
---@param ys number[]  as long as xs; points that are not positive are left out
---@return { exponent: number, low: number|nil, high: number|nil, factor: number, n: integer }|nil fit  factor
---        is c; nil below two different xs
function M.fit_power(xs, ys)
    local lx, ly = log_points(xs, ys)
    if #lx < 2 then return nil end
    local slopes = {}
    for i = 1, #lx do
        for j = i + 1, #lx do slopes[#slopes + 1] = (ly[j] - ly[i]) / (lx[j] - lx[i]) end
    end
    table.sort(slopes)
    local fit = { exponent = M.quantile(slopes, 0.5), n = #lx }
    local outside = slopes_outside(#lx, #slopes, 0.025)
    if outside >= 1 then
        fit.low, fit.high = slopes[outside], slopes[#slopes + 1 - outside]
    end
    local rests = {}
    for i = 1, #lx do rests[i] = ly[i] - fit.exponent * lx[i] end
    fit.factor = math.exp(M.median(rests))
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
