--- Quantities as people read and write them: durations, sizes in bytes, long numbers.
--- Not for numbers of scenarios, which values checks; nothing here rounds what is kept in results.
--- Neighbours: values reads durations with it, plan makes labels and refusals with it.

local M = {}

local SECONDS = {
    ns = 1e-9, us = 1e-6, ["µs"] = 1e-6, ["μs"] = 1e-6, ms = 1e-3,
    s = 1, sec = 1, m = 60, min = 60, h = 3600, d = 86400,
}

local DURATION_STEPS = { { 1, "s" }, { 1e-3, "ms" }, { 1e-6, "µs" }, { 1e-9, "ns" } }
local BYTE_STEPS = { { 1e12, "TB" }, { 1e9, "GB" }, { 1e6, "MB" }, { 1e3, "kB" } }

---Reads a duration: `300ms`, `1.5 s`, `1m30s`, or a bare number of seconds.
---@param text string
---@return number? seconds
---@return string? problem
function M.parse_duration(text)
    local bare = tonumber(text)
    if bare then
        if bare >= 0 and bare < math.huge then return bare end
        return nil, "is not a length of time"
    end
    local total, at = 0, 1
    while at <= #text do
        local number, unit, next_at = text:match("^%s*(%d*%.?%d+)%s*([^%d%s%.]+)%s*()", at)
        number = tonumber(number)
        if not number then return nil, "is not a duration" end
        if not SECONDS[unit] then return nil, ("has the unknown unit %s"):format(unit) end
        total, at = total + number * SECONDS[unit], next_at
    end
    if at == 1 then return nil, "is not a duration" end
    return total
end

-- Three digits are what a reader compares; more would only be noise.
local function three_digits(x)
    if x >= 999.5 then return ("%.0f"):format(x) end
    local whole = #("%d"):format(math.floor(x))
    return (("%%.%df"):format(3 - whole)):format(x)
end

local function scaled(x, steps, smallest)
    for _, step in ipairs(steps) do
        if x >= step[1] * 0.9995 then return three_digits(x / step[1]) .. " " .. step[2] end
    end
    return smallest(x)
end

---@param seconds number
---@return string such as "4.81 ms", "90.0 s"
function M.format_duration(seconds)
    if seconds < 0 then return "-" .. M.format_duration(0.0 - seconds) end
    return scaled(seconds, DURATION_STEPS, function(x) return x == 0 and "0 s" or ("%.2g ns"):format(x * 1e9) end)
end

---@param bytes number
---@return string such as "1.27 GB"; decimal units, as the kernel's own tools and disks count
function M.format_bytes(bytes)
    if bytes < 0 then return "-" .. M.format_bytes(0.0 - bytes) end
    return scaled(bytes, BYTE_STEPS, function(x) return ("%.0f bytes"):format(x) end)
end

---Groups the digits of a whole number; other values come back as Lua prints them.
---@param n any
---@return string such as "158,489,319"
function M.group(n)
    local whole = math.type(n) and math.tointeger(n)
    if not whole then return tostring(n) end
    local sign, digits = tostring(whole):match("^(%-?)(%d+)$")
    local grouped = digits:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
    return sign .. grouped
end

---@param n integer
---@param noun string
---@param plural? string where an s at the end is not enough
---@return string such as "1 case", "10 cases"
function M.count(n, noun, plural)
    return M.group(n) .. " " .. (n == 1 and noun or plural or noun .. "s")
end

return M
