-- expect: exit 2; global_read%.lua:5: size_of_it: undefined, read here as a global; did you mean size_of_its%?
local rig = require "rig"

local size_of_its = 3
return rig.scenario { items = size_of_it, map = function(item) return item + size_of_its end }
