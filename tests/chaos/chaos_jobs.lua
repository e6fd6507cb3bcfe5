-- What workers do while they are killed: note that a task has begun, take a moment, give back what can be checked.
-- A module, because fresh processes find functions by name. Neighbour: test_workers.lua.

local core = require "rig.core"

local M = {}

-- Now and then a result larger than any buffer between two processes.
local LARGE = 300000

---What the task `item` gives.
---@param item integer
---@param sum integer of the fixed data
---@param seed integer
function M.value(item, sum, seed)
    local large = (item * 7 + seed) % 23 == 0
    return { item, sum, (large and "x" or "y"):rep(large and LARGE or item % 50) }
end

---@param begun fun(item: integer, w: table) notes that the task has begun
function M.runner(begun)
    return function(item, fixed, w)
        begun(item, w)
        if w.p.spin_s > 0 then core.spin(w.p.spin_s * ((item * 13) % 10) / 5) end
        return M.value(item, fixed:sum(), w.p.seed)
    end
end

-- One line for each beginning: appended in one piece, and there although the worker is killed after it.
local log
M.map = M.runner(function(item, w)
    if not log then
        log = assert(io.open(w.p.log, "a"))
        log:setvbuf "no"
    end
    log:write(("%04d\n"):format(item))
end)

-- For coordinators that are killed: what does not end by itself, and now and then a task that does.
local ENDLESS = {
    function() while true do end end,
    function() core.sleep(1000) end,
    function() os.execute "kill -STOP $PPID" end,
    function() require("rig").exec { "sleep", "1000" } end,
}

function M.endless(item, _, w)
    if item % 3 > 0 then return ENDLESS[w.p.what]() end
    return item
end

return M
