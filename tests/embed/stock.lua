-- Run by a stock lua5.4 that finds rig.so by LUA_CPATH: the module, a pool, a scenario, a shared object. Says what
-- went wrong and exits with 1, else nothing.

local rig = require "rig"

local function check(what, got, wanted)
    if got ~= wanted then error(("%s: %s, not %s"):format(what, tostring(got), tostring(wanted)), 0) end
end

-- a pool with fixed data that the workers inherit
do
    local pool <close> = assert(rig.pool {
        workers = 3, fixed = rig.array("i64", 1000, 2),
        map = function(item, fixed) return item * item + fixed:sum() end,
    })
    local results, n = pool:map(100)
    check("results", n, 100)
    check("sum", rig.sum(results), 338350 + 100 * 2000)
end

-- a scenario of this file's own
local doc = assert(rig.run(rig.scenario {
    name = "stock", about = "run by a Lua program",
    pool = { "serial", "builtin", "custom" }, workers = 2, iterations = 2,
    items = 10, map = function(item) return item end, reduce = rig.sum, expect = 55,
}))
check("exit", doc.exit, 0)
check("cases", #doc.cases, 3)

-- workloads of a shared object, which cannot see the symbols of rig.so
local path = os.getenv "RIG_PLUGIN_2"
if path then
    assert(rig.load(path))
    local pool <close> = assert(rig.pool { workers = 2, map = rig.workload "scale" })
    check("scaled", rig.sum((pool:map(10))), 110)
end
local ok, message, code = rig.load "./nowhere.so"
check("a missing file", ok, nil)
check("its code", code, "ENOENT")
assert(message:find("nowhere.so", 1, true), message)

-- workers that are fresh processes of the executable beside rig.so, and find the functions in a module
package.path = arg[0]:match "^(.*)/[^/]*$" .. "/?.lua;" .. package.path
do
    local pool <close> = assert(rig.pool {
        preset = "spawn", workers = 2, module = "jobs", map = "add", init = "begin", fixed = { 1000 }, p = { step = 7 },
    })
    check("their sum", rig.sum((pool:map(10))), 55 + 10 * 1007)
end
local spawning = {
    name = "own", about = "of a program", pool = "spawn", workers = 1, items = 1, map = function() end,
}
doc = assert(rig.run(rig.scenario(spawning)))
check("a scenario of this file's own", doc.exit, 2)
assert(doc.cases[1].reason:find("this one is no file", 1, true), doc.cases[1].reason)
rig.worker_program "/bin/true"
ok, message = rig.pool { preset = "spawn", workers = 2, module = "jobs", map = "add" }
check("a program that is no worker", ok, nil)
assert(message:find("'/bin/true' ended without calling rig_worker_main", 1, true), message)
