-- expect: exit 2; command line: chunk: the pool type plain does not understand chunk = auto .*; use a number
-- args: chunk=auto
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.axes = { chunk = 1 }

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
