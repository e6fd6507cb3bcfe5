-- What a threshold says: `map.p95 < 20 ms` read into metric, statistic, operator and a limit in base units.
-- Not for where it applies or whether it holds: declare.lua checks the first, thresholds.lua judges the second.
-- Neighbours: metrics.lua (which metrics there are, and what each is measured in).

local metrics = require("rig.thresholds.metrics")
local names = require("rig.names")
local values = require("rig.values")

local M = {}

---@class rig.Condition
---@field text string        as the scenario has it
---@field metric string
---@field statistic string
---@field op "<"|"<="|">"|">="|"=="
---@field limit number       in base units (s, B, 1) where the unit is known; else as written
---@field wanted string      "< 10 ms"
---@field unit string?       as written
---@field measure string?    what the unit measures: "time", "bytes", "share"; nil for none or an unknown one

--- The statistics, in the order of help.
M.STATISTICS = {
    "median", "mean", "min", "max", "p25", "p50", "p75", "p90", "p95", "p99", "stddev", "mad", "count", "ratio",
}
local is_statistic = {}
for _, name in ipairs(M.STATISTICS) do is_statistic[name] = true end

-- What people write for a statistic that is called something else here.
local MEANT = { avg = "mean", average = "mean", sd = "stddev", std = "stddev", minimum = "min", maximum = "max",
    med = "median" }

local OPERATORS = { "<", "<=", ">", ">=", "==" }
local is_operator = {}
for _, op in ipairs(OPERATORS) do is_operator[op] = true end
local OPERATOR_MEANT = { ["=<"] = "<=", ["=>"] = ">=", ["="] = "==", ["≤"] = "<=", ["≥"] = ">=" }

local UNITS = {
    time = { ns = 1e-9, us = 1e-6, ["µs"] = 1e-6, ["μs"] = 1e-6, ms = 1e-3, s = 1, min = 60, h = 3600 },
    bytes = { B = 1, kB = 1e3, MB = 1e6, GB = 1e9, TB = 1e12, KiB = 2 ^ 10, MiB = 2 ^ 20, GiB = 2 ^ 30, TiB = 2 ^ 40 },
    share = { ["%"] = 0.01, x = 1 },
}

--- The units of each measure, in the order in which messages name them.
local SHOWN = {
    time = { "ns", "us", "ms", "s", "min", "h" },
    bytes = { "B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB" },
    share = { "x", "%" },
}

-- Of dimensions that are no unit's own: rates are a unit by the second, counts and ratios have none.
local MEASURE_OF = { time = "time", bytes = "bytes", byte_rate = "bytes", ratio = "share" }

---What one of a unit is in base units.
---@param unit string
---@return number? factor
---@return string? measure "time", "bytes" or "share"
function M.unit(unit)
    for measure, known in pairs(UNITS) do
        if known[unit] then return known[unit], measure end
    end
end

-- A number that somebody wrote, in base units. Parts of a unit move the decimal point: 10.2 ms are 0.0102 s to the last
-- digit, which neither a product nor a quotient is.
local function scaled(number, factor)
    if factor >= 1 then return number * factor end
    local mantissa, exponent = ("%.14e"):format(number):match("^(.-)e(.*)$")
    return tonumber(("%se%d"):format(mantissa, tonumber(exponent) + math.floor(math.log(factor, 10) + 0.5)))
end

local function split(text)
    local left, op, right = text:match("^%s*(.-)%s*([<>=~!]+)%s*(.-)%s*$")
    if left then return left, op, right end
    for _, sign in ipairs { "≤", "≥" } do
        local from, to = text:find(sign, 1, true)
        if from then return text:sub(1, from - 1), sign, text:sub(to + 1) end
    end
end

local function check_operator(op)
    if is_operator[op] then return true end
    local meant = OPERATOR_MEANT[op]
    return nil, ("%s is no comparison"):format(op), meant and ("write %s"):format(meant)
        or "use " .. names.join(OPERATORS)
end

local function unknown_statistic(metric, name)
    local problem = ("%s has no statistic %s"):format(metric, values.show(name))
    local meant = MEANT[name:lower()]
    return nil, problem, meant and ("did you mean %s?"):format(meant) or names.suggest(name, M.STATISTICS)
end

-- Whether a name can be a metric's: rig's own, one that the scenario records, or, where that cannot be known, any that
-- does not look like a slip.
local function may_be(name, recorded)
    if metrics.of(name) then return true end
    local known = recorded(name)
    if known ~= nil then return known end
    local _, close = names.nearest(name, metrics.names())
    return not close
end

local function unknown_metric(name)
    local known = metrics.names()
    local _, close = names.nearest(name, known)
    local remedy = close and names.suggest(name, known)
        or "use " .. names.join(known) .. ", or record it with rig.metric"
    return nil, ("no metric %s"):format(values.show(name)), remedy
end

