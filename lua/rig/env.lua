--- Facts about this machine and this scenario that results keep, so that figures can be judged later and elsewhere.
--- Not for judging them. Whatever cannot be read is left out: a missing fact must never stop a run.
--- Neighbour: runner.lua puts them into the document.

local core = require "rig.core"

local M = {}

local function read(path)
    local file <close> = io.open(path, "r")
    if not file then return nil end
    return file:read(65536)
end

local function first_line(path)
    local text = read(path)
    return text and text:match("^%s*([^\n]-)%s*\n?$") or text and text:match("^[^\n]*")
end

-- The chosen one of a list such as "always [madvise] never".
local function chosen(path)
    local text = read(path)
    return text and (text:match("%[([^%]]+)%]") or text:match("^%S+"))
end

local function cpu_model()
    local text = read("/proc/cpuinfo")
    if not text then return nil end
    return text:match("model name%s*:%s*([^\n]+)") or text:match("Model%s*:%s*([^\n]+)")
        or text:match("Hardware%s*:%s*([^\n]+)")
end

local function memory()
    local text = read("/proc/meminfo") or ""
    local total = text:match("MemTotal:%s*(%d+)")
    return total and math.tointeger(total) * 1024
end

local function load_average()
    local one, five, fifteen = (read("/proc/loadavg") or ""):match("^(%S+) (%S+) (%S+)")
    if not one then return {} end
    return { tonumber(one), tonumber(five), tonumber(fifteen) }
end

local function os_name()
    local text = read("/etc/os-release") or ""
    return text:match('PRETTY_NAME="([^"\n]*)"') or text:match("PRETTY_NAME=([^\n]*)")
end

-- Processors that the group may use at most, or nothing where there is no limit.
local function cgroup_quota()
    local own = (read("/proc/self/cgroup") or ""):match("0::(%S+)") or "/"
    for _, path in ipairs { "/sys/fs/cgroup" .. own .. "/cpu.max", "/sys/fs/cgroup/cpu.max" } do
        local quota, period = (read(path) or ""):match("^(%d+) (%d+)")
        if quota then return tonumber(quota) / tonumber(period) end
    end
    local quota = tonumber(first_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") or "")
    local period = tonumber(first_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us") or "")
    if quota and period and quota > 0 then return quota / period end
end

---The machine as it is now.
---@return table host
function M.host()
    local cpu = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    local transparent, clock = "/sys/kernel/mm/transparent_hugepage/", "/sys/devices/system/clocksource/clocksource0/"
    return {
        cpu = cpu_model(), cores = core.cores(), memory_bytes = memory(),
        memory_available_bytes = core.memory_available(), kernel = first_line("/proc/sys/kernel/osrelease"),
        os = os_name(), governor = first_line(cpu), load = load_average(),
        transparent_hugepage = chosen(transparent .. "enabled"), shmem_huge = chosen(transparent .. "shmem_enabled"),
        clocksource = first_line(clock .. "current_clocksource"), cgroup_quota = cgroup_quota(),
    }
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
