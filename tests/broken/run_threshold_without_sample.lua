-- expect: exit 1; threshold loss < 1: builtin: fails: no sample: nothing recorded loss
-- args: --only pool=builtin --only size=10
local rig = require "rig"

return rig.scenario {
    size = { 10, 20 },
    iterations = 2,
    pool = { "builtin", "custom" },
    thresholds = { "loss < 1" }, finish = function(w) if w.p.size == 0 then rig.metric("loss", 1) end end,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
