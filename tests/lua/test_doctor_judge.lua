-- The doctor's judgement, on machines made up for it: what is well, what is not, how much, and what to do. Nothing is
-- measured here. Neighbours: lua/rig/doctor/judge*.lua, lua/rig/doctor/text.lua.

local lu = require "luaunit"
local human = require "rig.report.human"
local judge = require "rig.doctor.judge"
local text = require "rig.doctor.text"

-- So many times the same duration.
local function steady(n, seconds)
    local list = {}
    for i = 1, n do list[i] = seconds end
    return list
end

local function steady_rounds(seconds)
    local rounds = {}
    for i = 1, 5 do rounds[i] = steady(20, seconds) end
    return rounds
end

-- A machine with nothing wrong; `change` makes something so.
local function machine(change)
    local facts = {
        host = { cpu = "Fast One", cores = 4, cores_online = 4, memory_bytes = 16 << 30, kernel = "6.1", governor =
            "performance", turbo = false, smt = false, clocksource = "tsc", temperature_c = 50,
            virtualization = "none", isolated_cpus = "3", aslr = 0, swap_bytes = 0, transparent_hugepage = "madvise",
            shmem_huge = "within_size" },
        cpus = { 0, 1, 2, 3 },
        alone = { work_n = 1000, rounds = steady_rounds(0.01), cpu_s = 1, wall_s = 1 },
        two = { cpus = { 0, 1 }, samples = { steady(40, 0.01), steady(40, 0.01) } },
        all = { cpus = { 0, 1, 2, 3 }, samples = { steady(40, 0.01), steady(40, 0.01), steady(40, 0.01),
            steady(40, 0.01) } },
        clock = { read_s = 3e-8, step_s = 1e-9 }, sleep = { asked_s = 0.001, late_s = steady(50, 6e-5) },
        trips_same = steady(100, 4e-6), trips_across = steady(100, 1e-5),
        touch = { bytes = 1 << 28, first_s = 0.05, again_s = 0.03, reused_s = 0.05, shared_s = 0.06 },
        forks = { bytes = 1 << 28, nothing_s = 1e-4, large_s = 2e-4, small_s = 5e-3, shared_s = 1e-4 },
        limits = { open_files = 20000, processes = 90000, pids_max = 32768, threads = 100,
            pipe_user_pages_soft = 16384 },
        window = { wall_s = 4, steal_s = 0, other_cpu_s = 0.02, suspended_s = 0, throttled_s = 0, swapped_pages = 0,
            runnable = 0, busiest = {} },
        problems = {},
    }
    if change then change(facts) end
    return facts
end

local function item(id, change)
    for _, one in ipairs(judge.of(machine(change)).items) do
        if one.id == id then return one end
    end
    error("no item " .. id)
end

-- The level, the words and the remedy of one item on a machine changed so.
local function wants(id, level, words, remedy, change)
    local one = item(id, change)
    lu.assertEquals(one.level, level, one.text)
    lu.assertStrContains(one.text, words)
    -- what is well needs nothing done
    if one.level == "ok" and one.remedy then lu.assertStrMatches(one.remedy, "to be sure: .*") end
    if remedy then
        lu.assertStrContains((one.remedy or "") .. " $ " .. (one.command or ""), remedy)
    else
        lu.assertNil(one.remedy)
    end
end

TestHealthy = {}

