--- Whether a result is what was expected, where it differs, and how it looks in one line.
--- Pure but for arrays, which it recognises by their metamethods. Neighbour: iterate.lua.

local M = {}

local MOST_SHOWN = 8
local DEEPEST = 100

-- Arrays of rig and tables are compared alike: by length and element.
local function is_list_like(value)
    if type(value) == "table" then return true end
    return type(value) == "userdata" and getmetatable(value) and getmetatable(value).__len ~= nil
end

local differs

local function differs_as_array(a, b, path, depth)
    if #a ~= #b then return ("%s has %d elements, expected %d"):format(path, #b, #a) end
    for i = 1, #a do
        local found = differs(a[i], b[i], ("%s[%d]"):format(path, i), depth + 1)
        if found then return found end
    end
end

local function differs_as_table(a, b, path, depth)
    for key, value in pairs(a) do
        local step = math.type(key) == "integer" and ("[%d]"):format(key) or ("." .. tostring(key))
        local found = differs(value, b[key], path .. step, depth + 1)
        if found then return found end
    end
    for key in pairs(b) do
        if a[key] == nil then return ("%s has '%s', which was not expected"):format(path, tostring(key)) end
    end
end

-- a is what was expected. NaN is expected where NaN is given: a check that can never hold helps nobody.
function differs(a, b, path, depth)
    if a == b or (a ~= a and b ~= b) then return nil end
    if depth > DEEPEST then return path .. " is nested too deep to be compared" end
    if is_list_like(a) and is_list_like(b) then
        local compare = (type(a) == "table" and type(b) == "table") and differs_as_table or differs_as_array
        return compare(a, b, path, depth)
    end
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
    local shown, n = {}, #value
    for i = 1, math.min(n, MOST_SHOWN) do shown[i] = M.show(value[i], depth + 1) end
    if n > MOST_SHOWN then shown[#shown + 1] = ("… (%d in all)"):format(n) end
    return "{" .. table.concat(shown, ", ") .. "}"
end

local function show_fields(value, depth)
    local keys = {}
    for key in pairs(value) do keys[#keys + 1] = key end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    local shown = {}
    for i = 1, math.min(#keys, MOST_SHOWN) do
        shown[i] = ("%s = %s"):format(tostring(keys[i]), M.show(value[keys[i]], depth + 1))
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
        return #value > 60 and ("%q… (%d bytes)"):format(value:sub(1, 60), #value) or ("%q"):format(value)
    end
    if not is_list_like(value) then return tostring(value) end
    if depth > 2 then return "{…}" end
    if #value > 0 or type(value) == "userdata" then return show_list(value, depth) end
    return show_fields(value, depth)
end

---A result as results keep it: numbers, strings and booleans as they are, anything else as text.
---@param value any
---@return number|string|boolean|nil
function M.plain(value)
    local kind = type(value)
    if kind == "number" or kind == "string" or kind == "boolean" or kind == "nil" then return value end
    return M.show(value)
end

return M
