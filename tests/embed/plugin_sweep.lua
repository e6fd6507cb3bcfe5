-- Which build of a C library is it? Sweeps `lib` over shared objects, whose workload `scale` multiplies by the number
-- of its variant: rig plugin_sweep.lua lib=./libplugin_1.so,./libplugin_2.so

local rig = require "rig"

return rig.scenario {
    name = "plugin_sweep",
    about = "The same workload from several builds of a shared object",

    params = { lib = "./libplugin_1.so" },
    pool = { "serial", "builtin", "custom", "spawn" },
    workers = 2,
    iterations = 2,

    setup = function(p) assert(rig.load(p.lib)) end,
    items = 10,
    map = rig.workload "scale",
    reduce = rig.sum,
    expect = function(p, result) return result == 55 * math.tointeger(p.lib:match "_(%d+)%.so$") end,
}
