-- Nothing outlives its coordinator, however that ends and whatever its children are doing; and nothing piles up in one
-- that lives long. What a signal does to the executable is in test_signals.lua.

local lu = require "luaunit"
local core = require "rig.core"
local pooltest = require "pooltest"
local rigtest = require "rigtest"

local inventory = rigtest.inventory

-- Runs coordinate(board) in a process of its own, kills that as soon as `n` pids stand on the board, and checks that
-- they all go.
local function check_killed(n, coordinate)
    local board = core.shared_array("i64", n, 0)
    local coordinator <close> = assert(core.fork(coordinate, board))
    pooltest.wait_until(function()
        for i = 1, n do
            if board[i] == 0 then return false end
        end
        return true
    end, "children to start")
    coordinator:kill "KILL"
    lu.assertEquals(assert(coordinator:wait(pooltest.HANG_S)).signal, 9)
    for i = 1, n do
        pooltest.wait_until(function() return pooltest.is_gone(board[i]) end, "the end of child " .. i)
    end
    board:close()
end

local function pool_of(n, map)
    return pooltest.plain { workers = n, chunk = 1, map = map }
end

TestCoordinatorKilled = {}

function TestCoordinatorKilled.test_workers_in_endless_loops_go()
    check_killed(4, function(board)
        pool_of(4, function(item)
            board[item] = core.getpid()
            while true do end
        end):run(4)
    end)
end

function TestCoordinatorKilled.test_workers_of_every_channel_go()
    pooltest.each({ delivery = "inherit", chunk = 1 }, function(axes)
        check_killed(2, function(board)
            pooltest.open(axes, {
                map = function(item)
                    board[item] = core.getpid()
                    while true do end
                end,
            }):run(2)
        end)
    end)
end

function TestCoordinatorKilled.test_a_worker_deaf_in_a_c_function_goes()
    check_killed(1, function(board)
        pool_of(1, function()
            board[1] = core.getpid()
            return (("a"):rep(10000000)):find ".-.-.-.-b"
        end):run(1)
    end)
end

function TestCoordinatorKilled.test_a_worker_that_stands_still_goes()
    check_killed(1, function(board)
        pool_of(1, function()
            board[1] = core.getpid()
            pooltest.hit_myself "STOP"
        end):run(1)
    end)
end

function TestCoordinatorKilled.test_workers_that_wait_for_the_fixed_data_go()
    check_killed(3, function(board)
        local pool = pooltest.open({ delivery = "queue", channel = "queue", chunk = 1 }, {
            workers = 3, fixed = ("x"):rep(10000000), map = print,
        })
        for i, worker in ipairs(pool:stats().workers) do board[i] = worker.pid end
        core.sleep(1000)
    end)
end

function TestCoordinatorKilled.test_workers_of_workers_go()
    check_killed(3, function(board)
        pool_of(1, function()
            board[1] = core.getpid()
            pool_of(2, function(item)
                board[1 + item] = core.getpid()
                while true do end
            end):run(2)
        end):run(1)
    end)
end

function TestCoordinatorKilled.test_forked_children_go()
    check_killed(2, function(board)
        local r, w = core.pipe()
        local reading = core.fork(function() r:get() end)
        local writing = core.fork(function() w:put(("x"):rep(10000000)) end)
        board[1], board[2] = reading:pid(), writing:pid()
        core.sleep(1000)
    end)
end

-- The shell says its own number and becomes the command.
local function command(file)
    return { "sh", "-c", "echo $$ >" .. file .. ".part; mv " .. file .. ".part " .. file .. "; exec sleep 1000" }
end

local function note_command(board, at, file)
    pooltest.wait_until(function() return rigtest.exists(file) end, "a command to start")
    board[at] = tonumber(rigtest.read(file))
    os.remove(file)
end

function TestCoordinatorKilled.test_a_command_of_the_coordinator_goes()
    check_killed(1, function(board)
        local note <const> = core.fork(function() note_command(board, 1, "command") end)
        core.exec(command "command")
        return note
    end)
end

function TestCoordinatorKilled.test_a_command_of_a_worker_goes()
    check_killed(2, function(board)
        pool_of(1, function()
            board[1] = core.getpid()
            local note <const> = core.fork(function() note_command(board, 2, "command") end)
            core.exec(command "command")
            return note
        end):run(1)
    end)
end

