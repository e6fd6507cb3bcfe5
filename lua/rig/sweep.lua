--- Lists of values to sweep: a scenario's tables, geometric rows, and the text of the command line
--- (`4`, `1..8`, `1e5..1e8:5`, `builtin,custom`).
--- Not for single values: whether one fits its parameter is for values to say.
--- Neighbours: language offers the rows to scenarios; scenario and plan read what people wrote.

local names = require("rig.names")
local values = require("rig.values")

local M = {}

--- More values than this in one sweep are a slip of the keyboard, and would cost memory before anybody could say so.
M.MAX_SWEEP = 10000

---A geometric row from low to high with exact ends. Whole numbers are truncated, and given once where truncation makes
---two of them equal.
---@param low number above 0
---@param high number above low
---@param points integer at least 2
---@param whole boolean
---@return number[]
function M.geometric(low, high, points, whole)
    local list = {}
    for i = 0, points - 1 do
        local x = low * (high / low) ^ (i / (points - 1))
        if i == 0 then x = low elseif i == points - 1 then x = high end
        if whole then
            -- 1000^(1/3) is 9.999999999999998: rounding must not lose a number that is whole but for it
            local nearest = math.floor(x + 0.5)
            x = math.abs(x - nearest) <= 1e-13 * x and nearest or math.floor(x)
        end
        if list[#list] ~= x then list[#list + 1] = x end
    end
    return list
end

---What is wrong with a table as a list of values to sweep.
---@param t table
---@return string? problem
---@return string? remedy
function M.list_problem(t)
    local entries = 0
    for key in pairs(t) do
        if math.type(key) ~= "integer" then
            return ("the list has the key %s"):format(values.show(key)), "give nothing but values, in a row"
        end
        entries = entries + 1
    end
    if entries == 0 then return "the list is empty, so there is nothing to sweep", "give at least one value" end
    if entries ~= #t then return "the list has a hole", "give values in a row, none of them nil" end
    if entries > M.MAX_SWEEP then
        return ("%d values are too many for one sweep"):format(entries), ("give at most %d"):format(M.MAX_SWEEP)
    end
end

---Whether a scenario's value is a list, and so a sweep: not where it is marked by rig.value or has names in it.
---@param given any
---@return boolean
function M.is_list(given)
    return type(given) == "table" and not getmetatable(given) and (given[1] ~= nil or next(given) == nil)
end

-- A value that stands in a sweep twice would make two cases that nobody could tell apart.
local function distinct(spec, list)
    local seen = {}
    for _, v in ipairs(list) do
        local key = values.is_value(v) and v or values.text(spec, v)
        if seen[key] then
            return nil, ("%s is given twice"):format(values.show(v)),
                "give it once; runs = 2 measures every case twice", v
        end
        seen[key] = true
    end
    return list
end

local function check_each(spec, candidates, listed)
    local list = {}
    for i, v in ipairs(candidates) do
        local checked, problem, remedy = values.check(spec, v)
        if checked == nil and listed and type(v) == "table" and spec.type ~= "pool" then
            problem = ("%s is a list inside a list"):format(values.show(v))
            remedy = "a list meant as one value is written rig.value{...}"
        end
        if checked == nil then return nil, problem, remedy, v end
        list[i] = checked
    end
    return distinct(spec, list)
end

---Checks what a scenario gives a parameter: one value, or a list of them to sweep.
---@param spec rig.Spec
---@param given any
---@return any[]? list at least one value
---@return string? problem
---@return string? remedy
---@return any culprit the value that does not fit
function M.list(spec, given)
    local listed = M.is_list(given)
    if listed then
        local problem, remedy = M.list_problem(given)
        if problem then return nil, problem, remedy, given end
        if spec.single and #given > 1 then
            return nil, "it cannot be swept", "give " .. values.expected(spec), given
        end
    end
    return check_each(spec, listed and given or { given }, listed)
end

local function trim(text)
    return (text:match("^%s*(.-)%s*$"))
end

local function number_of(text)
    -- "100,000" arrives as 100 and 000: taken as numbers they would quietly be other sizes
    if text:find("^%-?0%d") then
        return nil, ("%s has leading zeros"):format(values.show(text)),
            "write numbers without them, and without commas between their digits"
    end
    local v = tonumber(text)
    if not v then return nil, ("%s is not a number"):format(values.show(text)) end
    return v
end

local function linear(text, low, high)
    if high < low then
        return nil, ("%s runs downwards"):format(values.show(text)),
            ("write %s..%s"):format(values.show(high), values.show(low))
    elseif high + 0.0 - low >= M.MAX_SWEEP then -- as floats: the difference of two integers may wrap around
        return nil, ("%s has more than %d values"):format(values.show(text), M.MAX_SWEEP),
            ("write %s:5 for 5 values from end to end"):format(text)
    end
    local list = {}
    for v = math.tointeger(low) or low, high do list[#list + 1] = v end
    return list
end

local function spaced(spec, text, low, high, points)
    local shown, whole = values.show(text), spec.type == "integer"
    if not math.tointeger(points) or points < 2 or points > M.MAX_SWEEP then
        return nil, ("%s asks for %s points"):format(shown, values.show(points)),
            ("give 2 to %d after the colon"):format(M.MAX_SWEEP)
    elseif low < (whole and 1 or 5e-324) then
        return nil, ("%s starts at %s, which no ratio leads away from"):format(shown, values.show(low)),
            whole and "start it at 1 or more" or "start it above 0"
    elseif high <= low then
        return nil, ("%s does not rise"):format(shown), "write it from the smaller end to the larger one"
    end
    for _, v in ipairs { low, high } do
        local ok, problem, remedy = values.check(spec, whole and math.floor(v) or v)
        if ok == nil then return nil, problem, remedy end
    end
    return M.geometric(low, high, math.tointeger(points), whole)
end

-- `4`, `1..8` or `1e5..1e8:5`
local function numbers(spec, text)
    local first, rest = text:match("^(.-)%.%.(.*)$")
    local parts = { text }
    if first then
        local last, points = rest:match("^(.*):(.*)$")
        parts = { first, last or rest, points }
    end
    for i, part in ipairs(parts) do
        local v, problem, remedy = number_of(trim(part))
        if not v then
            remedy = remedy or values.word_meant(spec, text)
            return nil, problem, remedy or first and "write a range as 1..8 or 1e5..1e8:5"
                or "give " .. values.expected(spec)
        end
        parts[i] = v
    end
    if #parts == 1 then return parts end
    if #parts == 2 then return linear(text, parts[1], parts[2]) end
    return spaced(spec, text, parts[1], parts[2], parts[3])
end

local read_type = { integer = numbers, number = numbers }

function read_type.boolean(spec, text)
    if text == "true" then return { true } elseif text == "false" then return { false } end
    local accepted = { "true", "false", table.unpack(names.keys(spec.words or {})) }
    return nil, ("%s is neither true nor false"):format(values.show(text)), names.suggest(text, accepted)
end

function read_type.pool(spec, text)
    local pool, problem, remedy = spec.parse_value(text)
    return pool and { pool }, problem, remedy
end

function read_type.value()
    return nil, "its value is a list, which the command line cannot give", "change it in the scenario"
end

local function read(spec, text)
    if text == "" then return nil, "a value is missing", "give " .. values.expected(spec) end
    if spec.words and spec.words[text] ~= nil then return { spec.words[text] } end
    local reader = read_type[spec.type]
    if reader then return reader(spec, text) end
    return { text }
end

---Reads what stands after NAME= on the command line.
---@param spec rig.Spec
---@param text string such as "4", "1..8", "1e5..1e8:5", "builtin,custom"
---@return any[]? list at least one value
---@return string? problem
---@return string? remedy
---@return any culprit
function M.parse(spec, text)
    local given = {}
    for piece in (text .. ","):gmatch("([^,]*),") do
        piece = trim(piece)
        local list, problem, remedy = read(spec, piece)
        if not list then return nil, problem, remedy, piece end
        table.move(list, 1, #list, #given + 1, given)
        if #given > M.MAX_SWEEP then
            return nil, ("more than %d values are too many for one sweep"):format(M.MAX_SWEEP), "give fewer", text
        end
    end
    if spec.single and #given > 1 then
        return nil, ("%s is more than one value, and it cannot be swept"):format(values.show(text)),
            "give " .. values.expected(spec), text
    end
    return check_each(spec, given, false)
end

return M
