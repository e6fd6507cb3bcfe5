-- expect: exit 2; returns_nothing%.lua: returns nothing; write return rig%.scenario
local rig = require "rig"

local sizes = rig.logspace(1, 100, 3)
assert(#sizes == 3)
