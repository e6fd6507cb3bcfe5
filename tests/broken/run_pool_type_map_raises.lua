-- expect: exit 2; pool type plain: map: .*run_pool_type_map_raises%.lua:5: broken on purpose in map %(case plain%)
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.map = function() error "broken on purpose in map" end

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
