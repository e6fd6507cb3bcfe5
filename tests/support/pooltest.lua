-- For the tests of pools: every combination of axes there is, pools of core.pool over one of them, and what tests do to
-- processes. Not for pools made in Lua. Neighbours: tests/lua/test_pool*.lua, rigtest.lua.

local lu = require "luaunit"
local core = require "rig.core"
local rigtest = require "rigtest"

local M = {}

-- Far more than anything here takes, even a hundred times slower: what has not come by then has hung.
M.HANG_S = 60

M.DELIVERIES = { "inherit", "send", "queue", "shm" }
M.CHANNELS = { "socket", "pipe", "ring", "queue" }
M.CHUNKS = { 0, 1, 7 }

---@class pooltest.Axes
---@field delivery string
---@field channel string
---@field chunk integer
---@field name string  for messages of failed checks

local function combinations(only)
    local list = {}
    for _, channel in ipairs(M.CHANNELS) do
        for _, delivery in ipairs(M.DELIVERIES) do
            for _, chunk in ipairs(M.CHUNKS) do
                local axes = { delivery = delivery, channel = channel, chunk = chunk }
                axes.name = ("delivery=%s channel=%s chunk=%d"):format(delivery, channel, chunk)
                local wanted = not (delivery == "send" and channel == "queue")
                for name, value in pairs(only) do wanted = wanted and axes[name] == value end
                if wanted then list[#list + 1] = axes end
            end
        end
    end
    return list
end

local function values(axes)
    return { "delivery=" .. axes.delivery, "channel=" .. axes.channel, "chunk=" .. axes.chunk }
end

local rounds = 0

---Calls f for every combination that a pool accepts. Those of `only` are fixed. Under valgrind for a sample that has
---every value once, and says so.
---@param only { delivery: string?, channel: string?, chunk: integer? }
---@param f fun(axes: pooltest.Axes)
function M.each(only, f)
    local list = combinations(only)
    if rigtest.valgrind then
        rounds = rounds + 1
        local all = #list
        list = rigtest.sample(list, values, tostring(rounds))
        io.stderr:write(("sample: under valgrind %d of %d combinations of axes:"):format(#list, all))
        for _, axes in ipairs(list) do io.stderr:write(" ", axes.name, ";") end
        io.stderr:write "\n"
    end
    for _, axes in ipairs(list) do f(axes) end
end

---The options of a pool over these axes: two workers unless `spec` says otherwise, its fixed data as the delivery
---wants it.
---@param axes pooltest.Axes
---@param spec table as core.pool takes it
---@return table
function M.options(axes, spec)
    local options = { workers = 2, delivery = axes.delivery, channel = axes.channel, chunk = axes.chunk }
    for name, value in pairs(spec) do options[name] = value end
    if axes.delivery == "shm" then options.fixed = assert(core.place(options.fixed)) end
    return options
end

---Opens a pool over these axes.
---@param axes pooltest.Axes
---@param spec table
---@return table pool
function M.open(axes, spec)
    return assert(core.pool(M.options(axes, spec)))
end

---Like M.open, and waits until its workers are ready.
function M.ready(axes, spec)
    local pool = M.open(axes, spec)
    assert(pool:wait_ready())
    return pool
end

---A pool over the default axes.
function M.plain(spec)
    return M.open({ delivery = "inherit", channel = "socket", chunk = 0 }, spec)
end

---Checks that all n tasks ended, so many of them not ok.
---@param report table
---@param n integer
---@param bad { error: integer?, died: integer?, timeout: integer?, cancelled: integer? }
---@param name string
function M.check_outcomes(report, n, bad, name)
    local wanted = { ok = n, error = 0, died = 0, timeout = 0, cancelled = 0 }
    for kind, count in pairs(bad) do
        wanted[kind] = count
        wanted.ok = wanted.ok - count
    end
    lu.assertEquals(report.n, n, name)
    lu.assertEquals(report.outcomes, wanted, name)
    local by_worker = 0
    for _, count in ipairs(report.tasks_by_worker) do by_worker = by_worker + count end
    lu.assertTrue(by_worker <= wanted.ok + wanted.error and by_worker >= wanted.ok, name)
end

---The failure of one task, from a report.
---@return table?
function M.failure_of(report, task)
    for _, failure in ipairs(report.failures) do
        if failure.task == task then return failure end
    end
end

---Sends a signal from here.
---@param pid integer
---@param signal string "KILL", "STOP", …
function M.kill(pid, signal)
    assert(os.execute(("kill -%s %d"):format(signal, pid)))
end

---Sends a signal to the very process that calls it.
---@param signal string
function M.hit_myself(signal)
    os.execute("kill -" .. signal .. " $PPID")
end

---Waits until condition() is true; fails when it hangs.
function M.wait_until(condition, what)
    local deadline = core.now() + M.HANG_S
    while not condition() do
        if core.now() > deadline then error("hung: " .. (what or "a condition"), 2) end
        core.sleep(0.005)
    end
end

local function state_of(pid)
    local file <close> = io.open(("/proc/%d/stat"):format(pid))
    return (file and file:read "a" or ""):match "%) (%a) (%d+)"
end

---Whether the process is gone. One that has ended and waits for us to take notice counts as gone, or for an init that
---may never do so; an orphan, which the harness takes in, must really be gone.
---@param pid integer
---@return boolean
function M.is_gone(pid)
    local state, parent = state_of(pid)
    return state == nil or state == "X" or
        state == "Z" and (tonumber(parent) == core.getpid() or parent == "1")
end

---Stops a process, and returns when it stands still: until then it may take one more message.
---@param pid integer
function M.stop(pid)
    M.kill(pid, "STOP")
    M.wait_until(function() return state_of(pid) == "T" end, "a process to stand still")
end

local Closing = { __close = function(list)
    for _, handle in ipairs(list) do handle:close() end
end }

---Closes several handles at the end of a block: `local _ <close> = closing(r, w)`.
---@param ... any handles
function M.closing(...)
    return setmetatable({ ... }, Closing)
end

---The numbers 1 to n, each through f.
function M.list(n, f)
    local list = {}
    for i = 1, n do list[i] = f(i) end
    return list
end

return M
