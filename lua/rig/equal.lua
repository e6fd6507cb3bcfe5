--- Whether a result is what was expected, where it differs, and how it looks in one line.
--- Values are a scenario's own: their metatables may raise, so tables are read past them.
--- Neighbours: iterate.lua and case.lua. Arrays come from rig.core.

local core = require "rig.core"

local M = {}

local MOST_SHOWN = 8
local DEEPEST = 100
local LONGEST_SHOWN = 60
-- What results keep of a text: enough to recognise it by, whatever a scenario hands over.
local LONGEST_KEPT = 1000

local is_array = core.is_array

---The text of any value; a __tostring that raises, or gives no text, says nothing.
---@param value any
---@return string
function M.text(value)
    local fine, text = pcall(tostring, value)
    return fine and text or "a " .. type(value)
end

---A text of bounded length, with its real length where something was cut off.
---@param text string
---@param most? integer bytes
---@return string
function M.cut(text, most)
    most = most or LONGEST_KEPT
    if #text <= most then return text end
    -- not within a character
    while most > 0 and (text:byte(most + 1) & 0xC0) == 0x80 do most = most - 1 end
    return ("%s… (%d bytes)"):format(text:sub(1, most), #text)
end

local differs

local function differs_as_array(a, b, path, depth)
    if #a ~= #b then return ("%s has %d elements, expected %d"):format(path, #b, #a) end
    for i = 1, #a do
        local found = differs(a[i], b[i], ("%s[%d]"):format(path, i), depth + 1)
        if found then return found end
    end
end

local function key_text(key)
    return M.cut(M.text(key), LONGEST_SHOWN)
end

local function differs_as_table(a, b, path, depth)
    for key, value in next, a do
        local step = math.type(key) == "integer" and ("[%d]"):format(key) or ("." .. key_text(key))
        local found = differs(value, rawget(b, key), path .. step, depth + 1)
        if found then return found end
    end
    for key in next, b do
        if rawget(a, key) == nil then
            return ("%s has '%s', which was not expected"):format(path, key_text(key))
        end
    end
end

local function equals(a, b)
    return a == b
end

-- Equal as Lua or the values' own __eq say; one that raises says nothing.
local function is_same(a, b)
    if rawequal(a, b) then return true end
    local fine, same = pcall(equals, a, b)
    return fine and same
end

-- a is what was expected. NaN is expected where NaN is given: a check that can never hold helps nobody.
function differs(a, b, path, depth)
    if is_same(a, b) then return nil end
    local kind = type(a)
    if kind == "number" and a ~= a and type(b) == "number" and b ~= b then return nil end
    if depth > DEEPEST then return path .. " is nested too deep to be compared" end
    if kind == "table" and type(b) == "table" then return differs_as_table(a, b, path, depth) end
    if is_array(a) and is_array(b) then return differs_as_array(a, b, path, depth) end
    return ("%s is %s, expected %s"):format(path, M.show(b), M.show(a))
end

---@param expected any
---@param value any
---@return boolean
function M.deeply(expected, value)
    return differs(expected, value, "result", 0) == nil
end

---@param expected any a value, or the function that judged
---@param value any
---@return string where they differ, as a sentence
function M.difference(expected, value)
    if type(expected) == "function" then return ("expect says that %s is wrong"):format(M.show(value)) end
    return differs(expected, value, "result", 0) or "no difference"
end

local function show_list(value, depth)
    local shown, n = {}, rawlen(value)
    for i = 1, math.min(n, MOST_SHOWN) do shown[i] = M.show(rawget(value, i), depth + 1) end
    if n > MOST_SHOWN then shown[#shown + 1] = ("… (%d in all)"):format(n) end
    return "{" .. table.concat(shown, ", ") .. "}"
end

local function show_fields(value, depth)
    local keys = {}
    for key in next, value do keys[#keys + 1] = { key = key, text = key_text(key) } end
    table.sort(keys, function(a, b) return a.text < b.text end)
    local shown = {}
    for i = 1, math.min(#keys, MOST_SHOWN) do
        shown[i] = ("%s = %s"):format(keys[i].text, M.show(rawget(value, keys[i].key), depth + 1))
    end
    if #keys > MOST_SHOWN then shown[#shown + 1] = ("… (%d in all)"):format(#keys) end
    return "{" .. table.concat(shown, ", ") .. "}"
end

---A value in one short line.
---@param value any
---@param depth? integer
---@return string
function M.show(value, depth)
    depth = depth or 0
    if type(value) == "string" then
        if #value <= LONGEST_SHOWN then return ("%q"):format(value) end
        return ("%q… (%d bytes)"):format(value:sub(1, LONGEST_SHOWN), #value)
    end
    if type(value) ~= "table" then return M.cut(M.text(value), LONGEST_SHOWN) end
    if depth > 2 then return "{…}" end
    if rawlen(value) > 0 then return show_list(value, depth) end
    return show_fields(value, depth)
end

---A result as results keep it: numbers, short strings and booleans as they are, anything else as text.
---@param value any
---@return number|string|boolean|nil
function M.plain(value)
    local kind = type(value)
    if kind == "string" then return M.cut(value) end
    if kind == "number" or kind == "boolean" or kind == "nil" then return value end
    return M.cut(M.show(value))
end

---What a function of the scenario that judges has returned. Strictly: a reason in the place of the verdict is true to
---Lua, and would pass.
---@param name string of the function
---@param returned table packed
---@return boolean? right nil: it is no verdict
---@return string? why not; without a verdict what is wrong with it
function M.verdict(name, returned)
    local right, why = returned[1], returned[2]
    if returned.n == 0 then return nil, name .. ": returned nothing; return true or false" end
    if right ~= nil and type(right) ~= "boolean" then
        return nil, ("%s: returned %s (a %s); return true or false, and in the second place why not"):format(name,
            M.show(right), type(right))
    end
    return right == true, why ~= nil and M.cut(M.text(why)) or nil
end

return M
