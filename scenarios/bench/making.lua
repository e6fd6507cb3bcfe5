-- How long does it take to make the fixed data, beside what the kernel takes to give the memory at all?
--
-- `array` is rig.array(type, n, value) and its close; `touch` is a mapping of as many bytes, of the same kind of pages,
-- into each of which one byte is written (touch.c, built here by the C compiler, without which there is nothing to
-- compare with).
--
--   rig scenarios/bench/making.lua
--   rig scenarios/bench/making.lua size=158489319 runs=6

local rig = require "rig"

local HERE = (...):match "^.*/" or "./"

local function build_touch()
    local path = os.tmpname()
    local built = assert(rig.exec { "cc", "-O2", "-shared", "-fPIC", "-DRIG_PLUGIN", "-I", HERE .. "../../core/include",
        "-o", path, HERE .. "touch.c", timeout = 60 })
    local fine, problem = built.status == 0, built.stderr
    if fine then fine, problem = rig.load(path) end
    os.remove(path)
    if not fine then error("touch.c: " .. problem, 0) end
end

local touch = rig.workload "touch"

return rig.scenario {
    name = "making",
    about = "An array of integers made, beside the first touch of as much memory",

    params = { way = { "touch", "array" } },
    size = { 158489, 1584893, 15848931, 158489319 }, -- integers of 8 bytes: up to 1.27 GB
    iterations = 5,
    runs = 6,

    memory = function(p) return 8 * p.size end,
    setup = function(p) if p.way == "touch" then build_touch() end end,
    body = function(p)
        if p.way == "touch" then return touch(8 * p.size) end
        local data = rig.array("i64", p.size, 50)
        local bytes = data:bytes()
        data:close()
        return bytes
    end,
    expect = function(p, bytes) return bytes == 8 * p.size end,
    work = function(p) return { bytes = 8 * p.size } end,
}
