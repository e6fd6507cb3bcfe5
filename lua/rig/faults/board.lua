--- The board on which workers note the faults that they are about to bring upon themselves, before they do: words that
--- outlive any worker, so that its successor does not do the same, and the coordinator can say what happened when.
--- Not for deciding what happens: inside.lua (in workers) and watch.lua (in the coordinator) read and write here.

local core = require "rig.core"
local steps_of = require "rig.faults.steps"

local M = {}

M.MOST_EVENTS = 16 -- of a worker between two looks of the coordinator

-- Word 1 is the iteration, 0 before and between them. Then, for each worker: tasks begun in this iteration, faults ever
-- made, how often each step was made in this iteration, and the last events, of which each takes four words.
local HEAD, EVENT = 1, 4
local BEGUN, MADE, TIMES = 1, 2, 2
local EVENTS = TIMES + steps_of.MOST_STEPS
local EACH = EVENTS + M.MOST_EVENTS * EVENT

---How many words a board for so many workers has.
---@param workers integer
---@return integer
function M.size(workers)
    return HEAD + workers * EACH
end

---@class rig.FaultBoard
---@field get fun(i: integer): integer
---@field set fun(i: integer, v: integer)
---@field workers integer
local Board = {}
Board.__index = Board

---A board in memory that forked processes share.
---@param workers integer
---@return rig.FaultBoard
function M.new(workers)
    local words = core.shared_array("i64", M.size(workers), 0)
    return setmetatable({
        workers = workers, get = function(i) return words[i] end, set = function(i, v) words[i] = v end,
    }, Board)
end

---The board of the pool whose worker this process is.
---@param workers integer
---@return rig.FaultBoard
function M.here(workers)
    return setmetatable({ workers = workers, get = core.board_get, set = core.board_set }, Board)
end

---The board of a pool of the C core, as its coordinator sees it.
---@param pool any
---@param workers integer
---@return rig.FaultBoard
function M.of_pool(pool, workers)
    return setmetatable({
        workers = workers, get = function(i) return pool:board_get(i) end,
        set = function(i, v) pool:board_set(i, v) end,
    }, Board)
end

local function base(id) return HEAD + (id - 1) * EACH end

function Board:iteration() return self.get(1) end

---A worker begins a task.
---@param id integer
---@return integer count of those it began in this iteration
function Board:begin_task(id)
    local at = base(id) + BEGUN
    local count = self.get(at) + 1
    self.set(at, count)
    return count
end

---How often a step was made in this iteration, by whomever.
---@param step integer
---@return integer
function Board:times(step)
    local sum = 0
    for id = 1, self.workers do sum = sum + self.get(base(id) + TIMES + step) end
    return sum
end

---Notes that a worker makes a step now.
---@param id integer
---@param step integer
---@param task integer of the item; 0: in none
---@param pid integer
function Board:note(id, step, task, pid)
    local at = base(id)
    local made = self.get(at + MADE)
    local event = at + EVENTS + made % M.MOST_EVENTS * EVENT
    self.set(event + 1, step)
    self.set(event + 2, core.now_ns())
    self.set(event + 3, task)
    self.set(event + 4, pid)
    self.set(at + TIMES + step, self.get(at + TIMES + step) + 1)
    self.set(at + MADE, made + 1)
end

---A new iteration: counts of tasks begin again, and those of the steps that happen within iterations.
---@param number integer
---@param steps rig.FaultStep[]
function Board:begin_iteration(number, steps)
    for id = 1, self.workers do
        self.set(base(id) + BEGUN, 0)
        for i, step in ipairs(steps) do
            if step.stage ~= "init" and step.stage ~= "finish" then self.set(base(id) + TIMES + i, 0) end
        end
    end
    self.set(1, number)
end

---What happened since the last look.
---@param seen table<integer, integer> faults of each worker that were seen already; brought up to date
---@return { worker: integer, step: integer, at_ns: integer, task: integer?, pid: integer }[]
function Board:news(seen)
    local list = {}
    for id = 1, self.workers do
        local at, made = base(id), self.get(base(id) + MADE)
        for n = math.max(seen[id] or 0, made - M.MOST_EVENTS), made - 1 do
            local event = at + EVENTS + n % M.MOST_EVENTS * EVENT
            local task = self.get(event + 3)
            list[#list + 1] = {
                worker = id, step = self.get(event + 1), at_ns = self.get(event + 2), task = task > 0 and task or nil,
                pid = self.get(event + 4),
            }
        end
        seen[id] = made
    end
    table.sort(list, function(a, b) return a.at_ns < b.at_ns end)
    return list
end

return M
