-- expect: exit 2; unknown_key%.lua:6: worker: unknown key, given 4; did you mean workers%?
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    worker = 4,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
