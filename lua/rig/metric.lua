--- `rig.metric(name, value, unit)`: figures of a script's own, kept for the case that is being measured.
--- Not for rig's own figures: those are fields of the case.
--- Neighbours: case.lua opens and takes the collection, init.lua publishes `record`.

local mistake = require "rig.mistake"

local M = {}

local open = nil -- name -> { unit, values }, while a case is being measured
local around = {} -- those of the cases around it, innermost last
local in_worker = false

local function finite(value)
    return value - value == 0
end

---Records one value of a metric. To be called in `body`, `reduce`, `setup`, `fixed`, `items` or `expect`.
---@param name string
---@param value number one that is not finite (0/0, 1/0) is kept as null: it counts in no median and breaks thresholds
---@param unit? string "s", "B", …; the same for all values of a metric
function M.record(name, value, unit)
    if type(name) ~= "string" or name == "" then
        mistake.raise(("rig.metric: the name is %s; give a string"):format(tostring(name)))
    end
    if type(value) ~= "number" then
        mistake.raise(("rig.metric %s: the value is a %s; give a number"):format(name, type(value)))
    end
    if unit ~= nil and type(unit) ~= "string" then
        mistake.raise(("rig.metric %s: the unit is a %s; give a string such as \"s\""):format(name, type(unit)))
    end
    if in_worker then
        mistake.raise(("rig.metric %s: called in a worker; return the value and record it in reduce"):format(name))
    end
    if not open then
        mistake.raise(("rig.metric %s: no case is being measured; call it in body or reduce"):format(name))
    end
    local metric = open[name]
    if not metric then
        metric = { unit = unit, values = {} }
        open[name] = metric
    elseif metric.unit ~= unit then
        mistake.raise(("rig.metric %s: the unit was %s and is now %s; keep one"):format(name,
            metric.unit or "none", unit or "none"))
    end
    metric.values[#metric.values + 1] = finite(value) and value or 0 / 0
end

---Starts a new collection; the one that was open goes on after it (a hook may call rig.run).
function M.start()
    around[#around + 1] = open or false
    open = {}
end

---Ends the collection and gives it back.
---@return table<string, {unit:string?, values:number[]}>
function M.take()
    local metrics = open or {}
    open = table.remove(around) or nil
    return metrics
end

---From now on this process is a worker, whose records would be lost.
function M.forbid()
    in_worker = true
end

return M
