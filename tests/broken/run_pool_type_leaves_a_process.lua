-- expect: exit 4; pool type plain: close: left pid %d+ behind; ended by force
local rig = require "rig"
local plain = require "lib.plain_pool"

local start, kept = plain.start, {}
plain.start = function(pool)
    kept[1] = rig.fork(function() rig.sleep(600) end)
    return start(pool)
end

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
