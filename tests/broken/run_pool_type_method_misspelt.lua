-- expect: exit 2; run_pool_type_method_misspelt%.lua:6: pool%.asign: no such thing; did you mean assign%?
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.map = function(pool, _, tasks)
    pool:asign(tasks(), 1)
end

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
