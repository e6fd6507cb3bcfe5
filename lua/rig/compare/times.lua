--- Two lists of times that were not measured together: the ratio of their medians, its interval, and a verdict.
--- Not for pairs measured by turns, whose authority is greater: that is paired.lua.
--- Neighbours: stats.lua (medians), compare.lua (which times).

local distributions = require "rig.distributions"
local stats = require "rig.stats"

local M = {}

--- Below this many values on a side there is no interval.
M.FEWEST = 6

-- Which order statistics enclose about the middle 95 %, and how many standard deviations of the median they are
-- from it, exactly, by the binomial distribution. Logarithms, because 0.5^n is zero above n = 1074.
local ranks = {}

local function rank_of(n)
    if not ranks[n] then
        local c = math.max(1, math.floor((n + 1) / 2 - math.sqrt(n) + 0.5))
        local log_term, below = -n * math.log(2), 0.0
        for k = 0, c - 1 do
            below = below + math.exp(log_term)
            log_term = log_term + math.log((n - k) / (k + 1))
        end
        ranks[n] = { c, distributions.normal_quantile(1 - below) }
    end
    return table.unpack(ranks[n])
end

-- Of the median of logarithms. Source: Price and Bonett, J. Statist. Comput. Simul. 68 (2001), 295-305.
local function variance_of_median(sorted)
    local n = #sorted
    local c, z = rank_of(n)
    local distance = (math.log(sorted[n + 1 - c]) - math.log(sorted[c])) / (2 * z)
    return distance * distance
end

--- Interval of median(ys)/median(xs), without assuming a distribution, equal spreads or equal numbers. Source: Price
--- and Bonett, J. Statist. Comput. Simul. 72 (2002), 119-124. Nothing is drawn at random: same files, same interval.
--- A test keeps its coverage within what it promises from 6 values on.
---@param xs number[]  in ascending order, above 0
---@param ys number[]  the same
---@param confidence number
---@return number|nil low  nil where one side has fewer than 6 values
---@return number|nil high
function M.ratio_interval(xs, ys, confidence)
    if math.min(#xs, #ys) < M.FEWEST or xs[1] <= 0 or ys[1] <= 0 then return nil end
    local middle = math.log(stats.quantile(ys, 0.5) / stats.quantile(xs, 0.5))
    local deviation = math.sqrt(variance_of_median(xs) + variance_of_median(ys))
    local half = distributions.normal_quantile(1 - (1 - confidence) / 2) * deviation
    return math.exp(middle - half), math.exp(middle + half)
end

--- What an interval of the ratio says, if changes below min_effect are of no interest.
---@param effect number  new/base
---@param low number|nil
---@param high number|nil
---@param min_effect number  0.03 for 3 %
---@return "regressed"|"improved"|"unchanged"|"inconclusive"
function M.verdict(effect, low, high, min_effect)
    if not low then return "inconclusive" end
    local most, least = 1 + min_effect, 1 / (1 + min_effect)
    if low > 1 and effect >= most then return "regressed" end
    if high < 1 and effect <= least then return "improved" end
    if low > least and high < most then return "unchanged" end
    return "inconclusive"
end

--- Compares two lists of times.
---@param xs number[]  of the base
---@param ys number[]  of the new side
---@param opts { confidence: number, min_effect: number }
---@return table|nil found  a, b (medians), effect, low, high, confidence, n_base, n_new, verdict; nil where a median is
---        not above 0, so that there is no ratio
function M.compare(xs, ys, opts)
    xs, ys = stats.sorted(xs), stats.sorted(ys)
    local a, b = stats.quantile(xs, 0.5), stats.quantile(ys, 0.5)
    if not a or not b or a <= 0 or b <= 0 then return nil end
    local low, high = M.ratio_interval(xs, ys, opts.confidence)
    local effect = b / a
    return {
        a = a, b = b, effect = effect, low = low, high = high, confidence = low and opts.confidence, n_base = #xs,
        n_new = #ys, verdict = M.verdict(effect, low, high, opts.min_effect),
    }
end

return M
