-- expect: exit 2; syntax_error%.lua:6: syntax error: .*expected.*near 'items'; is there a comma
local rig = require "rig"

return rig.scenario {
    workers = 4
    items = 4,
    map = function(item) return item end,
}
