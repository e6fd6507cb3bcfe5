-- Figures and lists as sentences and tables show them: ratios, shares, short counts, words joined by commas.
-- Not for reading what people type: that is values and units. Never changes what results keep.
-- Neighbours: units (durations, bytes, grouped digits), findings and report/text use both.

local units = require("rig.units")

local M = {}

M.group = units.group
M.count = units.count

-- Rounded first, so that 99.96 has as many digits as 99.94.
local function rounded(x)
    return tonumber(("%.2e"):format(x))
end

---@param seconds number
---@return string such as "4.81 ms"
function M.duration(seconds)
    return units.format_duration(rounded(seconds))
end

---@param bytes number
---@return string such as "1.27 GB"
function M.bytes(bytes)
    if bytes < 1000 then return units.format_bytes(bytes) end
    return units.format_bytes(rounded(bytes))
end

local SHORT_STEPS = { { 1e12, "T" }, { 1e9, "G" }, { 1e6, "M" }, { 1e3, "K" } }
local SHORTENED_FROM = 10000

-- Rounded to three digits; zeros after the point say nothing in a sentence. What no measurement gives, but a file may
-- say, has a power of ten: its zeros are more than string.format writes.
local function three_digits(x)
    local short = rounded(x)
    local exponent = short == 0 and 0 or math.floor(math.log(math.abs(short), 10) + 1e-9)
    if exponent < -9 or exponent > 15 then return ("%.3g"):format(short) end
    return (("%." .. math.max(0, 2 - exponent) .. "f"):format(short))
end

local function trim_zeros(text)
    if not text:find("^%-?%d+%.%d+$") then return text end
    return (text:gsub("0+$", ""):gsub("%.$", ""))
end

--- A number for a sentence: exact while it is short, three digits and a letter from 10,000 on.
---@param n number
---@return string such as "512", "9,999", "631K", "25.1M", "0.125"
function M.short(n)
    local size = math.abs(n)
    if size >= SHORTENED_FROM then
        for _, step in ipairs(SHORT_STEPS) do
            if size >= step[1] * 0.9995 then return trim_zeros(three_digits(n / step[1])) .. step[2] end
        end
    end
    local whole = math.tointeger(n)
    if whole then return units.group(whole) end
    return trim_zeros(three_digits(n))
end

--- How many times as much.
---@param r number
---@return string such as "30.8 x", "1.05 x", "1,585 x"
function M.ratio(r)
    if r >= 999.5 then return units.group(math.floor(r + 0.5)) .. " x" end
    if r < 1 and r >= 0.095 then return ("%.2f x"):format(r) end
    return three_digits(r) .. " x"
end

---@param low number
---@param high number
---@return string such as "28.4 to 31.0 x"; one number where both look the same
function M.ratio_range(low, high)
    local a, b = M.ratio(low), M.ratio(high)
    if a == b then return a end
    return a:gsub(" x$", "") .. " to " .. b
end

---@param share number 1 for all
---@return string such as "97 %"
function M.percent(share)
    if share ~= 0 and math.abs(share) < 0.005 then return share < 0 and "-<1 %" or "<1 %" end
    return ("%.0f %%"):format(share * 100)
end

--- An exponent of a fit; two digits, and no "-0.00".
---@param e number
---@return string
function M.exponent(e)
    local text = ("%.2f"):format(e)
    return text == "-0.00" and "0.00" or text
end

---@param words string[]
---@param last? string "and" when nil
---@return string such as "a, b and c"
function M.join(words, last)
    if #words < 2 then return words[1] or "" end
    return table.concat(words, ", ", 1, #words - 1) .. " " .. (last or "and") .. " " .. words[#words]
end

--- Numbers of iterations, with runs of three or more as ranges.
---@param numbers integer[] in ascending order
---@return string such as "1, 3 to 5 and 9"
function M.ranges(numbers)
    local words, i = {}, 1
    while i <= #numbers do
        local j = i
        while numbers[j + 1] == numbers[j] + 1 do j = j + 1 end
        if j >= i + 2 then
            words[#words + 1] = ("%d to %d"):format(numbers[i], numbers[j])
        else
            for k = i, j do words[#words + 1] = tostring(numbers[k]) end
        end
        i = j + 1
    end
    return M.join(words)
end

--- A value of a parameter, exact.
---@param v any
---@return string
function M.value(v)
    if math.type(v) == "integer" then return units.group(v) end
    if type(v) == "number" then return ("%.6g"):format(v) end
    if type(v) == "table" then
        local words = {}
        for i, one in ipairs(v) do words[i] = M.value(one) end
        return "{" .. table.concat(words, ", ") .. "}"
    end
    return M.clean(tostring(v))
end

--- Text that may come from anywhere, safe for a terminal: on one line, without control characters (an escape
--- sequence in somebody's results file must not reach the screen) and valid UTF-8.
---@param text string
---@return string
function M.clean(text)
    text = text:gsub("%s*\n%s*", " "):gsub("\t", " ")
    if not utf8.len(text) then text = text:gsub("[\128-\255]", "?") end
    -- C1 controls are two bytes in UTF-8
    return (text:gsub("[%c\127]", "?"):gsub("\xC2[\128-\159]", "?"))
end

--- Columns that text takes on a terminal; every character counts as one.
---@param text string
---@return integer
function M.width(text)
    return utf8.len(text) or #text
end

return M
