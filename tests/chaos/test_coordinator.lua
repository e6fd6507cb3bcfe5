-- The coordinator killed at random moments, its workers at work, in endless loops, deaf in C, stopped, just starting,
-- with commands and workers of their own: whatever was below it is gone a moment later. This process takes in all
-- orphans, so nothing can hide from it. What one certain case leads to is in tests/lua/test_lifeline.lua.
-- RIG_SEED repeats the choices; RIG_CHAOS_KILLS / 10 is how many coordinators, 200 when not said.

local lu = require "luaunit"
local core = require "rig.core"
local outside = require "rigtest.outside"
local rig = require "rig"
local rigtest = require "rigtest"

package.path = rigtest.source "tests/chaos/?.lua;" .. package.path

local on_demand = math.tointeger(tonumber(os.getenv "RIG_CHAOS_KILLS" or ""))
local KILLS = (on_demand or os.getenv "RIG_FULL" and 20000 or 2000) // 10
local SEED = math.tointeger(tonumber(os.getenv "RIG_SEED" or "")) or core.now_ns() % 1000000000
-- All are to be gone within a second. Where others are at work on the machine, that is no matter of ours.
local WITHIN_S = on_demand and 1 or 60
print(("chaos: %d coordinators, RIG_SEED=%d"):format(KILLS, SEED))

-- What a task does. `note` says that it has begun, by one more on the board.
local TASKS = {
    spin = function() while true do end end,
    catch = function() while true do pcall(error) end end,
    deaf = function() return (("a"):rep(10000000)):find ".-.-.-.-b" end,
    stop = function() os.execute "kill -STOP $PPID" end,
    sleep = function() core.sleep(1000) end,
    large = function() while true do core.encode(("x"):rep(10000000)) end end,
    command = function() rig.exec { "sh", "-c", "sleep 1000 & while true; do true; done" } end,
    pool_in_worker = function()
        local inner = assert(rig.pool { workers = 2, map = function() while true do end end })
        return inner:map(2)
    end,
    work = function(item) return { item, ("y"):rep(item % 7 * 30000) } end,
}
local NAMES = {}
for name in pairs(TASKS) do NAMES[#NAMES + 1] = name end
table.sort(NAMES)

local POOLS = {
    { preset = "builtin" }, { preset = "shm" }, { preset = "custom" }, { preset = "per_task" },
    { preset = "builtin", channel = "queue", delivery = "queue" }, { preset = "builtin", channel = "pipe" },
    { preset = "spawn" }, { preset = rig.pool_type(require "own_type") },
}

-- In the coordinator that is to be killed.
local function coordinate(seed, board)
    local rng = core.rng("coordinator", seed)
    local spec = { workers = rng:int(1, 4), chunk = rng:int(1, 3), fixed = core.array("i64", rng:int(1, 200000), 3) }
    for key, value in pairs(POOLS[rng:int(1, #POOLS)]) do spec[key] = value end
    if spec.preset == "spawn" then
        spec.module, spec.map, spec.p = "chaos_jobs", "endless", { what = rng:int(1, 4) }
    else
        if type(spec.preset) == "table" then spec.chunk = nil end -- a type that has no chunks
        local kinds = { NAMES[rng:int(1, #NAMES)], NAMES[rng:int(1, #NAMES)], "work" }
        spec.map = function(item)
            board[1] = 1
            return TASKS[kinds[item % 3 + 1]](item)
        end
    end
    if rng:int(1, 5) == 1 then
        core.fork(function() while true do end end) -- no worker, and forgotten
    end
    local pool = rig.pool(spec)
    while pool do pcall(pool.map, pool, 100) end
end

local function what_is(pid)
    local file <close> = io.open(("/proc/%d/stat"):format(pid))
    return file and file:read "a" or pid .. " (gone)"
end

-- Seconds until nobody was left. Everybody below this process becomes its child, as one after the other ends.
local function wait_for_nobody(name)
    local began = core.now()
    while true do
        local some = outside.reap()
        local waited = core.now() - began
        if not some then return waited end
        if waited > WITHIN_S then
            local lines = {}
            for i, pid in ipairs(outside.children()) do
                lines[i] = what_is(pid)
                os.execute("kill -KILL " .. pid)
            end
            lu.fail(("%s: left after %g s:\n%s"):format(name, waited, table.concat(lines)))
        end
        core.sleep(0.0005)
    end
end

TestCoordinator = {}

function TestCoordinator.setUp() outside.adopt(true) end
function TestCoordinator.tearDown() outside.adopt(false) end

function TestCoordinator.test_nobody_is_left_whenever_it_is_killed()
    local rng = core.rng("chaos", SEED)
    local slowest, in_tasks = 0, 0
    local board = core.shared_array("u8", 1, 0)
    for round = 1, KILLS do
        board[1] = 0
        local coordinator <close> = assert(core.fork(coordinate, SEED * 1000 + round, board))
        -- some are killed while they start, most when their workers are at work
        local patience = core.now() + rng:float() * (rng:int(1, 3) == 1 and 0.01 or 0.06)
        while core.now() < patience do core.sleep(0.001) end
        coordinator:kill "KILL"
        in_tasks = in_tasks + board[1]
        lu.assertEquals(assert(coordinator:wait(60)).signal, 9)
        slowest = math.max(slowest, wait_for_nobody(("RIG_SEED=%d, coordinator %d"):format(SEED, round)))
    end
    board:close()
    print(("chaos: %d coordinators killed, %d of them while workers were known to be in tasks; all below " ..
        "them gone after %.3f s at most"):format(KILLS, in_tasks, slowest))
end

-- The executable is a child of a process that does nothing but start it.
local function kill_command_of(pid)
    local fd
    while not fd do
        local child = outside.children(pid)[1]
        fd = child and outside.aim(child, pid)
    end
    lu.assertTrue(outside.hit(fd, 9))
    outside.drop(fd)
end

function TestCoordinator.test_nobody_is_left_by_the_executable()
    rigtest.write("endless.lua", [[
        local rig = require "rig"
        return rig.scenario {
            name = "endless", about = "does not end", workers = 3, items = 9, chunk = 1,
            pool = { "builtin", "shm", "custom", "spawn", "per_task" },
            map = function(item)
                if item % 3 == 0 then rig.exec { "sh", "-c", "sleep 1000" } end
                while true do end
            end,
        }]])
    local rng = core.rng("executable", SEED)
    local slowest = 0
    local presets = { "builtin", "shm", "custom", "spawn", "per_task" }
    for round = 1, math.max(1, KILLS // 8) do
        local starter <close> = assert(core.fork(function()
            rig.exec { os.getenv "RIG", "endless.lua", "pool=" .. presets[round % #presets + 1], "--quiet" }
        end))
        core.sleep(0.005 + rng:float() * 0.06)
        kill_command_of(starter:pid())
        assert(starter:wait(60))
        slowest = math.max(slowest, wait_for_nobody(("RIG_SEED=%d, executable %d"):format(SEED, round)))
    end
    os.remove "endless.lua"
    print(("chaos: %d runs of the executable killed; all below them gone after %.3f s at most"):format(
        math.max(1, KILLS // 8), slowest))
end

os.exit(lu.LuaUnit.run())
