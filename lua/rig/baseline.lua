--- Saved results as the measure of new ones: read with every doubt, compared, and what that comes to put into the new
--- document. A file that cannot be relied on is refused, because "no regression" would be a lie.
--- Not for judging: compare.lua does. Not for printing or exiting: cli.lua.
--- Neighbours: results.lua (reads), compare.lua (judges), report/changes.lua (shows).

local compare = require "rig.compare"
local core = require "rig.core"
local json = require "rig.json"
local results = require "rig.results"
local sound = require "rig.compare.sound"
local status = require "rig.status"

local M = {}

local KIND = { folder = "is a folder", other = "is no regular file (a pipe, a device); save it as one first" }

-- Asked before it is opened: a FIFO waits for its other end, for ever.
local function read_document(path)
    if path == "" then return nil, "the file's name is empty" end
    local kind, why = core.file_kind(path)
    if not kind then return nil, ("%s: %s"):format(path, (why:match "[^:]*$":gsub("^ ", ""))) end
    if kind ~= "file" then return nil, ("%s: %s"):format(path, KIND[kind]) end
    return results.read(path)
end

---Reads a baseline.
---@param path string
---@return table? doc
---@return string? problem names the file, and what in it cannot be
function M.read(path)
    local doc, problem = read_document(path)
    if not doc then return nil, problem end
    problem = compare.no_baseline(doc)
    if problem then return nil, ("%s: %s"):format(path, problem) end
    return doc
end

-- What an earlier comparison of theirs came to is not what this one will.
local function forget_comparison(doc)
    if not doc.baseline then return end
    doc.baseline, doc.verdicts = nil, nil
    if doc.status == "regressed" or doc.status == "inconclusive" then doc.status, doc.exit = status.of(doc) end
end

local NOTHING_TO_SAY = { faulted = true, error = true, interrupted = true }

---Reads the results that are to be compared with a baseline. A wrong result or a broken threshold is no hindrance: what
---did not end well is not compared, and the exit status stays.
---@param path string
---@return table? doc
---@return string? problem
function M.read_new(path)
    local doc, problem = read_document(path)
    if not doc then return nil, problem end
    if NOTHING_TO_SAY[doc.status] then
        return nil, ("%s: nothing to compare: the status of its run is %s"):format(path, doc.status)
    end
    local unsound = doc.ab and "an A/B run has its verdicts already" or select(2, sound.check(doc))
    if unsound then return nil, ("%s: nothing to compare: %s"):format(path, unsound) end
    forget_comparison(doc)
    return doc
end

---Whether a plan has a case that the baseline can be asked about: known before an hour is spent on it.
---@param base table
---@param plan rig.Plan
---@return string? problem
function M.check_plan(base, plan)
    local declared = {}
    for _, param in ipairs(plan.scenario.params) do declared[param.name] = param.values end
    local planned = { schema = results.SCHEMA, varying = plan.varying, cases = {},
        scenario = { name = plan.scenario.name, params = declared,
            kind = plan.scenario.hooks.body and "body" or "map" } }
    for i, case in ipairs(plan.cases) do
        local record = require("rig.case").empty(case)
        planned.cases[i] = results.case(record, case.axes)
    end
    return compare.nothing_to_compare(base, planned)
end

---@class rig.GateOptions
---@field gate { time: boolean?, counters: boolean? }?
---@field min_effect number?
---@field accept_counters boolean?
---@field strict boolean?

local function conclude(doc, outcome, strict, is_partial)
    local exit = 0
    if outcome == "regressed" then exit = status.EXIT.regressed end
    local unsettled = outcome == "inconclusive" or outcome == "nothing" or outcome == "passed" and is_partial
    if strict and unsettled then exit = status.EXIT.inconclusive end
    doc.exit = status.worst(doc.exit, exit)
    if exit ~= 0 then
        doc.status = status.word(doc.exit)
    elseif outcome == "inconclusive" and doc.status == "passed" then
        doc.status = "inconclusive"
    end
end

---Compares, and puts verdicts, status and exit status into the new document.
---@param doc table the new results
---@param base table as M.read returned it
---@param path string the baseline's name
---@param opts rig.GateOptions
---@return string? problem why they cannot be compared; the document is as it was, but for its status
function M.apply(doc, base, path, opts)
    local verdicts, notes, counts = compare.documents(base, doc, opts)
    local gate = opts.gate or {}
    doc.baseline = {
        file = path, started = base.started, gate_time = gate.time == true, gate_counters = gate.counters == true,
        accept_counters = opts.accept_counters == true, min_effect = opts.min_effect or compare.MIN_EFFECT,
        notes = json.list(verdicts and notes or { notes }),
        compared = counts and counts.compared, not_compared = counts and counts.not_compared,
    }
    if not verdicts then
        -- a run that failed has said so; that nothing of it can be compared follows from that
        if doc.exit == 0 then doc.exit, doc.status = status.EXIT.unreadable, status.word(status.EXIT.unreadable) end
        return ("%s: %s"):format(path, notes)
    end
    doc.verdicts = json.list(doc.verdicts)
    table.move(verdicts, 1, #verdicts, #doc.verdicts + 1, doc.verdicts)
    conclude(doc, compare.outcome(verdicts), opts.strict, counts.not_compared > 0)
end

---Whether two names are of one file: results must not replace the baseline that they did not live up to.
---@param path string
---@param other string
---@return boolean
function M.is_same_file(path, other)
    if path == other then return true end
    local real = core.real_path(path)
    return real ~= nil and real == core.real_path(other)
end

return M
