-- Verdicts of an interleaved A/B run: what the log ratios of its pairs say, at looks that were fixed before.
-- Not for sides that were measured apart (compare), nor for taking the measurements. Pure.
-- Neighbours: stats (the order statistics), whoever runs the pairs and asks after each look.

local stats = require("rig.stats")

local M = {}

--- After how many pairs a case is judged. Fixed beforehand: who looks after every pair finds a difference
--- in anything, in the end. Source: Armitage, McPherson, Rowe, JRSS A 132 (1969).
M.looks = { 20, 40, 80, 160 }

--- Of a whole run without any difference, at most this share may show one before it is measured again.
M.error_of_a_run = 0.01

M.min_effect = 0.03

--- The confidence of one interval, so that all looks of all cases together keep error_of_a_run (Bonferroni).
---@param m integer|nil  how many case-metrics the run judges, 1
---@return number confidence  0.9975 for one, 0.999875 for 20
function M.confidence(m)
    return 1 - M.error_of_a_run / (#M.looks * math.max(m or 1, 1))
end

--- ln(b/a) of two times measured beside each other.
---@param a number  seconds of the base, positive
---@param b number  seconds of the new side, positive
---@return number|nil d  nil where one of them is not a positive, finite number: such a pair says nothing
function M.log_ratio(a, b)
    if not (a > 0 and b > 0 and a < math.huge and b < math.huge) then return nil end
    return math.log(b / a)
end

local function checked(log_ratios)
    for i, d in ipairs(log_ratios) do
        if d ~= d or d == math.huge or d == -math.huge then
            error(("log ratio %d is %s; leave out pairs with a time that is not positive"):format(i, d), 3)
        end
    end
    return stats.sorted(log_ratios)
end

local function verdict_of(effect, low, high, min_effect)
    local most, least = 1 + min_effect, 1 / (1 + min_effect)
    if low > 1 and effect >= most then return "regressed" end
    if high < 1 and effect <= least then return "improved" end
    if low > least and high < most then return "unchanged" end
    return "inconclusive"
end

---@class rig.Judgement
---@field verdict "regressed"|"improved"|"unchanged"|"inconclusive"  inconclusive: go on to the next look
---@field effect number|nil  new/base, exp of the median log ratio; nil without pairs
---@field low number|nil  interval of the effect; nil where there are too few pairs for the confidence
---@field high number|nil
---@field confidence number
---@field pairs integer

--- Judges the pairs so far. The interval is that of the sign test: the order statistics of the log ratios,
--- exact whatever their distribution, and what one disturbed pair can do to it is one rank.
---@param log_ratios number[]  ln(new/base) by pair
---@param options { min_effect: number|nil, confidence: number|nil }|nil  min_effect: the smallest change that
---        counts, 0.03; at a true effect of that size the chance to find it is about a half
---@return rig.Judgement
function M.judge(log_ratios, options)
    options = options or {}
    local confidence = options.confidence or M.confidence(1)
    local found = { verdict = "inconclusive", confidence = confidence, pairs = #log_ratios }
    local sorted = checked(log_ratios)
    if #sorted == 0 then return found end
    found.effect = math.exp(stats.quantile(sorted, 0.5))
    local low, high = stats.median_interval(sorted, confidence)
    if not low then return found end
    found.low, found.high = math.exp(low), math.exp(high)
    found.verdict = verdict_of(found.effect, found.low, found.high, options.min_effect or M.min_effect)
    return found
end

return M
