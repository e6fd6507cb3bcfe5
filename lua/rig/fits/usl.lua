-- The Universal Scalability Law through the times of several worker counts: contention, coherency, and the count
-- beyond which more workers cost time. Not for counts above the cores of the machine: they follow no law, leave them
-- out. Neighbours: fits (exports it), findings (the sentence), distributions.

local distributions = require("rig.distributions")

local M = {}

-- Speed-up of N workers: N / (1 + sigma (N - 1) + kappa N (N - 1)). Source: Gunther, Guerrilla Capacity Planning
-- (2007), chapter 4. The time is then a * (1 + sigma (N - 1) + kappa N (N - 1)) / N, fitted in logarithms, as the noise
-- of times is a factor; a falls out as a mean. sigma is a share, kappa only not negative.
local FEWEST_COUNTS, PARAMETERS = 4, 3
local MOST = { sigma = 1.0, kappa = 1e3 }
-- Squares of logarithms that no clock could tell apart.
local SAME = 1e-15
local OTHER = { sigma = "kappa", kappa = "sigma" }

-- One row a count: the mean of ln(N t), how many values, and what differs among them (pure noise, no fit changes it).
local function rows_of(ns, seconds)
    local by_count, rows, noise, total = {}, {}, 0.0, 0
    for i, n in ipairs(ns) do
        local t = seconds[i]
        if n >= 1 and t and t > 0 then
            if not by_count[n] then
                by_count[n] = {}
                rows[#rows + 1] = { n = n, sigma = n - 1, kappa = n * (n - 1), values = by_count[n] }
            end
            table.insert(by_count[n], math.log(n * t))
        end
    end
    for _, row in ipairs(rows) do
        local sum = 0.0
        for _, value in ipairs(row.values) do sum = sum + value end
        row.mean, row.weight, total = sum / #row.values, #row.values, total + #row.values
        for _, value in ipairs(row.values) do noise = noise + (value - row.mean) ^ 2 end
    end
    return rows, noise, total
end

-- Squares between the rows and the law, and ln a.
local function squares(rows, at)
    local weights, sum = 0, 0.0
    for _, row in ipairs(rows) do
        row.rest = row.mean - math.log(1 + at.sigma * row.sigma + at.kappa * row.kappa)
        weights, sum = weights + row.weight, sum + row.weight * row.rest
    end
    local level, total = sum / weights, 0.0
    for _, row in ipairs(rows) do total = total + row.weight * (row.rest - level) ^ 2 end
    return total, level
end

-- The Gauss-Newton step for one of the two parameters; row.rest is that of the last call of squares.
local function step(rows, at, name)
    local weights, rest, slope = 0, 0.0, 0.0
    for _, row in ipairs(rows) do
        row.slope = row[name] / (1 + at.sigma * row.sigma + at.kappa * row.kappa)
        weights, rest, slope = weights + row.weight, rest + row.weight * row.rest, slope + row.weight * row.slope
    end
    rest, slope = rest / weights, slope / weights
    local above, below = 0.0, 0.0
    for _, row in ipairs(rows) do
        above = above + row.weight * (row.rest - rest) * (row.slope - slope)
        below = below + row.weight * (row.slope - slope) ^ 2
    end
    return below > 0 and above / below or 0.0
end

-- The best value of the other parameter with this one fixed, and the squares that remain.
local function profile(rows, fixed, value, start)
    local free = OTHER[fixed]
    local at = { [fixed] = value, [free] = start or 0.0 }
    local best = squares(rows, at)
    for _ = 1, 40 do
        local from, change = at[free], step(rows, at, free)
        local found = false
        for _ = 1, 12 do -- halved until it helps: a full step may leap over the minimum
            at[free] = math.min(math.max(from + change, 0.0), MOST[free])
            local now = squares(rows, at)
            if now < best then
                found, best = best - now > 1e-13 * best, now
                break
            end
            at[free], change = from, change / 2
        end
        if not found then break end
    end
    squares(rows, at)
    return best, at
end

local GOLDEN = (math.sqrt(5) - 1) / 2

-- Where a function of one valley is least between two places, by the golden section.
local function least_between(f, low, high)
    local a, b = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    local at_a, at_b = f(a), f(b)
    for _ = 1, 36 do
        if at_a <= at_b then
            high, b, at_b = b, a, at_a
            a = high - GOLDEN * (high - low)
            at_a = f(a)
        else
            low, a, at_a = a, b, at_b
            b = low + GOLDEN * (high - low)
            at_b = f(b)
        end
    end
    return (low + high) / 2
end

-- The least squares over both: a scan of sigma, then the valley around its best. The scan is denser at small values, as
-- most pools have a contention of a few hundredths.
local function minimum(rows)
    local function at(u) return (profile(rows, "sigma", u * u)) end
    local best, place = math.huge, 0
    for i = 0, 20 do
        local now = at(i / 20)
        if now < best then best, place = now, i end
    end
    local u = least_between(at, math.max(place - 1, 0) / 20, math.min(place + 1, 20) / 20)
    local inside, found = profile(rows, "sigma", u * u)
    -- Nothing at all is an answer that no section reaches, and the better one where it explains as much.
    for _, name in ipairs({ "sigma", "kappa" }) do
        local now, there = profile(rows, name, 0.0)
        if now <= inside + SAME then inside, found = now, there end
    end
    return inside, found
end

-- Where the squares of the profile pass the limit on one side of the best value; nil: nowhere up to `far`.
local function passes(rows, name, best, far, limit)
    local function is_inside(value)
        return profile(rows, name, value, best[OTHER[name]]) <= limit
    end
    if is_inside(far) then return nil end
    local inside, outside = best[name], far
    if far > 1 then -- kappa spans decades
        outside = math.max(inside, 1e-6)
        while is_inside(outside) do inside, outside = outside, outside * 2 end
    end
    for _ = 1, 32 do
        local middle = (inside + outside) / 2
        if is_inside(middle) then inside = middle else outside = middle end
    end
    return (inside + outside) / 2
end

-- All values that the data do not contradict (profile likelihood, with F for the unknown noise): exact for a linear
-- law, and honest with few points, where resampling four of them is not.
-- Source: Bates and Watts, Nonlinear Regression Analysis and Its Applications (1988), section 6.1.
local function interval(rows, name, best, limit)
    local low = best[name] > 0 and passes(rows, name, best, 0.0, limit) or 0.0
    return { low, passes(rows, name, best, MOST[name], limit) or name == "sigma" and MOST.sigma or nil }
end

-- The squares up to which a parameter is not contradicted. Where the law misses the counts by more than the runs
-- differ, that miss is the noise to judge by, not the runs.
local function limit_of(rows, lack, noise, total, confidence)
    local df_lack, df_noise = #rows - PARAMETERS, total - #rows
    local misfit = df_noise > 0 and noise > 0
        and distributions.f_upper(lack / df_lack / (noise / df_noise), df_lack, df_noise) < 0.05
    local df = misfit and df_lack or df_lack + df_noise
    local variance = (misfit and lack or lack + noise) / df
    local t = distributions.student_quantile((1 + confidence) / 2, df)
    return lack + t * t * variance, df, misfit or false
end

-- The share of what varies between the measured speed-ups that the law explains.
local function explained(rows, at, level)
    local mean, weights, left, all = 0.0, 0, 0.0, 0.0
    for _, row in ipairs(rows) do
        row.speed = math.exp(level - row.mean) * row.n
        mean, weights = mean + row.weight * row.speed, weights + row.weight
    end
    mean = mean / weights
    for _, row in ipairs(rows) do
        local fitted = row.n / (1 + at.sigma * row.sigma + at.kappa * row.kappa)
        left = left + row.weight * (row.speed - fitted) ^ 2
        all = all + row.weight * (row.speed - mean) ^ 2
    end
    return all > 0 and 1 - left / all or nil
end

---@class rig.Scalability
---@field sigma number  contention: the share that cannot run side by side, 0 to 1
---@field kappa number  coherency: what each pair of workers costs
---@field lambda number  rate of one worker, 1/s
---@field peak number|nil  workers at the largest speed-up; nil where it rises without end (kappa 0)
---@field r2 number|nil  share of the variation of the speed-ups that the law explains
---@field sigma_ci number[]  {low, high}
---@field kappa_ci number[]  {low, high}; without the second where no upper end can be told
---@field counts integer  different worker counts
---@field df integer  degrees of freedom of the noise that the intervals come from
---@field misfit boolean  the law misses the counts by more than the runs differ: the intervals allow for it

--- Fits the law to the times of different worker counts.
---@param ns integer[]  workers, from 1 to at most the cores there are; several values for one count are runs
---@param seconds number[]  as long as ns, the time for the same work; what is not positive is left out
---@param confidence number|nil  0.95
---@return rig.Scalability|nil fit  nil under 4 different counts
function M.fit(ns, seconds, confidence)
    local rows, noise, total = rows_of(ns, seconds)
    if #rows < FEWEST_COUNTS then return nil end
    local lack, best = minimum(rows)
    local limit, df, misfit = limit_of(rows, lack, noise, total, confidence or 0.95)
    local _, level = squares(rows, best)
    local fit = { sigma = best.sigma, kappa = best.kappa, lambda = math.exp(-level), counts = #rows, df = df,
        misfit = misfit, r2 = explained(rows, best, level) }
    if best.kappa > 0 then fit.peak = math.max(1, math.sqrt((1 - best.sigma) / best.kappa)) end
    fit.sigma_ci = interval(rows, "sigma", best, limit)
    fit.kappa_ci = interval(rows, "kappa", best, limit)
    return fit
end

return M
