-- The results document as the text of a JSON file: complete, in a stable order, laid out for people as well.
-- Not for reading it back (results.lua) nor for putting it on disk (the command does, atomically).
-- Neighbours: schema.lua (the fields and their order), rig.json (the notation).

local json = require("rig.json")
local schema = require("rig.report.schema")

local M = {}

---@param doc table  a results document
---@return string|nil text  ends in a newline
---@return string|nil message  names the place that cannot be written
function M.render(doc)
    local text, problem = json.encode(schema.complete(doc), { pretty = true, order = schema.ORDER })
    if not text then return nil, "results cannot be written as JSON: " .. problem end
    return text .. "\n"
end

return M
