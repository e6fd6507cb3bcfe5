-- expect: exit 2; pool_type_name_of_preset%.lua:8: rig%.pool_type: name: custom is a preset of rig's own; choose another name
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.name = "custom"

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
