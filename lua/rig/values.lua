--- One value of a parameter: whether it fits its type, and how it is written in a message or on the
--- command line. A type is described by a spec; which parameters there are is not known here.
--- Not for lists of values and for text: that is sweep.
--- Neighbours: axes and params hold the specs, sweep asks for every value whether it fits.

local names = require("rig.names")
local units = require("rig.units")

local M = {}

---@class rig.Spec
---@field name string
---@field type "integer"|"number"|"boolean"|"string"|"enum"|"duration"|"pool"|"value"
---@field min number?
---@field max number?
---@field choices any[]?        what an enum accepts; for other types the only values accepted
---@field words table?          words that stand for a value of their own, as `none` for a timeout
---@field accepts string?       what it accepts, where the type does not say it all
---@field single boolean?       it cannot be swept
---@field check_value function? for type pool: value -> value | nil, problem, remedy
---@field parse_value function? for type pool: text -> value | nil, problem, remedy
---@field show_value function?  for type pool: value -> text

local LONGEST_SHOWN = 60

local value_list = { __name = "rig.value" }

---Marks a list as one value, where a bare list would be swept.
---@param list table
---@return table
function M.value(list)
    return setmetatable({ list = list }, value_list)
end

---@param v any
---@return boolean
function M.is_value(v)
    return getmetatable(v) == value_list
end

local function show_number(v)
    if math.type(v) == "integer" then return tostring(v) end
    if v ~= v then return "nan" end
    local text = ("%.14g"):format(v)
    -- what is shown can be typed again, and is the same number; infinities read back as nil
    if tonumber(text) ~= v and tonumber(text) then text = ("%.17g"):format(v) end
    return text
end

local function show_string(s)
    if #s > LONGEST_SHOWN then s = s:sub(1, LONGEST_SHOWN - 3) .. "..." end
    return '"' .. s:gsub('[%c"\\]', function(c)
        if c == '"' or c == "\\" then return "\\" .. c end
        return ("\\x%02x"):format(c:byte())
    end) .. '"'
end

