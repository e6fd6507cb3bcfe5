-- The results document: put together from what a run measured, completed with statistics, findings and status, and
-- read back from a file with every doubt about it said.
-- Not for measuring (runner), showing (report) or writing to disk (cli).
-- Neighbours: report/schema.lua (its shape), stats, findings, status.

local pool_axes = require("rig.axes")
local findings = require("rig.findings")
local json = require("rig.json")
local schema = require("rig.report.schema")
local stats = require("rig.stats")
local status = require("rig.status")

local M = {}

M.SCHEMA = schema.ID

local AXES = { "preset", "impl", "start", "delivery", "channel", "chunk", "barrier" }

--- A document without cases.
---@param info table  rig ({version, commit, build}), argv, label, seed, scenario ({name, about, kind, file, sha256,
---        source, params, git_commit}), host, started (ISO 8601, UTC), varying (names of swept parameters)
---@return table doc
function M.new(info)
    return {
        schema = M.SCHEMA, rig = info.rig, argv = json.list(info.argv), label = info.label, seed = info.seed,
        scenario = info.scenario, host = info.host or {}, started = info.started, status = "passed", exit = 0,
        varying = json.list(info.varying), cases = json.list(), findings = json.list(), skipped = 0,
    }
end

local function summaries(record)
    local found = {}
    for name, times in pairs({ map = record.phases.map_s, reduce = record.phases.reduce_s }) do
        found[name] = stats.summary(times or {})
    end
    return found
end

