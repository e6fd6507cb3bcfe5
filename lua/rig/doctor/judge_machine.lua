-- How this machine is set up, judged: speed control of its processors, who shares it, limits of processes and files.
-- A function for each item: facts in; level, sentence, remedy, command out.
-- Not for what was measured (judge_timing.lua) nor for the whole (judge.lua). Neighbour: machine.lua has the facts.

local human = require("rig.report.human")

local M = {}

local CPUS = "/sys/devices/system/cpu/"

function M.virtualization(facts)
    local kind, container = facts.host.virtualization, facts.host.container
    local inside = container and (" and in a container (%s)"):format(container) or ""
    if not kind then return "unknown", "not told by this machine" end
    if kind == "none" then return "ok", "rig runs on the machine itself" .. inside end
    local name = kind ~= "virtual machine" and (" (%s)"):format(human.clean(kind)) or ""
    return "warning", ("rig runs in a virtual machine%s%s: neighbours share its processors and caches"):format(
        name, inside), "compare with --ab, or measure on a machine of one's own"
end

function M.governor(facts)
    local governor = facts.host.governor
    if not governor then return "unknown", "not told by this machine" end
    if governor == "performance" then return "ok", "the governor is performance" end
    return "warning", ("the governor is %s: processors are slow until they have been busy for a while"):format(
        human.clean(governor)), "keep them at full speed", "sudo cpupower frequency-set -g performance"
end

function M.turbo(facts)
    local turbo = facts.host.turbo
    if turbo == nil then return "unknown", "not told by this machine" end
    if not turbo then return "ok", "turbo is off" end
    return "warning", "turbo is on: speed depends on temperature and on how many processors work",
        "switch it off while measuring", facts.host.intel_pstate
            and ("echo 1 | sudo tee %sintel_pstate/no_turbo"):format(CPUS)
            or ("echo 0 | sudo tee %scpufreq/boost"):format(CPUS)
end

function M.smt(facts)
    local smt = facts.host.smt
    if smt == nil then return "unknown", "not told by this machine" end
    if not smt then return "ok", "each processor is a core of its own, as far as can be seen" end
    return "warning", "two processors are one core (SMT): what one does slows the other",
        "use as many workers as there are cores, or switch it off", ("echo off | sudo tee %ssmt/control"):format(CPUS)
end

function M.temperature(facts)
    local hot = facts.host.temperature_c
    if not hot then return "unknown", "not told by this machine" end
    local text = ("the hottest sensor says %.0f °C"):format(hot)
    if hot < 85 then return "ok", text end
    return hot < 95 and "warning" or "bad", text .. ": processors slow down when they are too hot",
        "let it cool down before measuring, and see to its fans"
end

function M.isolation(facts)
    local isolated = facts.host.isolated_cpus
    if isolated then return "ok", ("processors %s are kept free of other work"):format(human.clean(isolated)) end
    return "ok", "no processor is kept free of other work (isolcpus)"
end

function M.affinity(facts)
    local mine, online = #facts.cpus, facts.host.cores_online or #facts.cpus
    if mine >= online then return "ok", ("rig may use all %s"):format(human.count(online, "processor")) end
    return "ok", ("rig may use %d of %d processors (%s)"):format(mine, online, facts.host.affinity or "?")
end

function M.quota(facts)
    local quota, mine = facts.host.cgroup_quota, #facts.cpus
    if not quota then return "ok", "no quota limits the processor time" end
    local text = ("the control group allows the time of %s of %s"):format(human.short(quota),
        human.count(mine, "processor"))
    if quota >= mine then return "ok", text end
    return "warning", text .. ": whoever uses more stands still for the rest of each period",
        ("use at most %s, or raise it (cpu.max of the group)"):format(
            human.count(math.max(1, math.floor(quota)), "worker")),
        facts.host.container == "docker" and ("docker update --cpus %d CONTAINER"):format(mine) or nil
end

function M.aslr(facts)
    local aslr = facts.host.aslr
    if aslr == nil then return "unknown", "not told by this machine" end
    if aslr == 0 then return "ok", "addresses are not randomised" end
    return "ok", "addresses are randomised: a process can be faster or slower than its twin by their layout alone",
        "to be sure: take several processes (runs=6), or one layout for all", "setarch -R rig SCENARIO"
end

function M.swap(facts)
    local host, moved = facts.host, facts.window.swapped_pages
    if not host.swap_bytes then return "unknown", "not told by this machine" end
    if host.swap_bytes == 0 then return "ok", "there is no swap" end
    local used = host.swap_used_bytes or 0
    local text = ("%s of %s of swap are used"):format(human.bytes(used), human.bytes(host.swap_bytes))
    local moving, much = moved and moved > 0, used > (host.memory_bytes or math.huge) / 20
    if not moving and not much then return "ok", text end
    if moving then text = ("%s, and %s moved just now"):format(text, human.count(moved, "page")) end
    return moving and "bad" or "warning", text, "free memory, then do without", "sudo swapoff -a"
end

function M.suspension(facts)
    local asleep = facts.window.suspended_s or 0
    if asleep == 0 then return "ok", "the machine was awake all the time" end
    return "bad", ("the machine was suspended for %s just now"):format(human.duration(asleep)),
        "keep it awake while it measures", "systemd-inhibit rig SCENARIO"
end

-- ---- limits --------------------------------------------------------------------------------------------------------

-- What pools of many workers need, to be warned before they fail: descriptors in the coordinator for a worker, and
-- those that are open anyway.
local FDS_PER_WORKER, FDS_BASE = 6, 32
local PIPE_PAGES = 256 -- of the 1 MiB that rig asks for

local function wanted(facts)
    return math.max(64, 4 * #facts.cpus)
end

local function level_of_room(room, facts)
    return room < #facts.cpus and "bad" or room < wanted(facts) and "warning" or "ok"
end

local function raise(level, command)
    if level ~= "ok" then return "raise the limit", command end
end

function M.open_files(facts)
    local limit = facts.limits.open_files
    if not limit then return "unknown", "not told by this machine" end
    if limit == math.huge then return "ok", "any number of files may be open" end
    local room = math.max(0, (limit - FDS_BASE) // FDS_PER_WORKER)
    local level = level_of_room(room, facts)
    return level, ("%s open files: enough for about %s"):format(human.group(math.tointeger(limit)),
        human.count(math.tointeger(room), "worker")), raise(level, "ulimit -n 4096")
end

function M.processes(facts)
    local limits = facts.limits
    if not limits.processes then return "unknown", "not told by this machine" end
    local limit = math.min(limits.processes, limits.pids_max or math.huge)
    if limit == math.huge then return "ok", "any number of processes may run" end
    -- all threads of the machine count, as whose they are is not known: rather warned too early
    local room = math.max(0, limit - (limits.threads or 0))
    local level = level_of_room(room, facts)
    return level, ("%s processes at most, and about %s more may be started"):format(
        human.group(math.tointeger(limit)), human.group(math.tointeger(room))), raise(level, "ulimit -u 4096")
end

function M.pipes(facts)
    local pages = facts.limits.pipe_user_pages_soft
    if not pages then return "unknown", "not told by this machine" end
    if pages == 0 or facts.limits.privileged then return "ok", "pipes may be as large as rig asks for" end
    local full = pages // PIPE_PAGES
    local level = full < 2 * #facts.cpus and "warning" or "ok"
    return level, ("%s of 1 MiB may be open at once; further ones are smaller"):format(human.count(full, "pipe")),
        raise(level, "sudo sysctl fs.pipe-user-pages-soft=65536")
end

return M
