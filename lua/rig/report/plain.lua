-- Text of any bytes as documents for other programs may hold it: valid UTF-8, and no character that XML 1.0 and
-- readers of CSV refuse. What cannot stand is replaced, never dropped, so that it is seen that something was there.
-- Not for terminals, which obey more than these characters: human.clean. Neighbours: junit, csv, markdown, annotations.

local json = require("rig.json")

local M = {}

local REPLACEMENT = "\u{FFFD}"

--- Line ends, tabs and everything printable stay as they are.
---@param text any  what is no string is written as Lua writes it
---@return string
function M.text(text)
    text = json.valid_utf8(tostring(text))
    -- U+FFFE and U+FFFF are valid UTF-8 and no characters of XML
    return (text:gsub("[%z\1-\8\11\12\14-\31\127]", REPLACEMENT):gsub("\xEF\xBF[\xBE\xBF]", REPLACEMENT))
end

--- The same on one line.
---@param text any
---@return string
function M.line(text)
    return (M.text(text):gsub("%s*[\r\n]%s*", " "):gsub("\t", " "))
end

return M
