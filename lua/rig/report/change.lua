-- The figures of a verdict as people read them: how much longer, with its interval; medians in their unit; a counter's
-- difference; what a threshold was judged by. One notation for terminal, Markdown, JUnit and annotations.
-- Not for judging: paired and compare do. Neighbours: judged (sentences about a whole run), verdicts (the table).

local human = require("rig.report.human")

local M = {}

-- From here on "30 times as long" is easier to read than "+2,900 %".
local RATIO_FROM = 3

local function as_ratio(effect)
    return effect >= RATIO_FROM or effect <= 1 / RATIO_FROM
end

--- How much more or less in percent, with its sign.
---@param effect number  new / base
---@return string such as "+5.2", "-12.0", "0.0"
function M.percent(effect)
    local text = ("%+.1f"):format((effect - 1) * 100)
    return text:find("^[+-]0%.0$") and "0.0" or text
end

--- How much more or less, without its interval.
---@param effect number|nil  new / base
---@return string such as "+5.2 %", "30.8 x"
function M.effect(effect)
    if not effect or effect ~= effect then return "–" end
    return as_ratio(effect) and human.ratio(effect) or M.percent(effect) .. " %"
end

--- An interval, in percent or in multiples as its effect is shown.
---@param low number
---@param high number
---@param effect number|nil
---@return string such as "+4.1 … +6.3"
function M.interval(low, high, effect)
    if effect and as_ratio(effect) then return (human.ratio_range(low, high):gsub(" x$", ""):gsub(" to ", " … ")) end
    return ("%s … %s"):format(M.percent(low), M.percent(high))
end

--- A value in its unit; counters keep all their digits.
---@param value number|nil
---@param unit string|nil
---@return string such as "10.5 ms", "2,700"
function M.value(value, unit)
    if not value or value ~= value then return "–" end
    if unit == "s" then return human.duration(value) end
    if unit == "B" then return human.bytes(value) end
    if unit == "B/s" then return human.bytes(value) .. "/s" end
    if unit == "1/s" then return human.short(value) .. "/s" end
    if unit == "x" then return human.ratio(value) end
    if unit == "%" then return human.short(value * 100) .. " %" end
    local whole = math.tointeger(value)
    local text = whole and human.group(whole) or human.short(value)
    return (unit and unit ~= "1" and unit ~= "") and text .. " " .. human.clean(unit) or text
end

local function difference(v)
    local by = v.b - v.a
    if by == 0 then return "none" end
    if v.unit == "B" then return (by > 0 and "+" or "-") .. human.bytes(math.abs(by)) end
    return (by > 0 and "+" or "") .. human.group(math.tointeger(by) or by)
end

--- What changed, by how much, how sure.
---@param v table  a verdict of a results document
---@return string such as "+5.2 % (+4.1 … +6.3)"; of an exact counter "+900", "+900 kB"
function M.of(v)
    if v.kind == "exact" and v.a and v.b then return difference(v) end
    if not v.effect then return "–" end
    if not (v.low and v.high) then return M.effect(v.effect) end
    return ("%s (%s)"):format(M.effect(v.effect), M.interval(v.low, v.high, v.effect))
end

--- How many samples the verdict rests on.
---@param v table
---@return string such as "40"; "9 and 9" of two documents; empty of a counter
function M.samples(v)
    if v.pairs then return human.group(v.pairs) end
    if v.n_base and v.n_new then return ("%d and %d"):format(v.n_base, v.n_new) end
    return ""
end

--- Which case and metric.
---@param v table
---@return string such as "builtin, 100,000: map"
function M.name(v)
    return v.case ~= "" and ("%s: %s"):format(v.case, v.metric) or v.metric
end

local function basis(v)
    if v.pairs then return ", " .. human.count(v.pairs, "pair") .. (v.confirmed and ", measured twice" or "") end
    if v.n_base and v.n_new then return (", %d and %s"):format(v.n_base, human.count(v.n_new, "sample")) end
    return ""
end

