-- expect: exit 2; command line: pool: "plian" is not a pool; did you mean plain%?
-- args: pool=plian
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.about = "as it is"

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
