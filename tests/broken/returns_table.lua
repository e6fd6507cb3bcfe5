-- expect: exit 2; returns_table%.lua: returns { items = 4.*not a scenario; write return rig%.scenario
return { items = 4, map = function(item) return item end }
