-- expect: exit 2; unknown_key_far%.lua:6: fixed_via_x: unknown key, given true; did you mean fixed%?
local rig = require "rig"

return rig.scenario {
    iterations = 2,
    fixed_via_x = true,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
