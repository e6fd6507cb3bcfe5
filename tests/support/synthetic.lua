-- Results documents that no machine measured: invented figures from a small model of pools, so that tests of
-- findings and reports know what must be found. Same arguments, same document.
-- Not a measurement of anything. `lua5.4 tests/support/synthetic.lua NAME` prints the JSON of tests/data.
-- Neighbours: tests/lua/test_{findings,report_text,results}.lua.

local json = require("rig.json")
local results = require("rig.results")

local M = {}

M.SIZES = { 100000, 630957, 3981071, 25118864, 158489319 }

local CORES = 2
local TASKS = 100
local MAP_WORK_S = 0.0096 -- one map on one core
local REDUCE_S = 3.1e-6
local COPY_BYTES_PER_S = 0.9e9 -- into fresh pages, the four workers one after the other

local AXES = {
    serial = { preset = "serial", impl = "lua", start = "none", delivery = "none", channel = "none" },
    builtin = { preset = "builtin", impl = "c", start = "fork", delivery = "inherit", channel = "socket",
        chunk = "auto", barrier = true },
    custom = { preset = "custom", impl = "lua", start = "fork", delivery = "queue", channel = "queue", chunk = 1,
        barrier = false },
    shm = { preset = "shm", impl = "c", start = "fork", delivery = "shm", channel = "socket", chunk = "auto",
        barrier = true },
}

-- A repeatable disturbance of up to 2 %.
local function noise(...)
    local h = 17
    for _, v in ipairs({ ... }) do
        for _, byte in ipairs({ tostring(v):byte(1, -1) }) do h = (h * 31 + byte) % 1000003 end
    end
    return 1 + (h % 1000 / 1000 - 0.5) * 0.04
end

---@param pool string  a preset, or "custom+delivery=inherit" as labels have it
---@return table axes
function M.axes_of(pool)
    local axes = {}
    for name, value in pairs(AXES[pool:match("^%w+")]) do axes[name] = value end
    for name, value in pool:gmatch("%+(%w+)=(%w+)") do
        axes[name] = value
        if name == "barrier" then axes[name] = value == "true" end
        if name == "chunk" then axes[name] = tonumber(value) or value end
    end
    return axes
end

-- When each worker holds the data, counted from the start of the pool.
local function ready_times(axes, bytes, workers, start_s, key)
    local times = {}
    for id = 1, workers do
        local copied = axes.delivery == "queue" and id or axes.delivery == "send" and id or 0
        times[id] = start_s + 0.0001 + copied * bytes / COPY_BYTES_PER_S * noise(key, id)
    end
    return times
end

local function ready_at(times, when)
    local ready = 0
    for _, time in ipairs(times) do
        if time <= when then ready = ready + 1 end
    end
    return ready
end

