-- How long does a command take, here `sort`, and what does a second thread do for it?
--
-- Any program can be the thing that is measured: `body` runs it and gives back what came of it. Put yours in place of
-- `sort`; what it prints can be the result (return what rig.exec gives), or JSON with figures of its own (parse).
--
--   rig scenarios/exec.lua
--   rig scenarios/exec.lua size=1e4..1e6:3 threads=1,2,4

local rig = require "rig"

return rig.scenario {
    name = "exec",
    about = "GNU sort on lines with random numbers",

    size = 200000, -- lines
    iterations = 5,
    params = { threads = { 1, 2 } },

    -- made once for each case, and not timed
    setup = function(p)
        local random, numbers = rig.rng(p.seed), {}
        for i = 1, p.size do numbers[i] = random:int(0, 999999999) end
        local input = table.concat(numbers, "\n") .. "\n"
        table.sort(numbers)
        return { input = input, sorted = table.concat(numbers, "\n") .. "\n" }
    end,

    body = function(p, state)
        local done = assert(rig.exec { "sort", "-n", "--parallel=" .. p.threads, stdin = state.input, timeout = 60 })
        if done.status ~= 0 then return done end -- an error of this call, with the last line of what sort complained
        rig.metric("cpu", done.user_s + done.sys_s, "s")
        rig.metric("peak memory", done.peak_rss_bytes, "B")
        return done.stdout == state.sorted and "sorted" or "not sorted"
    end,
    expect = "sorted",
    work = function(p) return { items = p.size } end,
}
