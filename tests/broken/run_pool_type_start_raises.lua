-- expect: exit 2; pool type plain: start: .*run_pool_type_start_raises%.lua:5: broken on purpose in start %(case plain%)
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.start = function() error "broken on purpose in start" end

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
