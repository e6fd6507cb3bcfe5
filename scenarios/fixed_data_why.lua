-- Why is `custom` slower than `builtin`: is it the pool, the way in which the fixed data is delivered, or the language
-- that the pool is written in?
--
-- The two differ in five axes at once. So: from custom, each axis alone is set to what builtin has; from builtin, each
-- alone to what custom has. The one that makes custom fast and builtin slow is to blame, and the findings name it.
--
--   rig scenarios/fixed_data_why.lua
--   rig scenarios/fixed_data_why.lua runs=6                     every ratio with its interval
--   rig scenarios/fixed_data_why.lua size=158489319             at the article's largest size, in about a minute

local rig = require "rig"

return rig.scenario {
    name = "fixed_data_why",
    about = "custom and builtin, each with one axis at a time set to the other's",

    pool = {
        "custom", -- queue, queue, chunk 1, no barrier, in Lua
        { base = "custom", delivery = "inherit" },
        { base = "custom", channel = "socket" },
        { base = "custom", chunk = "auto" },
        { base = "custom", barrier = true },
        { base = "custom", impl = "c" },

        "builtin", -- inherit, socket, chunk auto, barrier, in C
        { base = "builtin", delivery = "queue" },
        { base = "builtin", channel = "queue" },
        { base = "builtin", chunk = 1 },
        { base = "builtin", barrier = false },
        { base = "builtin", impl = "lua" },
    },
    size = { 100000, 25118864 },
    workers = 4,
    iterations = 9,

    -- A virtual machine may have given idle memory back to its host, and waits for it when it is touched again. That
    -- would fall on the pools that copy; so all that a case can need is touched before the clock runs.
    setup = function(p)
        rig.fork(function() rig.array("i64", p.size * (1 + p.workers), 1) end):wait()
    end,

    -- the work of fixed_data.lua
    fixed = function(p) return rig.array("i64", p.size, 50) end,
    items = function() return rig.fill(100, rig.fill(100, 1)) end,
    map = function(item)
        local total = 0
        for _ = 1, 9999 do total = total + #item end
        return total
    end,
    reduce = rig.sum,
    expect = 99990000,
}
