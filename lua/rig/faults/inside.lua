--- The functions of a scenario with its faults built in: in a worker, at the time and place that a step names, what it
--- says happens to that worker, and is noted on the board first.
--- Not for a pool: no pool knows of it, which is the point.
--- Neighbours: steps.lua (what a step is), board.lua, case.lua and spawned.lua (who put these functions in).

local core = require "rig.core"

local M = {}

-- A time limit within a process looks each time that so many have run.
local INSTRUCTIONS = 10000

local ACT = {
    kill = function(step) core.fault_raise(step.signal) end,
    exit = function(step) core.fault_exit(step.given) end,
    stop = function(step) core.fault_stop(step.seconds) end,
    hang = function(step)
        local until_s = step.seconds > 0 and core.now() + step.seconds or math.huge
        while core.now() < until_s do
            -- in the coordinator (serial) neither a signal nor a time limit gets any further than here
            if core.interrupted() then error("interrupted", 0) end
            core.sleep(math.min(0.01, math.max(0.0, until_s - core.now())))
            for _ = 1, INSTRUCTIONS do end
        end
    end,
    error = function(step) error(step.given, 0) end,
    -- of this result, however small it is: the worker must not go on to another one
    truncate = function(step, value)
        local fine, bytes = pcall(core.encode, value)
        core.fault_tear(math.min(step.given, fine and #bytes or 0))
    end,
}

local function of_stage(steps, stage)
    local list = {}
    for i, step in ipairs(steps) do
        if step.stage == stage then list[#list + 1] = { number = i, step = step } end
    end
    return list
end

local function make(board, one, id, task, value)
    board:note(id, one.number, task, core.getpid())
    ACT[one.step.action](one.step, value)
end

-- Those of a worker's life outside of tasks.
local function at(list, board, id)
    for _, one in ipairs(list) do
        if one.step.worker == id and board:times(one.number) < one.step.times then make(board, one, id, 0) end
    end
end

local function is_due(step, number, board, id, item, begun)
    if step.worker and step.worker ~= id or step.task ~= (step.worker and begun or item) then return false end
    local iteration = board:iteration()
    if step.iteration ~= iteration and not (step.iteration == "every" and iteration > 0) then return false end
    return board:times(number) < step.times
end

local function within(list, board, id, item, begun, value)
    for _, one in ipairs(list) do
        if is_due(one.step, one.number, board, id, item, begun) then make(board, one, id, item, value) end
    end
end

---@param hooks { map: function, init: function?, finish: function?, worker: fun(id: integer): rig.Worker }
---@param steps rig.FaultStep[]
---@param board rig.FaultBoard
---@return { map: function, init: function?, finish: function?, worker: fun(id: integer): rig.Worker }
function M.arm(hooks, steps, board)
    local map, begin, stop, new = hooks.map, hooks.init, hooks.finish, hooks.worker
    local id
    local armed = { map = map, init = begin, finish = stop }
    local init, task, result, finish = of_stage(steps, "init"), of_stage(steps, "task"), of_stage(steps, "result"),
        of_stage(steps, "finish")
    function armed.worker(number)
        id = number
        return new(number)
    end
    if #init > 0 then
        function armed.init(p, fixed)
            at(init, board, id)
            return begin and begin(p, fixed)
        end
    end
    if #finish > 0 then
        function armed.finish(w)
            at(finish, board, id)
            return stop and stop(w)
        end
    end
    if #task + #result > 0 then
        function armed.map(item, fixed, w)
            local index, begun = w.index, board:begin_task(id)
            within(task, board, id, index, begun)
            local value = map(item, fixed, w)
            within(result, board, id, index, begun, value)
            return value
        end
    end
    return armed
end

return M
