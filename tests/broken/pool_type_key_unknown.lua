-- expect: exit 2; pool_type_key_unknown%.lua:8: rig%.pool_type: unknown key strat, given a function; did you mean start%?
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.strat = plain.start

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
