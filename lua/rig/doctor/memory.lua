--- What memory costs here: touching it first, writing it again, taking it anew, and forking a process that holds it.
--- Not for what that means: judge.lua. Neighbours: measure.lua asks for it, memory.lua of rig says what fits.

local core = require "rig.core"

local M = {}

local MOST_BYTES = 256 << 20
local LEAST_BYTES = 16 << 20

-- Below the size of a huge page, so that such an array gets none.
local SMALL_ARRAY = 1 << 20

---How much to try with: a part of what is free, so that nothing else is driven out.
---@param available integer bytes
---@return integer? bytes nil where there is too little
function M.size(available)
    local bytes = math.min(MOST_BYTES, available // 8) // SMALL_ARRAY * SMALL_ARRAY
    return bytes >= LEAST_BYTES and bytes or nil
end

local function fill_s(array, value)
    local t0 = core.now()
    array:fill(value)
    return core.now() - t0
end

---Seconds to write so many bytes.
---@param bytes integer
---@return { bytes: integer, first_s: number, again_s: number, reused_s: number, shared_s: number } touch first_s: fresh
---   memory; again_s: the same memory once more; reused_s: taken anew, mostly what was just given back; shared_s: fresh
---   shared memory
function M.touch(bytes)
    local touch = { bytes = bytes }
    local fresh = core.array("u8", bytes)
    touch.first_s = fill_s(fresh, 1)
    touch.again_s = math.min(fill_s(fresh, 2), fill_s(fresh, 3))
    fresh:close()
    local reused = core.array("u8", bytes)
    touch.reused_s = fill_s(reused, 1)
    reused:close()
    local shared = core.shared_array("u8", bytes)
    touch.shared_s = fill_s(shared, 1)
    shared:close()
    return touch
end

local function fork_s(count)
    local times = {}
    for i = 1, count do
        local t0 = core.now()
        local child, problem = core.fork(function() end)
        times[i] = core.now() - t0
        if not child then return nil, problem end
        child:wait(10)
        child:stop(0)
        child:close()
    end
    table.sort(times)
    return times[(count + 1) // 2]
end

-- The arrays of what is held while we fork; they are filled, or there would be nothing to hold.
local function holding(arrays, count)
    for _, array in ipairs(arrays) do array:fill(1) end
    local seconds, problem = fork_s(count)
    for _, array in ipairs(arrays) do array:close() end
    return seconds, problem
end

---Seconds of a fork, the median of several, by what the parent holds.
---@param bytes integer
---@param count integer
---@return { bytes: integer, nothing_s: number, large_s: number, small_s: number, shared_s: number }? forks large_s: in
---   one array, which asks for huge pages; small_s: in arrays too small for that; shared_s: in shared memory
---@return string? problem
function M.forks(bytes, count)
    local small = {}
    local held = {
        { "nothing_s", {} }, { "large_s", { core.array("u8", bytes) } }, { "small_s", small },
        { "shared_s", { core.shared_array("u8", bytes) } },
    }
    for i = 1, bytes // SMALL_ARRAY do small[i] = core.array("u8", SMALL_ARRAY) end
    local forks, problem = { bytes = bytes }, nil
    for _, one in ipairs(held) do
        local name, arrays = one[1], one[2]
        local seconds, why = holding(arrays, count)
        forks[name], problem = seconds, problem or why
    end
    if problem then return nil, problem end
    return forks
end

return M
