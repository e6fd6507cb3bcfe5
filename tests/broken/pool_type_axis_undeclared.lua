-- expect: exit 2; pool_type_axis_undeclared%.lua:14: chunk: the pool type plain does not declare the axis chunk, so it cannot follow it %(pool plain%); leave chunk out, or declare it in the axes of plain
local rig = require "rig"
local plain = require "lib.plain_pool"

plain.about = "without axes"

return rig.scenario {
    pool = rig.pool_type(plain),
    workers = 2,
    iterations = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
    chunk = 4,
}
