-- How long does a payload take to a worker and back, and through what does it go fastest?
--
-- Four strings of `size` bytes are mapped, and what comes back are the same strings. Small ones are mostly the way to
-- the worker and waking it, large ones mostly copying; where the time begins to grow with the size, and where one
-- channel overtakes another, is among the findings. The rate counts both ways.
--
--   rig scenarios/payload.lua
--   rig scenarios/payload.lua size=1e3..1e6:7 channel=pipe,socket --find-crossing size
--   rig scenarios/payload.lua pool=builtin,custom channel=preset            through one queue, too

local rig = require "rig"
local axes = require "rig.axes" -- which channels this version has

local COUNT = 4

local channels = {}
for _, name in ipairs(axes.available(axes.axis.channel.values)) do
    if name ~= "queue" then channels[#channels + 1] = name end
end

return rig.scenario {
    name = "payload",
    about = "Strings of growing size to a worker and back",

    channel = channels,
    size = { 64, 4096, 65536, 1 << 20, 1 << 23, 1 << 26 }, -- bytes of each: 64 B to 64 MiB
    workers = 1,
    chunk = 1,
    iterations = 3,
    calibrate = "20ms",

    -- items, what is on its way in both processes, and results
    memory = function(p) return 4 * COUNT * p.size end,
    items = function(p) return rig.fill(COUNT, ("x"):rep(p.size)) end,
    map = function(item) return item end,
    reduce = function(results)
        local total = 0
        for _, item in ipairs(results) do total = total + #item end
        return total
    end,
    expect = function(p, total) return total == COUNT * p.size, "not every byte came back" end,
    work = function(p) return { bytes = 2 * COUNT * p.size } end,
}