-- A scenario may record what is not finite (0/0, 1/0); it is kept, as null, and left out of the median.
local function numbers_of(values)
    local list = {}
    for _, value in ipairs(values) do
        if type(value) == "number" and value == value then list[#list + 1] = value end
    end
    return list
end

-- What a case has when nothing in it was measured.
local function defaults(record)
    record.run = record.run or 1
    record.status = record.status or "ok"
    record.verified = record.verified or 0
    record.expected = record.expected or false
    record.phases = record.phases or {}
    for _, name in ipairs({ "map_s", "reduce_s" }) do record.phases[name] = json.list(record.phases[name]) end
    for _, name in ipairs({ "iterations", "warmup", "workers", "errors" }) do record[name] = json.list(record[name]) end
    for _, name in ipairs({ "metrics", "counters" }) do record[name] = record[name] or {} end
    record.replaced = record.replaced or 0
    record.undelivered = record.undelivered or { workers = 0, bytes = 0 }
    record.outcomes = record.outcomes or {}
    for _, kind in ipairs({ "ok", "error", "timeout", "died", "cancelled" }) do
        record.outcomes[kind] = record.outcomes[kind] or 0
    end
end

-- Work is the same in every iteration, so the interval of a rate is that of the median time, turned over.
local function rate_intervals(record)
    local map = record.stats.map
    if not record.rates or not map or not map.ci95 or map.ci95[1] <= 0 then return end
    for _, name in ipairs({ "bytes_per_s", "items_per_s" }) do
        local rate = record.rates[name]
        if rate then
            local work = rate * map.median
            record.rates[name .. "_ci95"] = json.list({ work / map.ci95[2], work / map.ci95[1] })
        end
    end
end

--- Completes a measured (or skipped) case: statistics, medians of metrics, the axes among the parameters. The
--- same table comes back.
---@param record table  what was measured, with the names of the results document; only index and params must be there
---@param axes table|nil  preset, impl, start, delivery, channel, chunk, barrier of the case's pool
---@return table case
function M.case(record, axes)
    defaults(record)
    local params = record.params
    if type(params.pool) == "table" then params.pool = pool_axes.label(params.pool) end
    for _, name in ipairs(AXES) do
        -- a scenario's own parameter of that name keeps its place
        if axes and params[name] == nil then params[name] = axes[name] end
    end
    record.stats = summaries(record)
    rate_intervals(record)
    for _, metric in pairs(record.metrics) do metric.median = stats.median(numbers_of(metric.values)) end
    return record
end

--- Adds a completed case.
---@param doc table
---@param case table  as M.case returned it
function M.add(doc, case)
    doc.cases[#doc.cases + 1] = case
    if case.status == "skipped" then doc.skipped = doc.skipped + 1 end
end

--- Closes the document: status, exit, findings.
---@param doc table
---@param how { ended: string|nil, duration_s: number|nil, signal: integer|nil }|nil  signal: what ended the run early
---@param opts table|nil  for findings.of
---@return table doc  the same table
function M.finish(doc, how, opts)
    how = how or {}
    doc.ended, doc.duration_s, doc.signal = how.ended, how.duration_s, how.signal
    doc.status, doc.exit = status.of(doc)
    doc.findings = json.list(findings.of(doc, opts))
    return doc
end

-- Parameters that rig itself reads, and so relies on; a scenario's own may be of any type.
local PARAM_TYPES = {
    workers = "whole number", iterations = "whole number", warmup = "whole number", runs = "whole number",
    seed = "whole number", size = "number", timeout = "number", pool = "string", preset = "string",
}

local function is_a(kind, value)
    if kind == "whole number" then return type(value) == "number" and math.tointeger(value) ~= nil end
    return type(value) == kind
end

local function shown(value)
    if type(value) == "string" then return ("%q"):format(#value > 40 and value:sub(1, 40) .. "..." or value) end
    if type(value) == "table" then return json.is_list(value) and "a list" or "an object" end
    return tostring(value)
end

local function check_params(params, path)
    for name, kind in pairs(PARAM_TYPES) do
        local value = params[name]
        if value ~= nil and value ~= json.null and not is_a(kind, value) then
            return ("%s.%s is %s, not a %s"):format(path, name, shown(value), kind)
        end
    end
end

-- What the shape alone cannot say.
local function check_sense(doc)
    local seen = {}
    for i, case in ipairs(doc.cases) do
        if seen[case.index] then return ("cases[%d].index is %d, like another's"):format(i, case.index) end
        seen[case.index] = true
        local problem = check_params(case.params, ("cases[%d].params"):format(i))
        if problem then return problem end
        for _, name in ipairs(doc.varying) do
            if case.params[name] == nil and name ~= "runs" then
                return ("cases[%d].params.%s is missing, which varies"):format(i, name)
            end
        end
    end
end

--- Whether a value is a results document that this rig can show and compare.
---@param doc any
---@return true|nil
---@return string|nil problem  names the place
function M.check(doc)
    local ok, problem = schema.check(doc)
    if not ok then return nil, problem end
    problem = check_sense(doc)
    if problem then return nil, problem end
    return true
end

local PIECE = 1 << 20

-- In pieces, and no further than the limit: what has no end has no size to ask for either.
local function read_all(path)
    local file <close>, problem = io.open(path, "rb")
    if not file then return nil, problem end
    local pieces, size = {}, 0
    while size <= json.MAX_BYTES do
        local piece, why = file:read(math.min(PIECE, json.MAX_BYTES + 1 - size))
        if why then return nil, ("%s: %s"):format(path, why) end
        if not piece then return table.concat(pieces) end
        pieces[#pieces + 1], size = piece, size + #piece
    end
    return nil, ("%s: more than the limit of %d bytes"):format(path, json.MAX_BYTES)
end

--- Reads a results document.
---@param path string
---@return table|nil doc
---@return string|nil message  names the file, and the place in it where something is wrong
function M.read(path)
    local text, problem = read_all(path)
    if not text then return nil, problem end
    local doc
    doc, problem = json.decode(text)
    if doc == nil then return nil, ("%s: not JSON: %s"):format(path, problem) end
    local ok
    ok, problem = M.check(doc)
    if not ok then return nil, ("%s: %s"):format(path, problem) end
    return doc
end

return M
