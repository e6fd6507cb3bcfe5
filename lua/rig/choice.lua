--- Which values of every parameter are to run: the scenario's and the command line's, what --only leaves of them,
--- and what other options set.
--- Not for combining them: plan does, and is its only user. Neighbour: params reads the text.

local mistake = require("rig.mistake")
local names = require("rig.names")
local params = require("rig.params")
local values = require("rig.values")

local M = {}

---@class rig.Chosen
---@field param rig.Param
---@field values any[]
---@field asked boolean  the command line named these values

local function usage(key, value, problem, remedy)
    error(mistake.new { kind = "usage", key = key, value = value, problem = problem, remedy = remedy }, 0)
end

local function texts_of(param, list)
    local texts, is_text = values.texts(param, list), {}
    for _, text in ipairs(texts) do is_text[text] = true end
    return texts, is_text
end

-- `{ name = "size", text = "1e5,1e6" }`, or values in place of the text.
local function wanted_values(param, only)
    if only.values then return only.values end
    local list, problem, remedy, culprit = params.parse(param, only.text)
    if not list then usage("--only " .. param.name, culprit, problem, remedy) end
    return list
end

local function keep_only(param, only)
    local there, is_there = texts_of(param, param.values)
    local wanted, is_wanted = texts_of(param, wanted_values(param, only))
    for _, text in ipairs(wanted) do
        if not is_there[text] then
            -- between numbers, likeness of digits means nothing
            local remedy = tonumber(text) and "use " .. names.join(there) or names.suggest(text, there)
            usage("--only " .. param.name, text, ("%s is not among its values"):format(text), remedy)
        end
    end
    local kept = {}
    for i, v in ipairs(param.values) do
        if is_wanted[there[i]] then kept[#kept + 1] = v end
    end
    return kept
end

-- --seed and --timeout set a parameter, and choose no case by it: `asked` stays as it is.
local function set_by_option(chosen, name, given)
    if given == nil then return end
    local v, problem, remedy = values.check(chosen[name].param, given)
    if v == nil then usage("--" .. name, given, problem, remedy) end
    chosen[name].values = { v }
end

---In the scenario's order, and by name. Raises a rig.Mistake.
---@param s rig.Scenario
---@param opts {only?:table[], smoke?:boolean, seed?:integer, timeout?:number|string}
---@return rig.Chosen[]
function M.make(s, opts)
    local chosen = {}
    for i, param in ipairs(s.params) do
        chosen[i] = { param = param, values = param.values, asked = param.origin == "command line" }
        chosen[param.name] = chosen[i]
    end
    for _, only in ipairs(opts.only or {}) do
        local entry = chosen[only.name]
        if not entry then
            usage("--only " .. tostring(only.name), only.name, "no such parameter",
                names.suggest(only.name, params.names(s.params)))
        end
        entry.values, entry.asked = keep_only(entry.param, only), true
    end
    set_by_option(chosen, "seed", opts.seed)
    set_by_option(chosen, "timeout", opts.timeout)
    if opts.smoke then
        chosen.iterations.values, chosen.runs.values, chosen.warmup.values = { 1 }, { 1 }, { 0 }
    end
    return chosen
end

---The names of the parameters with more than one value, in order.
---@param chosen rig.Chosen[]
---@return string[]
function M.varying(chosen)
    local list = {}
    for _, entry in ipairs(chosen) do
        if #entry.values > 1 then list[#list + 1] = entry.param.name end
    end
    return list
end

---Whether any value came from the command line.
---@param chosen rig.Chosen[]
---@return boolean
function M.asked(chosen)
    for _, entry in ipairs(chosen) do
        if entry.asked then return true end
    end
    return false
end

return M
