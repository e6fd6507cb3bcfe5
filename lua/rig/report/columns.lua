-- The columns of the table of cases: what each shows, how wide it is, and which stay when the terminal is narrow. All
-- is known before the first case is measured, so that rows can be printed as cases end.
-- Neighbours: text.lua (prints the rows), layout (padding).

local axes = require("rig.axes")
local human = require("rig.report.human")
local layout = require("rig.report.layout")

local M = {}

local GAP = 2
-- Room for the last column, whose values are not known in advance.
local RESULT_WIDTH = 14
local SPARK_WIDTH = 9
local LONGEST_VALUE = 40

---@class rig.Column
---@field title string
---@field width integer
---@field right boolean|nil
---@field cell fun(case: table): string, string|nil  text and style
---@field rank integer|nil  the lower, the longer it stays; nil: always there
---@field of_many boolean|nil  says nothing of a single iteration

-- Seconds of an iteration, in seven columns: the measure of the whole experiment keeps one unit down the table.
local function seconds(s)
    if s < 0.0001 then return ("%.1e"):format(s) end
    local digits = s < 10 and 5 or s < 100 and 4 or s < 1000 and 3 or 1
    return ("%." .. digits .. "f"):format(s)
end

M.seconds = seconds

local function duration(s)
    return s and human.duration(s) or "–"
end

local function sum(list)
    local total = 0.0
    for _, x in ipairs(list or {}) do total = total + x end
    return total
end

-- Where delivery never ended: as long as it certainly took.
local function deliver(case)
    local phases = case.phases
    if phases.deliver_s then return human.duration(phases.deliver_s) end
    if (case.undelivered or {}).workers == 0 or #phases.map_s == 0 then return "–" end
    return ">" .. human.duration(sum(phases.map_s) + sum(phases.reduce_s)), "yellow"
end

local function ready(case)
    local workers, now = case.params.workers, case.ready_at_last_result
    if not now or not workers or case.params.preset == "serial" then return "–" end
    return ("%d/%d"):format(now, workers), now < workers and "yellow" or nil
end

local function spread(case)
    local map = case.stats and case.stats.map
    if not map or map.median <= 0 or map.n < 2 then return "–" end
    return human.percent(map.mad / map.median)
end

local function copied(case)
    local most
    for _, worker in ipairs(case.workers or {}) do
        if worker.uss_bytes then most = math.max(most or 0, worker.uss_bytes) end
    end
    return most and human.bytes(most) or "–"
end

-- The result all iterations agree on; else the first wrong one.
local function result_of(case)
    for _, iteration in ipairs(case.iterations) do
        if iteration.right == false then return iteration.result end
    end
    return case.iterations[1] and case.iterations[1].result
end

local function result_text(case)
    local result = result_of(case)
    if result == nil then return "" end
    local text = math.type(result) == "integer" and tostring(result) or human.value(result)
    return layout.cut(text, LONGEST_VALUE)
end

