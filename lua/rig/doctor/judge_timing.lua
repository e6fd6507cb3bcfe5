-- What the doctor measured, judged: the clock, sleeping, messages, the same work alone and on several processors, what
-- others took of them, memory and forks. A function for each item: facts in; level, sentence, remedy, command out.
-- Not for settings (judge_machine.lua) nor for the whole (judge.lua). Neighbour: measure.lua, whose facts these are.

local human = require("rig.report.human")
local stats = require("rig.stats")

local M = {}

-- A level by two bounds.
local function grade(value, warning, bad)
    return value > bad and "bad" or value > warning and "warning" or "ok"
end

M.grade = grade

local function more(ratio)
    return human.percent(ratio - 1)
end

-- What could not be measured is unknown, with the reason.
local function missing(facts, name)
    return "unknown", "not measured: " .. (facts.problems[name] or "it was not asked for")
end

-- ---- time ----------------------------------------------------------------------------------------------------------

-- Sources that are read without asking the kernel.
local FAST_SOURCES = { tsc = true, arch_sys_counter = true, ["kvm-clock"] = true, hyperv_clocksource_tsc_page = true }
local SOURCE = "/sys/devices/system/clocksource/clocksource0/"

function M.clock(facts)
    local clock = facts.clock
    if not clock then return missing(facts, "clock") end
    local source = facts.host.clocksource
    local level = grade(math.max(clock.read_s, clock.step_s), 0.5e-6, 5e-6)
    local text = ("reading the time takes %s, in steps of %s%s"):format(human.duration(clock.read_s),
        human.duration(clock.step_s), source and " (" .. source .. ")" or "")
    if level == "ok" then return level, text end
    if FAST_SOURCES[source] then return level, text, "measure longer samples: a reading counts less in them" end
    return level, text, "use the processor's own counter, if the kernel trusts it (available_clocksource there)",
        ("echo tsc | sudo tee %scurrent_clocksource"):format(SOURCE)
end

function M.sleep(facts)
    local sleep = facts.sleep
    if not sleep or #sleep.late_s == 0 then return missing(facts, "sleep") end
    local late = stats.summary(sleep.late_s)
    return grade(late.p95, 1e-3, 10e-3), ("a sleep of %s ends %s late, one in twenty %s or more"):format(
        human.duration(sleep.asked_s), human.duration(math.max(0, late.median)), human.duration(math.max(0, late.p95))),
        late.p95 > 1e-3 and "stop what else runs: processes wait for a processor when their time has come" or nil
end

function M.messages(facts)
    local same, across = facts.trips_same, facts.trips_across
    if not same or #same == 0 then return missing(facts, "trips_same") end
    local near = stats.median(same)
    local text = ("a byte to a waiting process and back takes %s on one processor"):format(human.duration(near))
    if not across or #across == 0 then return grade(near, 50e-6, 500e-6), text end
    local far = stats.median(across)
    local level = grade(far, 25e-6, 500e-6)
    text = ("%s, %s on two: waking an idle one costs %s"):format(text, human.duration(far),
        human.duration(math.max(0, far - near) / 2))
    if level == "ok" then return level, text end
    text = text .. " each way"
    local virtual = facts.host.virtualization and facts.host.virtualization ~= "none"
    local remedy = "send few large messages instead of many small ones (a larger chunk)"
    if virtual then return level, text, remedy end
    return level, text, remedy .. ", or keep idle processors from sleeping deeply", "sudo cpupower idle-set -D 10"
end

-- ---- the same work -------------------------------------------------------------------------------------------------

