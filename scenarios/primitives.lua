-- How long does a message take to another process and back?
--
-- There is no pool here. `setup` forks a child that sends back whatever it gets, `body` is what the clock sees, and
-- `teardown` ends the child. A round trip between two cores is mostly waking up; on one core it is ten times shorter.
--
--   rig scenarios/primitives.lua
--   rig scenarios/primitives.lua over=pipe size=1..1e6:7        longer and longer messages

local rig = require "rig"

-- What this process sends to and hears from, and what the child hears from and answers to.
local OPEN = {
    pipe = function()
        local hear, to = assert(rig.pipe())
        local from, answer = assert(rig.pipe())
        return to, from, hear, answer
    end,
    socket = function()
        local ours, theirs = assert(rig.socketpair())
        return ours, ours, theirs, theirs
    end,
    queue = function()
        local questions, answers = assert(rig.queue()), assert(rig.queue())
        return questions, answers, questions, answers
    end,
}

local function echo(hear, answer)
    repeat
        local message = hear:get()
        answer:put(message)
    until not message
end

return rig.scenario {
    name = "primitives",
    about = "A message to another process and back",

    params = {
        over = { "pipe", "socket", "queue" },
        rounds = { default = 1000, min = 1, help = "round trips that are timed together" },
    },
    size = 8, -- bytes in a message
    iterations = 20,
    warmup = 1,

    setup = function(p)
        local to, from, hear, answer = OPEN[p.over]()
        return { to = to, from = from, child = assert(rig.fork(echo, hear, answer)), message = ("x"):rep(p.size) }
    end,
    body = function(p, state, n)
        local started, to, from, message = rig.now(), state.to, state.from, state.message
        for _ = 1, n * p.rounds do
            to:put(message)
            assert(from:get() == message)
        end
        rig.metric("round_trip", (rig.now() - started) / (n * p.rounds), "s")
    end,
    work = function(p) return { bytes = 2 * p.size * p.rounds, items = p.rounds } end,
    teardown = function(_, state)
        state.to:put(false)
        state.child:wait()
        state.to:close()
        state.from:close()
    end,
}
