-- The kernel's texts, read: from machines of all kinds, with the odd things that such files hold, and what is missing.
-- Neighbour: lua/rig/proc.lua. The texts are made up in the kernel's formats (Documentation/filesystems/proc.rst).

local lu = require "luaunit"
local proc = require "rig.proc"

TestProcessorTime = {}

function TestProcessorTime.test_stolen_and_idle_time_are_not_busy()
    local times = proc.cpu_times "cpu  100 20 30 4000 50 6 7 800 90 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
    lu.assertAlmostEquals(times.busy_s, 1.63, 1e-9) -- guests (the last two) are in user and nice already
    lu.assertAlmostEquals(times.steal_s, 8.0, 1e-9)
    lu.assertAlmostEquals(times.idle_s, 40.5, 1e-9)
end

function TestProcessorTime.test_old_kernels_have_fewer_columns()
    lu.assertEquals(proc.cpu_times("cpu 100 0 100 200\n").steal_s, 0)
    lu.assertNil(proc.cpu_times "cpu 1 2\n")
    lu.assertNil(proc.cpu_times "intr 12 3\n")
    lu.assertNil(proc.cpu_times "")
end

function TestProcessorTime.test_load()
    local now = proc.load "6.78 2.56 2.23 14/155 11607\n"
    lu.assertEquals(now, { load = { 6.78, 2.56, 2.23 }, runnable = 14, threads = 155 })
    lu.assertNil(proc.load "nonsense")
end

function TestProcessorTime.test_pressure()
    local text = "some avg10=95.78 avg60=44.34 avg300=16.06 total=3510809\nfull avg10=0.00 avg60=0.00 total=9\n"
    lu.assertAlmostEquals(proc.pressure_s(text), 3.510809, 1e-9)
    lu.assertNil(proc.pressure_s "")
end

TestProcesses = {}

local REST = "S 17 17 17 0 -1 4194304 97 0 0 0 150 50 300 100 20 0 1 0 1184917 3133440 366"

function TestProcesses.test_a_process()
    local one = proc.process("4242 (lua5.4) " .. REST)
    lu.assertEquals(one, { pid = 4242, name = "lua5.4", parent = 17, cpu_s = 2.0, children_s = 4.0 })
end

function TestProcesses.test_a_name_may_hold_spaces_and_parentheses()
    lu.assertEquals(proc.process("7 (a) R 1 (b c)) " .. REST).name, "a) R 1 (b c)")
    lu.assertEquals(proc.process("7 () " .. REST).name, "")
end

function TestProcesses.test_what_is_no_process_is_none()
    lu.assertNil(proc.process "")
    lu.assertNil(proc.process "7 (torn")
    lu.assertNil(proc.process "7 (short) S 1 2")
end

function TestProcesses.test_involuntary_switches()
    local text = "Threads:\t1\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n"
    lu.assertEquals(proc.involuntary_switches(text), 545)
    lu.assertNil(proc.involuntary_switches "Threads:\t1\n")
end

function TestProcesses.test_limits()
    local text = "Limit                     Soft Limit           Hard Limit           Units     \n"
        .. "Max processes             unlimited            unlimited            processes \n"
        .. "Max open files            1024                 524288               files     \n"
    lu.assertEquals(proc.limits(text), { open_files = 1024, processes = math.huge })
    lu.assertEquals(proc.limits "", {})
end

TestGroups = {}

function TestGroups.test_quota_and_standstills_of_both_versions()
    lu.assertEquals(proc.quota "150000 100000\n", 1.5)
    lu.assertNil(proc.quota "max 100000\n")
    lu.assertAlmostEquals(proc.throttled_s "usage_usec 5\nnr_throttled 3\nthrottled_usec 2500000\n", 2.5, 1e-9)
    lu.assertAlmostEquals(proc.throttled_s "nr_periods 9\nnr_throttled 3\nthrottled_time 2500000000\n", 2.5, 1e-9)
    lu.assertNil(proc.throttled_s "usage_usec 5\n")
end

function TestGroups.test_paths_of_both_versions()
    local text = "4:memory:/m\n3:cpuset:/s\n2:cpuacct,cpu:/c\n0::/user.slice\n"
    lu.assertEquals(proc.cgroups(text), { v2 = "/user.slice", cpu = "/c" })
    lu.assertEquals(proc.cgroups "3:cpuset:/s\n", {})
end

TestMachine = {}

function TestMachine.test_lists_of_processors_both_ways()
    for _, text in ipairs { "0", "0-3", "0-3,8", "1,3,5-6" } do
        lu.assertEquals(proc.cpu_ranges(proc.cpu_list(text)), text)
    end
    lu.assertEquals(proc.cpu_list "0-2,7", { 0, 1, 2, 7 })
    lu.assertEquals(proc.cpu_list "", {})
end

function TestMachine.test_the_model_and_whether_it_is_virtual()
    local model, virtual = proc.cpu_model "processor\t: 0\nmodel name\t: Fast One\nflags\t\t: fpu hypervisor lahf_lm\n"
    lu.assertEquals(model, "Fast One")
    lu.assertTrue(virtual)
    model, virtual = proc.cpu_model "model name : Fast One\nflags : fpu nohypervisor\n"
    lu.assertEquals(model, "Fast One")
    lu.assertFalse(virtual)
    model, virtual = proc.cpu_model "processor : 0\nBogoMIPS : 50\nFeatures : fp\nHardware : Board\n"
    lu.assertEquals(model, "Board")
    lu.assertNil(virtual)
end

function TestMachine.test_memory_and_swap()
    local sizes = proc.memory "MemTotal:       16 kB\nMemFree: 8 kB\nActive(anon):  4 kB\nHugePages_Total:       0\n"
    lu.assertEquals(sizes, { MemTotal = 16384, MemFree = 8192, ["Active(anon)"] = 4096 })
    lu.assertEquals(proc.swapped_pages "pgpgin 1\npswpin 20\npswpout 22\n", 42)
    lu.assertNil(proc.swapped_pages "pgpgin 1\n")
end

function TestMachine.test_the_chosen_one()
    lu.assertEquals(proc.chosen "always [madvise] never\n", "madvise")
    lu.assertEquals(proc.chosen "tsc\n", "tsc")
    lu.assertNil(proc.chosen "")
end

os.exit(lu.LuaUnit.run())
