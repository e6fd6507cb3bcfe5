-- What do 256 workers cost on a machine with few cores, beside bare forks and beside 4 workers?
--
-- `start` is the whole life of an idle pool: start, all ready, close; its limit are as many calls of fork, exit and
-- wait (in C: forks.c, built here; rig.fork where there is no C compiler). `map` is 100,000 tasks that do nothing; its
-- limit is the same with 4 workers. Here `size` counts workers: a start should grow linearly, and a map not at all.
--
--   rig scenarios/bench/workers.lua
--   rig scenarios/bench/workers.lua what=start size=1,1024 runs=6

local rig = require "rig"

local HERE = (...):match "^.*/" or "./"

-- Bare forks in C, or what there is without a compiler.
local function build_forks()
    local path = os.tmpname()
    local built = rig.exec { "cc", "-O2", "-shared", "-fPIC", "-DRIG_PLUGIN", "-I", HERE .. "../../core/include",
        "-o", path, HERE .. "forks.c", timeout = 60 }
    local loaded = built and built.status == 0 and rig.load(path)
    os.remove(path)
    if loaded then return rig.workload "forks" end
    return function(n)
        local children = {}
        for i = 1, n do children[i] = assert(rig.fork(os.exit)) end
        for i = 1, n do children[i]:wait() end
        return n
    end
end

local function start(workers)
    local pool = assert(rig.pool { workers = workers, map = function(item) return item end })
    assert(pool:wait_ready())
    return pool
end

return rig.scenario {
    name = "workers",
    about = "1 to 256 workers: a pool's life beside bare forks, empty tasks beside 4 workers",

    params = {
        way = { "limit", "pool" },
        what = { "start", "map" },
        tasks = { default = 100000, min = 1, help = "in a map" },
    },
    size = { 1, 4, 16, 64, 256 }, -- workers
    iterations = 7,
    runs = 3,

    setup = function(p)
        if p.what == "map" then return { pool = start(p.way == "pool" and p.size or 4) } end
        return { forks = p.way == "limit" and build_forks() }
    end,
    body = function(p, state)
        if state.pool then return #state.pool:map(p.tasks) end
        if state.forks then return state.forks(p.size) end
        assert(start(p.size):close())
        return p.size
    end,
    expect = function(p, n) return n == (p.what == "map" and p.tasks or p.size) end,
    teardown = function(_, state) if state.pool then state.pool:close() end end,
}
