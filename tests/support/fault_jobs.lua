-- What tasks do in tests/lua/test_fault_table.lua. A module, because fresh processes find functions by name; for the
-- same reason what they say to the test goes through files in the working directory.

local core = require "rig.core"

local M = {}

local function hit_myself(signal) os.execute("kill -" .. signal .. " $PPID") end

local function exists(path)
    local file <close> = io.open(path)
    return file ~= nil
end

function M.echo(item) return item end
function M.nothing() end
function M.slow(item)
    core.sleep(0.01)
    return item
end

-- One line for each beginning of a task, appended in one piece.
function M.note(item)
    local file <close> = assert(io.open("begun", "a"))
    file:write(item, "\n")
end

M.DEATHS = {
    [3] = { how = function() hit_myself "KILL" end, signal = 9 },
    [6] = { how = function() hit_myself "ABRT" end, signal = 6 },
    [9] = { how = function() os.exit(7) end, exit = 7 },
    [12] = { how = function() hit_myself "SEGV" end, signal = 11 },
}
-- its handler would make an exit of it
if (os.getenv "RIG_SANITIZE" or "") ~= "" then M.DEATHS[12], M.DEATHS[6] = nil, nil end

function M.death(item)
    M.note(item)
    if M.DEATHS[item] then M.DEATHS[item].how() end
    return item
end

local function times_begun(item)
    local file <close> = io.open "begun"
    local n = 0
    for line in file and file:lines() or function() end do n = n + (line == tostring(item) and 1 or 0) end
    return n
end

-- The third attempt at these works: of one of them the first two raise, of the other they end the worker.
function M.third(item)
    local earlier = times_begun(item)
    M.note(item)
    if item == 10 and earlier < 2 then error("not yet", 0) end
    if item == 15 and earlier < 2 then hit_myself "KILL" end
    if item == 7 then error("never", 0) end
    return item * 2
end

function M.init_fails() error "no such weights" end

local function raises(item) error("cannot take " .. item) end

function M.error(item)
    if item % 5 == 3 then raises(item) end
    return item
end

function M.cannot_cross(item)
    if item == 3 then return { list = { 1, { callback = print } } } end
    if item == 4 then return setmetatable({}, {}) end
    return item
end

function M.deep(item)
    local value = item
    for _ = 1, item == 2 and 101 or 99 do value = { value } end
    return value
end

function M.loops(item)
    if item == 4 then while true do pcall(error) end end
    return item
end

function M.stops(item)
    if item == 4 then hit_myself "STOP" end
    return item
end

-- Large, and half on its way when its worker is killed: by then the coordinator stands still.
function M.large(item)
    if item ~= 5 then return ("r"):rep(100000) .. item end
    local file <close> = assert(io.open("writer.part", "w"))
    file:write(core.getpid())
    file:close()
    os.rename("writer.part", "writer")
    while not exists "go" do core.sleep(0.001) end
    return ("x"):rep(20000000)
end

function M.sum(_, fixed) return fixed:sum() end

-- Cycles and shared tables must be what they were, numbers to the last bit.
function M.twist(item)
    local both = { item.shared == item.again and item.self == item, math.type(item.int), string.pack("n", item.nan) }
    item.seen = both
    return item
end

local storming = false

-- A storm of signals in the worker too, where the tests' own functions are at hand.
function M.stormy(item)
    local fine, outside = pcall(require, "rigtest.outside")
    if fine and not storming then
        outside.storm(true)
        storming = true
    end
    return { item[1] * 2, item[2]:upper() }
end

return M
