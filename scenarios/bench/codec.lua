-- How fast do values become bytes and values again, beside lua-cjson, CPython's pickle and the least that it can take?
--
-- Each way takes the same value of `size` elements there and back: rig as between its processes, the lua-cjson that is
-- built in, pickle with protocol 5 (codec.py; left out where there is no python3, as the line under the title says).
-- Times are medians of 7 rounds, of processor time. `ahead` is how many times as long the faster of the two others
-- takes; `over_least` how many times as long rig takes as Lua for so many new strings, or as a copy of the array.
-- One of them, longer:   rig scenarios/bench/codec.lua value=records size=1000 runs=11

local rig, core, cjson = require "rig", require "rig.core", require "cjson"
local SCRIPT = ((...):match "^.*/" or "") .. "codec.py" -- beside this file
local has_python = os.execute "command -v python3 >/dev/null 2>&1"

local ELEMENTS = { -- the same as in codec.py
    small_ints = function(i) return i % 100 end,
    ints = function(i) return (i * 2654435761 & 0xffffffff) * 977 end,
    floats = function(i) return i / 7 end,
    mixed = function(i) return i % 3 == 0 and i or i % 3 == 1 and i / 7 or "word " .. i % 50 end,
    nested = function(i) return { { i, i + 0.5 }, { i % 2 == 0 }, {} } end,
    records = function(i) return { id = i, name = "name " .. i % 50, score = i / 7, tags = { i, i } } end,
    long_strings = function(i) return ("%08d"):format(i):rep(128) end,
    short_strings = function(i) return ("new %010d"):format(i) end,
}

local function make(p)
    if p.value == "array" then return rig.array("i64", p.size, 50) end
    local value = {}
    for i = 1, p.size do value[i] = ELEMENTS[p.value](i) end
    return value
end

-- Seconds of a call of f(x). With `fresh`, what f made is gone at the next call: strings that exist are not new.
local function time(f, x, fresh)
    local rounds, calls = {}, fresh and 1 or 8
    for i = 1, 7 do
        local took, n = 0, 0
        while took < 0.002 and (n < 20 or not fresh) do
            if fresh then collectgarbage() end
            local started = os.clock()
            for _ = 1, calls do f(x) end
            took, n = took + os.clock() - started, n + calls
        end
        rounds[i] = took / n
    end
    table.sort(rounds)
    return rounds[4]
end

local function there_and_back(p, encode, decode)
    local value = make(p)
    local bytes, there = encode(value), time(encode, value)
    value = nil -- luacheck: ignore
    return there + time(decode, bytes, p.value == "short_strings")
end

local function measure(p)
    if p.value == "array" then
        local value = make(p)
        return { rig = time(core.copy, value), least = time(value.copy, value) }
    end
    local took = { cjson = there_and_back(p, cjson.encode, cjson.decode) }
    if p.value ~= "short_strings" then
        took.rig = time(core.copy, make(p))
        return took
    end
    took.rig = there_and_back(p, core.encode, core.decode)
    took.least = time(function(all) for i = 1, #all, 14 do all:sub(i, i + 13) end end, table.concat(make(p)), true)
    return took
end

return rig.scenario {
    name = "codec",
    about = "Values to bytes and back" .. (has_python and "" or " (no python3 was found: pickle is left out)"),
    size = { 10, 100, 1000, 10000 },
    params = { value = { "small_ints", "ints", "floats", "mixed", "nested", "records", "long_strings", "short_strings",
        "array" } },
    iterations = 1, runs = 5,
    body = function(p)
        local took, words = measure(p), { "python3", SCRIPT, p.value, p.size, parse = "json", timeout = 600 }
        if has_python then took.pickle = assert(rig.exec(words)).value.seconds end
        for name, seconds in pairs(took) do rig.metric(name .. "_s", seconds, "s") end
        local peer = math.min(took.cjson or math.huge, took.pickle or math.huge)
        if peer < math.huge then rig.metric("ahead", peer / took.rig, "x") end
        if took.least then rig.metric("over_least", took.rig / took.least, "x") end
    end,
}
