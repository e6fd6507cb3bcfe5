-- The facts of machines that are not here: each is a table of files, `read` gives what stands in it. Nothing that is
-- missing, empty or nonsense may raise, or leave a wrong fact.
-- Neighbour: lua/rig/machine.lua.

local lu = require "luaunit"
local machine = require "rig.machine"

local function facts(files)
    return machine.facts(function(path) return files[path] end)
end

local CPUS = "/sys/devices/system/cpu/"

TestFacts = {}

function TestFacts.test_a_machine_that_tells_nothing()
    lu.assertEquals(facts {}, { load = {} })
end

function TestFacts.test_empty_files_and_nonsense_are_no_facts()
    for _, text in ipairs { "", "\n", "?\n", "[", "-", ".", "\0\255" } do
        local host = machine.facts(function(path)
            -- what stands there for its name alone is there
            if path == "/.dockerenv" or path == "/run/.containerenv" then return nil end
            return text
        end)
        for _, name in ipairs { "memory_bytes", "temperature_c", "cgroup_quota", "aslr", "runnable", "steal_s" } do
            lu.assertNil(host[name], name)
        end
    end
end

function TestFacts.test_a_workstation()
    local host = facts {
        ["/proc/cpuinfo"] = "model name : Fast One\nflags : fpu tsc\n", [CPUS .. "online"] = "0-7\n",
        [CPUS .. "cpu0/cpufreq/scaling_governor"] = "powersave\n", [CPUS .. "intel_pstate/no_turbo"] = "0\n",
        [CPUS .. "smt/active"] = "1\n", [CPUS .. "isolated"] = "6-7\n",
        ["/sys/class/thermal/thermal_zone0/temp"] = "41000\n", ["/sys/class/hwmon/hwmon1/temp1_input"] = "62500\n",
        ["/sys/class/dmi/id/sys_vendor"] = "LENOVO\n", ["/sys/class/dmi/id/product_name"] = "20XW\n",
        ["/proc/meminfo"] = "MemTotal: 1000 kB\nSwapTotal: 100 kB\nSwapFree: 25 kB\n",
        ["/proc/sys/kernel/randomize_va_space"] = "2\n", ["/proc/loadavg"] = "0.5 0.25 0.1 3/99 1\n",
        ["/proc/stat"] = "cpu 1 2 3 4 5 6 7 200 0 0\n", ["/etc/os-release"] = 'NAME="X"\nPRETTY_NAME="X 12"\n',
    }
    lu.assertEquals(host, {
        cpu = "Fast One", cores_online = 8, governor = "powersave", turbo = true, intel_pstate = true, smt = true,
        isolated_cpus = "6-7", temperature_c = 62.5, virtualization = "none", memory_bytes = 1024000,
        swap_bytes = 102400, swap_used_bytes = 76800, aslr = 2, load = { 0.5, 0.25, 0.1 }, runnable = 2, steal_s = 2.0,
        os = "X 12",
    })
end

function TestFacts.test_turbo_of_other_drivers()
    lu.assertTrue(facts { [CPUS .. "cpufreq/boost"] = "1\n" }.turbo)
    lu.assertFalse(facts { [CPUS .. "cpufreq/boost"] = "0\n" }.turbo)
    lu.assertFalse(facts { [CPUS .. "intel_pstate/no_turbo"] = "1\n" }.turbo)
end

TestVirtual = {}

local function kind_of(vendor, product, flags)
    return facts {
        ["/sys/class/dmi/id/sys_vendor"] = vendor, ["/sys/class/dmi/id/product_name"] = product,
        ["/proc/cpuinfo"] = flags and "model name : X\nflags : fpu " .. flags .. "\n",
    }.virtualization
end

function TestVirtual.test_kinds_of_machines()
    lu.assertEquals(kind_of("QEMU\n", "Standard PC\n", "hypervisor"), "QEMU Standard PC")
    lu.assertEquals(kind_of("VMware, Inc.\n", nil, "tsc"), "VMware, Inc.")
    lu.assertEquals(kind_of(nil, nil, "hypervisor"), "virtual machine")
    lu.assertEquals(kind_of(nil, nil, "tsc"), "none")
    lu.assertEquals(kind_of("Amazon EC2\n", "c5.metal\n", "tsc"), "none")
    lu.assertEquals(kind_of("Dell Inc.\n", "R740\n"), "none")
    lu.assertNil(kind_of(nil, nil, nil))
end

function TestVirtual.test_containers()
    lu.assertEquals(facts { ["/.dockerenv"] = "" }.container, "docker")
    lu.assertEquals(facts { ["/proc/self/cgroup"] = "0::/kubepods/pod1/x\n" }.container, "kubepods")
    lu.assertNil(facts { ["/proc/self/cgroup"] = "0::/user.slice\n" }.container)
end

TestGroups = {}

function TestGroups.test_the_quota_of_ones_own_group()
    local files = { ["/proc/self/cgroup"] = "0::/a/b\n", ["/sys/fs/cgroup/a/b/cpu.max"] = "50000 100000\n" }
    lu.assertEquals(facts(files).cgroup_quota, 0.5)
    files["/sys/fs/cgroup/a/b/cpu.max"] = "max 100000\n"
    lu.assertNil(facts(files).cgroup_quota)
    lu.assertEquals(facts { ["/sys/fs/cgroup/cpu.max"] = "200000 100000\n" }.cgroup_quota, 2)
end

function TestGroups.test_the_quota_of_version_1()
    local files = { ["/proc/self/cgroup"] = "2:cpu,cpuacct:/x\n", ["/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us"] = "-1\n",
        ["/sys/fs/cgroup/cpu/x/cpu.cfs_period_us"] = "100000\n" }
    lu.assertNil(facts(files).cgroup_quota)
    files["/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us"] = "300000\n"
    lu.assertEquals(facts(files).cgroup_quota, 3)
end

function TestGroups.test_where_standstills_are_accounted()
    local files = { ["/proc/self/cgroup"] = "0::/a\n", ["/sys/fs/cgroup/a/cpu.stat"] = "throttled_usec 1500000\n",
        ["/sys/fs/cgroup/cpu.stat"] = "throttled_usec 0\n" }
    local function read(path) return files[path] end
    lu.assertEquals(machine.throttle_file(read), "/sys/fs/cgroup/a/cpu.stat")
    lu.assertEquals(facts(files).cgroup_throttled_s, 1.5)
    lu.assertNil(machine.throttle_file(function() end))
end

os.exit(lu.LuaUnit.run())
