--- The files that a run or a saved document is written to: which were asked for, whether they can be written (said
--- before the run), and writing them, whole or not at all.
--- Not for what is in them (report/*), nor for printing: what goes to stdout is handed to cli.lua.
--- Neighbours: cli.lua, options.lua (names the options).

local core = require "rig.core"
local mistake = require "rig.mistake"

local M = {}

--- The options and who renders each, in the order in which they are written.
M.FORMATS = {
    { key = "json", option = "--json", module = "rig.report.json" },
    { key = "csv", option = "--csv", module = "rig.report.csv" },
    { key = "markdown", option = "--markdown", module = "rig.report.markdown" },
    { key = "junit", option = "--junit", module = "rig.report.junit" },
}

local ITS_STDOUT = { ["-"] = true, ["/dev/stdout"] = true, ["/dev/fd/1"] = true, ["/proc/self/fd/1"] = true }
local LONGEST_PATH = 400

---@class rig.Output
---@field option string
---@field module string
---@field path string  "-" is stdout

local function refuse(problem, remedy)
    return nil, mistake.new { kind = "usage", problem = problem, remedy = remedy }
end

-- Where a path leads, whether there is something yet or not: ./n and n are one file.
local function place_of(path)
    local itself = path ~= "-" and core.real_path(path)
    if itself then return itself end
    local folder, name = path:match "^(.*)/([^/]*)$"
    local real = path ~= "-" and core.real_path(folder == "" and "/" or folder or ".")
    return real and (real == "/" and "" or real) .. "/" .. (name or path) or path
end

-- Of two files the second would take the place of the first without a word. Devices may be named twice.
local function refuse_shared(list, output, seen)
    local same = place_of(output.path)
    local other = seen[same]
    if not other then
        seen[same] = output.option
    elseif output.path == "-" then
        return refuse(("%s and %s: both are to go to stdout"):format(other, output.option),
            "name a file for one of them")
    elseif not same:find "^/dev/" then
        return refuse(("%s and %s: both name %s"):format(other, output.option, output.path), "name two files")
    end
    return list
end

---What was asked for.
---@param opts table json, csv, markdown, junit: paths or nil
---@return rig.Output[]? outputs
---@return rig.Mistake? mistake two of them name the same place
function M.requested(opts)
    local list, seen = {}, {}
    for _, format in ipairs(M.FORMATS) do
        local path = opts[format.key]
        if type(path) == "string" then
            local output = { option = format.option, module = format.module, path = ITS_STDOUT[path] and "-" or path }
            list[#list + 1] = output
            local fine, problem = refuse_shared(list, output, seen)
            if not fine then return nil, problem end
        end
    end
    return list
end

---@param outputs rig.Output[]
---@return boolean
function M.use_stdout(outputs)
    for _, output in ipairs(outputs) do
        if output.path == "-" then return true end
    end
    return false
end

---The system's own words, without the names before them.
---@param message string
---@return string
function M.reason_of(message)
    return (message:match "[^:]*$":gsub("^ ", ""))
end

local function cannot_write(output)
    local path = output.path
    if path == "" then return output.option .. ": the file's name is empty" end
    local itself = core.real_path(path .. "/.")
    if itself or path:sub(-1) == "/" then return ("%s: is a folder; name a file in it"):format(path) end
    local ok, why, code = core.probe_file(path)
    if ok then return nil end
    if code == "ENOENT" and not core.real_path(path:match "^(.*/)[^/]*$" or ".") then
        return path .. ": its folder does not exist"
    end
    local shown = #path > LONGEST_PATH and path:sub(1, LONGEST_PATH) .. "…" or path
    return ("%s: cannot be written: %s"):format(shown, M.reason_of(why))
end

local function read_as(path, sources)
    local itself = core.real_path(path)
    for _, source in ipairs(itself and sources or {}) do
        if source.path and itself == core.real_path(source.path) then return source.what end
    end
end

---Why they cannot be written. Asked before the run, because an hour's results that cannot be written are worse than an
---error now. Never opens what is there: a FIFO would wait for its other end.
---@param outputs rig.Output[]
---@param sources { path: string|nil, what: string }[] files that are read, which must not be written over, and what
---        each is, as in "the scenario"
---@return string? problem
---@return boolean? usage it is the command line that is wrong
function M.problem(outputs, sources)
    for _, output in ipairs(outputs) do
        if output.path ~= "-" then
            local what = read_as(output.path, sources)
            if what then
                return ("%s: %s is %s itself; name another file"):format(output.option, output.path, what), true
            end
            local problem = cannot_write(output)
            if problem then return problem, false end
        end
    end
end

---Writes all of them; one that fails does not keep the others from being written.
---@param outputs rig.Output[]
---@param doc table a results document
---@return string? stdout what is to be printed there
---@return string[] problems
function M.write(outputs, doc)
    local stdout, problems = nil, {}
    for _, output in ipairs(outputs) do
        local text, problem = require(output.module).render(doc)
        if text and output.path == "-" then
            stdout = text
        elseif text then
            local ok, why = core.write_file(output.path, text)
            if not ok then problem = why end
        end
        problems[#problems + 1] = problem
    end
    return stdout, problems
end

---What GitHub is to show beside the change, where this is a step of its Actions.
---@param doc table a results document
---@return string? commands
function M.annotations(doc)
    if os.getenv "GITHUB_ACTIONS" ~= "true" then return nil end
    local text = require("rig.report.annotations").render(doc)
    return text ~= "" and text or nil
end

return M