local function lost_text(case)
    local words = {}
    for _, kind in ipairs({ "died", "timeout", "error", "cancelled" }) do
        local count = (case.outcomes or {})[kind] or 0
        if count > 0 then words[#words + 1] = ("%s %s"):format(human.group(count), kind) end
    end
    return #words > 0 and table.concat(words, ", ") or nil
end

local STYLE = { failed = "red", faulted = "red", error = "red", interrupted = "yellow" }

local function verdict(case)
    local n, text = #case.iterations, result_text(case)
    local before = text == "" and "" or text .. " "
    local lost = lost_text(case)
    if case.status == "interrupted" then return before .. ("interrupted after %d"):format(n), "yellow" end
    if lost and case.as_expected then return lost .. ", expected" end
    if lost then return ("✗ %s"):format(lost), "red" end
    if not case.expected then return text == "" and "not checked" or before .. "(not checked)" end
    local right = case.verified == n and n > 0
    return ("%s%s %d/%d"):format(before, right and "✓" or "✗", case.verified, n), right and "green" or STYLE.failed
end

--- The value of a parameter as a cell shows it.
---@param name string
---@param value any
---@return string
function M.param(name, value)
    if value == nil then return "–" end
    if name == "pool" then return human.clean(axes.label(value)) end
    return layout.cut(human.value(value), LONGEST_VALUE)
end

local function param_column(name, cases)
    local width, right = human.width(name), true
    for _, case in ipairs(cases) do
        local value = case.params[name]
        width = math.max(width, human.width(M.param(name, value)))
        right = right and (value == nil or type(value) == "number")
    end
    return { title = name, width = width, right = right,
        cell = function(case) return M.param(name, case.params[name]) end }
end

local function param_columns(info)
    local columns, repeated = {}, false
    for _, name in ipairs(info.varying) do
        if name ~= "runs" then columns[#columns + 1] = param_column(name, info.cases) end
    end
    for _, case in ipairs(info.cases) do repeated = repeated or (case.run or 1) > 1 end
    if #columns == 0 and info.kind == "map" then columns[1] = param_column("pool", info.cases) end
    if repeated then
        columns[#columns + 1] = { title = "run", width = 3, right = true,
            cell = function(case) return tostring(case.run or 1) end }
    end
    return columns
end

local function phase(title, rank, cell, width, of_many)
    return { title = title, width = width or 7, right = true, rank = rank, cell = cell, of_many = of_many }
end

local function stat(name, of)
    return function(case)
        local summary = case.stats and case.stats[of or "map"]
        return duration(summary and summary[name])
    end
end

local function spark_column(rank)
    return { title = "iterations", width = math.max(SPARK_WIDTH, #"iterations"), rank = rank, of_many = true,
        cell = function(case) return layout.spark(case.phases.map_s, SPARK_WIDTH) end }
end

local RESULT = { title = "result", width = RESULT_WIDTH, cell = verdict, last = true }

local function map_columns()
    return {
        phase("s/iter", nil, function(case) return case.s_per_iteration and seconds(case.s_per_iteration) or "–" end),
        phase("start", 5, function(case) return duration(case.phases.start_s) end),
        phase("deliver", 3, deliver, 8),
        phase("map", 1, stat("median")),
        phase("±MAD", 6, spread, 5, true),
        phase("reduce", 9, stat("median", "reduce")),
        phase("close", 4, function(case) return duration(case.phases.close_s) end),
        phase("ready", 2, ready, 5),
        phase("own mem", 8, copied, 8),
        spark_column(7),
        RESULT,
    }
end

local function rate(case)
    local rates = case.rates
    if not rates then return "–" end
    if rates.bytes_per_s then return human.bytes(rates.bytes_per_s) .. "/s" end
    return rates.items_per_s and human.short(rates.items_per_s) .. "/s" or "–"
end

local function body_columns(info)
    local columns = {
        phase("per call", nil, stat("median"), 8),
        phase("±MAD", 1, spread, 5, true),
        phase("min", 2, stat("min"), nil, true),
        phase("p95", 3, stat("p95"), nil, true),
        phase("calls", 4, function(case) return human.group(#case.phases.map_s) end, 5, true),
        spark_column(6),
        RESULT,
    }
    if info.rated then table.insert(columns, 2, phase("rate", 5, rate, 9)) end
    return columns
end

local function has_many(cases)
    for _, case in ipairs(cases) do
        if case.params.iterations ~= 1 then return true end
    end
    return false
end

local function total_width(columns)
    local width = 0
    for _, column in ipairs(columns) do width = width + GAP + column.width end
    return width
end

local function without_worst(columns)
    local worst
    for i, column in ipairs(columns) do
        if column.rank and (not worst or column.rank > columns[worst].rank) then worst = i end
    end
    if worst then table.remove(columns, worst) end
    return worst ~= nil
end

--- The columns that fit, in order: what varies, what was measured, the result.
---@param info { kind: "map"|"body", varying: string[], cases: table[], rated: boolean|nil }
---@param width integer  of the terminal
---@return rig.Column[]
function M.of(info, width)
    local columns = param_columns(info)
    local measured = info.kind == "body" and body_columns(info) or map_columns()
    local many = has_many(info.cases)
    for _, column in ipairs(measured) do
        if many or not column.of_many then columns[#columns + 1] = column end
    end
    while total_width(columns) > width and without_worst(columns) do end
    return columns
end

--- The columns that say which case it is.
---@param info table
---@return rig.Column[]
function M.of_params(info)
    return param_columns(info)
end

--- One line from a text and a style for each column.
---@param columns rig.Column[]
---@param cells fun(column: rig.Column): string, string|nil
---@param paint fun(style: string|nil, text: string): string
---@return string line  without a newline
function M.line(columns, cells, paint)
    local parts = {}
    for i, column in ipairs(columns) do
        local text, style = cells(column)
        -- nothing follows the last column that its padding could align
        local padded = (i == #columns and not column.right) and text or layout.pad(text, column.width, column.right)
        parts[i] = paint(style, padded)
    end
    return (" "):rep(GAP) .. table.concat(parts, (" "):rep(GAP))
end

return M
