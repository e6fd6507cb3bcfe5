-- How often chance alone brings so many pairs into order: the null distributions of Kendall's S, Mann and Whitney's U
-- and Jonckheere's statistic, which are one, the number of inversions among groups of values. Not for the values
-- themselves: whoever asks has sorted its slopes or ratios and takes the ranks from here. Neighbours: fits, crossing.

local distributions = require("rig.distributions")

local M = {}

-- Up to so many additions (a few hundredths of a second) the count is exact, beyond it a normal approximation.
local MOST_WORK = 500000

-- Probability of each number of inversions when groups of these sizes are mixed at random. Adding one group to `m`
-- values multiplies by a Gaussian binomial, factor by factor (1 - q^(m + i)) / (1 - q^i); each intermediate product is
-- a distribution of its own, so nothing overflows. Source: Andrews, The Theory of Partitions (1976), chapter 3.
local function inversions(sizes)
    local p, highest, before = { [0] = 1.0 }, 0, 0
    for _, size in ipairs(sizes) do
        for i = 1, size do
            local m = before + i
            local wider, top = {}, highest + before
            for k = 0, top do
                wider[k] = (p[k] or 0.0) - (p[k - m] or 0.0) + (wider[k - i] or 0.0)
            end
            for k = 0, top do wider[k] = math.max(wider[k], 0.0) end
            p, highest = wider, top
            -- (1 - q^m) / (1 - q^i) grows the total by m / i
            for k = 0, top do p[k] = p[k] * i / m end
        end
        before = before + size
    end
    return p, highest
end

-- Mean and deviation of the number of inversions. Source: Jonckheere, Biometrika 41 (1954).
local function moments(sizes)
    local n, squares, cubes = 0, 0, 0
    for _, size in ipairs(sizes) do
        n, squares, cubes = n + size, squares + size * size, cubes + size * size * (2 * size + 3)
    end
    return n, (n * n - squares) / 4, math.sqrt((n * n * (2 * n + 3) - cubes) / 72)
end

local known = {}

--- How many of the sorted differences between groups lie outside the interval on each side.
--- Source: Hollander and Wolfe, Nonparametric Statistical Methods (1999), sections 4.3, 6.2 and 9.3.
---@param sizes integer[]  of the groups: all 1 for slopes between single points, two for two samples
---@param tail number  probability on each side, 0.025
---@return integer outside  the largest r with P(inversions < r) <= tail; 0: no interval
function M.outside(sizes, tail)
    local key = table.concat(sizes, ",") .. ":" .. tail
    if known[key] then return known[key] end
    local n, mean, deviation = moments(sizes)
    local r = 0
    if n * 2 * mean > MOST_WORK then
        r = math.max(0, math.floor(mean + distributions.normal_quantile(tail) * deviation))
    else
        local p, highest = inversions(sizes)
        local cumulated = 0.0
        while r <= highest do
            cumulated = cumulated + p[r]
            if cumulated > tail * (1 + 1e-12) then break end
            r = r + 1
        end
    end
    known[key] = r
    return r
end

return M
