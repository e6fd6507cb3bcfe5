-- How sure a statistic of some samples is: its value and 95 % interval, exact order statistics wherever they exist.
-- Not for judging: thresholds.lua does. A statistic without an interval has none, and is judged by its value.
-- Neighbours: stats.lua (the values), bootstrap.lua (intervals of means and deviations).

local bootstrap = require("rig.bootstrap")
local distributions = require("rig.distributions")
local stats = require("rig.stats")

local M = {}

local CONFIDENCE = 0.95

--- With fewer samples nothing is said about how sure a value is.
M.LEAST = 6

local QUANTILES = { median = 0.5, p25 = 0.25, p50 = 0.5, p75 = 0.75, p90 = 0.9, p95 = 0.95, p99 = 0.99 }

local VALUES = {
    mean = stats.mean, stddev = stats.stddev, mad = stats.mad,
    min = function(xs) return stats.sorted(xs)[1] end,
    max = function(xs) return stats.sorted(xs)[#xs] end,
    count = function(xs) return #xs end,
}

-- Intervals that order statistics do not give are resampled, as long as that takes a moment only (0.1 s for so many).
-- Means of more are as good as normal.
local MOST_RESAMPLED = 200
local RESAMPLED = { mean = stats.mean, stddev = stats.stddev, mad = stats.mad }

---@param statistic string
---@param samples number[]
---@return number? value nil where there are too few samples
function M.value(statistic, samples)
    local p = QUANTILES[statistic]
    if p then return stats.quantile(stats.sorted(samples), p) end
    if #samples == 0 then return nil end
    return VALUES[statistic](samples)
end

-- The largest k with P(B < k) <= tail, B ~ Binomial(n, p); 0 where there is none.
local function rank(n, p, tail)
    -- logarithms, because (1 - p)^n is zero for large n
    local log_term, cumulated, k = n * math.log(1 - p), 0.0, 0
    while k <= n do
        cumulated = cumulated + math.exp(log_term)
        if cumulated > tail then break end
        log_term = log_term + math.log((n - k) / (k + 1)) + math.log(p / (1 - p))
        k = k + 1
    end
    return k
end

---Interval of a quantile from order statistics: exact, whatever the distribution; an end is nil where there are too
---few samples to bound that side. Source: Conover, Practical Nonparametric Statistics (1999), section 3.2.
---@param sorted number[] in ascending order
---@param p number
---@param confidence? number 0.95
---@return number? low
---@return number? high
function M.quantile(sorted, p, confidence)
    local tail = (1 - (confidence or CONFIDENCE)) / 2
    local n = #sorted
    local below, above = rank(n, p, tail), rank(n, 1 - p, tail)
    return below > 0 and sorted[below] or nil, above > 0 and sorted[n + 1 - above] or nil
end

local function of_mean(samples)
    local mean, n = stats.mean(samples), #samples
    local reach = distributions.student_quantile((1 + CONFIDENCE) / 2, n - 1) * stats.stddev(samples) / math.sqrt(n)
    return mean - reach, mean + reach
end

---@param statistic string
---@param samples number[]
---@return number? low nil where that side is not bounded, or nothing can be said
---@return number? high
function M.of(statistic, samples)
    if #samples < M.LEAST then return nil end
    local p = QUANTILES[statistic]
    if p then return M.quantile(stats.sorted(samples), p) end
    local resampled = RESAMPLED[statistic]
    if not resampled then return nil end
    if #samples > MOST_RESAMPLED then
        if statistic == "mean" then return of_mean(samples) end
        return nil
    end
    local low, high = bootstrap.bca(samples, resampled, { confidence = CONFIDENCE })
    return low, high
end

---The ratio of two medians of samples that were not taken in pairs. Each median's interval is taken at a confidence of
---1 - 0.05 / 2, so that both hold together in 95 % (Bonferroni); wide rather than wrong.
---@param of number[]
---@param to number[] above 0
---@return number? low nil where there are too few samples (below 7)
---@return number? high
function M.ratio(of, to)
    local confidence = 1 - (1 - CONFIDENCE) / 2
    local low_of, high_of = M.quantile(stats.sorted(of), 0.5, confidence)
    local low_to, high_to = M.quantile(stats.sorted(to), 0.5, confidence)
    if not low_of or not low_to or low_to <= 0 then return nil end
    return low_of / high_to, high_of / low_to
end

return M
