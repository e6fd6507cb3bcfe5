-- The Lua programs of tests/inject: each a function, run in a rig of its own while one call of the core fails. What the
-- fault is, they do not know: results must be right where there are any, outcomes must add up, errors must have words.
-- `violated(text)` says that a promise was broken; `hits_another()`: the fault is not in this process.

local core = require "rig.core"
local rig = require "rig"

local M = {}

local function triple(item, fixed) return item * fixed.by end

local function check_value(i, value)
    if value ~= i * 3 then violated(("task %d came out as %s"):format(i, tostring(value))) end
end

-- The failure of a map: right results where there are any, and as many outcomes as tasks.
local function check_failure(err, n)
    if tostring(err) == "" then violated "an error without words" end
    if type(err) ~= "table" or not err.report then
        if hits_another() then violated("a worker's fault broke the map: " .. tostring(err)) end
        return
    end
    local sum = 0
    for _, count in pairs(err.report.outcomes) do sum = sum + count end
    if sum ~= n or err.report.n ~= n then violated(("%d outcomes of %d tasks"):format(sum, n)) end
    if hits_another() and err.report.outcomes.died > 1 then violated "more than one task died" end
    for i, value in pairs(err.results) do check_value(i, value) end
end

local function map_over(spec, n)
    local pool <close> = rig.pool(spec)
    for _ = 1, 2 do
        local ok, results = pcall(pool.map, pool, n)
        if ok then
            for i = 1, n do check_value(i, results[i]) end
        else
            check_failure(results, n)
        end
    end
end

local function spec_of(channel, delivery)
    return { workers = 2, channel = channel, delivery = delivery, chunk = 2, fixed = { by = 3 }, map = triple }
end

function M.map_pipe() map_over(spec_of("pipe", "send"), 7) end
function M.map_socket() map_over(spec_of("socket", "shm"), 7) end
function M.map_ring() map_over(spec_of("ring", "inherit"), 7) end
function M.map_queue() map_over(spec_of("queue", "queue"), 7) end

function M.custom()
    map_over({ preset = "custom", workers = 2, fixed = { by = 3 }, map = triple }, 7)
end

function M.custom_lines()
    map_over({
        preset = "custom", workers = 2, channel = "socket", delivery = "send", fixed = { by = 3 }, map = triple,
    }, 7)
end

function M.imap_break()
    local pool <close> = rig.pool(spec_of("socket", "inherit"))
    local ok, err = pcall(function()
        for i, value in pool:imap(9) do
            check_value(i, value)
            if i == 5 then break end
        end
    end)
    if not ok and tostring(err) == "" then violated "an error without words" end
    ok, err = pcall(pool.map, pool, 4)
    if not ok then check_failure(err, 4) end
end

function M.submit()
    local pool <close> = rig.pool(spec_of("socket", "inherit"))
    local futures = {}
    for i = 1, 5 do futures[i] = pool:submit(i) end
    local cancelled = futures[4] and futures[4]:cancel()
    for i = 1, 5 do
        local future = futures[i]
        local ok, value = pcall(function() return future and future:get() end)
        if ok and value and not (i == 4 and cancelled) then check_value(i, value) end
        if not ok and tostring(value) == "" then violated "an error without words" end
    end
end

local function serve(pool, line)
    for task in function() return line:get() end do
        assert(line:put { task[1], pool:run_task(task[1], task[2]) })
    end
end

local function open_line(pool, lines, id)
    local near, far = assert(rig.socketpair())
    assert(pool:fork(id, serve, pool, far))
    far:close()
    lines[id], lines.id_of[near] = near, id
end

local by_hand

local function type_by_hand()
    by_hand = by_hand or rig.pool_type {
        name = "by_hand",
        axes = { start = "fork", delivery = "inherit", channel = "socket", barrier = { true, false } },
        start = function(pool)
            local lines = { id_of = {} }
            for id = 1, pool.workers do open_line(pool, lines, id) end
            return lines
        end,
        map = function(pool, lines, tasks)
            local function give(id)
                local index, item = tasks()
                if not index then return end
                pool:assign(index, id)
                assert(lines[id]:put { index, item })
            end
            for id = 1, pool.workers do give(id) end
            local losses = 0
            while pool:out() > 0 do
                for _, line in ipairs(assert(rig.poll(lines))) do
                    local id, answer = lines.id_of[line], line:get()
                    if answer then
                        pool:finish(table.unpack(answer, 1, 3))
                    else
                        losses = losses + 1
                        assert(losses < 4, "one worker after the other is lost")
                        pool:lost(id)
                        line:close()
                        open_line(pool, lines, id)
                    end
                    give(id)
                end
            end
        end,
        close = function(_, lines)
            for _, line in ipairs(lines) do line:close() end
        end,
    }
    return by_hand
end

function M.own_type()
    local pool <close> = rig.pool { preset = type_by_hand(), workers = 2, fixed = { by = 3 }, map = triple }
    local ok, results = pcall(pool.map, pool, 5)
    if ok then
        for i = 1, 5 do check_value(i, results[i]) end
    elseif tostring(results) == "" then
        violated "an error without words"
    end
end

function M.exec()
    local line = "cat; echo err >&2; exit 3"
    local got, message, code = core.exec { "sh", "-c", line, stdin = ("x"):rep(9000), timeout = 10 }
    if not got then
        if not message or message == "" or not code then violated "a command that could not be run, without words" end
    elseif got.status == 3 and (not ("x"):rep(9000):find(got.stdout, 1, true) or got.stderr ~= "err\n") then
        violated "the command's output is not what it wrote"
    end
end

local function echo(line)
    while true do
        local message = line:get()
        if not message then return end
        assert(line:put(message))
    end
end

-- Processes, pipes and queues by themselves.
function M.primitives()
    local near, far = rig.socketpair()
    local first <close> = near
    local second <close> = far
    local child <close> = near and rig.fork(echo, far)
    if not child then return end
    second:close()
    if near:put { 7 } then
        local back = near:get(10)
        if back and back[1] ~= 7 then violated "an echo is not what was said" end
    end
    first:close()
    local ended, _, code = child:wait(10)
    if not ended and code == "ETIMEDOUT" then violated "the child does not end" end
end

function M.array()
    local array = rig.array("f64", 400000)
    array[7] = 3
    local shared = rig.shared_array("i64", 1000)
    shared[1] = 5
    if array[7] ~= 3 or shared[1] ~= 5 then violated "an array has lost a value" end
    array:close()
    shared:close()
end

return M
