--- imap, submit and apply for pools that can only run whole maps: those written in Lua.
--- A lazy map goes through its items in portions; a submitted task runs, together with all others that wait, when the
--- first of them is waited for.
--- Neighbours: pools/init.lua puts it over a pool; core.pool does all of this by itself.

local items_of = require "rig.pools.items"
local trace = require "rig.trace"

local M = {}

-- Items of a portion for each worker, where nothing else bounds it.
local PORTION = 16

-- A report has the first hundred failures, of which at least fifty that ended a task where others were tried again: no
-- more tasks than that go into one map, so that none is unknown.
local MOST, MOST_WITH_RETRIES = 100, 50

-- Runs tasks first to last of a list: fn(i, value, failure) for each in order. Raises what the pool does.
local function run_some(pool, list, first, last, fn)
    local i = first - 1
    local results, report, code = pool:run(function()
        i = i + 1
        if i <= last then return list[i] end
    end)
    if not results then return nil, report, code end
    local failed = {}
    for _, one in ipairs(report.failures or {}) do
        if not one.retried then failed[one.task] = one end
    end
    for task = 1, last - first + 1 do fn(first + task - 1, results[task], failed[task]) end
    return true
end

-- The same for a list of n items, all of it.
local function run_list(pool, list, n, most, fn)
    for first = 1, n, most do
        local ok, message, code = run_some(pool, list, first, math.min(first + most - 1, n), fn)
        if not ok then return nil, message, code end
    end
    return true
end

---@param pool table with `run`
---@param workers integer
---@param retry? integer how often a task is tried again
---@return table pool with more methods
function M.over(pool, workers, retry)
    local waiting, last = {}, 0
    local at_once = retry and MOST_WITH_RETRIES or MOST

    function pool:lazy(items, _, ahead, _, raise)
        local next_item = items_of.each(items)
        local most = math.max(1, math.min(ahead, PORTION * workers))
        local portion, taken, base, ended, raised = { n = 0 }, 0, 0, false, nil
        -- what the source raises comes after the results of the items before it
        local function ask()
            local fine, index, item = xpcall(next_item, trace.handler)
            if not fine then raised = { index } end
            if not fine or index == nil then ended = true end
            return item
        end
        local function fill()
            if pool.closed then error("the pool is closed", 0) end
            base = base + portion.n
            portion, taken = { n = 0, values = {}, failures = {} }, 0
            local list = {}
            while #list < most and not ended do list[#list + 1] = ask() end
            if #list == 0 then return false end
            local ok, message = run_list(self, list, #list, at_once, function(i, value, failure)
                if failure then failure.task = base + i end
                portion.values[i], portion.failures[i] = value, failure
            end)
            if not ok then error(message, 0) end
            portion.n = #list
            return true
        end
        return function()
            if taken == portion.n and (ended or not fill()) and taken >= portion.n then
                local problem = raised
                raised = nil
                if problem then error(problem[1], 0) end
                return nil
            end
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
        return run_list(self, list, #list, at_once, function(i, value, failure)
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
        local ok, message, code = run_list(self, { item }, 1, at_once, function(_, value, failure)
            answer = { not failure, failure or value }
        end)
        if not ok then return nil, message, code end
        return answer[1], answer[2]
    end

    return pool
end

return M
