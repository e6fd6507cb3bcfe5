-- expect: exit 2; unknown_key_own%.lua:6: kind: unknown key, given "array"; .*belongs in params
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    kind = "array",
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
