-- expect: exit 2; pool_later%.lua:6: pool: pool per_task is not available in this version.*; use serial, builtin, custom or shm
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    pool = "per_task",
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
