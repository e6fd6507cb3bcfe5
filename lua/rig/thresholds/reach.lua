-- Before a run: whether each threshold is about some case of the scenario. One that the command line left out is told
-- from one that could never be judged, which is a mistake of the scenario's.
-- Not for judging. Neighbours: plan.lua (asks), match.lua (which cases).

local match = require("rig.thresholds.match")
local mistake = require("rig.mistake")

local M = {}

local function reaches(threshold, plan)
    return #match.labels(threshold, plan.cases, plan.varying) > 0
end

local function shown(threshold)
    if threshold.of then return "no two cases differ in just what of and to say" end
    return "no case is as where says"
end

---Raises a rig.Mistake where a threshold can match nothing.
---@param s rig.Scenario
---@param plan rig.Plan
---@param whole fun(): rig.Plan the cases of the scenario as it stands, without the command line
function M.check(s, plan, whole)
    local full
    for _, threshold in ipairs(s.thresholds or {}) do
        if not reaches(threshold, plan) then
            full = full or whole()
            if not reaches(threshold, full) then
                error(mistake.new {
                    file = s.file, line = threshold.line, key = threshold.key, value = threshold.condition.text,
                    problem = shown(threshold), remedy = "rig check lists the cases",
                }, 0)
            end
        end
    end
end

return M
