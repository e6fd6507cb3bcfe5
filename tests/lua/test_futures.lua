-- What runs beside a task that takes long: nothing has to wait for it that was not asked to.

local lu = require "luaunit"
local rig = require "rig"
local rigtest = require "rigtest"

TestBeside = {}

-- Tasks so short that a pool sends many ahead, and would put several into one message.
local function used_to_short_tasks(channel)
    local pool = assert(rig.pool { workers = 2, channel = channel, map = function(item)
        if item == "long" then rig.sleep(rigtest.HANG_S or 600) end
        return item
    end })
    for _ = 1, 20 do pool:map(100) end
    return pool
end

for _, channel in ipairs { "socket", "pipe", "ring", "queue" } do
    TestBeside["test_short_futures_do_not_wait_for_a_long_one_over_" .. channel] = function()
        local pool <close> = used_to_short_tasks(channel)
        local list = { pool:submit(1), pool:submit "long" }
        for i = 3, 30 do list[i] = pool:submit(i) end
        for i, future in ipairs(list) do
            if i ~= 2 then lu.assertEquals(future:get(), i) end
        end
        lu.assertFalse(list[2]:done())
        lu.assertTrue(list[2]:cancel())
    end

    TestBeside["test_maps_do_not_wait_for_a_long_future_over_" .. channel] = function()
        local pool <close> = used_to_short_tasks(channel)
        local long = pool:submit "long"
        lu.assertEquals(#pool:map(1000), 1000)
        local n = 0
        for i, value in pool:imap(1000) do
            lu.assertEquals(value, i)
            n = n + 1
        end
        lu.assertEquals(n, 1000)
        lu.assertEquals(pool:apply(7), 7)
        lu.assertFalse(long:done())
        lu.assertTrue(long:cancel())
    end
end

os.exit(lu.LuaUnit.run())
