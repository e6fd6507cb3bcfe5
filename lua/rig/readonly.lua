--- The `p` of hooks: parameters that can be read and not changed, where an unknown name raises with the nearest
--- real one. Lists in it are views, so no case changes what the next one gets.
--- Not for other tables: what a hook returns is the scenario's own. Neighbour: plan makes one for every case.

local mistake = require("rig.mistake")
local names = require("rig.names")

local M = {}

-- Raised at the line of the script that assigned: it called __newindex, which called this.
local function refuse(_, key)
    mistake.raise(("p.%s: parameters are read-only; keep what changes in w.state, or in what setup returns"):format(
        tostring(key)))
end

local view

local function shown(v)
    if type(v) == "table" and not getmetatable(v) then return view(v) end
    return v
end

function view(list)
    return setmetatable({}, {
        __index = function(_, key) return shown(list[key]) end,
        __newindex = refuse,
        __len = function() return #list end,
        __pairs = function(self)
            local function following(_, key)
                local next_key, v = next(list, key)
                return next_key, shown(v)
            end
            return following, self, nil
        end,
        __metatable = "read-only",
    })
end

---@param effective table<string, any> parameters by name; must not change afterwards
---@return table p
function M.params(effective)
    local readable = {}
    for name, v in pairs(effective) do readable[name] = shown(v) end
    return setmetatable({}, {
        __index = function(_, name)
            local v = readable[name]
            if v ~= nil then return v end
            local remedy = names.suggest(name, names.keys(readable))
            mistake.raise(("p.%s: no such parameter; %s"):format(tostring(name), remedy))
        end,
        __newindex = refuse,
        __pairs = function() return next, readable, nil end,
        __metatable = "read-only",
        __name = "parameters",
    })
end

return M