function TestHealthy.test_a_machine_with_nothing_wrong_is_ok_in_every_item()
    local diagnosis = judge.of(machine())
    lu.assertEquals(diagnosis.level, "ok")
    for _, one in ipairs(diagnosis.items) do
        lu.assertEquals(one.level, "ok", one.id)
        lu.assertNil(one.remedy, one.id)
    end
    lu.assertEquals(#diagnosis.items, #judge.ITEMS)
end

function TestHealthy.test_the_worst_item_is_the_level_of_the_machine()
    lu.assertEquals(judge.of(machine(function(f) f.host.governor = "powersave" end)).level, "warning")
    lu.assertEquals(judge.of(machine(function(f)
        f.host.governor = "powersave"
        f.window.suspended_s = 2
    end)).level, "bad")
end

TestTiming = {}

function TestTiming.test_work_that_varies()
    local function vary(share, factor)
        return function(f)
            for _, round in ipairs(f.alone.rounds) do
                for i = 1, share do round[i] = 0.01 * factor end
            end
        end
    end
    wants("work", "warning", "one in twenty takes 20 % more, the longest 1.20 x", "--ab", vary(3, 1.2))
    wants("work", "bad", "one in twenty takes 80 % more", "--ab", vary(3, 1.8))
    wants("work", "ok", "takes 10.0 ms", nil, vary(0, 1))
    lu.assertNil(item("work", vary(3, 1.8)).text:find("MAD", 1, true))
    -- off the processor: that is not the processor's doing
    wants("work", "bad", "25 % of the time it was not on a processor", "stop what else runs", function(f)
        vary(3, 1.8)(f)
        f.alone.cpu_s = 0.75
    end)
end

local function slow_copies(factor)
    return function(f)
        f.two.samples = { steady(40, 0.01 * factor), steady(40, 0.01 * factor) }
        f.all.samples = { steady(40, 0.01 * factor), steady(40, 0.01 * factor), steady(40, 0.01 * factor * 1.5) }
    end
end

function TestTiming.test_copies_that_slow_each_other_down()
    wants("two", "warning", "at 83 % of the speed of one alone", "processors of its own", slow_copies(1.2))
    wants("two", "bad", "at 50 %", "processors of its own", slow_copies(2))
    wants("all", "bad", "the slowest processor takes 50 % more than the fastest", "", slow_copies(2))
    wants("two", "bad", "at 50 %", "as many workers as there are cores", function(f)
        slow_copies(2)(f)
        f.host.smt = true
    end)
    wants("two", "bad", "at 50 %", "stop what else runs", function(f)
        slow_copies(2)(f)
        f.window.other_cpu_s = 8
    end)
end

function TestTiming.test_machines_with_one_and_two_processors()
    wants("two", "ok", "one processor", nil, function(f) f.cpus, f.two, f.all = { 0 }, nil, nil end)
    wants("all", "ok", "see two at once", nil, function(f) f.cpus, f.all = { 0, 1 }, nil end)
    wants("messages", "ok", "4.00 µs on one processor", nil, function(f) f.trips_across = nil end)
end

function TestTiming.test_what_others_take()
    wants("others", "warning", "5 % of the 4 processors; busiest, in percent of one: cc (2 processes) 20 % and sh 10 %",
        "$ ps -eo", function(f)
            f.window.other_cpu_s = 0.8
            f.window.busiest = { { name = "cc", count = 2, cpu_s = 0.8 }, { name = "sh", count = 1, cpu_s = 0.4 } }
        end)
    wants("others", "bad", "too short-lived to name", "stop them", function(f) f.window.other_cpu_s = 8 end)
    wants("others", "unknown", "does not tell", nil, function(f) f.window.other_cpu_s = nil end)
    wants("steal", "warning", "took 2 % of", "dedicated", function(f) f.window.steal_s = 0.32 end)
    wants("steal", "bad", "took 25 % of", "dedicated", function(f) f.window.steal_s = 4 end)
    wants("steal", "ok", "or does not say so", nil, function(f) f.host.virtualization = "KVM" end)
    wants("throttling", "ok", "stand still for <1 % of the time", nil, function(f) f.window.throttled_s = 1e-3 end)
    wants("throttling", "bad", "stand still for 10 % of the time", "quota", function(f) f.window.throttled_s = 0.4 end)
end

function TestTiming.test_a_name_of_a_process_cannot_reach_the_terminal()
    local one = item("others", function(f)
        f.window.other_cpu_s, f.window.busiest = 8, { { name = "\27[2J\nx", count = 1, cpu_s = 1 } }
    end)
    lu.assertNil(one.text:find "[%c]")
end

function TestTiming.test_small_things_that_take_long()
    wants("clock", "warning", "reading the time takes 1.20 µs", "$ echo tsc", function(f)
        f.clock.read_s, f.host.clocksource = 1.2e-6, "hpet"
    end)
    wants("clock", "bad", "in steps of 4.00 ms", "longer samples", function(f) f.clock.step_s = 4e-3 end)
    wants("sleep", "warning", "one in twenty 2.00 ms or more", "stop what else", function(f)
        f.sleep.late_s = steady(50, 2e-3)
    end)
    wants("messages", "warning", "waking an idle one costs 23.0 µs each way", "$ sudo cpupower", function(f)
        f.trips_across = steady(100, 5e-5)
    end)
    -- of a virtual machine's processors the host decides
    local one = item("messages", function(f) f.trips_across, f.host.virtualization = steady(9, 5e-5), "KVM" end)
    lu.assertNil(one.command)
end

function TestTiming.test_memory_that_a_virtual_machine_never_had()
    local function fresh(f) f.touch.first_s, f.host.virtualization = 0.6, "KVM" end
    wants("memory", "warning", "fresh memory is written at 447 MB/s", "run once before", fresh)
    wants("memory", "ok", "fresh memory", nil, function(f) f.touch.first_s = 0.6 end)
end

function TestTiming.test_huge_pages()
    wants("huge_pages", "warning", "huge pages are off; a fork takes", "$ echo madvise", function(f)
        f.host.transparent_hugepage = "never"
    end)
    wants("huge_pages", "ok", "a fork takes 200 µs with 268 MB in large arrays, 5.00 ms in small ones")
    wants("shared_memory", "warning", "no huge pages (shmem_enabled is never)", "$ echo within_size", function(f)
        f.host.shmem_huge, f.touch.shared_s = "never", 0.3
    end)
end

TestSettings = {}

function TestSettings.test_speed_of_processors()
    wants("governor", "warning", "powersave", "$ sudo cpupower", function(f) f.host.governor = "powersave" end)
    wants("turbo", "warning", "turbo is on", "cpufreq/boost", function(f) f.host.turbo = true end)
    wants("turbo", "warning", "turbo is on", "no_turbo", function(f) f.host.turbo, f.host.intel_pstate = true, true end)
    wants("smt", "warning", "two processors are one core", "smt/control", function(f) f.host.smt = true end)
    wants("temperature", "warning", "90 °C", "cool", function(f) f.host.temperature_c = 90 end)
    wants("temperature", "bad", "99 °C", "cool", function(f) f.host.temperature_c = 99 end)
    wants("aslr", "ok", "randomised", "to be sure: take several", function(f) f.host.aslr = 2 end)
end

function TestSettings.test_sharing_the_machine()
    wants("virtualization", "warning", "a virtual machine (KVM): neighbours", "--ab", function(f)
        f.host.virtualization = "KVM"
    end)
    wants("quota", "warning", "the time of 1.5 of 4 processors", "at most 1 worker", function(f)
        f.host.cgroup_quota = 1.5
    end)
    wants("quota", "ok", "the time of 8 of 4", nil, function(f) f.host.cgroup_quota = 8 end)
    wants("affinity", "ok", "2 of 4 processors (0-1)", nil, function(f)
        f.cpus, f.host.affinity = { 0, 1 }, "0-1"
    end)
    wants("suspension", "bad", "suspended for 2.00 s", "systemd-inhibit", function(f) f.window.suspended_s = 2 end)
end

function TestSettings.test_swap()
    local function swap(used, moved)
        return function(f)
            f.host.swap_bytes, f.host.swap_used_bytes, f.window.swapped_pages = 8 << 30, used, moved
        end
    end
    wants("swap", "ok", "are used", nil, swap(1 << 20, 0))
    wants("swap", "warning", "4.29 GB of 8.59 GB of swap are used", "swapoff", swap(4 << 30, 0))
    wants("swap", "bad", "12 pages moved just now", "swapoff", swap(1 << 20, 12))
end

function TestSettings.test_limits()
    local function limit(name, value) return function(f) f.limits[name] = value end end
    wants("open_files", "warning", "256 open files: enough for about 37 workers", "ulimit -n", limit("open_files", 256))
    wants("open_files", "bad", "about 0 workers", "ulimit -n", limit("open_files", 10))
    wants("open_files", "ok", "any number", nil, limit("open_files", math.huge))
    wants("processes", "warning", "about 20 more", "ulimit -u", limit("processes", 120))
    wants("processes", "bad", "about 0 more", "ulimit -u", limit("processes", 50))
    wants("pipes", "warning", "4 pipes of 1 MiB", "pipe-user-pages-soft", limit("pipe_user_pages_soft", 1024))
    wants("pipes", "ok", "as large as", nil, limit("pipe_user_pages_soft", 0))
end

function TestSettings.test_what_is_not_known_is_neither_well_nor_a_warning()
    local diagnosis = judge.of(machine(function(f)
        f.host, f.limits = { load = {} }, {}
        for _, name in ipairs { "clock", "sleep", "trips_same", "trips_across", "two", "all", "touch", "forks" } do
            f[name], f.problems[name] = nil, "no more processes"
        end
        f.window = { wall_s = 4, suspended_s = 0, busiest = {} }
    end))
    local unknown = 0
    for _, one in ipairs(diagnosis.items) do
        lu.assertTrue(one.level == "ok" or one.level == "unknown", one.id .. " " .. one.level)
        if one.level == "unknown" then unknown = unknown + 1 end
    end
    lu.assertTrue(unknown >= 15, unknown)
    lu.assertEquals(diagnosis.level, "ok")
end

TestVerdict = {}

function TestVerdict.test_pairs_of_samples_that_never_differ_tell_anything()
    lu.assertEquals(judge.difference_of_pairs(steady(10, 0.5)), 0)
    lu.assertNil(judge.difference_of_pairs { 1 })
    lu.assertStrContains(judge.verdict(machine()).text, "tells differences above about 1 % on this machine; use --ab")
end

-- Half of the samples take 12 % more: of the pairs more than a twentieth are one of each.
function TestVerdict.test_what_pairs_differ_by_is_what_a_single_run_cannot_tell()
    local samples = {}
    for i = 1, 100 do samples[i] = i % 2 == 0 and 1.12 or 1 end
    lu.assertAlmostEquals(judge.difference_of_pairs(samples), 0.12, 1e-9)
    local verdict = judge.verdict(machine(function(f)
        for _, round in ipairs(f.alone.rounds) do
            for i = 1, 20, 2 do round[i] = 0.0112 end
        end
    end))
    lu.assertAlmostEquals(verdict.alone, 0.12, 1e-9)
    lu.assertStrContains(verdict.text, "a single run tells differences above about 12 % on this machine; use --ab")
    lu.assertStrContains(verdict.text, "The same work of 10.6 ms, done twice, differed by up to 12 % (95 of 100 pairs)")
end

function TestVerdict.test_one_sample_in_a_hundred_is_not_what_decides()
    local samples = steady(100, 1)
    samples[50] = 9
    lu.assertEquals(judge.difference_of_pairs(samples), 0)
end

function TestVerdict.test_the_noisier_of_alone_and_together_counts()
    local verdict = judge.verdict(machine(function(f)
        for _, copy in ipairs(f.all.samples) do
            for i = 1, 40, 2 do copy[i] = 0.013 end
        end
    end))
    lu.assertEquals(verdict.alone, 0)
    lu.assertAlmostEquals(verdict.single_run, 0.3, 1e-9)
    lu.assertStrContains(verdict.text, "above about 30 % on this machine when all processors work (about 1 % alone)")
end

function TestVerdict.test_processors_of_different_speed_are_no_variation()
    local verdict = judge.verdict(machine(function(f) f.all.samples = { steady(40, 0.01), steady(40, 0.02) } end))
    lu.assertEquals(verdict.together, 0)
end

function TestVerdict.test_drift_between_rounds_shows_in_their_medians()
    local verdict = judge.verdict(machine(function(f) f.alone.rounds[5] = steady(20, 0.011) end))
    lu.assertAlmostEquals(verdict.medians, 0.1, 1e-9)
    lu.assertStrContains(verdict.text, "; the median of 20 still by up to 10 %")
end

function TestVerdict.test_many_samples_are_judged_without_looking_at_all_pairs()
    local samples = {}
    for i = 1, 20000 do samples[i] = i % 2 == 0 and 1.5 or 1 end
    lu.assertAlmostEquals(judge.difference_of_pairs(samples), 0.5, 1e-9)
end

TestText = {}

local function rendered(change, look)
    local facts = machine(change)
    return text.render(judge.of(facts), { host = facts.host, duration_s = 4 }, look)
end

local function sick(f)
    f.host.governor, f.host.shmem_huge, f.touch.shared_s = "powersave", "never", 0.4
    f.window.other_cpu_s, f.host.temperature_c = 8, nil
end

function TestText.test_what_is_wrong_stands_before_what_is_well()
    local said = rendered(sick)
    local bad, warning, ok = said:find "\n  bad ", said:find "\n  warning ", said:find "\n  ok "
    lu.assertTrue(bad < warning and warning < ok)
    lu.assertStrContains(said, "Fast One, 4 processors")
    lu.assertStrContains(said, "not to be told from here: temperature")
    lu.assertStrContains(said, "a single run tells differences above")
end

function TestText.test_items_that_are_no_words_are_written_out()
    local said = rendered()
    for _, name in ipairs { "two at once", "all at once", "huge pages" } do
        lu.assertStrContains(said, "  ok       " .. name .. "  ")
    end
    said = rendered(function(f) f.all, f.problems.all = nil, "no more processes" end)
    lu.assertStrContains(said, "not to be told from here: all at once")
end

function TestText.test_lines_fit_80_columns_but_for_commands_which_stay_whole()
    local commands = 0
    for line in rendered(sick):gmatch "[^\n]+" do
        if line:find "^      %$ " then
            commands = commands + 1
        else
            lu.assertTrue(human.width(line) <= 80, line)
        end
    end
    lu.assertEquals(commands, 3)
end

function TestText.test_colours_only_where_asked_for()
    lu.assertNil(rendered(sick):find "\27")
    lu.assertStrContains(rendered(sick, { color = true, columns = 60 }), "\27[31mbad")
end

os.exit(lu.LuaUnit.run())
