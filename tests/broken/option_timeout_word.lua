-- expect: exit 2; timeout: .*"soon" is not a duration; .*300ms
-- args: --timeout soon
local rig = require "rig"

return rig.scenario {
    workers = 2,
    items = 4,
    map = function(item) return item end,
    reduce = rig.sum,
}
