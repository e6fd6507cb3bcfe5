-- Intervals by resampling, for statistics that have no exact one: means, ratios, deviations. Seeded, so that the
-- same samples say the same twice; the generator is our own and leaves math.random alone.
-- Not for medians and quantiles of one sample (stats has exact ones), nor for pairs (paired). Pure.
-- Neighbours: distributions (the normal), compare and thresholds (the users).

local distributions = require("rig.distributions")
local stats = require("rig.stats")

local M = {}

--- Below so many values the resamples are too few different ones to show the tails.
M.enough = 6

local RESAMPLES, IN_EACH_TAIL = 2000, 50
-- A jackknife of every value costs n evaluations of n values; from here on groups of values are left out together.
local MOST_LEFT_OUT = 300

-- ---------------------------------------------------------------------------------------------------------------------
-- Random numbers

--- A generator of 64 random bits. Source: Steele, Lea, Flood, Fast splittable pseudorandom number generators,
--- OOPSLA (2014), SplitMix64: one addition and a finalizer, period 2^64.
---@param seed integer|nil  0
---@return fun(): integer next
function M.generator(seed)
    local state = seed or 0
    return function()
        state = state + 0x9E3779B97F4A7C15
        local z = state
        z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
        z = (z ~ (z >> 27)) * 0x94D049BB133111EB
        return z ~ (z >> 31)
    end
end

-- As many draws with replacement as there are values. The 31 high bits are scaled: a bias of n/2^31, below all noise.
local function resample(xs, next, into)
    local n = #xs
    for i = 1, n do into[i] = xs[(((next() >> 33) * n) >> 31) + 1] end
    return into
end

-- ---------------------------------------------------------------------------------------------------------------------
-- Bias and acceleration

-- How often a resample lies below the estimate, as a normal deviate; equal ones count half, or a statistic with few
-- different values would look biased.
local function bias_of(sorted, estimate)
    local below, equal = 0, 0
    for _, value in ipairs(sorted) do
        if value < estimate then below = below + 1 elseif value == estimate then equal = equal + 1 end
    end
    return distributions.normal_quantile((below + equal / 2) / #sorted)
end

-- The list without every value whose place is `group` modulo `groups`.
local function without(xs, group, groups)
    local rest = {}
    for i, x in ipairs(xs) do
        if (i - 1) % groups ~= group then rest[#rest + 1] = x end
    end
    return rest
end

-- Sums of squares and cubes of the influence of each sample's values, from the jackknife.
local function influence(samples, which, statistic)
    local xs, values = samples[which], {}
    local groups = math.min(#xs, MOST_LEFT_OUT)
    local others = table.move(samples, 1, #samples, 1, {})
    for group = 0, groups - 1 do
        others[which] = without(xs, group, groups)
        values[#values + 1] = statistic(table.unpack(others))
    end
    local mean, squares, cubes = stats.mean(values), {}, {}
    for i, value in ipairs(values) do
        local u = (groups - 1) * (mean - value) / groups
        squares[i], cubes[i] = u * u, u * u * u
    end
    return stats.sum(squares), stats.sum(cubes)
end

-- Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), equation 14.15; for several samples the
-- sums run over all of them: Davison and Hinkley, Bootstrap Methods (1997), section 5.3.
local function acceleration_of(samples, statistic)
    local squares, cubes = 0.0, 0.0
    for which in ipairs(samples) do
        local second, third = influence(samples, which, statistic)
        squares, cubes = squares + second, cubes + third
    end
    if squares == 0 then return 0.0 end
    return cubes / (6 * squares ^ 1.5)
end

-- ---------------------------------------------------------------------------------------------------------------------
-- Intervals

local function resamples_for(confidence)
    return math.max(RESAMPLES, math.ceil(IN_EACH_TAIL * 2 / (1 - confidence) - 1e-6))
end

local function draws(samples, statistic, options)
    local next, values, scratch = M.generator(options.seed), {}, {}
    for which in ipairs(samples) do scratch[which] = {} end
    for i = 1, options.resamples do
        for which, xs in ipairs(samples) do resample(xs, next, scratch[which]) end
        values[i] = statistic(table.unpack(scratch))
        if values[i] ~= values[i] then return nil end
    end
    table.sort(values)
    return values
end

local function interval(samples, statistic, options)
    local confidence = options and options.confidence or 0.95
    for _, xs in ipairs(samples) do
        if #xs < M.enough then return nil, nil, { reason = ("fewer than %d samples"):format(M.enough) } end
    end
    local estimate = statistic(table.unpack(samples))
    local values = draws(samples, statistic, { seed = options and options.seed,
        resamples = options and options.resamples or resamples_for(confidence) })
    if not values or estimate ~= estimate then return nil, nil, { reason = "the statistic is not a number" } end
    local detail = { estimate = estimate, resamples = #values, z0 = 0.0, acceleration = 0.0 }
    if values[1] == values[#values] then return values[1], values[1], detail end
    detail.z0 = bias_of(values, estimate)
    if math.abs(detail.z0) == math.huge then
        return nil, nil, { reason = "every resample lies on one side of the estimate" }
    end
    detail.acceleration = acceleration_of(samples, statistic)
    local function at(p)
        local z = detail.z0 + distributions.normal_quantile(p)
        local moved = distributions.normal_cdf(detail.z0 + z / (1 - detail.acceleration * z))
        return stats.quantile(values, moved)
    end
    return at((1 - confidence) / 2), at((1 + confidence) / 2), detail
end

---@class rig.BootstrapOptions
---@field seed integer|nil  0
---@field confidence number|nil  0.95
---@field resamples integer|nil  so many that 50 lie in each tail, at least 2,000

---@class rig.BootstrapDetail
---@field estimate number  the statistic of the samples themselves
---@field z0 number  bias, as a normal deviate
---@field acceleration number
---@field resamples integer
---@field reason string|nil  why there is no interval; the other fields are absent then

--- Interval of any statistic of one sample, corrected for bias and skewness (BCa).
--- Sources: Efron, JASA 82 (1987); DiCiccio and Efron, Statistical Science 11 (1996).
---@param xs number[]
---@param statistic fun(sample: number[]): number  must neither keep nor reorder the list it is handed
---@param options rig.BootstrapOptions|nil
---@return number|nil low  nil below 6 values, or where the statistic has no distribution to speak of
---@return number|nil high
---@return rig.BootstrapDetail detail
function M.bca(xs, statistic, options)
    return interval({ xs }, statistic, options)
end

--- The same for a statistic of two samples that were drawn apart, each resampled by itself.
---@param xs number[]
---@param ys number[]
---@param statistic fun(xs: number[], ys: number[]): number  for example bootstrap.ratio(stats.median)
---@param options rig.BootstrapOptions|nil
---@return number|nil low
---@return number|nil high
---@return rig.BootstrapDetail detail
function M.bca_two(xs, ys, statistic, options)
    return interval({ xs, ys }, statistic, options)
end

--- A statistic of two samples: how many times as large that of the second is.
---@param of fun(sample: number[]): number  for example stats.median, stats.mean
---@return fun(xs: number[], ys: number[]): number
function M.ratio(of)
    return function(xs, ys) return of(ys) / of(xs) end
end

--- A statistic of two samples: how much larger that of the second is.
---@param of fun(sample: number[]): number
---@return fun(xs: number[], ys: number[]): number
function M.difference(of)
    return function(xs, ys) return of(ys) - of(xs) end
end

return M