--- The whole verdict as a sentence: its own text, or one made of its figures.
---@param v table
---@return string
function M.sentence(v)
    -- some texts name their case, some are the rest of a sentence
    if v.text then
        local names_it = v.text:sub(1, #v.case + 1) == v.case .. ":"
        return names_it and v.text or ("%s: %s"):format(M.name(v), v.text)
    end
    return ("%s %s: %s -> %s, %s%s"):format(M.name(v), v.verdict, M.value(v.a, v.unit), M.value(v.b, v.unit),
        M.of(v), basis(v))
end

local TIMES = {}
for _, unit in ipairs({ "ns", "us", "µs", "μs", "ms", "s", "sec", "m", "min", "h" }) do TIMES[unit] = "s" end

-- Documents need not name a threshold's unit; its text does.
local function unit_of(threshold)
    local word = threshold.text:match("[<>=]=?%s*[%d.]+[eE]?[+-]?%d*%s*(%S*)%s*$") or ""
    if word == "%" then return "%" end
    if threshold.unit then return threshold.unit end
    if TIMES[word] then return TIMES[word] end
    if word:find("B$") then return "B" end
    if word:find("B/s$") then return "B/s" end
    return word == "x" and "x" or "1"
end

-- How the figures of a threshold are shown: in all their digits where one would look like the limit though it differs.
local function shower(t)
    local unit = unit_of(t)
    return function(x)
        local text = M.value(x, unit)
        if not t.limit or x == t.limit or text ~= M.value(t.limit, unit) then return text end
        return (("%.9g %s"):format(unit == "%" and x * 100 or x, human.clean(unit)):gsub(" 1$", ""))
    end
end

--- What a threshold measured.
---@param t table  a threshold of a results document
---@return string such as "9.80 ms"
function M.measured(t)
    return t.value and shower(t)(t.value) or "–"
end

local function interval_of(t)
    local show = shower(t)
    if not t.low then return t.high and "95 % interval up to " .. show(t.high) end
    if not t.high then return ("95 %% interval from %s up"):format(show(t.low)) end
    local low, high = show(t.low), show(t.high)
    local number, unit = low:match("^(%S+) (%S+)$")
    if number and high:match(" (%S+)$") == unit then low = number end
    return ("95 %% interval %s … %s"):format(low, high)
end

-- What the figure rests on.
local function support_of(t)
    local samples = t.n == 1 and "one value" or t.n and human.count(t.n, "sample") or nil
    local interval = interval_of(t)
    return interval and samples and interval .. ", " .. samples or interval or samples
end

--- How a threshold was judged.
---@param t table
---@return string such as "95 % interval 9.61 … 9.95 ms, 9 samples"; "one value"
function M.judged_by(t)
    if t.judged_by == "nothing" then return t.passed and "not judged" or t.n == 0 and "no sample" or "nothing" end
    local support = support_of(t)
    if t.judged_by == "median" and t.n ~= 1 then return "point estimate" .. (support and ", " .. support or "") end
    return support or "95 % interval"
end

--- What a threshold was judged by, in one sentence, with the reason where there is one.
---@param t table
---@return string such as "9.80 ms (95 % interval 9.61 … 9.95 ms, 9 samples), not < 5 ms"
function M.threshold(t)
    local reason = t.reason and human.clean(t.reason)
    if t.judged_by == "nothing" then
        if not t.passed then return "fails: " .. (reason or "no sample") end
        return "not judged" .. (reason and ": " .. reason:gsub("^not judged: ", "") or "")
    end
    local support, wanted = support_of(t), t.text:match("[<>=]+.*$")
    local said = M.measured(t) .. (support and (" (%s)"):format(support) or "")
    if not t.passed then said = said .. (wanted and ", not " .. human.clean(wanted) or ", too far") end
    -- that the interval lies on one side of the limit is seen
    return said .. (reason and t.judged_by ~= "interval" and "; " .. reason or "")
end

---@param t table
---@return string such as "map.median < 10 ms: builtin, 100,000"
function M.threshold_name(t)
    return t.case and t.case ~= "" and ("%s: %s"):format(t.text, t.case) or t.text
end

return M