local function pooled(lists)
    local all = {}
    for _, list in ipairs(lists) do table.move(list, 1, #list, #all + 1, all) end
    return all
end

M.pooled = pooled

function M.work(facts)
    local samples = pooled(facts.alone.rounds)
    if #samples == 0 then return missing(facts, "alone") end
    local s = stats.summary(samples)
    local level = grade(s.p95 / s.median, 1.05, 1.25)
    local away = 1 - facts.alone.cpu_s / facts.alone.wall_s
    local text = ("the same work takes %s; one in twenty takes %s more, the longest %s"):format(
        human.duration(s.median), more(s.p95 / s.median), human.ratio(s.max / s.median))
    if away > 0.02 then
        text = ("%s; %s of the time it was not on a processor"):format(text, human.percent(away))
    end
    if level == "ok" then return level, text end
    return level, text, away > 0.02 and "stop what else runs (item others), or compare with --ab"
        or "something slows the processor itself: see steal, turbo, governor and smt; compare with --ab"
end

-- How fast a copy runs beside others, where 1 is as fast as alone; and the slowest and fastest processor.
local function efficiency(facts, copies)
    local alone, medians = stats.median(pooled(facts.alone.rounds)), {}
    for i, list in ipairs(copies.samples) do medians[i] = stats.median(list) end
    table.sort(medians)
    return alone / stats.median(medians), medians[1], medians[#medians]
end

local function busy_elsewhere(facts)
    local window = facts.window
    return window.other_cpu_s and window.other_cpu_s / (window.wall_s * M.cores(facts)) > 0.1
end

---Processors of the machine, whoever may use them.
function M.cores(facts)
    return facts.host.cores_online or facts.host.cores or #facts.cpus
end

local function side_by_side(facts, copies, words)
    local share, fastest, slowest = efficiency(facts, copies)
    local level = grade(1 - share, 0.10, 0.35)
    local text = ("%s run at %s of the speed of one alone"):format(words, human.percent(math.min(share, 1)))
    if slowest > 1.1 * fastest then
        text = ("%s; the slowest processor takes %s more than the fastest"):format(text, more(slowest / fastest))
    end
    if level == "ok" then return level, text end
    if busy_elsewhere(facts) then return level, text, "stop what else runs (item others) and look again" end
    if facts.host.smt then
        return level, text, "processors are halves of cores: use as many workers as there are cores (see smt)"
    end
    return level, text, "a speed-up that workers could give is lost here: take a machine with processors of its own"
end

function M.two(facts)
    if #facts.cpus < 2 then return "ok", "there is one processor: workers take turns, and none runs beside another" end
    if not facts.two then return missing(facts, "two") end
    return side_by_side(facts, facts.two, facts.two.one_core and "two copies on one core" or "two copies of it at once")
end

function M.all(facts)
    if #facts.cpus < 3 then return "ok", "no more than two processors: see two at once" end
    if not facts.all then return missing(facts, "all") end
    return side_by_side(facts, facts.all, ("%d copies at once"):format(#facts.all.cpus))
end

-- ---- what others take ----------------------------------------------------------------------------------------------

function M.steal(facts)
    local window = facts.window
    if not window.steal_s then return "unknown", "this kernel does not tell stolen time" end
    local share = window.steal_s / (window.wall_s * M.cores(facts))
    local level = grade(share, 0.005, 0.05)
    if share == 0 then
        local virtual = facts.host.virtualization and facts.host.virtualization ~= "none"
        return "ok", virtual and "the hypervisor took no time, or does not say so" or "no time was stolen"
    end
    return level, ("the hypervisor took %s of the processors' time"):format(human.percent(share)), level ~= "ok"
        and "take a machine with dedicated processors, or compare with --ab: both sides then lose alike" or nil
end

function M.throttling(facts)
    local stood, quota = facts.window.throttled_s, facts.host.cgroup_quota
    if not stood then return quota and "unknown" or "ok", "no quota of a control group is accounted" end
    local share = stood / facts.window.wall_s
    if share == 0 then return "ok", "no quota made this process stand still" end
    local level = grade(share, 0.001, 0.01)
    return level, ("the control group's quota made it stand still for %s of the time"):format(human.percent(share)),
        level ~= "ok" and "use fewer workers than the quota allows processors, or raise it (item quota)" or nil
end

local function names_of(busiest, wall_s)
    local words = {}
    for i, one in ipairs(busiest or {}) do
        words[i] = ("%s%s %s"):format(human.clean(one.name), one.count > 1 and (" (%d processes)"):format(one.count)
            or "", human.percent(one.cpu_s / wall_s))
    end
    return words
end

function M.others(facts)
    local window = facts.window
    if not window.other_cpu_s then return "unknown", "this kernel does not tell who used the processors" end
    local cores = M.cores(facts)
    local share = window.other_cpu_s / (window.wall_s * cores)
    local level = grade(share, 0.02, 0.10)
    local text = ("others used %s of the %s"):format(human.percent(share), human.count(cores, "processor"))
    local names = names_of(window.busiest, window.wall_s)
    if level == "ok" then return level, text end
    if #names > 0 then
        text = ("%s; busiest, in percent of one: %s"):format(text, human.join(names))
    else
        text = text .. ", in processes too short-lived to name"
    end
    return level, text, "stop them, or wait until they are done", "ps -eo pcpu,pid,args --sort=-pcpu | head"
end

-- ---- memory --------------------------------------------------------------------------------------------------------

local function speed(bytes, seconds)
    return human.bytes(bytes / seconds) .. "/s"
end

function M.memory(facts)
    local touch = facts.touch
    if not touch then return missing(facts, "touch") end
    local untouched = touch.first_s / touch.reused_s -- the same work, but for what the host has to do
    local text = ("fresh memory is written at %s, the same again at %s"):format(speed(touch.bytes, touch.first_s),
        speed(touch.bytes, touch.again_s))
    local virtual = facts.host.virtualization and facts.host.virtualization ~= "none"
    if untouched <= 2 or not virtual then return "ok", text end
    return grade(untouched, 2, 50), ("%s; taken anew %s: what this machine never used is slow at first"):format(text,
        speed(touch.bytes, touch.reused_s)), "run once before measuring, so that the host has handed it out (warmup=1)"
end

local THP = "/sys/kernel/mm/transparent_hugepage/"

function M.huge_pages(facts)
    local forks, setting = facts.forks, facts.host.transparent_hugepage
    local text = setting == "never" and "huge pages are off" or setting and ("huge pages: %s"):format(setting)
        or "whether there are huge pages is not known"
    if forks then
        text = ("%s; a fork takes %s with %s in large arrays, %s in small ones, %s with nothing"):format(text,
            human.duration(forks.large_s), human.bytes(forks.bytes), human.duration(forks.small_s),
            human.duration(forks.nothing_s))
    elseif not setting then
        return missing(facts, "forks")
    end
    if setting ~= "never" then return "ok", text end
    return "warning", text .. ": it grows with the data that is handed over", "let large arrays have huge pages",
        ("echo madvise | sudo tee %senabled"):format(THP)
end

function M.shared_memory(facts)
    local touch, forks = facts.touch, facts.forks
    if not touch then return missing(facts, "touch") end
    local text = ("fresh shared memory is written at %s, private at %s"):format(speed(touch.bytes, touch.shared_s),
        speed(touch.bytes, touch.reused_s))
    if forks then text = ("%s; a fork that shares it takes %s"):format(text, human.duration(forks.shared_s)) end
    local setting = facts.host.shmem_huge
    if setting ~= "never" and setting ~= "deny" or touch.shared_s < 2 * touch.reused_s then return "ok", text end
    return "warning", ("%s: it gets no huge pages (shmem_enabled is %s)"):format(text, setting),
        "where delivery=shm matters, allow them for shared memory too",
        ("echo within_size | sudo tee %sshmem_enabled"):format(THP)
end

return M
