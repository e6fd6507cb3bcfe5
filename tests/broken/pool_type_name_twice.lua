-- expect: exit 2; pool_type_name_twice%.lua:8: rig%.pool_type: name: there is a pool type plain already, declared at .*pool_type_name_twice%.lua:5; choose another name
local rig = require "rig"
local plain = require "lib.plain_pool"

rig.pool_type(plain)

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
