--- What the kernel writes in /proc and /sys, read: each function takes the text of a file and returns its facts, or
--- nil where the text has none.
--- Not for opening files, nor for judging what is in them; so texts of machines that are not here can test it.
--- Neighbours: env.lua (the machine), noise.lua (during a case) and doctor/measure.lua open the files.

local M = {}

-- USER_HZ, in which the kernel tells processor time to programs: 100 on everything that Linux runs on today.
local TICKS_PER_S = 100

local CPU_FIELDS = { "user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal" }
local IDLE = { idle = true, iowait = true }

---Processor time of the whole machine since it was started, from /proc/stat.
---@param text string
---@return { busy_s: number, steal_s: number, idle_s: number }? times nil where the line is missing
function M.cpu_times(text)
    local line = text:match "^cpu%s+([%d ]+)"
    if not line then return nil end
    local times, n = { busy_s = 0, steal_s = 0, idle_s = 0 }, 0
    for ticks in line:gmatch "%d+" do
        n = n + 1
        local field = CPU_FIELDS[n]
        if not field then break end -- guests are counted among user already
        local into = field == "steal" and "steal_s" or IDLE[field] and "idle_s" or "busy_s"
        times[into] = times[into] + tonumber(ticks) / TICKS_PER_S
    end
    return n >= 4 and times or nil
end

---@param text string of /proc/loadavg
---@return { load: number[], runnable: integer, threads: integer }?
function M.load(text)
    local one, five, fifteen, runnable, threads = text:match "^(%S+) (%S+) (%S+) (%d+)/(%d+)"
    if not runnable then return nil end
    return {
        load = { tonumber(one), tonumber(five), tonumber(fifteen) },
        runnable = math.tointeger(runnable), threads = math.tointeger(threads),
    }
end

---Seconds in which somebody waited for a processor, since the machine was started, from /proc/pressure/cpu.
---@param text string
---@return number? seconds
function M.pressure_s(text)
    local total = text:match "some [^\n]*total=(%d+)"
    return total and tonumber(total) / 1e6
end

---One process, from /proc/PID/stat. Its name may hold anything, so it ends at the last parenthesis.
---@param line string
---@return { pid: integer, name: string, parent: integer, cpu_s: number, children_s: number }?
function M.process(line)
    local pid, name, rest = line:match "^(%d+) %((.*)%) (.*)"
    if not pid then return nil end
    local fields = {}
    for word in rest:gmatch "%S+" do fields[#fields + 1] = word end
    -- the third field of the file is the first of these: utime is the 14th, and so on
    local utime, stime, cutime, cstime = tonumber(fields[12]), tonumber(fields[13]), tonumber(fields[14]),
        tonumber(fields[15])
    if not cstime then return nil end
    return {
        pid = math.tointeger(pid), name = name, parent = math.tointeger(fields[2]),
        cpu_s = (utime + stime) / TICKS_PER_S, children_s = (cutime + cstime) / TICKS_PER_S,
    }
end

---Seconds that a control group stood still because its quota was used up, from its cpu.stat (version 2 counts
---microseconds, version 1 nanoseconds).
---@param text string
---@return number? seconds nil where no quota is accounted
function M.throttled_s(text)
    local us, ns = text:match "throttled_usec (%d+)", text:match "throttled_time (%d+)"
    if us then return tonumber(us) / 1e6 end
    return ns and tonumber(ns) / 1e9 or nil
end

---Processors that cpu.max of a control group allows.
---@param text string such as "150000 100000"
---@return number? processors nil where there is no limit
function M.quota(text)
    local quota, period = text:match "^(%d+) (%d+)"
    return quota and tonumber(quota) / tonumber(period)
end

---The paths of a process's control groups, from /proc/self/cgroup.
---@param text string
---@return { v2: string?, cpu: string? } cpu: of version 1
function M.cgroups(text)
    local cpu
    for controllers, path in text:gmatch "%d+:([^:\n]*):([^\n]*)" do
        if ("," .. controllers .. ","):find(",cpu,", 1, true) then cpu = path end
    end
    return { v2 = text:match "0::([^\n]*)", cpu = cpu }
end

---A list of processors such as "0-3,8".
---@param text string
---@return integer[]
function M.cpu_list(text)
    local list = {}
    for from, to in text:gmatch "(%d+)%-?(%d*)" do
        local first = math.tointeger(from)
        for cpu = first, to ~= "" and math.tointeger(to) or first do list[#list + 1] = cpu end
    end
    return list
end

---The same as text again.
---@param list integer[] ascending
---@return string such as "0-3,8"
function M.cpu_ranges(list)
    local words, i = {}, 1
    while i <= #list do
        local j = i
        while list[j + 1] == list[j] + 1 do j = j + 1 end
        words[#words + 1] = i == j and tostring(list[i]) or ("%d-%d"):format(list[i], list[j])
        i = j + 1
    end
    return table.concat(words, ",")
end

---@param text string of /proc/cpuinfo
---@return string? model
---@return boolean? hypervisor whether there is one; nil where the processor does not tell
function M.cpu_model(text)
    local model = text:match "model name%s*:%s*([^\n]+)" or text:match "Model%s*:%s*([^\n]+)"
        or text:match "Hardware%s*:%s*([^\n]+)"
    local flags = text:match "\nflags%s*:([^\n]*)"
    if not flags then return model, nil end -- other architectures do not say
    return model, (flags .. " "):find(" hypervisor ", 1, true) ~= nil
end

---@param text string of /proc/meminfo
---@return table<string, integer> bytes by the kernel's name, as in MemTotal
function M.memory(text)
    local sizes = {}
    for name, kilobytes in text:gmatch "([%w_()]+):%s*(%d+) kB" do sizes[name] = math.tointeger(kilobytes) * 1024 end
    return sizes
end

---Pages read from and written to swap since the machine was started, from /proc/vmstat.
---@param text string
---@return integer? pages
function M.swapped_pages(text)
    local read, written = text:match "pswpin (%d+)", text:match "pswpout (%d+)"
    return read and written and math.tointeger(read) + math.tointeger(written)
end

---The soft limits of a process that matter to pools, from /proc/self/limits.
---@param text string
---@return { open_files: number?, processes: number? } math.huge where there is none
function M.limits(text)
    local function soft(name)
        local value = text:match(name .. "%s+(%S+)")
        return value == "unlimited" and math.huge or tonumber(value or "")
    end
    return { open_files = soft "Max open files", processes = soft "Max processes" }
end

---The chosen one of a list such as "always [madvise] never"; of a file with one word, that word.
---@param text string
---@return string?
function M.chosen(text)
    return text:match "%[([^%]]+)%]" or text:match "^%S+"
end

---Involuntary switches so far, from /proc/self/status.
---@param text string
---@return integer? involuntary
function M.involuntary_switches(text)
    return math.tointeger(text:match "nonvoluntary_ctxt_switches:%s*(%d+)")
end

return M
