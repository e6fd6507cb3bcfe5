-- expect: exit 2; command line: chunk: the pool type plain does not declare the axis chunk
-- args: chunk=4
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.about = "without axes"

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
