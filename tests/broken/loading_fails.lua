-- expect: exit 2; loading_fails%.lua:5: loading failed: attempt to index a nil value %(local 'sizes'%)
local rig = require "rig"

local sizes
return rig.scenario { size = sizes[1], items = 4, map = function(item) return item end }
