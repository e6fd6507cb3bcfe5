-- How long does a map of a million tasks that do nothing take, in chunks that the pool chooses?
--
-- `pool` maps the identity over a list of integers. Its limit is `by_hand`: a bare socket to each of as many processes,
-- one message with its share of the items and one with the results, put together in order. `serial`, on the command
-- line, is a loop in this process. An exponent of 1 says that a task takes as long however many there are; it is less
-- where the start of a map still counts.
--
--   rig scenarios/bench/no_op.lua
--   rig scenarios/bench/no_op.lua way=pool,serial size=1e4..1e7:4

local rig = require "rig"

local function identity(item) return item end

local function map_list(items)
    local results = {}
    for i = 1, #items do results[i] = identity(items[i]) end
    return results
end

local function serve(socket)
    for items in function() return socket:get() end do socket:put(map_list(items)) end
end

local START = {
    serial = function() return map_list, function() end end,
    pool = function(p)
        local pool = assert(rig.pool { workers = p.workers, map = identity })
        assert(pool:wait_ready())
        return function(items) return (pool:map(items)) end, function() pool:close() end
    end,
    by_hand = function(p)
        local sockets, children = {}, {}
        for i = 1, p.workers do
            local ours, theirs = assert(rig.socketpair())
            sockets[i], children[i] = ours, assert(rig.fork(serve, theirs))
            theirs:close()
        end
        local function map(items)
            local results, n, at = {}, p.workers, 0
            for i, socket in ipairs(sockets) do
                assert(socket:put(table.move(items, (i - 1) * #items // n + 1, i * #items // n, 1, {})))
            end
            for _, socket in ipairs(sockets) do
                local share = assert(socket:get())
                table.move(share, 1, #share, at + 1, results)
                at = at + #share
            end
            return results
        end
        return map, function()
            for i, socket in ipairs(sockets) do socket:close() children[i]:wait() end
        end
    end,
}

return rig.scenario {
    name = "no_op",
    about = "Tasks that do nothing, in chunks, beside the same by hand",

    params = { way = { default = { "by_hand", "pool" }, choices = { "by_hand", "pool", "serial" } } },
    size = { 1000, 10000, 100000, 1000000 }, -- tasks in a map
    workers = 4,
    iterations = 1,
    runs = 6,
    calibrate = true,

    setup = function(p)
        local items = {}
        for i = 1, p.size do items[i] = i end
        local map, stop = START[p.way](p)
        return { items = items, map = map, stop = stop }
    end,
    body = function(_, state, n)
        local results
        for _ = 1, n do results = state.map(state.items) end
        return #results
    end,
    expect = function(p, n) return n == p.size, "not every task has a result" end,
    work = function(p) return { items = p.size } end,
    teardown = function(_, state) state.stop() end,
}
