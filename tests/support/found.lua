-- Picks findings out of a document, for tests of what they say. Neighbours: synthetic.lua (documents).

local findings = require("rig.findings")

local M = {}

---@param list table[]
---@param kind string
---@return table[] those of a kind
function M.of_kind(list, kind)
    local found = {}
    for _, finding in ipairs(list) do
        if finding.kind == kind then found[#found + 1] = finding end
    end
    return found
end

---@param doc table
---@param kind string
---@return table? the first of a kind
function M.one(doc, kind)
    return M.of_kind(findings.of(doc), kind)[1]
end

return M
