-- expect: exit 2; run_param_written%.lua:9: p%.size: parameters are read%-only
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 4,
    map = function(item) return item end,
    fixed = function(p) p.size = 3; return {} end,
}
