--- Facts about this machine and this scenario that results keep, so that figures can be judged later and elsewhere.
--- Not for judging them. Whatever cannot be read is left out: a missing fact must never stop a run.
--- Neighbours: machine.lua reads the machine, runner.lua puts the facts into the document.

local core = require "rig.core"
local machine = require "rig.machine"
local proc = require "rig.proc"

local M = {}

---The machine as it is now. Compiler and flags of rig itself are in the document's `rig.build`.
---@return table host
function M.host()
    local host = machine.facts()
    local cpus = core.cpus()
    host.cores, host.memory_available_bytes = core.cores(), core.memory_available()
    host.affinity = cpus and proc.cpu_ranges(cpus)
    return host
end

-- What changes while a run goes on, and is worth knowing at its end too.
local ALSO_AT_THE_END = { "load", "runnable", "temperature_c", "memory_available_bytes" }

---Adds to the facts of a run's beginning what has changed since.
---@param host table as M.host gave it
function M.add_changes(host)
    local now = M.host()
    if host.steal_s and now.steal_s then host.steal_change_s = math.max(0, now.steal_s - host.steal_s) end
    if host.cgroup_throttled_s and now.cgroup_throttled_s then
        host.throttled_change_s = math.max(0, now.cgroup_throttled_s - host.cgroup_throttled_s)
    end
    host.at_end = {}
    for _, name in ipairs(ALSO_AT_THE_END) do host.at_end[name] = now[name] end
end

-- What a command printed, or nil if it is not there or says nothing.
local function ask(command)
    command.timeout = 2
    local ok, result = pcall(core.exec, command)
    if not ok or not result or result.status ~= 0 then return nil end
    return result.stdout
end

---SHA-256 of a text, where the machine has a program for it.
---@param text string
---@return string? hexadecimal
function M.sha256(text)
    local said = ask { "sha256sum", stdin = text }
    return said and said:match("^%x+")
end

---The commit that a file's work tree is at; nil outside of one.
---@param path string
---@return string?
function M.git_commit(path)
    local folder = path:match("^(.*)/[^/]*$") or "."
    if folder == "" then folder = "/" end
    -- asked only where there is a .git above: starting git costs more than looking
    local at, found = folder, false
    for _ = 1, 32 do
        local marker = io.open(at .. "/.git/HEAD", "r") or io.open(at .. "/.git", "r")
        if marker then
            marker:close()
            found = true
            break
        end
        at = at .. "/.."
    end
    if not found then return nil end
    local said = ask { "git", "-C", folder, "rev-parse", "--verify", "HEAD" }
    return said and said:match("^%x+")
end

---The time of day, as results have it.
---@return string such as "2026-01-31T12:00:00Z"
function M.timestamp()
    return os.date("!%Y-%m-%dT%H:%M:%SZ") --[[@as string]]
end

return M
