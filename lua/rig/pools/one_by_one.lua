--- imap, submit and apply for pools that can only run whole maps: those written in Lua.
--- A lazy map goes through its items in portions; a submitted task runs, together with all others that wait, when the
--- first of them is waited for.
--- Neighbours: pools/init.lua puts it over a pool; core.pool does all of this by itself.

local items_of = require "rig.pools.items"

local M = {}

-- Items of a portion for each worker, where nothing else bounds it.
local PORTION = 16

-- What is known about a task that is not among the failures that a report has room for.
local function failure_of(report, task)
    for _, one in ipairs(report.failures or {}) do
        if one.task == task then return one end
    end
    return { task = task, outcome = report.outcomes.error > 0 and "error" or "died" }
end

-- Runs a list of n items: fn(i, value, failure) for each in order. Raises what the pool does.
local function run_list(pool, list, n, fn)
    local i = 0
    local results, report, code = pool:run(function()
        i = i + 1
        if i <= n then return list[i] end
    end)
    if not results then return nil, report, code end
    local failed = {}
    for _, one in ipairs(report.failures or {}) do failed[one.task] = one end
    local all_ok = report.outcomes.ok == report.n
    for task = 1, n do
        local failure = failed[task]
        if not failure and not all_ok and results[task] == nil and #report.failures >= 100 then
            failure = failure_of(report, task)
        end
        fn(task, results[task], failure)
    end
    return true
end

---@param pool table with `run`
---@param workers integer
---@return table pool with more methods
function M.over(pool, workers)
    local waiting, last = {}, 0

    function pool:lazy(items, _, ahead, _, raise)
        local next_item = items_of.each(items)
        local most = math.max(1, math.min(ahead, pool.portion or PORTION * workers))
        local portion, taken, base, ended = { n = 0 }, 0, 0, false
        local function fill()
            base = base + portion.n
            portion, taken = { n = 0, values = {}, failures = {} }, 0
            local list = {}
            while #list < most and not ended do
                local index, item = next_item()
                if index == nil then ended = true else list[#list + 1] = item end
            end
            if #list == 0 then return false end
            local ok, message = run_list(self, list, #list, function(i, value, failure)
                if failure then failure.task = base + i end
                portion.values[i], portion.failures[i] = value, failure
            end)
            if not ok then error(message, 0) end
            portion.n = #list
            return true
        end
        return function()
            if taken == portion.n and (ended or not fill()) and taken >= portion.n then return nil end
            taken = taken + 1
            if portion.failures[taken] then raise(portion.failures[taken]) end
            return base + taken, portion.values[taken]
        end
    end

    function pool.submit(_, item, future)
        last = last + 1
        waiting[#waiting + 1] = { number = last, item = item, future = future }
        return last
    end

    -- All that waits, up to now.
    function pool:drain()
        local list, tasks = {}, waiting
        waiting = {}
        for i, one in ipairs(tasks) do list[i] = one.item end
        if #list == 0 then return true end
        return run_list(self, list, #list, function(i, value, failure)
            local future = tasks[i].future
            if failure then failure.task = tasks[i].number end
            future.value, future.failure = value, failure
            future.outcome = failure and failure.outcome or "ok"
        end)
    end

    function pool:await(future, timeout)
        if future.outcome == nil and timeout ~= 0 then
            local ok, message, code = self:drain()
            if not ok then return nil, message, code end
        end
        return future.outcome ~= nil
    end

    function pool.cancel(_, number)
        for i, one in ipairs(waiting) do
            if one.number == number then
                table.remove(waiting, i)
                one.future.outcome = "cancelled"
                one.future.failure = { task = number, outcome = "cancelled" }
                return true
            end
        end
        return false
    end

    function pool:apply(item)
        local answer
        local ok, message, code = run_list(self, { item }, 1, function(_, value, failure)
            answer = { not failure, failure or value }
        end)
        if not ok then return nil, message, code end
        return answer[1], answer[2]
    end

    return pool
end

return M
