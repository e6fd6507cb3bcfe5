-- Did a change make the decoder slower? A scenario for CI, to be copied: it measures a function of a C library or of a
-- script, and its two sides are two builds of the one or two versions of the other.
--
--   rig scenarios/ci.lua                                               as it is: is it right, is it fast enough
--   rig scenarios/ci.lua --ab lib=base/librunlength.so,head/librunlength.so
--   rig scenarios/ci.lua --ab script=base/runlength.lua,head/runlength.lua --budget 3m --markdown summary.md
--
-- The library is built with:
--   cc -O2 -shared -fPIC -DRIG_PLUGIN -I core/include -o librunlength.so scenarios/ci/runlength.c
-- Exit status 3 means slower, whatever else this machine was doing; scenarios/README.md shows the whole job.

local rig = require "rig"

local RUNS = 5000 -- in each text: pairs of a length and a character

-- Made once, when this file is loaded: all that an iteration needs of its own is timed.
local function texts(count)
    local rng, list = rig.rng(1), {}
    for i = 1, count do
        local runs = {}
        for k = 1, RUNS // 20 do runs[k] = string.char(rng:int(1, 9), rng:int(97, 122)) end
        list[i] = table.concat(runs):rep(20)
    end
    return list
end

-- What is measured where no library and no script is named.
local function decode(text)
    local parts, rep, byte = {}, string.rep, string.byte
    for i = 1, #text, 2 do parts[#parts + 1] = rep(text:sub(i + 1, i + 1), byte(text, i)) end
    return table.concat(parts)
end

return rig.scenario {
    name = "ci",
    about = "Decoding 40 run-length encoded texts, by a C library or by a script",

    params = {
        lib = { default = "", help = "a shared object with a workload `decode`" },
        script = { default = "", help = "a Lua file that returns a function like `decode`" },
    },
    pool = { "serial", "builtin" },
    workers = 2,
    iterations = 3,

    -- loaded in `setup`, so that each side of an A/B run has only its own library in memory
    setup = function(p)
        if p.lib ~= "" then assert(rig.load(p.lib)) end
    end,
    init = function(p)
        if p.lib ~= "" then return rig.workload "decode" end
        return p.script ~= "" and assert(loadfile(p.script))() or decode
    end,

    items = texts(40),
    map = function(item, fixed, w)
        local text = w.state(item, fixed, w)
        return #text
    end,
    reduce = rig.sum,
    expect = function(_, total) return total > 40 * RUNS * 4 and total < 40 * RUNS * 6, "lengths do not add up" end,
}
