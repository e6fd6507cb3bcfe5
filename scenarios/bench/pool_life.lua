-- What do the start and the close of a pool cost, beside bare forks, and does it matter how much data there is?
--
-- `pool` starts workers that inherit the fixed data, waits until all are ready, and closes. `bare` are as many calls of
-- fork, exit and wait in C (forks.c, built here), from the same process with the same data; where there is no C
-- compiler, rig.fork takes its place. A fork copies the tables of all pages, so both take longer with more data, but
-- the ratio must not grow.
--
--   rig scenarios/bench/pool_life.lua
--   rig scenarios/bench/pool_life.lua way=fork,pool size=158489319 runs=6

local rig = require "rig"

local HERE = (...):match "^.*/" or "./"

local function is_installed(program)
    for folder in (os.getenv "PATH" or ""):gmatch "[^:]+" do
        local file <close> = io.open(folder .. "/" .. program)
        if file then return true end
    end
    return false
end

local function build_forks()
    local path = os.tmpname()
    local built = assert(rig.exec { "cc", "-O2", "-shared", "-fPIC", "-DRIG_PLUGIN", "-I", HERE .. "../../core/include",
        "-o", path, HERE .. "forks.c", timeout = 60 })
    local fine, problem = built.status == 0, built.stderr
    if fine then fine, problem = rig.load(path) end
    os.remove(path)
    if not fine then error("forks.c: " .. problem, 0) end
end

local forks = rig.workload "forks"

local WAYS = {
    bare = function(n) assert(forks(n) == n) end,
    fork = function(n)
        local children = {}
        for i = 1, n do children[i] = assert(rig.fork(os.exit)) end
        for i = 1, n do children[i]:wait() end
    end,
    pool = function(n, data)
        local pool = assert(rig.pool { workers = n, fixed = data, map = os.exit })
        assert(pool:wait_ready())
        assert(pool:close())
    end,
}

local compiles = is_installed "cc"

return rig.scenario {
    name = "pool_life",
    about = "Start and close of a pool, beside " .. (compiles and "bare forks" or "rig.fork (no cc was found)"),

    params = { way = { default = { compiles and "bare" or "fork", "pool" }, choices = { "bare", "fork", "pool" } } },
    size = { 158489, 1584893, 15848931, 158489319 }, -- ints of fixed data: up to 1.27 GB
    workers = 4,
    iterations = 21,
    runs = 3,

    memory = function(p) return 8 * p.size end,
    setup = function(p)
        if p.way == "bare" then build_forks() end
        return rig.array("i64", p.size, 50)
    end,
    body = function(p, data) WAYS[p.way](p.workers, data) end,
    teardown = function(_, data) data:close() end,
}
