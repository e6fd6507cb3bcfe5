-- expect: exit 4; pool type plain: close: left worker 1 %(pid %d+%) and worker 2 %(pid %d+%) behind; ended by force
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.close = function() end

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
