--- Measures one case: data, pool, iterations, close; every iteration checked, every phase timed apart.
--- Not for the order of cases, nor for what a run as a whole means: that is runner.lua.
--- Neighbours: iterate.lua (one iteration), hooks.lua (calls into the scenario), pools (the pools), memory.lua.

local calibrate = require "rig.calibrate"
local collector = require "rig.collector"
local core = require "rig.core"
local equal = require "rig.equal"
local expected = require "rig.faults.expected"
local fault_steps = require "rig.faults.steps"
local hooks = require "rig.hooks"
local iterate = require "rig.iterate"
local memory = require "rig.memory"
local metric = require "rig.metric"
local names = require "rig.names"
local noise = require "rig.noise"
local pools = require "rig.pools"
local spawned = require "rig.spawned"
local values = require "rig.values"
local watch = require "rig.faults.watch"
local worker = require "rig.worker"

local M = {}

local now = core.now
local halt = hooks.halt

-- How a case of the scenario's own is told from one that was asked for: the first is left out, the second refused.
local function too_big(run, problem)
    if run.case.asked then halt("error", problem) end
    halt("skipped", problem)
end

local function make_fixed(run)
    local make = run.hooks.fixed
    if make == nil then return end
    local started = now()
    if type(make) == "function" then
        run.grown, run.fixed = memory.growth(hooks.call, run, "fixed", run.p)
    else
        run.fixed = make
    end
    local record = run.record
    record.make_s = now() - started
    record.fixed_bytes, record.fixed_n, record.fixed_type = memory.size_of(run.fixed)
end

local function check_declared(run)
    if run.opts.force or run.hooks.memory == nil then return end
    local bytes = hooks.call(run, "memory", run.p)
    local unusable = memory.unusable(bytes)
    if unusable then hooks.broken(run, "memory: " .. unusable) end
    local problem = memory.declared(run.case, bytes)
    if problem then too_big(run, problem) end
end

local function check_copies(run)
    local bytes = run.record.fixed_bytes or (type(run.fixed) == "table" and run.grown)
    if run.opts.force or not bytes then return end
    local problem = memory.copies(run.case, bytes)
    if problem then too_big(run, problem) end
end

-- delivery=shm: the data is written once where every worker sees it; timed apart, like making it.
local function place_fixed(run)
    local axes = run.case.axes
    if axes.delivery ~= "shm" then return end
    local nothing = run.fixed == nil -- placed all the same: workers look for what was placed
    local started = now()
    local fine, placed, message, code = xpcall(core.place, hooks.handler, run.fixed, axes.start == "spawn")
    if not fine then hooks.refuse(run, "fixed", placed) end -- something in it cannot cross
    if not placed then
        if code == "ENOMEM" then too_big(run, message) end
        halt("error", "delivery=shm: " .. message)
    end
    if not nothing then run.record.phases.place_s = now() - started end
    run.fixed = placed
end

-- A hook that is a value, or a function of the parameters; checked by its module.
local function checked(run, name, check)
    local given = run.hooks[name]
    if type(given) == "function" then given = hooks.call(run, name, run.p) end
    if given == nil then return nil end
    local found, problem, remedy, i = check(given)
    if problem then
        hooks.broken(run, ("%s%s: %s; %s"):format(name, i and ("[%d]"):format(i) or "", problem, remedy))
    end
    return found
end

local function plan_faults(run)
    run.expected = checked(run, "expect_outcomes", expected.check)
    local steps = checked(run, "faults", fault_steps.check)
    if not steps or #steps == 0 then return end
    for i, step in ipairs(steps) do
        if run.plan.smoke and step.iteration ~= "every" then step.iteration = 1 end -- there is no other
        local problem, remedy = fault_steps.bar(step, run.case)
        if problem then halt("error", ("faults[%d]: %s; %s (case %s)"):format(i, problem, remedy, run.case.label)) end
    end
    run.faults = watch.new(run.case, steps)
end

