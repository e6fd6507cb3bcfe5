--- `expect_outcomes`: how the tasks of a case were to end, held against how they did.
--- Not for results: those are `expect`'s. Neighbours: declare.lua checks what is declared, case.lua asks for a verdict.

local names = require "rig.names"
local values = require "rig.values"

local M = {}

local KINDS = { "ok", "error", "timeout", "died", "cancelled" }
local KEYS = { "ok", "error", "timeout", "died", "cancelled", "retried", "replaced" }
local is_key = {}
for _, key in ipairs(KEYS) do is_key[key] = true end

M.FORM = "{ died = 1 }"

local function is_count(v)
    return math.type(v) and math.tointeger(v) and v >= 0
end

local function is_range(v)
    return type(v) == "table" and not getmetatable(v) and #v == 2 and is_count(v[1]) and is_count(v[2]) and v[1] <= v[2]
end

---@param given any
---@return table<string, integer|integer[]>? expected
---@return string? problem
---@return string? remedy
function M.check(given)
    if type(given) ~= "table" or getmetatable(given) then
        return nil, ("%s is not a table of counts"):format(values.show(given)), "write " .. M.FORM
    end
    for key in pairs(given) do
        if not is_key[key] then
            return nil, ("unknown key %s"):format(values.show(key)), names.suggest(tostring(key), KEYS)
        elseif not is_count(given[key]) and not is_range(given[key]) then
            return nil, ("%s = %s is no count"):format(key, values.show(given[key])),
                ("write %s = 1, or %s = { 0, 1 } for anything between"):format(key, key)
        end
    end
    return given
end

local function text_of(wanted)
    if type(wanted) ~= "table" then return tostring(wanted) end
    return ("%d to %d"):format(wanted[1], wanted[2])
end

---What of it did not come true. Kinds that are not named were not to be at all; tasks that ended ok, attempts that were
---followed by another and workers that were replaced may be any number then.
---@param expected table<string, integer|integer[]>
---@param record table  outcomes, retried, replaced
---@param shortened? boolean fewer iterations were run: what was expected says only which failures may be
---@return string? difference
function M.difference(expected, record, shortened)
    local list = {}
    for _, key in ipairs(KEYS) do
        local wanted, got = expected[key], record.outcomes[key] or record[key] or 0
        if wanted == nil and key ~= "ok" and record.outcomes[key] then wanted = 0 end
        if shortened and expected[key] ~= nil then wanted = nil end
        if wanted ~= nil then
            local low = type(wanted) == "table" and wanted[1] or wanted
            local high = type(wanted) == "table" and wanted[2] or wanted
            if got < low or got > high then
                list[#list + 1] = ("%s %d, expected %s"):format(key, got, text_of(wanted))
            end
        end
    end
    return #list > 0 and names.join(list, "and") or nil
end

---Whether all tasks ended ok.
---@param outcomes table<string, integer>
---@return boolean
function M.all_ok(outcomes)
    for _, kind in ipairs(KINDS) do
        if kind ~= "ok" and (outcomes[kind] or 0) > 0 then return false end
    end
    return true
end

return M