-- One map that begins at `now`: the work goes on at the speed of the workers that are ready, at most one a core.
local function map_once(times, now, work, workers)
    local done_by = {}
    for id = 1, workers do done_by[id] = 0 end
    local left, at = work, now
    while left > 1e-12 do
        local ready, next_change = {}, math.huge
        for id, time in ipairs(times) do
            if time <= at then ready[#ready + 1] = id else next_change = math.min(next_change, time) end
        end
        local speed = math.min(#ready, CORES)
        local step = math.min(speed > 0 and left / speed or math.huge, next_change - at)
        for _, id in ipairs(ready) do done_by[id] = done_by[id] + step * speed / #ready end
        left, at = left - step * speed, at + step
    end
    local split, given = {}, 0
    for id = 1, workers do
        split[id] = math.floor(done_by[id] / work * TASKS + 0.5)
        given = given + split[id]
    end
    for id = 1, workers do
        if split[id] > 0 then
            split[id] = split[id] + TASKS - given
            break
        end
    end
    return at - now, split
end

local function worker_entry(id, time, closed_at, bytes, tasks, axes)
    local held = time <= closed_at
    local copied = (axes.delivery == "queue" or axes.delivery == "send") and held
    return {
        id = id, pid = 4000 + id, started_s = 0.0002 * id, ready_s = held and time or nil, tasks = tasks,
        bytes_in = (copied and bytes or 0) + tasks * 416, bytes_out = tasks * 24, messages_in = tasks,
        messages_out = tasks,
        user_s = tasks * MAP_WORK_S / TASKS, sys_s = copied and bytes / 4e9 or 0.0004,
        minor_faults = 180 + (copied and bytes // 4096 or 0), voluntary_switches = 40 + tasks, involuntary_switches = 3,
        peak_rss_bytes = 3400000 + bytes, uss_bytes = 310000 + (copied and bytes or 0), exit = "exit 0",
    }
end

local function run_iterations(record, times, begun, work)
    local phases, now = record.phases, begun
    local params = record.params
    local by_worker = {}
    for id = 1, #times do by_worker[id] = 0 end
    for i = 1, params.iterations do
        local map_s, split = map_once(times, now, work * noise(params.pool, params.size or 0, record.run, i), #times)
        now = now + map_s + REDUCE_S
        phases.map_s[i], phases.reduce_s[i] = map_s, REDUCE_S
        for id, count in ipairs(split) do by_worker[id] = by_worker[id] + count end
        record.iterations[i] = {
            result = 99990000, right = true, ready = ready_at(times, now), tasks_by_worker = json.list(split),
            outcomes = { ok = TASKS, error = 0, timeout = 0, died = 0, cancelled = 0 },
        }
    end
    return now, by_worker
end

local function close_case(record, axes, times, now, by_worker, bytes)
    local undelivered = 0
    for id, time in ipairs(times) do
        if time > now then undelivered = undelivered + 1 end
        record.workers[id] = worker_entry(id, time, now, bytes, by_worker[id], axes)
    end
    local phases = record.phases
    if not axes.barrier and axes.preset ~= "serial" and undelivered == 0 then
        phases.deliver_s = times[#times] - phases.start_s
    end
    phases.close_s = 0.0004 + bytes / 380e9 + (undelivered > 0 and 0.012 + bytes / 60e9 or 0)
    record.undelivered = { workers = undelivered, bytes = undelivered * bytes }
    record.ready_at_last_result = ready_at(times, now)
    local n = #phases.map_s
    record.verified = n
    record.outcomes = { ok = n * TASKS, error = 0, timeout = 0, died = 0, cancelled = 0 }
    record.s_per_iteration = (now + phases.close_s) / n
    record.total_s = now + phases.close_s + record.make_s
    record.counters = { tasks = n * TASKS, messages = 2 * n * TASKS, payload_bytes = n * TASKS * 440, forks = #times,
        syscalls = { read = 2 * n * TASKS, write = n * TASKS, fork = #times, poll = n * TASKS } }
end

---One measured case of the reference experiment, by the model.
---@param index integer
---@param params table  pool, size, workers, iterations and whatever else varies
---@param run integer|nil
---@return table case
function M.case(index, params, run)
    local axes = M.axes_of(params.pool)
    params.workers, params.iterations = params.workers or 4, params.iterations or 9
    local bytes = params.size and params.size * 8 or 0
    local serial = axes.preset == "serial"
    local record = {
        index = index, params = params, run = run or 1, expected = true, make_s = bytes / 2.1e9, iterations = {},
        phases = { start_s = (serial and 1e-6 or 0.0009) + bytes / 580e9, map_s = {}, reduce_s = {} }, workers = {},
        fixed_bytes = params.size and bytes, fixed_n = params.size, fixed_type = params.size and "i64", items_n = TASKS,
    }
    local slower = axes.impl == "lua" and not serial and 1.04 or 1
    if axes.channel == "queue" then slower = slower * 1.03 end
    local times = ready_times(axes, bytes, serial and 1 or params.workers, record.phases.start_s, params.pool)
    local begun = record.phases.start_s
    if axes.barrier then
        begun = times[#times]
        record.phases.deliver_s = begun - record.phases.start_s
    end
    if serial then times = { 0 } end
    local now, by_worker = run_iterations(record, times, begun, MAP_WORK_S * slower)
    close_case(record, axes, times, now, by_worker, bytes)
    return results.case(record, axes)
end

local function info(name, varying, about, kind)
    return {
        rig = { version = "0.1.0", commit = "0000000", build = { compiler = "invented", flags = "-O2" } },
        argv = { "rig", "scenarios/" .. name .. ".lua" }, label = "synthetic: figures invented by a model", seed = 1,
        scenario = { name = name, about = about or "A synthetic document", kind = kind or "map",
            file = "scenarios/" .. name .. ".lua", sha256 = ("0"):rep(64), source = "-- synthetic", params = {} },
        host = { cpu = "Invented CPU", cores = CORES, memory_bytes = 25000000000,
            memory_available_bytes = 22000000000, kernel = "6.18.0", ["os"] = "Invented Linux 1",
            governor = "performance", load = { 0.1, 0.2, 0.3 } },
        started = "2026-01-31T12:00:00Z", varying = varying,
    }
end

---A document with these cases.
---@param name string
---@param varying string[]
---@param cases table[]
---@param more { about: string?, kind: string?, opts: table? }|nil
---@return table doc
function M.document(name, varying, cases, more)
    more = more or {}
    local doc = results.new(info(name, varying, more.about, more.kind))
    for _, case in ipairs(cases) do results.add(doc, case) end
    return results.finish(doc, { ended = "2026-01-31T12:00:24Z", duration_s = 23.6 }, more.opts)
end

---Every combination, first name slowest, runs outermost.
---@param sweep { [1]: string, [2]: any[] }[]
---@param runs integer|nil
---@return table[] cases
function M.sweep(sweep, runs)
    local combos = { {} }
    for _, dim in ipairs(sweep) do
        local wider = {}
        for _, combo in ipairs(combos) do
            for _, value in ipairs(dim[2]) do
                local copy = { [dim[1]] = value }
                for k, v in pairs(combo) do copy[k] = v end
                wider[#wider + 1] = copy
            end
        end
        combos = wider
    end
    local cases = {}
    for run = 1, runs or 1 do
        for _, combo in ipairs(combos) do
            local params = {}
            for k, v in pairs(combo) do params[k] = v end
            cases[#cases + 1] = M.case(#cases + 1, params, run)
        end
    end
    return cases
end

---The reference experiment.
---@param runs integer|nil
---@return table doc
function M.fixed_data(runs)
    return M.document("fixed_data", { "pool", "size" },
        M.sweep({ { "pool", { "builtin", "custom" } }, { "size", M.SIZES } }, runs),
        { about = "Fixed data of growing size, handed to 4 workers in two ways" })
end

---One axis at a time.
---@return table doc
function M.why()
    local pools = { "builtin", "builtin+delivery=queue", "builtin+barrier=false", "builtin+channel=queue",
        "builtin+chunk=1", "builtin+impl=lua", "custom", "custom+delivery=inherit", "custom+impl=c" }
    return M.document("fixed_data_why", { "pool", "size" },
        M.sweep({ { "pool", pools }, { "size", { M.SIZES[1], M.SIZES[5] } } }))
end

---A run with one of each: skipped, wrong, faulted, interrupted.
---@return table doc
function M.faults()
    local cases = M.sweep({ { "pool", { "builtin", "custom" } }, { "size", { 100000, 630957, 3981071 } } })
    local wrong, died, skipped = cases[2], cases[5], cases[6]
    for _, i in ipairs({ 3, 4, 5 }) do wrong.iterations[i].right, wrong.iterations[i].result = false, 99980001 end
    wrong.verified, wrong.status = 6, "failed"
    wrong.reason = "iteration 3: result is 99980001, expected 99990000"
    died.outcomes.ok, died.outcomes.died = 898, 2
    died.status, died.reason = "faulted", "iteration 4: worker 2 (pid 4002) was killed by signal 9"
    died.replaced = 1
    for i, task in ipairs({ 17, 18 }) do
        died.errors[i] = { iteration = 4, task = task, outcome = "died", worker = 2, pid = 4002, signal = 9,
            message = "worker 2 (pid 4002) was killed by signal 9", attempt = 1 }
    end
    cases[6] = results.case({ index = 6, params = skipped.params, status = "skipped", reason =
        "does not fit in memory: delivery=queue of 31.8 MB of fixed data to 4 workers takes 127 MB, 98.0 MB are "
        .. "available; lower size or workers, or try with --force" })
    return M.document("fixed_data", { "pool", "size" }, cases)
end

---A document of cases with given times, one iteration each.
---@param varying string[]
---@param rows table[]  params and, beside them: s (seconds per iteration), run
---@param kind "map"|"body"|nil
---@return table doc
function M.timed(varying, rows, kind)
    local cases = {}
    for i, row in ipairs(rows) do
        local seconds, run = row.s, row.run
        row.s, row.run = nil, nil
        row.workers = row.workers or 4
        cases[i] = results.case({
            index = i, params = row, run = run, expected = true, verified = 1, s_per_iteration = seconds,
            phases = { start_s = 0, map_s = { seconds }, reduce_s = { 0 }, close_s = 0 },
            iterations = { { result = 1, right = true, ready = kind ~= "body" and row.workers or nil,
                tasks_by_worker = kind ~= "body" and { 1 } or {} } },
            ready_at_last_result = row.workers, outcomes = { ok = 1 },
        }, row.pool and M.axes_of(row.pool) or nil)
    end
    return M.document("timed", varying, cases, { kind = kind })
end

---One case whose maps went as told.
---@param index integer
---@param params table  with pool and workers
---@param maps { s: number, busy: number[], tasks: integer[]|nil, longest: number|nil }[]
---@param messages integer|nil  that each worker took
---@return table case
function M.busy_case(index, params, maps, messages)
    local workers, total = params.workers, 0.0
    local record = { index = index, params = params, run = 1, expected = true, verified = #maps, iterations = {},
        phases = { start_s = 0, map_s = {}, reduce_s = {}, close_s = 0 }, workers = {}, outcomes = { ok = #maps },
        ready_at_last_result = workers }
    for i, map in ipairs(maps) do
        record.phases.map_s[i], record.phases.reduce_s[i], total = map.s, 0, total + map.s
        record.iterations[i] = { result = 1, right = true, ready = workers, busy_by_worker_s = map.busy,
            tasks_by_worker = map.tasks or {}, longest_task_s = map.longest }
    end
    for id = 1, workers do
        record.workers[id] = { id = id, tasks = 0, messages_in = messages or 0, involuntary_switches = 0 }
        for _, map in ipairs(maps) do
            record.workers[id].tasks = record.workers[id].tasks + (map.tasks and map.tasks[id] or 0)
        end
    end
    record.s_per_iteration = total / #maps
    return results.case(record, M.axes_of(params.pool))
end

---Speed-up: workers 1 to 8 against serial.
---@return table doc
function M.scaling()
    local cases = { M.case(1, { pool = "serial", workers = 1 }) }
    for _, workers in ipairs({ 1, 2, 4, 8 }) do
        cases[#cases + 1] = M.case(#cases + 1, { pool = "builtin", workers = workers })
    end
    return M.document("scaling", { "pool", "workers" }, cases)
end

---A body scenario: what is measured is a call.
---@return table doc
function M.body()
    local cases = {}
    for _, kind in ipairs({ "pipe", "socket", "queue" }) do
        for _, bytes in ipairs({ 64, 4096, 262144, 1048576 }) do
            local base = ({ pipe = 3.1e-6, socket = 3.6e-6, queue = 9.8e-6 })[kind]
            local record = { index = #cases + 1, params = { kind = kind, bytes = bytes, iterations = 7 },
                phases = { start_s = 0, close_s = 0, map_s = {}, reduce_s = {} }, iterations = {}, metrics = {} }
            for i = 1, 7 do
                record.phases.map_s[i] = (base + bytes / 2.2e9) * noise(kind, bytes, i)
                record.phases.reduce_s[i] = 0
                record.iterations[i] = { outcomes = { ok = 1, error = 0, timeout = 0, died = 0, cancelled = 0 } }
            end
            record.metrics.epoch_s = { unit = "s", values = { base * 3, base * 3.1 } }
            record.rates = { bytes_per_s = bytes / record.phases.map_s[1] }
            record.outcomes = { ok = 7 }
            record.s_per_iteration = record.phases.map_s[1]
            record.total_s = 7 * record.phases.map_s[1]
            cases[#cases + 1] = results.case(record)
        end
    end
    return M.document("primitives", { "kind", "bytes" }, cases, { kind = "body", about = "A round trip" })
end

if arg and arg[0] and arg[0]:match("synthetic%.lua$") then
    io.write(assert(require("rig.report.json").render(M[arg[1] or "fixed_data"]())))
end

return M