local function pool_options(run)
    local h, params = run.hooks, run.case.params
    local serial = run.case.axes.preset == "serial"
    local make_worker = serial and worker.here or worker.factory
    local job, problem
    if run.case.axes.start == "spawn" then
        job, problem = spawned.of_scenario(run.plan.scenario, run.case, run.seed)
        if not job then hooks.broken(run, problem) end
    end
    local options = {
        workers = serial and 1 or params.workers, timeout = params.timeout > 0 and params.timeout or nil, job = job,
        max_tasks = params.max_tasks > 0 and params.max_tasks or nil,
        retry = params.retry > 0 and params.retry or nil,
        map = h.map, init = h.init, finish = h.finish, fixed = run.fixed, p = run.p,
        worker = make_worker(run.seed, run.case.index, run.p, params.gc, params.pin),
    }
    if run.faults then run.faults:arm(options) end
    return options
end

-- A pool that cannot start or deliver is a fault, unless somebody asked us to stop.
local function pool_failed(run, what, message, code)
    if code == "ECANCELED" or core.interrupted() then halt("interrupted", "interrupted during " .. what) end
    if code == "ENOMEM" then too_big(run, what .. ": " .. message) end
    hooks.check_pool(run, message, code)
    if code == pools.REFUSED then halt("error", message) end
    run.record.errors[#run.record.errors + 1] = { outcome = "cancelled", message = message }
    halt("faulted", message)
end

-- Of what stands before the first sample, nothing is left to collect in one. A fresh process has a heap that was
-- collected before it was made, and looking through it copies all of it: only what hooks made can be worth that.
local function settle(run)
    if run.opts.fresh and not run.hooks.setup and not run.hooks.fixed then return end
    collectgarbage()
    if not run.opts.fresh then collectgarbage() end
end

local function start_pool(run)
    local options = pool_options(run)
    local phases = run.record.phases
    settle(run)
    run.collector = collector.open(run.case.params.gc)
    local calls = core.syscalls()
    local started, started_ns = now(), core.now_ns()
    local fine, pool, message, code = xpcall(pools.start, hooks.handler, run.case.axes, options)
    phases.start_s = now() - started
    run.syscalls = calls
    if not fine then hooks.refuse(run, "fixed", pool) end
    if not pool then pool_failed(run, "the start of the pool", message, code) end
    run.pool = pool
    if run.faults then run.faults:attach(pool, started_ns) end
    if run.case.axes.barrier then
        started = now()
        local ok
        ok, message, code = pool:wait_ready()
        phases.deliver_s = now() - started
        if not ok then pool_failed(run, "the delivery of the fixed data", message, code) end
    end
end

local function close_pool(run)
    local pool = run.pool
    if not run.opts.fresh then pool:sample() end
    run.pool = nil
    local started = now()
    local ok, message, code = pool:close()
    run.record.phases.close_s = now() - started
    run.stats = pool:stats()
    if run.faults then run.faults:look() end
    pool:terminate() -- lets go of the data
    if ok then return end
    hooks.check_pool(run, message, code)
    run.close_failed = true
    run.record.errors[#run.record.errors + 1] = { outcome = "error", message = message }
    if code == "ECANCELED" or core.interrupted() then halt("interrupted", "interrupted while the pool was closed") end
    halt("faulted", message)
end

-- Without a barrier delivery goes on while tasks run: it ended when the last worker was ready, if ever.
local function late_delivery(stats, start_s, workers)
    local last, ready = 0, 0
    for _, one in ipairs(stats.workers) do
        if one.ready_s then
            ready = ready + 1
            last = math.max(last, one.ready_s)
        end
    end
    if ready < workers then return nil end
    return math.max(0, last - start_s)
end

local function syscalls_since(before)
    local made = {}
    for name, count in pairs(core.syscalls()) do
        local grown = count - (before[name] or 0)
        if grown > 0 then made[name] = grown end
    end
    return made
end

local function keep_stats(run)
    local record, stats = run.record, run.stats
    if not stats then return end
    record.workers, record.replaced, record.undelivered = stats.workers, stats.replaced, stats.undelivered
    record.renewed = stats.renewed
    record.retried = stats.retried and stats.retried - (run.retried_warm or 0)
    record.counters = stats.counters
    record.counters.syscalls = syscalls_since(run.syscalls)
    local axes = run.case.axes
    if axes.barrier == false and record.phases.start_s then
        record.phases.deliver_s = late_delivery(stats, record.phases.start_s, run.case.params.workers)
    end
    if run.faults then record.faults = run.faults:report(stats.workers) end
end

-- Why a case is faulted although its tasks ended as they were to: the pool gave up, as it was to; or a worker did not
-- come to the end of `finish`, where a fault was made.
local function ended_as_planned(run, all_ok)
    if run.close_failed then return run.faults ~= nil and run.faults:made_in "finish" end
    return not all_ok
end

-- Whether faults were made as planned, and tasks ended as expected. A pool that gave up, where that was expected, did
-- what it was to do.
local function judge_outcomes(run)
    local record = run.record
    if record.status ~= "ok" and record.status ~= "failed" and record.status ~= "faulted" then return end
    if run.expected then
        local all_ok = expected.all_ok(record.outcomes)
        local difference = expected.difference(run.expected, record, run.plan.smoke)
        record.as_expected = difference == nil
        if difference then
            record.status, record.reason = all_ok and "failed" or "faulted", "expect_outcomes: " .. difference
        elseif record.status == "faulted" and ended_as_planned(run, all_ok) then
            record.status, record.reason = "ok", nil
        elseif record.status == "faulted" then
            record.as_expected = false -- tasks ended as they were to; something else did not
        end
    end
    local missed = run.faults and record.status == "ok" and run.faults:missed(#record.phases.map_s)
    if missed then record.status, record.reason = "failed", missed end
end

local function sum(list)
    local total = 0
    for _, value in ipairs(list) do total = total + value end
    return total
end

-- From the start of the pool through its close, by iteration; making and placing the data are apart.
local function seconds_per_iteration(record, barrier)
    local phases, n = record.phases, #record.phases.map_s
    if n == 0 or not phases.close_s then return nil end
    local total = phases.start_s + (barrier and phases.deliver_s or 0) + phases.close_s
    return (total + sum(phases.map_s) + sum(phases.reduce_s)) / n
end

-- What `work` said, or nothing where it says nothing of use.
local function work_of(run)
    local work = hooks.call(run, "work", run.p)
    if type(work) ~= "table" then
        hooks.broken(run, ("work: returned %s; return { bytes = …, items = … }"):format(equal.show(work)))
    end
    for key, value in next, work do
        if key ~= "bytes" and key ~= "items" then
            local hint = type(key) == "string" and names.suggest(key, { "bytes", "items" }) or "use bytes and items"
            hooks.broken(run, ("work: returned the unknown key %s; %s"):format(equal.show(key), hint))
        elseif type(value) ~= "number" or not (value >= 0 and value < math.huge) then
            hooks.broken(run, ("work: %s is %s; give a finite number of at least 0"):format(key, equal.show(value)))
        end
    end
    return work
end

local function rates(run)
    local times = run.record.phases.map_s
    if not run.hooks.work or #times == 0 then return end
    local work = work_of(run)
    local bytes, items = rawget(work, "bytes"), rawget(work, "items")
    local sorted = table.move(times, 1, #times, 1, {})
    table.sort(sorted)
    local middle = (sorted[(#sorted + 1) // 2] + sorted[#sorted // 2 + 1]) / 2
    if middle <= 0 then return end
    run.record.rates = { bytes_per_s = bytes and bytes / middle, items_per_s = items and items / middle }
end

local function measure_pool(run)
    plan_faults(run)
    make_fixed(run)
    check_copies(run)
    place_fixed(run)
    start_pool(run)
    iterate.all(run, iterate.map)
    close_pool(run)
end

local function measure_body(run)
    run.record.phases.start_s, run.record.phases.close_s = 0, 0
    calibrate.body(run, iterate.call_body)
    settle(run)
    run.collector = collector.open(run.case.params.gc)
    local calls = core.syscalls()
    iterate.all(run, iterate.body)
    run.record.counters = { tasks = #run.record.phases.map_s, messages = 0, payload_bytes = 0, forks = 0,
        syscalls = syscalls_since(calls) }
end

local function measure(run)
    iterate.tell(run, 0)
    check_declared(run)
    if run.hooks.setup then run.state = hooks.call(run, "setup", run.p) end
    run.set_up = true
    local measure_it = run.hooks.body and measure_body or measure_pool
    measure_it(run)
    rates(run)
end

-- Whatever happened, the pool is closed and the scenario may tidy up. Errors here do not hide the first one.
local function finish(run)
    if run.pool then
        local pool = run.pool
        run.pool = nil
        local started = now()
        if not run.stop_now then pool:close() end
        run.stats = pool:stats()
        if run.faults then run.faults:look() end
        pool:terminate()
        run.record.phases.close_s = now() - started
    end
    if run.collector then run.collector:close() end
    run.fixed = nil
    if run.stop_now and core.calm then core.calm() end -- tidying up is part of an orderly end
    if run.set_up and run.hooks.teardown then hooks.call(run, "teardown", run.p, run.state) end
end

---A case of which nothing has been measured.
---@param case rig.Case
---@return table record
function M.empty(case)
    local params = {}
    for name, value in pairs(case.params) do params[name] = values.is_value(value) and value.list or value end
    return {
        index = case.index, params = params, run = case.run, label = case.label, status = "ok",
        phases = { map_s = {}, reduce_s = {} }, warmup = {}, iterations = {}, verified = 0,
        outcomes = { ok = 0, error = 0, timeout = 0, died = 0, cancelled = 0 }, errors = {}, metrics = {}, workers = {},
        replaced = 0, undelivered = { workers = 0, bytes = 0 },
    }
end

---A case of which nobody came back to say how it went.
---@param case rig.Case
---@param reason string
---@param outcome? "died"|"timeout"  died unless given
---@return table record
function M.lost(case, reason, outcome)
    local record = M.empty(case)
    record.status, record.reason = "faulted", reason
    record.errors[1] = { outcome = outcome or "died", message = reason }
    return record
end

-- Takes the reason out of a halt; anything else raised is a mistake of rig's own, and goes on up.
local function absorb(run, raised)
    if not hooks.is_halt(raised) then error(raised, 0) end
    if run.record.status == "ok" or run.record.status == "failed" then
        run.record.status, run.record.reason = raised.status, raised.reason
        run.record.broken = raised.broken
        run.stop_now = raised.status == "interrupted"
    end
end

---@param plan table
---@param case table
---@param opts { force?: boolean, fresh?: boolean, on_iteration?: fun(case: table, done: integer, total: integer) }
---        fresh: this process was made for this case, and ends with it
---@return table record the case as the results document has it
function M.measure(plan, case, opts)
    local record = M.empty(case)
    local run = {
        plan = plan, case = case, hooks = plan.scenario.hooks, p = case.p, opts = opts, record = record,
        seed = case.params.seed or plan.seed or 0,
    }
    record.expected = run.hooks.expect ~= nil
    local quiet = noise.mark()
    metric.start()
    local started = now()
    local ok, raised = xpcall(measure, hooks.keep_halt, run)
    if not ok then
        if hooks.is_halt(raised) then absorb(run, raised) else run.stop_now = true end
    end
    local finished, late = xpcall(finish, hooks.keep_halt, run)
    if not ok and not hooks.is_halt(raised) then error(raised, 0) end
    if not finished then absorb(run, late) end
    record.metrics = metric.take()
    keep_stats(run)
    judge_outcomes(run)
    record.s_per_iteration = seconds_per_iteration(record, case.axes.barrier)
    record.total_s = now() - started
    record.noise = noise.since(quiet)
    if not opts.fresh then collectgarbage() end -- the next case's data must not stand beside this one's
    return record
end

return M
