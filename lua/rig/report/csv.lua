-- A results document as a table for spreadsheets and data frames: a row for each sample, with the parameters as
-- columns. RFC 4180: CRLF, quotes where they are needed, the first line names the columns.
-- Not for people to read (markdown, text). An A/B run gives a row for each pair. Neighbours: plain, rig.json (numbers).

local json = require("rig.json")
local plain = require("rig.report.plain")

local M = {}

local function field(value)
    if value == nil or value == json.null then return "" end
    if type(value) == "number" then
        local text = json.encode(value) -- shortest that reads back as the same
        return text == "null" and "" or text
    end
    if type(value) == "table" then value = json.encode(value) or "" end
    local text = plain.text(value)
    if text:find('[",\r\n]') or text:find("^%s") or text:find("%s$") then return '"' .. text:gsub('"', '""') .. '"' end
    return text
end

-- `table.pack`ed, because a row has holes.
local function line(row)
    local cells = {}
    for i = 1, row.n do cells[i] = field(row[i]) end
    return table.concat(cells, ",") .. "\r\n"
end

-- What varies first, then the others by name.
local function param_names(doc, entries)
    local names, seen = {}, { runs = true }
    for _, name in ipairs(doc.varying or {}) do
        if not seen[name] then names[#names + 1], seen[name] = name, true end
    end
    local rest = {}
    for _, entry in ipairs(entries) do
        for name in pairs(entry.params) do
            if not seen[name] then rest[#rest + 1], seen[name] = name, true end
        end
    end
    table.sort(rest)
    return table.move(rest, 1, #rest, #names + 1, names)
end

-- A parameter of the scenario may be called as one of our own columns.
local function titles_of(names, ours)
    local taken, titles = {}, {}
    for _, title in ipairs(ours) do taken[title] = true end
    for i, name in ipairs(names) do titles[i] = taken[name] and "param." .. name or name end
    return titles
end

local function header(first, names, last)
    local ours = table.move(last, 1, #last, #first + 1, table.move(first, 1, #first, 1, {}))
    local row = table.move(first, 1, #first, 1, {})
    local titles = titles_of(names, ours)
    table.move(titles, 1, #titles, #row + 1, row)
    table.move(last, 1, #last, #row + 1, row)
    row.n = #row
    return line(row)
end

-- ---- samples -------------------------------------------------------------------------------------------------------

local CASE_COLUMNS = { "case", "run" }
local SAMPLE_COLUMNS = { "status", "metric", "iteration", "value", "unit", "result", "right", "ready" }

local function start_row(case, names)
    local row = { n = #CASE_COLUMNS + #names + #SAMPLE_COLUMNS, case.label or case.index, case.run }
    for i, name in ipairs(names) do row[#CASE_COLUMNS + i] = case.params[name] end
    row[#CASE_COLUMNS + #names + 1] = case.status
    return row
end

local function sample(rows, case, names, metric, iteration, value, unit, about)
    local row, at = start_row(case, names), #CASE_COLUMNS + #names + 1
    row[at + 1], row[at + 2], row[at + 3], row[at + 4] = metric, iteration, value, unit
    if about then row[at + 5], row[at + 6], row[at + 7] = about.result, about.right, about.ready end
    rows[#rows + 1] = line(row)
end

local function sorted_names(map)
    local names = {}
    for name in pairs(map or {}) do names[#names + 1] = name end
    table.sort(names)
    return names
end

local ONCE = { "make_s", "start_s", "place_s", "deliver_s", "close_s" }

local function case_rows(rows, case, names)
    local phases, before = case.phases, #rows
    for i, seconds in ipairs(case.warmup or {}) do sample(rows, case, names, "warmup", i, seconds, "s") end
    for i, seconds in ipairs(phases.map_s) do
        sample(rows, case, names, "map", i, seconds, "s", case.iterations[i])
    end
    for i, seconds in ipairs(phases.reduce_s) do sample(rows, case, names, "reduce", i, seconds, "s") end
    for _, name in ipairs(ONCE) do
        local seconds = name == "make_s" and case.make_s or phases[name]
        if seconds then sample(rows, case, names, (name:gsub("_s$", "")), nil, seconds, "s") end
    end
    if case.s_per_iteration then sample(rows, case, names, "s_per_iteration", nil, case.s_per_iteration, "s") end
    for _, name in ipairs(sorted_names(case.metrics)) do
        local metric = case.metrics[name]
        for i, value in ipairs(metric.values) do sample(rows, case, names, name, i, value, metric.unit) end
    end
    -- a case without a time is a fact too
    if #rows == before then sample(rows, case, names) end
end

local function samples(doc)
    local names = param_names(doc, doc.cases)
    local rows = { header(CASE_COLUMNS, names, SAMPLE_COLUMNS) }
    for _, case in ipairs(doc.cases) do case_rows(rows, case, names) end
    return table.concat(rows)
end

-- ---- pairs ---------------------------------------------------------------------------------------------------------

local PAIR_COLUMNS = { "metric", "verdict", "pair", "log_ratio", "ratio", "base", "new", "unit" }

-- The two values of a pair, where they are kept in the order of the pairs.
local function values_of(v, pair)
    local values = v.values or {}
    local a, b = (values.a or {})[pair], (values.b or {})[pair]
    if type(a) ~= "number" or type(b) ~= "number" or a <= 0 or b <= 0 then return nil end
    if math.abs(math.log(b / a) - v.log_ratios[pair]) > 1e-9 then return nil end
    return a, b
end

local function pair_row(v, names, pair, log_ratio, ratio)
    local row = { n = 1 + #names + #PAIR_COLUMNS, v.case }
    for i, name in ipairs(names) do row[1 + i] = v.params[name] end
    local at = 1 + #names
    row[at + 1], row[at + 2], row[at + 3], row[at + 4], row[at + 5] = v.metric, v.verdict, pair, log_ratio, ratio
    row[at + 6], row[at + 7], row[at + 8] = v.a, v.b, v.unit
    if pair then row[at + 6], row[at + 7] = values_of(v, pair) end
    return line(row)
end

local function pairs_of_runs(doc)
    local names = param_names(doc, doc.verdicts)
    local rows = { header({ "case" }, names, PAIR_COLUMNS) }
    for _, v in ipairs(doc.verdicts) do
        for i, d in ipairs(v.log_ratios or {}) do
            rows[#rows + 1] = pair_row(v, names, i, d, type(d) == "number" and math.exp(d) or nil)
        end
        rows[#rows + 1] = pair_row(v, names, nil, nil, v.effect)
    end
    return table.concat(rows)
end

---@param doc table  a results document
---@return string csv
function M.render(doc)
    if doc.ab and #(doc.verdicts or {}) > 0 then return pairs_of_runs(doc) end
    return samples(doc)
end

return M
