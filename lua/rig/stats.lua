-- Statistics of samples: what a results document says about a list of times. Lists of numbers in, numbers out;
-- never reorders what it is given. Not for curves through samples (fits), nor for judging two versions against
-- each other (paired, compare). Neighbours: results.lua (puts a summary into every case), bootstrap.

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

--- Correlation of each value with the next one: samples of a machine that warms up or throttles follow each other.
--- Source: Box, Jenkins, Time Series Analysis (1976), equation 2.1.11, lag 1.
---@param xs number[]  in the order they were measured in
---@return number|nil r  nil below two values and where all are the same
function M.autocorrelation(xs)
    if #xs < 2 then return nil end
    local mean = M.mean(xs)
    local squares, products = {}, {}
    for i, x in ipairs(xs) do
        squares[i] = (x - mean) * (x - mean)
        products[i] = xs[i + 1] and (x - mean) * (xs[i + 1] - mean) or 0.0
    end
    local all = M.sum(squares)
    return all > 0 and M.sum(products) / all or nil
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

return M
