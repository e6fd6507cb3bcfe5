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

-- As in a message, where Lua has shortened a long path at its beginning.
local function is_own_short(path)
    if is_own("@" .. path) then return true end
    local last = path:match("^%.%.%.(.*)$")
    if not last then return false end
    local folder, file = last:match("^(.*rig/)(.*)$") -- ends as ours does, and goes on with a name
    return folder ~= nil and file ~= "" and OWN:sub(-#folder) == folder
end

local function where_of(frame)
    return ("%s:%d"):format(frame.source:gsub("^@", ""), frame.currentline)
end

local function describe(frame)
    local where = "in " .. where_of(frame)
    return frame.name and ("%s (function '%s')"):format(where, frame.name) or where
end

local function script_frames(level)
    local frames = {}
    while #frames < MOST_FRAMES do
        local frame = debug.getinfo(level, "Snltf")
        if not frame or frame.func == xpcall then break end -- what lies below did not raise, it catches
        local own = is_own(frame.source)
        if own and #frames > 0 then break end -- what called rig is not where the error is
        if frame.what ~= "C" and frame.currentline > 0 and not own then frames[#frames + 1] = frame end
        level = level + 1
    end
    return frames
end

---A message without the position in rig's own Lua that it begins with, if it does: that says nothing to who reads it.
---@param text string
---@return string rest
---@return boolean stripped
function M.strip(text)
    local path, rest = text:match("^([^\n:]+%.lua):%d+: (.*)$")
    if path and is_own_short(path) then return rest, true end
    return text, false
end

-- In place of rig's position the script's, where there is one.
local function positioned(text, frames)
    local rest, stripped = M.strip(text)
    if not stripped or not frames[1] then return rest end
    return ("%s: %s"):format(where_of(frames[1]), rest)
end

local function own_words(value)
    local meta = getmetatable(value)
    if type(meta) == "table" and rawget(meta, "__tostring") then return tostring(value) end
    if type(value) == "table" and type(value.message) == "string" then return value.message end
    return ("an error that is no text but a %s (%s)"):format(type(value), tostring(value))
end

---An error value as one line of text.
---@param value any
---@return string
function M.text(value)
    if type(value) == "string" then return value end
    local fine, text = pcall(own_words, value) -- its metatable may raise in its turn
    return fine and text or ("an error that is no text but a %s"):format(type(value))
end

local function with_frames(text, frames)
    if #frames < 2 then return text end
    local lines = {}
    for i, frame in ipairs(frames) do lines[i] = describe(frame) end
    return text .. "\n  " .. table.concat(lines, "\n  ")
end

-- Lua's own words for want of memory, with what ran out; the core is not there where scenarios are only checked.
local function explained(value)
    if value ~= "not enough memory" then return value end
    local found, core = pcall(require, "rig.core")
    return found and core.memory_why(value) or value
end

---Message handler for xpcall: the error as text, below it the script's own frames where there is more than one.
---@param value any
---@return string
function M.handler(value)
    value = explained(value)
    local frames = script_frames(3)
    return with_frames(positioned(M.text(value), frames), frames)
end

---The same, and the position where the text has none: what a C function complains of (table.unpack of nil) says none.
---@param value any
---@return string
function M.placed(value)
    value = explained(value)
    local frames = script_frames(3)
    local text = positioned(M.text(value), frames)
    if frames[1] and not text:find("^[^\n]-:%d+: ") then text = ("%s: %s"):format(where_of(frames[1]), text) end
    return with_frames(text, frames)
end

---Message handler for a script's file while it loads: a text keeps to one position, any other value passes.
---@param value any
---@return any
function M.locate(value)
    if type(value) ~= "string" then return value end
    return positioned(value, script_frames(3))
end

---The first line of a message that `handler` made.
---@param message string
---@return string
function M.first_line(message)
    return (message:match("^[^\n]*"))
end

return M
