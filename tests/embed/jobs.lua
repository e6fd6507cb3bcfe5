-- The functions that workers of stock.lua find by name: they share nothing with it.

local M = {}

function M.begin(p, fixed)
    return p.step + fixed[1]
end

function M.add(item, _, w)
    return item + w.state
end

return M
