-- What a run says: sentences computed from its document, each with the numbers and cases that it rests on. Nothing is
-- canned, so that they hold for any scenario; a document in, a list out.
-- Not for showing them (report) nor for judging two documents against each other.
-- Neighbours: findings/*.lua, one question each; points.lua is what they all look at.

local axes = require("rig.findings.axes")
local cause = require("rig.findings.cause")
local compare = require("rig.findings.compare")
local crossing = require("rig.findings.crossing")
local faults = require("rig.findings.faults")
local growth = require("rig.findings.growth")
local imbalance = require("rig.findings.imbalance")
local next_step = require("rig.findings.next_step")
local noise = require("rig.findings.noise")
local points = require("rig.findings.points")
local ready = require("rig.findings.ready")
local speedup = require("rig.findings.speedup")

local M = {}

local MOST_METRICS = 3

-- Figures that the scenario recorded itself are compared like times of rig's own, where they are times.
local function of_metrics(doc, found)
    for i, name in ipairs(points.time_metrics(doc)) do
        if i > MOST_METRICS then break end
        local model = points.of(doc, name)
        for _, finder in ipairs({ compare, growth, speedup }) do
            for _, finding in ipairs(finder.find(model)) do
                finding.text = name .. ": " .. finding.text
                finding.evidence.metric = name
                found[#found + 1] = finding
            end
        end
    end
end

-- What is wrong comes before what is slow.
local FINDERS = { faults, compare, crossing, growth, speedup, cause, axes, imbalance, ready, noise }

---@class rig.Finding
---@field kind string  "fault", "wrong", "recovery", "faster", "crossing", "growth", "speedup", "cause", "imbalance",
---        "unready", "noise" or "next"
---@field text string  one sentence or two
---@field evidence table  the numbers, and `cases`: the indexes of the cases they come from

--- All findings of a results document, in the order in which they should be read; a suggestion what to run next, if
--- there is one, is the last.
---@param doc table  a results document, complete or interrupted
---@param opts { exists: (fun(path: string): boolean)|nil }|nil  exists: whether a scenario file is there, to suggest it
---@return rig.Finding[]
function M.of(doc, opts)
    local model = points.of(doc)
    local found = {}
    for _, finder in ipairs(FINDERS) do
        for _, finding in ipairs(finder.find(model, opts or {})) do found[#found + 1] = finding end
    end
    of_metrics(doc, found)
    found[#found + 1] = next_step.find(model, found, opts or {})
    return found
end

return M