-- Splits `map.p95` into metric and statistic, or gives nil, problem, remedy. A metric of the scenario's own may have
-- dots in its name.
local function metric_of(left, recorded)
    if left == "" then return nil, "no metric before the comparison", "write it as map.median < 10 ms" end
    local head, tail = left:match("^(.+)%.([^.]*)$")
    if head and is_statistic[tail] and metrics.of(head) then return head, tail end
    if metrics.of(left) or recorded(left) then return left, "median" end
    if head and is_statistic[tail] then
        if may_be(head, recorded) then return head, tail end
        return unknown_metric(head)
    elseif head and (metrics.of(head) or recorded(head)) then
        return unknown_statistic(head, tail)
    end
    if may_be(left, recorded) then return left, "median" end
    return unknown_metric(left)
end

-- The number at the beginning of a limit, and what follows it.
local function number_of(text)
    local digits, rest = text:match("^([+-]?%d*%.?%d+[eE][+-]?%d+)%s*(.*)$")
    if not digits then digits, rest = text:match("^([+-]?%d+%.?%d*)%s*(.*)$") end
    if not digits then digits, rest = text:match("^([+-]?%.%d+)%s*(.*)$") end
    return tonumber(digits), rest
end

local function bad_unit(unit, dimension, metric)
    local measure = MEASURE_OF[dimension]
    if not measure then
        return nil, ("%s has no unit, given %s"):format(metric, values.show(unit)), "leave the unit out"
    end
    local per = dimension == "byte_rate" and "/s" or ""
    local accepted = {}
    for i, one in ipairs(SHOWN[measure]) do accepted[i] = one .. per end
    local _, other = M.unit(unit)
    local problem = other and other ~= measure and ("%s is not a unit of %s"):format(values.show(unit), metric)
        or ("unknown unit %s"):format(values.show(unit))
    -- across measures, likeness of letters means nothing
    local remedy = other and "use " .. names.join(accepted) or names.suggest(unit, accepted)
    return nil, problem, remedy
end

-- Factor and measure of the unit that a metric of rig's own is given.
local function own_unit(unit, dimension, metric)
    if unit == "" then return 1 end
    local bare = unit
    if dimension == "rate" and unit == "/s" then return 1 end
    if dimension == "byte_rate" then bare = unit:gsub("/s$", "") end
    local factor, measure = M.unit(bare)
    if not factor or measure ~= MEASURE_OF[dimension] then return bad_unit(unit, dimension, metric) end
    return factor, measure
end

local function needs_unit(spec, statistic, number)
    return spec and not spec.bare and statistic ~= "ratio" and statistic ~= "count" and number ~= 0
end

-- The limit in base units, its unit and what that measures.
local function limit_of(text, metric, statistic)
    local number, unit = number_of(text)
    if not number or number ~= number or math.abs(number) == math.huge then
        local problem = text == "" and "no limit after the comparison" or ("%s is no limit"):format(values.show(text))
        return nil, problem, "write a number and its unit, as in 10 ms"
    elseif unit:find("^,%d") then
        return nil, ("%s has a comma in it"):format(values.show(text)), "write the number without, as in 100000 or 1e5"
    end
    local spec = metrics.of(metric)
    local dimension = statistic == "ratio" and "ratio" or statistic == "count" and "count"
        or spec and spec.dimension or "own"
    if unit == "" and needs_unit(spec, statistic, number) then
        local accepted = SHOWN[MEASURE_OF[dimension]]
        return nil, ("the limit %s has no unit"):format(text), ("write %s %s, or another of %s"):format(text,
            dimension == "time" and "ms" or "MB", names.join(accepted))
    elseif dimension == "own" then
        local factor, measure = M.unit(unit)
        return scaled(number, factor or 1), unit ~= "" and unit or nil, measure
    end
    local factor, measure, remedy = own_unit(unit, dimension, metric)
    if not factor then return nil, measure, remedy end
    return scaled(number, factor), unit ~= "" and unit or nil, measure
end

-- What is measured by a clock is never twice the same.
local function check_equality(op, metric, statistic)
    local spec = metrics.of(metric)
    if op ~= "==" or statistic == "count" or spec and spec.exact and statistic ~= "ratio" then return true end
    return nil, ("%s is never exactly anything"):format(metric), "use <, <=, > or >=; == is for counters"
end

---Reads a threshold.
---@param text string such as "map.p95 < 20 ms"
---@param recorded? fun(name: string): boolean|nil  whether the scenario records a metric of this name; nil: unknown
---@return rig.Condition?
---@return string? problem
---@return string? remedy
function M.parse(text, recorded)
    recorded = recorded or function() return nil end
    local left, op, right = split(text)
    if not left then return nil, "nothing is compared", "write it as map.median < 10 ms" end
    left, right = left:match("^%s*(.-)%s*$"), right:match("^%s*(.-)%s*$")
    local ok, problem, remedy = check_operator(op)
    if not ok then return nil, problem, remedy end
    local metric, statistic, why = metric_of(left, recorded)
    if not metric then return nil, statistic, why end
    ok, problem, remedy = check_equality(op, metric, statistic)
    if not ok then return nil, problem, remedy end
    local limit, unit, measure = limit_of(right, metric, statistic)
    if not limit then return nil, unit, measure end
    return {
        text = text, metric = metric, statistic = statistic, op = op, limit = limit, unit = unit, measure = measure,
        wanted = op .. " " .. right,
    }
end

return M
