--- What an error in a script's function says: where, what, and the script's own frames, never rig's.
--- Not for deciding what an error means: the runner and the pools do that.
--- Neighbours: case.lua (hooks in the coordinator), pools/serial and pools/custom (tasks). The C pool does the
--- same in core/bind/state.c.

local M = {}

-- Deeper than this a traceback is recursion, and says nothing new.
local MOST_FRAMES = 12

-- "@rig/" in the executable, "@<path>/lua/rig/" while the sources are read: whatever stands before this file's name.
local OWN = debug.getinfo(1, "S").source:match("^(.*)trace%.lua$") or "@rig/"

local function is_own(source)
    return source:sub(1, #OWN) == OWN or source:sub(1, 5) == "@rig/"
end

local function describe(frame)
    local where = ("in %s:%d"):format(frame.source:gsub("^@", ""), frame.currentline)
    return frame.name and ("%s (function '%s')"):format(where, frame.name) or where
end

local function script_frames(level)
    local lines = {}
    while #lines < MOST_FRAMES do
        local frame = debug.getinfo(level, "Snlt")
        if not frame then break end
        local own = is_own(frame.source)
        if own and #lines > 0 then break end -- what called rig is not where the error is
        if frame.what ~= "C" and frame.currentline > 0 and not own then lines[#lines + 1] = describe(frame) end
        level = level + 1
    end
    return lines
end

---An error value as one line of text.
---@param value any
---@return string
function M.text(value)
    if type(value) == "string" then return value end
    local meta = getmetatable(value)
    if type(meta) == "table" and meta.__tostring then return tostring(value) end
    if type(value) == "table" and type(value.message) == "string" then return value.message end
    return ("an error that is no text but a %s (%s)"):format(type(value), tostring(value))
end

---Message handler for xpcall: the error as text, below it the script's own frames where there is more than one.
---@param value any
---@return string
function M.handler(value)
    local text = M.text(value)
    local frames = script_frames(3)
    if #frames < 2 then return text end
    return text .. "\n  " .. table.concat(frames, "\n  ")
end

---The first line of a message that `handler` made.
---@param message string
---@return string
function M.first_line(message)
    return (message:match("^[^\n]*"))
end

return M
