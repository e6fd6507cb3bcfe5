-- expect: exit 2; run_param_unknown%.lua:9: p%.sise: no such parameter; did you mean size%?
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 4,
    map = function(item) return item end,
    fixed = function(p) return { p.sise } end,
}
