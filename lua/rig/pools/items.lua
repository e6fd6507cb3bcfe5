--- The three forms that the items of a map may take (a list, a number n for 1..n, an iterator function) as one:
--- a function that gives the next item, and how many there are, where that is known.
--- Neighbours: serial.lua and custom.lua; the C pool reads the same three forms by itself.

local core = require "rig.core"

local M = {}

local function over_list(items, n)
    local i = 0
    return function()
        if i < n then
            i = i + 1
            return i, items[i]
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
    local i = 0
    return function()
        local item = next_item()
        if item == nil then return nil end
        i = i + 1
        return i, item
    end, nil
end

---@param items table|integer|function|userdata
---@return fun(): integer?, any next  gives the item's number and the item, or nothing at the end
---@return integer? n nil for an iterator, whose length shows at its end
function M.each(items)
    local kind = type(items)
    if kind == "function" then return over_iterator(items) end
    if math.type(items) == "integer" and items >= 0 then return over_numbers(items) end
    if kind == "table" or core.is_array(items) then return over_list(items, #items) end
    error(("items: %s (a %s) is neither a list, a whole number of at least 0, nor a function"):format(
        tostring(items), kind), 0)
end

return M
