-- What tests/inject runs with the executable: two processes, four tasks, one iteration.

local rig = require "rig"

return rig.scenario {
    name = "inject",
    pool = { base = "builtin", delivery = "send", channel = "socket" },
    start = { "fork" },
    workers = 2,
    iterations = 1,
    items = 4,
    map = function(item) return item * 2 end,
    reduce = rig.sum,
    expect = 20,
}
