-- expect: exit 2; global_rig%.lua:2: rig: undefined, read here as a global; add local rig = require "rig"
return rig.scenario { items = 4, map = function(item) return item end }
