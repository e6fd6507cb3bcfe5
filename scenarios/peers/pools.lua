-- How far ahead of other languages' pools are rig's, task by task?
--
-- 4 workers and a function that gives back what it gets: `map`, in chunks as each pool chooses them; `map_1`, a message
-- a task; `round_trip`, one call that is waited for; `payload`, the same with 1 MiB; `life`, a pool made and closed.
-- Beside rig's: CPython's multiprocessing.Pool and ProcessPoolExecutor (pools.py), Perl's MCE (mce.pl; Debian has it as
-- libmce-perl). They warm up and time themselves: `per_task` is what to compare, as a call also starts an interpreter.
-- What is not installed is left out, and the line under the title says so.
--
--   rig scenarios/peers/pools.lua
--   rig scenarios/peers/pools.lua what=map_1 over=pipe runtime=rig,pool runs=6

local rig = require "rig"
local axes = require "rig.axes" -- which channels this version has

local HERE = (...):match "^.*/" or "./"

local PEERS = { pool = { "python3", HERE .. "pools.py", "pool" }, mce = { "perl", HERE .. "mce.pl" },
    executor = { "python3", HERE .. "pools.py", "executor" } }

local runtimes, missing = { "rig" }, ""

-- Those that a command answers for are there.
local function look_for(command, what, ...)
    local done = rig.exec(command)
    if done and done.status == 0 then
        table.move({ ... }, 1, select("#", ...), #runtimes + 1, runtimes)
    else
        missing = missing .. (" (no %s was found)"):format(what)
    end
end
look_for({ "python3", "-c", "import multiprocessing", timeout = 60 }, "python3", "pool", "executor")
look_for({ "perl", "-e", "use MCE::Map", timeout = 60 }, "libmce-perl", "mce")

-- How many of each take about as long as `size` tasks in chunks.
local SHARE = { map = 1, map_1 = 100, round_trip = 1000, payload = 20000, life = 50000 }

local function identity(item) return item end

local function measure_rig(p, count)
    local spec = { workers = p.workers, channel = p.over, chunk = p.what == "map_1" and 1 or nil, map = identity }
    local pool <close> = assert(rig.pool(spec))
    local item, apply, right = p.what == "payload" and ("x"):rep(1 << 20) or 7, pool.apply, true
    pool:map(math.max(1, count // 10)) -- warm
    local started = rig.now()
    if p.what == "life" then
        for _ = 1, count do assert(assert(rig.pool(spec)):close()) end
    elseif p.what == "map" or p.what == "map_1" then
        right = #pool:map(count) == count
    else
        for _ = 1, count do right = right and apply(pool, item) == item end
    end
    return { seconds = (rig.now() - started) / count, right = right }
end

local function measure_peer(p, count)
    local words = { timeout = 300, parse = "json" }
    for i, word in ipairs(PEERS[p.runtime]) do words[i] = word end
    table.move({ p.what, count, p.workers }, 1, 3, #words + 1, words)
    local done, problem = rig.exec(words)
    if not done or done.status ~= 0 then error(problem or done.stderr, 0) end
    return done.value
end

return rig.scenario {
    name = "pools",
    about = "rig's pools beside those of other languages" .. missing,

    params = {
        runtime = { default = runtimes, choices = { "rig", "pool", "executor", "mce" } },
        what = { "map", "map_1", "round_trip", "payload", "life" },
        over = { default = "socket", choices = axes.available(axes.axis.channel.values), help = "rig's channel" },
    },
    size = 1000000, -- tasks of `map`; of the others as many as take about as long
    iterations = 1,
    runs = 3,

    body = function(p)
        local it = (p.runtime == "rig" and measure_rig or measure_peer)(p, math.max(1, p.size // SHARE[p.what]))
        rig.metric("per_task", it.seconds, "s")
        return it.right
    end,
    expect = true,
}
