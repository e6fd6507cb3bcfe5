-- The process that kills: while it is let loose it hits children of its parent with SIGKILL, SIGSTOP and SIGCONT, at
-- moments drawn from a seed. It sees every child at every stage, those that are just being started included, and can
-- hit nobody else: a pidfd, and then a look at whose child that is (rigtest.outside).
-- It also ends its parent when that makes no progress: what hangs says where. Neighbour: test_workers.lua.

local core = require "rig.core"
local outside = require "rigtest.outside"

local M = {}

-- What the two say to each other, in a shared array.
M.STATE, M.KILLS, M.STOPS, M.LEFT, M.GOAL, M.ROUND, M.SLOTS = 1, 2, 3, 4, 5, 6, 6
local PAUSED, LOOSE, QUIT = 0, 1, 2

-- Far more than a round takes, even a hundred times slower.
local HANG_S = 100
local KILL, STOP, CONT = 9, 19, 18

local function hit(rng, board, fd)
    local how = rng:float()
    if how < 0.8 then
        if outside.hit(fd, KILL) then board[M.KILLS] = board[M.KILLS] + 1 end
        return
    end
    if not outside.hit(fd, STOP) then return end
    board[M.STOPS] = board[M.STOPS] + 1
    if how > 0.99 then -- left as it is: a time limit must end it
        board[M.LEFT] = board[M.LEFT] + 1
        return
    end
    core.sleep(rng:float() * 0.004)
    if how < 0.9 then
        outside.hit(fd, CONT)
    elseif outside.hit(fd, KILL) then
        board[M.KILLS] = board[M.KILLS] + 1
    end
end

local function once(rng, board, parent)
    local pids, me = {}, core.getpid()
    for _, pid in ipairs(outside.children(parent)) do
        if pid ~= me then pids[#pids + 1] = pid end
    end
    local fd = #pids > 0 and outside.aim(pids[rng:int(1, #pids)], parent)
    if not fd then return end
    hit(rng, board, fd)
    outside.drop(fd)
end

local function main(seed, parent, board, gap_s)
    local rng = core.rng("killer", seed)
    local round, since = -1, core.now()
    while board[M.STATE] ~= QUIT do
        if board[M.STATE] == LOOSE and board[M.KILLS] < board[M.GOAL] then
            core.sleep(rng:float() * gap_s)
            once(rng, board, parent)
        else
            core.sleep(0.0005)
        end
        if board[M.ROUND] ~= round then round, since = board[M.ROUND], core.now() end
        if core.now() - since > HANG_S then
            io.stderr:write(("chaos: hung in round %d, seed %d\n"):format(round, seed))
            os.execute("kill -KILL " .. parent)
        end
    end
end

---@class chaos.Killer
---@field board any
---@field proc any
local Killer = {}
Killer.__index = Killer

---Starts one, which waits.
---@param seed integer
---@param goal integer kills, after which it stops
---@param gap_s number the longest pause between two signals
---@return chaos.Killer
function M.start(seed, goal, gap_s)
    local board = core.shared_array("i64", M.SLOTS, 0)
    board[M.GOAL] = goal
    local proc = assert(core.fork(main, seed, core.getpid(), board, gap_s))
    return setmetatable({ board = board, proc = proc }, Killer)
end

function Killer:loose(round)
    self.board[M.ROUND] = round
    self.board[M.STATE] = LOOSE
end

function Killer:pause() self.board[M.STATE] = PAUSED end

function Killer:count(what) return self.board[what] end

function Killer:is_done() return self.board[M.KILLS] >= self.board[M.GOAL] end

function Killer:close()
    self.board[M.STATE] = QUIT
    assert(self.proc:wait(HANG_S))
    self.board:close()
end
Killer.__close = Killer.close

return M
