-- expect: exit 2; global_written%.lua:4: count: 3 is assigned to a global; write local count
local rig = require "rig"

count = 3
return rig.scenario { items = count, map = function(item) return item end }
