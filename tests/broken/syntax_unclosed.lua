-- expect: exit 2; syntax_unclosed%.lua:7: syntax error: .*<eof>.*; something is not closed
local rig = require "rig"

return rig.scenario {
    items = 4,
    map = function(item) return item end,
