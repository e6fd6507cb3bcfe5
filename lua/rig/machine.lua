--- What this machine is: processors, their speed control, memory, limits and who shares them, as facts by name.
--- Not for judging them (doctor/judge.lua). Whatever cannot be read is left out: a missing fact must never stop a run.
--- Neighbours: proc.lua reads the texts, env.lua puts the facts into results. Tests bring their own `read`.

local proc = require "rig.proc"

local M = {}

---The beginning of a file; "" of one without contents, nil where there is none.
---@param path string
---@param bytes? integer how much of it; 64 KiB
---@return string?
function M.read(path, bytes)
    local file <close> = io.open(path, "r")
    if not file then return nil end
    return file:read(bytes or 65536) or ""
end

-- A reader that gives nil for what is missing or empty, the first line of the rest, or what `parse` makes of it.
local function asker(read)
    return function(path, parse)
        local text = (read or M.read)(path)
        text = text and text:match "^%s*(.-)%s*$"
        if not text or text == "" then return nil end
        if parse then return parse(text) end
        return (text:match "^[^\n]*")
    end
end

local function number_in(text) return tonumber(text:match "^%-?[%d.]+") end
local function integer_in(text) return math.tointeger(number_in(text)) end
local function is_one(text) return integer_in(text) == 1 end

local CPUS = "/sys/devices/system/cpu/"

-- Intel's own driver says it the other way round.
local function turbo(ask)
    local off = ask(CPUS .. "intel_pstate/no_turbo", integer_in)
    if off then return off == 0 end
    return ask(CPUS .. "cpufreq/boost", is_one)
end

-- The hottest of the sensors that there are. A few are enough: they differ by what they stand beside.
local function temperature(ask)
    local hottest
    for i = 0, 7 do
        for _, path in ipairs {
            ("/sys/class/thermal/thermal_zone%d/temp"):format(i), ("/sys/class/hwmon/hwmon%d/temp1_input"):format(i),
        } do
            local thousandths = ask(path, number_in)
            if thousandths and thousandths > 0 then hottest = math.max(hottest or 0, thousandths / 1000) end
        end
    end
    return hottest
end

-- What hypervisors call the machines that they make up.
local MADE_UP = {
    "KVM", "QEMU", "VMware", "VirtualBox", "Xen", "Virtual Machine", "Google", "Amazon EC2", "Bochs", "Parallels",
    "OpenStack", "Droplet",
}

-- "none", the name of what there is, or "virtual machine" where it has none; nil where nothing can be told.
local function virtualization(ask, hypervisor)
    local words = { ask "/sys/class/dmi/id/sys_vendor", ask "/sys/class/dmi/id/product_name" }
    local said = table.concat({ words[1] or "", words[2] or "" }, " "):match "^%s*(.-)%s*$"
    local metal = said:find("%f[%w]metal%f[%W]") -- "c5.metal": a whole machine, of a maker who also rents out parts
    for _, name in ipairs(MADE_UP) do
        if not metal and said:find(name, 1, true) then return said end
    end
    local kind = ask "/sys/hypervisor/type"
    if kind then return kind end
    if hypervisor then return "virtual machine" end
    return (said ~= "" or hypervisor == false) and "none" or nil
end

local function container(ask, read)
    if read "/.dockerenv" then return "docker" end
    if read "/run/.containerenv" then return "podman" end
    local own = ask("/proc/self/cgroup", proc.cgroups) or {}
    local path = (own.v2 or "") .. (own.cpu or "")
    return path:match "kubepods" or path:match "docker" or path:match "lxc"
end

-- Where the group's accounts may lie: its own folder first, and what a container sees as the root.
local function cgroup_folders(ask)
    local own = ask("/proc/self/cgroup", proc.cgroups) or {}
    local v2, v1 = own.v2 or "", own.cpu or ""
    local folders = {}
    for _, path in ipairs { v2, "" } do folders[#folders + 1] = "/sys/fs/cgroup" .. path:gsub("/$", "") end
    for _, path in ipairs { v1, "" } do folders[#folders + 1] = "/sys/fs/cgroup/cpu" .. path:gsub("/$", "") end
    return folders
end

-- Processors that the group may use at most, or nil where there is no limit.
local function cgroup_quota(ask)
    for _, folder in ipairs(cgroup_folders(ask)) do
        local allowed = ask(folder .. "/cpu.max", proc.quota)
        if allowed then return allowed end
        local quota = ask(folder .. "/cpu.cfs_quota_us", number_in)
        local period = ask(folder .. "/cpu.cfs_period_us", number_in)
        if quota and period and quota > 0 then return quota / period end
    end
end

---The file in which this process's control group accounts for its quota; nil where there is none.
---@param read? fun(path: string): string?
---@return string? path
function M.throttle_file(read)
    local ask = asker(read)
    for _, folder in ipairs(cgroup_folders(ask)) do
        if ask(folder .. "/cpu.stat", proc.throttled_s) then return folder .. "/cpu.stat" end
    end
end

local function add_processors(ask, host)
    local model, hypervisor
    ask("/proc/cpuinfo", function(text) model, hypervisor = proc.cpu_model(text) end)
    host.cpu = model
    host.cores_online = ask(CPUS .. "online", function(text) return #proc.cpu_list(text) end)
    host.governor = ask(CPUS .. "cpu0/cpufreq/scaling_governor")
    host.turbo = turbo(ask)
    host.intel_pstate = ask(CPUS .. "intel_pstate/no_turbo") and true
    host.smt = ask(CPUS .. "smt/active", is_one)
    host.isolated_cpus = ask(CPUS .. "isolated")
    host.clocksource = ask "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    host.temperature_c = temperature(ask)
    host.virtualization = virtualization(ask, hypervisor)
end

local function add_memory(ask, host)
    local sizes = ask("/proc/meminfo", proc.memory) or {}
    local huge = "/sys/kernel/mm/transparent_hugepage/"
    host.memory_bytes = sizes.MemTotal
    host.swap_bytes = sizes.SwapTotal
    host.swap_used_bytes = sizes.SwapTotal and sizes.SwapFree and sizes.SwapTotal - sizes.SwapFree
    host.transparent_hugepage = ask(huge .. "enabled", proc.chosen)
    host.shmem_huge = ask(huge .. "shmem_enabled", proc.chosen)
end

local function add_use(ask, host, read)
    local now = ask("/proc/loadavg", proc.load) or {}
    local times = ask("/proc/stat", proc.cpu_times) or {}
    host.load = now.load or {}
    host.runnable = now.runnable and math.max(0, now.runnable - 1) -- one of them is us
    host.steal_s = times.steal_s
    host.cgroup_quota = cgroup_quota(ask)
    local stat = M.throttle_file(read)
    host.cgroup_throttled_s = stat and ask(stat, proc.throttled_s)
end

---What can be told about the machine from its files, as it is now.
---@param read? fun(path: string): string? opens files; M.read where there is none
---@return table host
function M.facts(read)
    read = read or M.read
    local ask, host = asker(read), {}
    add_processors(ask, host)
    add_memory(ask, host)
    add_use(ask, host, read)
    host.aslr = ask("/proc/sys/kernel/randomize_va_space", integer_in)
    host.kernel = ask "/proc/sys/kernel/osrelease"
    host.os = ask("/etc/os-release", function(text)
        return text:match 'PRETTY_NAME="([^"\n]*)"' or text:match "PRETTY_NAME=([^\n]*)"
    end)
    host.container = container(ask, read)
    return host
end

return M