local function show_table(t)
    local parts, left = {}, 4
    for i = 1, math.min(#t, left) do parts[i], left = M.show(t[i], true), left - 1 end
    for _, key in ipairs(names.keys(t)) do
        if left > 0 then parts[#parts + 1] = key .. " = " .. M.show(t[key], true) end
        left = left - 1
    end
    if left < 0 or #t > 4 then parts[#parts + 1] = "..." end
    return #parts == 0 and "an empty table" or "{ " .. table.concat(parts, ", ") .. " }"
end

---A value as hooks and results see it: without the mark of rig.value.
---@param v any
---@return any
function M.plain(v)
    if M.is_value(v) then return v.list end
    return v
end

---A value as a message names it: short, on one line, whatever it holds.
---@param v any
---@param nested? boolean inside a table, where tables are not opened again
---@return string
function M.show(v, nested)
    local kind = type(v)
    if kind == "number" then return show_number(v) end
    if kind == "string" then return show_string(v) end
    if kind == "boolean" or kind == "nil" then return tostring(v) end
    if M.is_value(v) then return "rig.value" .. show_table(v.list) end
    if kind == "table" and not nested and not getmetatable(v) then return show_table(v) end
    return "a " .. kind
end

---A value as it is written after NAME= on the command line, and in labels.
---@param spec rig.Spec
---@param v any
---@return string
function M.text(spec, v)
    if spec.show_value then return spec.show_value(v) end
    for word, meaning in pairs(spec.words or {}) do
        if meaning == v then return word end
    end
    if type(v) == "string" then return v end
    if type(v) == "table" then return M.show(v) end
    return type(v) == "number" and show_number(v) or tostring(v)
end

---@param spec rig.Spec
---@param list any[]
---@return string[]
function M.texts(spec, list)
    local texts = {}
    for i, v in ipairs(list) do texts[i] = M.text(spec, v) end
    return texts
end

local KINDS = {
    integer = "an integer", number = "a number", boolean = "true or false", string = "a string",
    duration = "a duration", enum = "one of its choices", pool = "a pool", value = "a list in rig.value",
}

local function bounds_of(spec)
    if spec.type == "duration" then return " such as 300ms, 5s or 2m" end
    if spec.min and spec.max then return (" from %s to %s"):format(show_number(spec.min), show_number(spec.max)) end
    if spec.min then return (" of at least %s"):format(show_number(spec.min)) end
    return spec.max and (" of at most %s"):format(show_number(spec.max)) or ""
end

---What a parameter accepts, for messages and help: `an integer from 1 to 4096`.
---@param spec rig.Spec
---@return string
function M.expected(spec)
    local texts
    if spec.choices and not spec.accepts then
        texts = M.texts(spec, spec.choices)
    else
        texts = { spec.accepts or KINDS[spec.type] .. bounds_of(spec) }
    end
    for _, word in ipairs(names.keys(spec.words or {})) do texts[#texts + 1] = word end
    return names.join(texts)
end

local function a_kind(v)
    local kind = type(v)
    if kind == "table" and not getmetatable(v) and #v > 0 then return "a list" end
    return kind == "userdata" and "an object" or "a " .. kind
end

-- nil, what is wrong, what to do: every check ends in one of these
local function refuse(spec, problem, ...)
    return nil, problem:format(...), "give " .. M.expected(spec)
end

local function wrong_kind(spec, v)
    local shown, kind = M.show(v), a_kind(v)
    local problem = ("%s is %s%s"):format(shown, shown == kind and "" or kind .. ", ", "not " .. KINDS[spec.type])
    local numeric = spec.type == "integer" or spec.type == "number"
    if numeric and type(v) == "string" then
        if tonumber(v) then return nil, problem, ("write %s without quotes"):format(v) end
        if v:find("..", 1, true) then
            return nil, problem, "write rig.range(first, last) or rig.logspace(first, last, points)"
        end
    elseif spec.type == "string" and type(v) == "number" then
        return nil, problem, ('write "%s"'):format(show_number(v))
    end
    return refuse(spec, "%s", problem)
end

local function in_bounds(spec, v)
    if spec.min and v < spec.min then
        return refuse(spec, "%s is below %s", show_number(v), show_number(spec.min))
    elseif spec.max and v > spec.max then
        return refuse(spec, "%s is above %s", show_number(v), show_number(spec.max))
    end
    return v
end

local function is_finite(v)
    return v == v and v > -math.huge and v < math.huge
end

local check_type = {}

function check_type.integer(spec, v)
    if type(v) ~= "number" then return wrong_kind(spec, v) end
    local whole = math.tointeger(v)
    if whole then return in_bounds(spec, whole) end
    if not is_finite(v) or v % 1 ~= 0 then return refuse(spec, "%s is not a whole number", show_number(v)) end
    local inside, problem, remedy = in_bounds(spec, v)
    if not inside then return nil, problem, remedy end
    return refuse(spec, "%s does not fit 64 bits", show_number(v))
end

function check_type.number(spec, v)
    if type(v) ~= "number" then return wrong_kind(spec, v) end
    if not is_finite(v) then return refuse(spec, "%s is not a finite number", show_number(v)) end
    return in_bounds(spec, v + 0.0)
end

function check_type.boolean(spec, v)
    if type(v) ~= "boolean" then return wrong_kind(spec, v) end
    return v
end

function check_type.string(spec, v)
    if type(v) ~= "string" then return wrong_kind(spec, v) end
    return v
end

check_type.enum = check_type.string

function check_type.duration(spec, v)
    if type(v) == "string" then
        local seconds, problem = units.parse_duration(v)
        if not seconds then return refuse(spec, "%s %s", M.show(v), problem) end
        v = seconds
    elseif type(v) ~= "number" then
        return wrong_kind(spec, v)
    end
    if not is_finite(v) then return refuse(spec, "%s is not a length of time", show_number(v)) end
    return in_bounds(spec, v)
end

function check_type.pool(spec, v)
    return spec.check_value(v)
end

function check_type.value(spec, v)
    if M.is_value(v) then return v end
    return wrong_kind(spec, v)
end

local function in_choices(spec, v)
    if not spec.choices then return v end
    for _, choice in ipairs(spec.choices) do
        if choice == v then return v end
    end
    local known = M.texts(spec, spec.choices)
    for _, word in ipairs(names.keys(spec.words or {})) do known[#known + 1] = word end
    local problem, nearest, close = ("%s is not one of its values"):format(M.show(v)), names.nearest(tostring(v), known)
    if spec.accepts and not close then return nil, problem, "use " .. M.expected(spec) end
    return nil, problem, close and ("did you mean %s?"):format(nearest) or names.suggest(v, known)
end

---Whether a value from a scenario fits; integral floats become integers, durations seconds, words what they stand for.
---@param spec rig.Spec
---@param v any
---@return any value nil when it does not
---@return string? problem
---@return string? remedy
function M.check(spec, v)
    if type(v) == "string" and spec.words and spec.words[v] ~= nil then return spec.words[v] end
    if M.is_value(v) and spec.type ~= "value" then
        return refuse(spec, "%s is one list, which this does not take", M.show(v))
    end
    local checked, problem, remedy = check_type[spec.type](spec, v)
    if checked ~= nil then return in_choices(spec, checked) end
    return nil, problem, M.word_meant(spec, v) or remedy
end

---The remedy for a word that was mistyped (`atuo`), where the spec has one that is near.
---@param spec rig.Spec
---@param v any
---@return string?
function M.word_meant(spec, v)
    if type(v) ~= "string" or not spec.words then return nil end
    local word, close = names.nearest(v, names.keys(spec.words))
    return close and ("did you mean %s?"):format(word) or nil
end

return M
