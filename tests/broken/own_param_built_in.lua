-- expect: exit 2; own_param_built_in%.lua:6: workers: a built%-in parameter; set it beside params
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    params = { workers = 4 },
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
