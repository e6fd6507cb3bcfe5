--- A mistake in a scenario or on the command line, as a value: where, what, which value, what to do.
--- Not for failures of tasks or of the machine: those are outcomes and `nil, message, code`.
--- Neighbours: scenario, plan and sandbox make them; the command line prints `message` and chooses
--- the exit status by `kind`.

local M = {}

---@class rig.Mistake
---@field message string  the whole sentence, ready to be printed
---@field kind "scenario"|"usage"|"io"
---@field file string?
---@field line integer?
---@field key string?
---@field value any
---@field problem string?
---@field remedy string?

local meta = { __name = "rig.mistake" }

function meta.__tostring(mistake)
    return mistake.message
end

local function sentence(fields)
    local where = fields.file
    if where and fields.line then where = where .. ":" .. fields.line end
    if not where and fields.kind == "usage" then where = "command line" end
    local parts = {}
    if where then parts[#parts + 1] = where .. ": " end
    if fields.key then parts[#parts + 1] = fields.key .. ": " end
    parts[#parts + 1] = fields.problem
    if fields.remedy then parts[#parts + 1] = "; " .. fields.remedy end
    return table.concat(parts)
end

---@param fields {problem:string, remedy?:string, file?:string, line?:integer, key?:string, value?:any, kind?:string}
---@return rig.Mistake
function M.new(fields)
    local mistake = {}
    for name, value in pairs(fields) do mistake[name] = value end
    mistake.kind = fields.kind or "scenario"
    mistake.message = sentence(mistake)
    return setmetatable(mistake, meta)
end

---@param value any
---@return boolean
function M.is(value)
    return getmetatable(value) == meta
end

---Where the script called into rig, as the depth of calls between it and the caller of this function: 1 is the
---caller's own caller. Unlike Lua's prefix the path is never shortened, and a call that left no frame behind
---(`return f()`) gets no position instead of its caller's, which would be rig's own code.
---@param depth integer
---@return string? file
---@return integer? line
function M.position(depth)
    local called = debug.getinfo(depth + 1, "t")
    if not called or called.istailcall then return nil end
    local caller = debug.getinfo(depth + 2, "Sl")
    if not caller or caller.currentline < 1 or caller.source:sub(1, 1) ~= "@" then return nil end
    return caller.source:sub(2), caller.currentline
end

---Raises a string at the position of whoever called the function that calls this.
---For misuse of a function from a script, where the error may cross processes and must be plain text. Never write
---`return raise(…)`: the frame it looks for would be gone.
---@param message string
---@param extra? integer frames between the public function and this call
function M.raise(message, extra)
    local file, line = M.position(2 + (extra or 0))
    if file then message = ("%s:%d: %s"):format(file, line, message) end
    error(message, 0)
end

return M
