-- Values of more than 2^31 bytes cross whole, by every channel: no length on the way is an int, and what the kernel
-- takes in one call (2^31 - 4096 bytes) is no limit. In the full tier only: it needs up to 10 GiB at once.

local lu = require "luaunit"
local rig = require "rig"
local rigtest = require "rigtest"

local SIZE = (1 << 31) + 1
local NEEDED = 12 << 30

local function available()
    local file <close> = assert(io.open "/proc/meminfo")
    return tonumber(file:read("a"):match "MemAvailable:%s+(%d+) kB") * 1024
end

local function need_memory()
    if not os.getenv "RIG_FULL" then lu.skip "needs 10 GiB; only in the full tier" end
    if rigtest.valgrind or os.getenv "RIG_SANITIZE" ~= "" then lu.skip "needs several times the memory here" end
    collectgarbage()
    lu.skipIf(available() < NEEDED, "needs 12 GiB of free memory")
end

-- Not the same everywhere, so that a part in the wrong place is seen.
local function long_string()
    local part = {}
    for i = 1, 1 << 16 do part[i] = ("%015d\n"):format(i) end
    local mib = table.concat(part)
    local eighth = mib:rep(256) -- string.rep itself ends at 2 GiB
    local half = eighth .. "0" .. eighth .. "1" .. eighth .. "2" .. eighth
    return half .. half:sub(1, SIZE - #half)
end

local function map_one(channel, item, map)
    local pool <close> = assert(rig.pool { workers = 1, channel = channel, chunk = 1, map = map })
    local results = assert(pool:map { item })
    assert(pool:close())
    return results[1]
end

TestHuge = {}

for _, channel in ipairs { "socket", "pipe", "ring", "queue" } do
    TestHuge["test_a_string_to_a_worker_by_" .. channel] = function()
        need_memory()
        local long = long_string()
        lu.assertEquals(#long, SIZE)
        lu.assertEquals(map_one(channel, long, function(came) return #came == SIZE and came == long end), true)
    end

    TestHuge["test_a_string_from_a_worker_by_" .. channel] = function()
        need_memory()
        local long = long_string()
        local came = map_one(channel, 1, function() return long end)
        lu.assertEquals(#came, SIZE)
        lu.assertIsTrue(came == long)
    end

    TestHuge["test_an_array_there_and_back_by_" .. channel] = function()
        need_memory()
        local array = rig.array("u8", SIZE, 7)
        array[1], array[1 << 30], array[SIZE - 1], array[SIZE] = 1, 2, 3, 4
        local came = map_one(channel, array, function(item) return item end)
        lu.assertEquals(#came, SIZE)
        lu.assertIsTrue(came == array)
    end
end

os.exit(lu.LuaUnit.run())
