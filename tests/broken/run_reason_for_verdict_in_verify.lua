-- expect: exit 2; verify: returned "it is not 10" %(a string%); return true or false, and in the second place why not
local rig = require "rig"

return rig.scenario {
    workers = 2,
    iterations = 1,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
    verify = function() return "it is not 10" end,
}
