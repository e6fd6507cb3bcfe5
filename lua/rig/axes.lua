--- What pools differ in: the axes with their values, the presets over them, and the combinations that cannot
--- be, each with its reason.
--- Not for running anything: core and pools do what is resolved here.
--- Neighbours: params turns the axes into parameters, plan asks `resolve` for every case.

local names = require("rig.names")
local values = require("rig.values")

local M = {}

---@class rig.AxisValue
---@field name string
---@field help string
---@field later boolean?  designed, but not in this version

---@class rig.Axis
---@field name string
---@field help string
---@field values rig.AxisValue[]
---@field spec rig.Spec

---@type rig.Axis[]
M.axes = {
    {
        name = "start", help = "how a worker comes to be",
        values = {
            { name = "fork", help = "a copy of the coordinator" },
            { name = "spawn", help = "a fresh process that loads the scenario itself" },
            { name = "thread", help = "a thread of the coordinator", later = true },
            { name = "mpi", help = "an MPI rank", later = true },
        },
    },
    {
        name = "delivery", help = "how a worker gets the fixed data",
        values = {
            { name = "inherit", help = "copy-on-write memory of the coordinator" },
            { name = "send", help = "a copy over the worker's own channel" },
            { name = "queue", help = "a copy through one queue that all workers share" },
            { name = "shm", help = "one read-only mapping that all share" },
        },
    },
    {
        name = "channel", help = "what items and results travel through",
        values = {
            { name = "pipe", help = "a pair of pipes for each worker" },
            { name = "socket", help = "a socketpair for each worker" },
            { name = "ring", help = "a pair of rings in shared memory for each worker" },
            { name = "queue", help = "one task queue and one result queue that all share" },
        },
    },
    { name = "chunk", help = "items in one message; auto adapts to how long they take", values = {} },
    { name = "barrier", help = "every worker holds the fixed data before the first item goes out", values = {} },
}

---@type table<string, rig.Axis>
M.axis = {}
for _, axis in ipairs(M.axes) do M.axis[axis.name] = axis end

local function names_of(list)
    local found = {}
    for i, entry in ipairs(list) do found[i] = entry.name end
    return found
end

