-- How far ahead of CPython's pools are rig's, with the same work on the same data?
--
-- The experiment of ../fixed_data.lua, side by side: here with rig's pools, there with multiprocessing.Pool and with a
-- pool made by hand out of processes and queues (cpython_pools.py). What to compare is s_per_iteration: from the start
-- of the pool through its close, by maps. A call also starts the interpreter and makes the data. Where there is no
-- python3, CPython's pools are left out, and the line under the title says so.
--
--   rig scenarios/peers/cpython_pools.lua
--   rig scenarios/peers/cpython_pools.lua size=158489319          the largest size: minutes and 10 GB

local rig = require "rig"

local SCRIPT = ((...):match "^.*/" or "") .. "cpython_pools.py" -- beside this file

local function is_installed(program)
    for folder in (os.getenv "PATH" or ""):gmatch "[^:]+" do
        local file <close> = io.open(folder .. "/" .. program)
        if file then return true end
    end
    return false
end

local function task(item)
    local total = 0
    for _ = 1, 9999 do total = total + #item end
    return total
end

local function measure_rig(p)
    local data, items, results = rig.array("i64", p.size, 50), rig.fill(100, rig.fill(100, 1)), {}
    local started = rig.now()
    local pool = assert(rig.pool { preset = p.how, workers = p.workers, fixed = data, map = task })
    if p.how == "builtin" then assert(pool:wait_ready()) end
    for i = 1, p.maps do results[i] = rig.sum((pool:map(items))) end
    pool:close()
    local seconds = (rig.now() - started) / p.maps
    local ready = p.workers - pool:stats().undelivered.workers
    return { s_per_iteration = seconds, results = results, ready = ready, broken_pipes = 0 }
end

local function measure_cpython(p)
    local words = { "python3", SCRIPT, p.how, p.size, p.workers, p.maps, parse = "json", timeout = 600 }
    local done, problem = rig.exec(words)
    if not done or done.status ~= 0 then error(problem or done.stderr, 0) end
    return done.value
end

local both = is_installed "python3"

return rig.scenario {
    name = "cpython_pools",
    about = "rig's pools beside CPython's" .. (both and "" or " (no python3 was found: CPython's are left out)"),

    size = { 100000, 25118864 },
    params = {
        peer = { default = both and { "rig", "cpython" } or { "rig" }, choices = { "rig", "cpython" } },
        how = { "builtin", "custom" },
        maps = { default = 9, min = 1, help = "maps on one pool" },
    },
    workers = 4,
    iterations = 1,
    runs = 3,

    -- CPython's custom pool has 8 bytes for each int here and in every worker, and what is pickled is on its way
    memory = function(p) return 12 * p.size * (1 + p.workers) end,
    setup = function(p)
        -- a virtual machine may have given idle memory back to its host, and waits for it when it is touched again
        rig.fork(function() rig.array("i32", 3 * p.size * (1 + p.workers), 1) end):wait()
    end,

    body = function(p)
        local it = (p.peer == "rig" and measure_rig or measure_cpython)(p)
        rig.metric("s_per_iteration", it.s_per_iteration, "s")
        rig.metric("ready", it.ready, "workers") -- those that held the data at the last result
        rig.metric("broken_pipes", it.broken_pipes)
        return rig.sum(it.results)
    end,
    expect = function(p, total) return total == p.maps * 99990000, "not every map came to 99990000" end,
}
