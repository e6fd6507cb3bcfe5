-- expect: exit 2; run_pool_type_outcome_misspelt%.lua:7: pool:finish: "eror" is not an outcome; did you mean error%?
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.map = function(pool, _, tasks)
    pool:assign(tasks(), 1)
    pool:finish(1, "eror", "no")
end

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
