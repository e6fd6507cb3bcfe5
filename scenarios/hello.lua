-- How many primes are there below 100,000, and is it worth counting them in four processes?
--
-- The smallest scenario that is of use, to start your own from. Run it, change a line, run it again:
--
--   rig scenarios/hello.lua
--   rig scenarios/hello.lua workers=1..4        another number of workers, on the command line
--   rig check scenarios/hello.lua               what would run, without running it

-- Everything that a scenario can call is in here: rig.array, rig.fork, rig.pipe, rig.exec and so on.
local rig = require "rig"

-- A scenario is ordinary Lua, with functions of its own as in any program. Forget the word `local`, and rig says so.
local function is_prime(n)
    for divisor = 2, math.floor(math.sqrt(n)) do
        if n % divisor == 0 then return false end
    end
    return n > 1
end

return rig.scenario {
    -- What the results are called, and one line that says what it is about.
    name = "hello",
    about = "The primes below 100,000, counted here and in four processes",

    -- A list is swept: everything below is measured once for each of its values. `serial` has no processes at all, and
    -- is what the other pools have to beat.
    pool = { "serial", "builtin" },
    workers = 4,
    iterations = 9, -- so many times over, on one pool: enough to see how much the times vary

    -- The work: 100 items, which are the numbers 1 to 100 ...
    items = 100,

    -- ... and for each of them this function is called, in one of the workers. What it returns comes back here.
    map = function(item)
        local count = 0
        for n = (item - 1) * 1000, item * 1000 - 1 do
            if is_prime(n) then count = count + 1 end
        end
        return count
    end,

    -- The results of all items are made one, here again, and that must come out right: in every iteration.
    reduce = rig.sum,
    expect = 9592,
}
