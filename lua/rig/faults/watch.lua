--- Faults of a case as its coordinator sees them: which were made, when, and how long it took until another worker
--- stood in the place of the one that was lost. Makes those itself that befall a worker which waits for work.
--- Not for what became of tasks: that is the pool's account, and expected.lua holds it against what was expected.
--- Neighbours: case.lua and iterate.lua call it; board.lua has what workers noted; inside.lua is in the workers.

local boards = require "rig.faults.board"
local core = require "rig.core"
local inside = require "rig.faults.inside"

local M = {}

-- Events kept in the results of a case; all are counted.
local MOST_EVENTS = 100

---@class rig.FaultWatch
---@field steps rig.FaultStep[]
---@field board rig.FaultBoard?  nil until a pool of the C core has started
---@field events table[]
---@field made integer[]         how often each step was made
---@field iteration integer      the one that runs, or ran last
local Watch = {}
Watch.__index = Watch

---@param case rig.Case
---@param steps rig.FaultStep[]
---@return rig.FaultWatch
function M.new(case, steps)
    local self = setmetatable({
        steps = steps, workers = case.params.workers, events = {}, made = {}, seen = {}, iteration = 0,
        by_pool = case.axes.start == "spawn",
    }, Watch)
    for i = 1, #steps do self.made[i] = 0 end
    if not self.by_pool then self.board = boards.new(self.workers) end
    return self
end

---Builds the faults into what a pool is started with.
---@param options rig.PoolOptions
function Watch:arm(options)
    if self.by_pool then
        options.board = boards.size(self.workers)
        options.job.faults, options.job.workers = self.steps, self.workers
        return
    end
    local armed = inside.arm(options, self.steps, self.board)
    options.map, options.init, options.finish, options.worker = armed.map, armed.init, armed.finish, armed.worker
end

---The pool has started.
---@param pool any
---@param started_ns integer when its start began
function Watch:attach(pool, started_ns)
    self.started_ns = started_ns
    if self.by_pool then self.board = boards.of_pool(pool, self.workers) end
end

-- The process that has this number now.
local function living(pool, id)
    local found
    for _, row in ipairs(pool:stats().workers) do
        if row.id == id and row.exit == "running" then found = row end
    end
    return found
end

local function befall(self, pool, number, step)
    local row = living(pool, step.worker)
    if not row then return end
    -- one that ends at this very moment has nothing made to it
    if core.fault_send(row.pid, step.action == "stop" and "STOP" or step.signal) then
        self.board:note(step.worker, number, 0, row.pid)
    end
end

---An iteration begins.
---@param pool any
---@param number integer 0: one that does not count
function Watch:begin(pool, number)
    self.iteration = number
    self.board:begin_iteration(number, self.steps)
    for i, step in ipairs(self.steps) do
        if step.stage == "idle" and number > 0 and (step.iteration == number or step.iteration == "every") then
            befall(self, pool, i, step)
        end
    end
end

---Takes in what happened.
function Watch:look()
    if not self.board then return end
    for _, event in ipairs(self.board:news(self.seen)) do
        self.made[event.step] = self.made[event.step] + 1
        if #self.events < MOST_EVENTS then
            local step = self.steps[event.step]
            local in_one = step.stage ~= "init" and step.stage ~= "finish" and self.iteration > 0
            event.iteration, event.what = in_one and self.iteration or nil, step.what
            event.at_s = (event.at_ns - self.started_ns) * 1e-9
            self.events[#self.events + 1] = event
        end
    end
end

-- The worker that was ready in that place next; none where the same process lived on, or nobody came after it.
local function recovered(event, step, rows)
    local first
    if step.action == "error" or step.seconds and step.seconds > 0 then return nil end
    for _, row in ipairs(rows) do
        if row.id == event.worker and row.pid ~= event.pid and row.ready_s and row.ready_s > event.at_s
            and (not first or row.ready_s < first) then
            first = row.ready_s
        end
    end
    return first and first - event.at_s
end

---The events as the results have them.
---@param rows table[] of pool:stats()
---@return table[]
function Watch:report(rows)
    local list = {}
    for i, event in ipairs(self.events) do
        local recovered_s = recovered(event, self.steps[event.step], rows)
        list[i] = {
            step = event.step, what = event.what, worker = event.worker, pid = event.pid, task = event.task,
            iteration = event.iteration, at_s = event.at_s, recovered_s = recovered_s,
        }
    end
    return list
end

---Whether a fault was made at a stage.
---@param stage string
---@return boolean
function Watch:made_in(stage)
    for i, step in ipairs(self.steps) do
        if step.stage == stage and self.made[i] > 0 then return true end
    end
    return false
end

---The first step that was to happen in what has run, and did not.
---@param iterations integer that ran
---@return string?
function Watch:missed(iterations)
    for i, step in ipairs(self.steps) do
        local due = step.iteration == "every" or step.iteration <= iterations
        if self.made[i] == 0 and due then return ("fault %d (%s) never happened"):format(i, step.text) end
    end
end

return M
