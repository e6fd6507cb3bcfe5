--- The three forms that the items of a map may take (a list, a number n for 1..n, an iterator function) as one:
--- a function that gives the next item, and how many there are, where that is known.
--- Neighbours: serial.lua and custom.lua; the C pool reads the same three forms by itself.

local core = require "rig.core"
local equal = require "rig.equal"

local M = {}

local function over_list(items)
    local i, n = 0, rawlen(items)
    return function()
        if i < n then
            i = i + 1
            return i, rawget(items, i)
        end
    end, n
end

local function over_numbers(n)
    local i = 0
    return function()
        if i < n then
            i = i + 1
            return i, i
        end
    end, n
end

local function over_iterator(next_item)
    local i, ended = 0, false
    return function()
        if ended then return nil end -- it is not asked again: a coroutine would raise
        local item = next_item()
        if item == nil then
            ended = true
            return nil
        end
        i = i + 1
        return i, item
    end, nil
end

-- A table that is not empty, and yet a list of nothing.
local function table_problem(items)
    if rawlen(items) > 0 then return nil end
    local key = next(items)
    if key ~= nil then
        local shown = type(key) == "string" and ("'%s'"):format(equal.cut(key, 60)) or equal.show(key)
        return ("a table with the key %s and no item 1; give a list, as in { \"a\", \"b\" }"):format(shown)
    elseif getmetatable(items) ~= nil then
        return "a table with a metatable and nothing in it; give a plain list"
    end
end

---Why something cannot be the items of a map.
---@param items any
---@return string? problem nil when it can
function M.problem(items)
    local kind = type(items)
    if kind == "function" then return nil end
    if core.is_array(items) then return "an array; give a list, as with array:table()" end
    if kind == "table" then return table_problem(items) end
    if math.type(items) == "integer" and items >= 0 then return nil end
    local shown = kind == "nil" and "nil" or ("%s (a %s)"):format(equal.show(items), kind)
    return shown .. " is neither a list, a whole number of at least 0, nor a function"
end

---@param items table|integer|function
---@return fun(): integer?, any next  gives the item's number and the item, or nothing at the end
---@return integer? n nil for an iterator, whose length shows at its end
function M.each(items)
    local kind = type(items)
    if kind == "function" then return over_iterator(items) end
    if math.type(items) == "integer" and items >= 0 then return over_numbers(items) end
    if kind == "table" then return over_list(items) end
    error("items: " .. M.problem(items), 0)
end

return M
