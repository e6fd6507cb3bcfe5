-- expect: exit 2; returns_not_what_it_declares%.lua:4: declares a scenario and does not return it; write return
local rig = require "rig"

local scenario = rig.scenario { items = 4, map = function(item) return item end }
assert(scenario)
