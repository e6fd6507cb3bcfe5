-- expect: exit 4; pool type plain: start: no more of anything
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.start = function() return nil, "no more of anything", "EMFILE" end

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