function TestCoordinatorKilled.test_the_executables_workers_go()
    rigtest.write("endless.lua", [[
        local rig = require "rig"
        return rig.scenario {
            name = "endless", about = "does not end", pool = "builtin", workers = 3, items = 3, chunk = 1,
            map = function(item)
                local file = io.open("pid" .. item, "w")
                file:write(io.open "/proc/self/stat":read "n")
                file:close()
                while true do end
            end,
            reduce = function() return 0 end,
        }]])
    os.execute '"$RIG" endless.lua >out 2>&1 & echo $! >coordinator'
    local pids = {}
    for i = 1, 3 do
        pooltest.wait_until(function()
            pids[i] = rigtest.exists("pid" .. i) and tonumber(rigtest.read("pid" .. i))
            return pids[i]
        end, "worker " .. i .. " to start")
    end
    pooltest.kill(tonumber(rigtest.read "coordinator"), "KILL")
    for i = 1, 3 do
        pooltest.wait_until(function() return pooltest.is_gone(pids[i]) end, "the end of worker " .. i)
    end
    os.execute "rm -f endless.lua out coordinator pid1 pid2 pid3"
end

TestLongLife = {}

-- Calls f so many times and checks that nothing piles up in this process.
local function check_steady(times, f)
    for i = 1, 30 do f(i) end
    collectgarbage()
    collectgarbage()
    local before, heap = inventory.all(), collectgarbage "count"
    local mappings, bytes = inventory.mappings()
    for i = 1, times do f(i) end
    collectgarbage()
    collectgarbage()
    local after_mappings, after_bytes = inventory.mappings()
    lu.assertEquals(inventory.all(), before)
    lu.assertTrue(collectgarbage "count" - heap < 500, "the Lua heap has grown")
    -- a sanitizer keeps freed memory for a while; what valgrind maps is its own
    if (os.getenv "RIG_SANITIZE" or "") == "" and not rigtest.valgrind then
        lu.assertTrue(after_mappings - mappings <= 5, ("%d mappings, %d before"):format(after_mappings, mappings))
        lu.assertTrue(after_bytes - bytes < 16000000, ("%d bytes mapped, %d before"):format(after_bytes, bytes))
    end
end

function TestLongLife.test_a_thousand_pools_leave_nothing()
    local combinations = {}
    pooltest.each({}, function(axes) combinations[#combinations + 1] = axes end)
    check_steady(1000, function(i)
        local axes = combinations[i % #combinations + 1]
        local pool <close> = pooltest.open(axes, {
            fixed = { "fixed" },
            map = function(item)
                if i % 100 == 5 and item == 3 then os.exit(1) end
                return item
            end,
        })
        if i % 3 > 0 then pool:run(5) end
        if i % 5 > 0 then pool:close() end
    end)
end

function TestLongLife.test_broken_off_pools_leave_nothing()
    check_steady(150, function(i)
        pcall(function()
            local axes = { delivery = "send", channel = "socket", chunk = 1 }
            local pool <close> = pooltest.open(axes, { fixed = core.array("u8", 300000), map = print })
            pool:run(function() error "no items" end)
        end)
        core.pool { workers = i % 2 == 0 and 0 or 5000, map = print }
        pcall(core.pool, { map = print, delivery = "send", fixed = print })
    end)
end

function TestLongLife.test_handles_processes_and_commands_leave_nothing()
    check_steady(200, function(i)
        local q, r, w = core.queue(), core.pipe()
        local a, b = core.socketpair()
        local proc = core.fork(function() os.exit(q:get()) end)
        q:put(i % 200)
        q:put(("x"):rep(100000))
        if i % 2 == 0 then proc:wait() end
        if i % 4 < 2 then
            for _, handle in ipairs { q, r, w, a, b, proc } do handle:close() end
        end
        if i % 10 == 0 then core.exec { "true" } end
        if i % 10 == 5 then core.exec { "no-such-command-anywhere" } end
        if i % 5 == 0 then collectgarbage() end
    end)
end

function TestLongLife.test_arrays_and_placed_values_leave_nothing()
    check_steady(500, function(i)
        local data = core.array("i64", 100000, i)
        local shared = core.shared_array("u8", 1000, 1)
        local placed = core.place { data, shared }
        lu.assertEquals(placed:get()[1]:sum(), 100000 * i)
        if i % 2 == 0 then
            data:close()
            shared:close()
            placed:close()
        end
        if i % 10 == 0 then collectgarbage() end
    end)
end

os.exit(lu.LuaUnit.run())
