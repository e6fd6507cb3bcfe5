--- `rig.exec{ "command", "argument", … }`: runs a command to its end and gives back how it went and what it said; with
--- `parse`, what it said as a value too.
--- Not a shell: nothing is expanded. Neighbour: rig.core, which starts, feeds, limits and reaps the command.

local core = require "rig.core"
local mistake = require "rig.mistake"
local names = require "rig.names"
local trace = require "rig.trace"

local M = {}

local KNOWN = { "stdin", "timeout", "cwd", "env", "parse" }

---@class rig.Command
---@field [integer] string  the command, looked up in PATH, and its arguments
---@field stdin? string
---@field timeout? number   seconds; then it is ended, and the call fails with ETIMEDOUT
---@field cwd? string
---@field env? string[]     all of its environment, as "NAME=value"; this process's own where it is not given
---@field parse? "json"|"lines"

---@class rig.Executed
---@field status integer?   its exit status; nil when a signal ended it
---@field signal integer?
---@field stdout string
---@field stderr string
---@field wall_s number
---@field user_s number
---@field sys_s number
---@field peak_rss_bytes integer
---@field value any         with `parse`, where it ended with status 0

local function lines_of(text)
    local list = {}
    for line in text:gmatch "([^\n]*)\n?" do list[#list + 1] = line end
    if list[#list] == "" then list[#list] = nil end
    return list
end

local parsers = {
    lines = lines_of,
    json = function(text) return require("rig.json").decode(text) end,
}

-- Straight from M.run, so that the error stands where the command was written.
local function check(command)
    if type(command) ~= "table" then mistake.raise('rig.exec: give a table, as in rig.exec{ "ls", "-l" }', 1) end
    for name in pairs(command) do
        local known = math.type(name) == "integer"
        for _, word in ipairs(KNOWN) do known = known or name == word end
        if not known then
            mistake.raise(("rig.exec: no option '%s'; %s"):format(tostring(name), names.suggest(name, KNOWN)), 1)
        end
    end
    if command.parse ~= nil and not parsers[command.parse] then
        mistake.raise(("rig.exec: parse = %s; use json or lines"):format(tostring(command.parse)), 1)
    end
end

---Runs a command and waits for its end.
---@param command rig.Command
---@return rig.Executed? result
---@return string? message
---@return string? code
---@return rig.Executed? partial what there was when the time ran out
function M.run(command)
    check(command)
    local fine, result, message, code, partial = pcall(core.exec, command)
    if not fine then
        if type(result) ~= "string" then error(result, 0) end
        local text = trace.strip(result)
        mistake.raise("rig.exec: " .. (text:match "^bad argument #%-?%d+ to '[^']*' %((.*)%)$" or text))
    end
    if not result or not command.parse or result.status ~= 0 then return result, message, code, partial end
    local value, problem = parsers[command.parse](result.stdout)
    if problem then
        return nil, ("run '%s': it did not print %s: %s"):format(command[1], command.parse, problem), "EBADMSG", result
    end
    result.value = value
    return result
end

return M