---The names of what this version has, for help and messages.
---@param list {name:string, later?:boolean}[]
---@return string[]
function M.available(list)
    local found = {}
    for _, entry in ipairs(list) do
        if not entry.later then found[#found + 1] = entry.name end
    end
    return found
end

-- The choices hold what is still to come too: a known word deserves another answer than an unknown one.
for _, name in ipairs { "start", "delivery", "channel" } do
    local list = M.axis[name].values
    M.axis[name].spec = {
        name = name, type = "enum", choices = names_of(list), accepts = table.concat(M.available(list), ", "),
    }
end
M.axis.chunk.spec = { name = "chunk", type = "integer", min = 1, max = 1 << 31, words = { auto = "auto" } }
M.axis.barrier.spec = { name = "barrier", type = "boolean" }

local IMPL = { name = "impl", type = "enum", choices = { "c", "lua" } }

---@class rig.Axes  what a case's pool is made of
---@field preset string
---@field impl "c"|"lua"
---@field start string
---@field delivery string
---@field channel string
---@field chunk "auto"|integer
---@field barrier boolean
---@field max_messages? integer of tasks, after which a worker is replaced

--- The presets, in the order in which help lists them.
M.presets = {
    { name = "serial", impl = "lua", start = "none", delivery = "none", channel = "none", chunk = 1, barrier = true,
      processes = false, help = "no processes: the baseline of every speed-up" },
    { name = "builtin", impl = "c", start = "fork", delivery = "inherit", channel = "socket", chunk = "auto",
      barrier = true, help = "fork, inherit, socket, barrier" },
    { name = "custom", impl = "lua", start = "fork", delivery = "queue", channel = "queue", chunk = 1,
      barrier = false, help = "fork, queue, queue, chunk 1, no barrier; written in Lua" },
    { name = "shm", impl = "c", start = "fork", delivery = "shm", channel = "ring", chunk = "auto",
      barrier = true, help = "fork, shm, ring, barrier" },
    { name = "spawn", impl = "c", start = "spawn", delivery = "send", channel = "socket", chunk = "auto",
      barrier = true, help = "spawn, send, socket, barrier" },
    { name = "per_task", impl = "c", start = "fork", delivery = "inherit", channel = "pipe", chunk = 1,
      barrier = true, max_messages = 1, help = "a fork for each chunk, inherit, pipe" },
}

local preset_named = {}
for _, preset in ipairs(M.presets) do preset_named[preset.name] = preset end

-- What rig.pool_type gives back, by its metatable: a table with `name` and `preset`.
M.type_meta = { __name = "rig.pool_type" }

---@class rig.TypePreset  a pool type of a script's own, among the presets
---@field name string
---@field impl "lua"
---@field help string
---@field own { start: function, map: function, close: function, where: string? }
---@field understands table<string, table>  for each axis that it declares: `all`, or its values as keys
---@field start string?  its default for each of these axes

local function remove(preset)
    for i = #M.presets, 1, -1 do
        if M.presets[i] == preset then table.remove(M.presets, i) end
    end
end

---Puts a pool type among the presets; one of the same name goes.
---@param preset rig.TypePreset
function M.add_type(preset)
    remove(preset_named[preset.name])
    preset_named[preset.name], preset.hidden = preset, nil
    M.presets[#M.presets + 1] = preset
end

---Takes pool types off the list: another file is not to choose from them. What has been resolved keeps them.
---@param is_old fun(preset: rig.TypePreset): boolean
function M.hide_types(is_old)
    for i = #M.presets, 1, -1 do
        local preset = M.presets[i]
        if preset.own and is_old(preset) then
            table.remove(M.presets, i)
            preset.hidden = true
        end
    end
end

---@param name string
---@return table? preset of rig's own, or a rig.TypePreset
function M.preset(name)
    return preset_named[name]
end

-- Why a pool type cannot have this value of an axis; nothing for presets of rig's own.
local function type_problem(preset, field, value)
    if not preset.own then return nil end
    if field == "impl" then
        if value == "lua" then return nil end
        return ("the pool type %s is written in Lua, so it has no impl = %s"):format(preset.name, value), "remove impl"
    end
    local known = preset.understands[field]
    if not known then
        return ("the pool type %s does not declare the axis %s, so it cannot follow it"):format(preset.name, field),
            ("leave %s out, or declare it in the axes of %s"):format(field, preset.name)
    elseif not known.all and not known[value] or known.numbers and type(value) ~= "number" then
        return ("the pool type %s does not understand %s = %s"):format(preset.name, field,
            values.text(M.axis[field].spec, value)), "use " .. known.accepts
    end
end

---Whether a preset starts any: serial does not, so neither axes nor `workers` mean anything to it.
---@param name string
---@return boolean
function M.has_processes(name)
    return preset_named[name].processes ~= false
end

-- The fields of a pool's table beside the axes, in the order in which a label has them.
local FIELDS = { "start", "delivery", "channel", "chunk", "barrier", "impl" }

local function field_spec(name)
    return name == "impl" and IMPL or M.axis[name].spec
end

---What a pool is called in tables, results and on the command line.
---@param pool string|table
---@return string such as "custom+delivery=inherit"
function M.label(pool)
    if type(pool) == "string" then return pool end
    if pool.name then return pool.name end
    local parts = { pool.base }
    for _, field in ipairs(FIELDS) do
        if pool[field] ~= nil then parts[#parts + 1] = field .. "=" .. values.text(field_spec(field), pool[field]) end
    end
    return table.concat(parts, "+")
end

local function is_type(pool)
    return getmetatable(pool) == M.type_meta
end

local function check_base(name)
    if is_type(name) then
        -- whoever has it in hand means this one, whatever goes by its name elsewhere
        if preset_named[name.name] ~= name.preset or name.preset.hidden then M.add_type(name.preset) end
        name = name.name
    end
    if type(name) ~= "string" then
        return nil, ("%s is not the name of a pool"):format(values.show(name)),
            'give a name such as "builtin", or { base = "custom", delivery = "inherit" }'
    elseif not preset_named[name] or preset_named[name].hidden then
        return nil, ("%s is not a pool"):format(values.show(name)), names.suggest(name, names_of(M.presets))
    end
    return name
end

local function check_field(pool, key, v)
    if key == "base" then return check_base(v) end
    if key == "name" then
        if type(v) == "string" and v:find("^[%w_][%w_ .+-]*$") then return v end
        return nil, ("name = %s is not a name"):format(values.show(v)), "give letters, digits, spaces or any of _.+-"
    end
    if key ~= "impl" and not M.axis[key] then
        return nil, ("%s is not an axis of a pool"):format(values.show(key)),
            names.suggest(key, { "base", "name", table.unpack(FIELDS) })
    end
    local checked, problem, remedy = values.check(field_spec(key), v)
    if checked == nil then return nil, key .. ": " .. problem, remedy end
    if not M.has_processes(pool.base) then
        return nil, ("%s has no processes, so %s means nothing to it"):format(pool.base, key), ("remove %s"):format(key)
    end
    problem, remedy = type_problem(preset_named[pool.base], key, checked)
    if problem then return nil, problem, remedy end
    return checked
end

---A pool as a scenario gives it: the name of a preset, or a table that changes some of its axes.
---@param pool any
---@return string|table|nil checked a copy, reduced to the preset's name where nothing is changed
---@return string? problem
---@return string? remedy
function M.check_pool(pool)
    if type(pool) ~= "table" or is_type(pool) then return check_base(pool) end
    if pool.base == nil then
        return nil, ("%s does not say which pool it changes"):format(values.show(pool)),
            'give base, as in { base = "custom", delivery = "inherit" }'
    end
    local base, problem, remedy = check_base(pool.base)
    if not base then return nil, problem, remedy end
    local checked, changes = { base = base }, 0
    for _, key in ipairs(names.keys(pool)) do
        local field
        field, problem, remedy = check_field(checked, key, pool[key])
        if field == nil then return nil, problem, remedy end
        checked[key], changes = field, changes + 1
    end
    return changes == 1 and checked.base or checked
end

-- `4`, `true` and `shm` as the values that a pool's table would hold
local function field_value(field, text)
    if field == "chunk" then return tonumber(text) or text end
    if field == "barrier" and (text == "true" or text == "false") then return text == "true" end
    return text
end

---A pool as the command line gives it: a preset, a label (`custom+delivery=inherit`), or a name the scenario declared.
---@param text string
---@param declared? any[] pools of the scenario
---@return string|table|nil pool
---@return string? problem
---@return string? remedy
function M.parse_pool(text, declared)
    local known = names_of(M.presets)
    for _, pool in ipairs(declared or {}) do
        if M.label(pool) == text then return pool end
        if type(pool) == "table" then table.insert(known, 1, M.label(pool)) end
    end
    local base, rest = text:match("^([^+]*)(.*)$")
    if rest == "" and not preset_named[base] then
        return nil, ("%s is not a pool"):format(values.show(text)), names.suggest(text, known)
    end
    local pool = { base = base }
    for part in rest:gmatch("%+([^+]*)") do
        local field, value = part:match("^([^=]+)=(.*)$")
        if not field or field == "base" or field == "name" then
            return nil, ("%s does not change an axis"):format(values.show(part)), "write it as custom+delivery=inherit"
        end
        pool[field] = field_value(field, value)
    end
    return M.check_pool(pool)
end

-- Settings that contradict each other. All of `all` must hold; the reason follows "A cannot go with B: ".
local IMPOSSIBLE = {
    {
        all = { start = "spawn", delivery = "inherit" },
        reason = "a fresh process has none of the coordinator's memory to inherit",
        remedy = "use delivery = send, queue or shm, or start = fork",
    },
    {
        all = { delivery = "send", channel = "queue" },
        reason = "a queue is shared by all workers, so none has a channel of its own to be sent something over",
        remedy = "use delivery = queue, or channel = pipe, socket or ring",
    },
    {
        all = { channel = "ring", impl = "lua" },
        reason = "a pool written in Lua is made of the primitives that scripts have, and a ring is none of them",
        remedy = "use channel = pipe, socket or queue, or impl = c",
    },
    {
        all = { start = "spawn", impl = "lua" },
        reason = "the pool written in Lua forks, and its functions cannot cross into a fresh process",
        remedy = "use impl = c, or start = fork",
    },
}

local function contradiction(axes)
    for _, rule in ipairs(IMPOSSIBLE) do
        local holds, said = true, {}
        for _, field in ipairs(FIELDS) do
            local wanted = rule.all[field]
            if wanted then
                holds = holds and axes[field] == wanted
                said[#said + 1] = field .. " = " .. wanted
            end
        end
        if holds then return ("%s cannot go with %s: %s"):format(said[1], said[2], rule.reason), rule.remedy end
    end
end

-- What the design names and this version lacks. Asked for after contradictions, whose reason holds for ever.
local function missing(preset, axes)
    if preset.later then
        return ("pool %s is not available in this version"):format(preset.name),
            "use " .. names.join(M.available(M.presets))
    end
    for _, axis in ipairs(M.axes) do
        for _, value in ipairs(axis.values) do
            if value.later and value.name == axes[axis.name] then
                return ("%s = %s is not available in this version"):format(axis.name, value.name),
                    "use " .. names.join(M.available(axis.values)), axis.name
            end
        end
    end
end

-- The parameter to blame for a refused combination: the first axis that the user set, else the pool.
local function blamed(axes, set)
    for _, axis in ipairs(M.axes) do
        if set[axis.name] ~= nil and axes[axis.name] == set[axis.name] then return axis.name end
    end
    return "pool"
end

local function refusal(preset, axes, set)
    local problem, remedy = contradiction(axes)
    if problem then return problem, remedy, blamed(axes, set) end
    local axis
    problem, remedy, axis = missing(preset, axes)
    return problem, remedy, set[axis] ~= nil and axis or "pool"
end

-- The pool types of what was resolved; beside it, because results show all that is in it.
local type_of = setmetatable({}, { __mode = "k" })

---What a pool is made of, once the parameters that the user set have been put over its preset.
---@param pool string|table as check_pool returned it
---@param set table<string, any> axes set as parameters; they win over the preset, and must not contradict the table
---@return rig.Axes? axes
---@return string? problem
---@return string? remedy
---@return string? key the parameter to blame: pool or an axis
function M.resolve(pool, set)
    local base = type(pool) == "table" and pool.base or pool
    local own = type(pool) == "table" and pool or {}
    local preset = preset_named[base]
    local axes = { preset = base, impl = own.impl or preset.impl, max_messages = preset.max_messages }
    for _, axis in ipairs(M.axes) do
        local name = axis.name
        local fixed, chosen = own[name], set[name]
        if not M.has_processes(base) then chosen = nil end
        if chosen ~= nil then
            local problem, remedy = type_problem(preset, name, chosen)
            if problem then return nil, problem, remedy, name end
        end
        if fixed ~= nil and chosen ~= nil and fixed ~= chosen then
            return nil, ("%s = %s contradicts the pool %s"):format(name, values.text(axis.spec, chosen), M.label(pool)),
                ("set %s in one place"):format(name), name
        end
        if chosen == nil then chosen = fixed end
        if chosen == nil then chosen = preset[name] end
        axes[name] = chosen
    end
    local problem, remedy, key = refusal(preset, axes, set)
    if problem then return nil, problem, remedy, key end
    type_of[axes] = preset.own and preset or nil
    return axes
end

---The pool type that a case's pool is of: the one that was resolved, even if another goes by its name now.
---@param axes rig.Axes
---@return rig.TypePreset? preset nil for rig's own pools
function M.type_of(axes)
    return type_of[axes]
end

return M
