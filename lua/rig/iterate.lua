--- One iteration of a case: items made, mapped (timed), reduced (timed apart), checked, recorded.
--- Nothing of rig's own happens between two readings of the clock: no record, no table, no message.
--- Neighbours: case.lua calls `all` with `map` or `body`; hooks.lua; equal.lua compares with `expect`.

local calibrate = require "rig.calibrate"
local core = require "rig.core"
local equal = require "rig.equal"
local hooks = require "rig.hooks"
local noise = require "rig.noise"
local items_of = require "rig.pools.items"
local trace = require "rig.trace"
local units = require "rig.units"

local M = {}

local now = core.now
local handler = trace.handler

-- Errors kept in the results of one case; all are counted.
local MOST_ERRORS = 100
-- Of these, attempts that others followed.
local MOST_ATTEMPTS = 50
local LONGEST_MESSAGE = 4000

-- A list among the parameters is a view, and no pool could look into it.
local function plain_list(view)
    local list = {}
    for i = 1, #view do list[i] = view[i] end
    return list
end

local function make_items(run)
    local items = run.hooks.items
    if type(items) == "function" then items = hooks.call(run, "items", run.p) end
    if getmetatable(items) == "read-only" then items = plain_list(items) end
    local problem = items_of.problem(items)
    if problem then hooks.broken(run, "items: " .. problem) end
    return items
end

-- A verdict, and why not. expect is a value, or a function that judges.
local function judge(run, result)
    local expect = run.hooks.expect
    if expect == nil then return nil end
    if type(expect) ~= "function" then return equal.deeply(expect, result) end
    local right, why = equal.verdict("expect", table.pack(hooks.call(run, "expect", run.p, result)))
    if right == nil then hooks.broken(run, why) end
    return right, why
end

local function check(run, entry, result, number)
    local right, why = judge(run, result)
    entry.right = right
    entry.result = equal.plain(result)
    if right == nil then return end
    if right then
        run.record.verified = run.record.verified + 1
    elseif run.record.status == "ok" then
        run.record.status = "failed"
        run.record.reason = ("iteration %d: %s"):format(number, why or equal.difference(run.hooks.expect, result))
    end
end

local function add_outcomes(record, outcomes)
    for kind, count in pairs(outcomes) do record.outcomes[kind] = (record.outcomes[kind] or 0) + count end
end

local function all_ok(report)
    return report.outcomes.ok == report.n
end

-- What a failure without words of its own means.
local function words_for(run, failure)
    local worker = ("worker %s (pid %s)"):format(failure.worker, failure.pid)
    if failure.outcome == "timeout" then
        return ("took longer than timeout = %g s"):format(run.case.params.timeout)
    elseif failure.outcome == "died" and failure.signal then
        return ("%s was ended by signal %d"):format(worker, failure.signal)
    elseif failure.outcome == "died" then
        return ("%s ended with exit status %s"):format(worker, failure.exit or "?")
    end
    return failure.outcome
end

local function keep_failures(run, failures, number)
    local errors = run.record.errors
    for _, failure in ipairs(failures or {}) do
        if #errors >= (failure.retried and MOST_ATTEMPTS or MOST_ERRORS) or (run.warming and failure.retried) then
            goto next -- how tasks ended must find room
        end
        failure.iteration = number
        failure.message = equal.cut(failure.message or words_for(run, failure), LONGEST_MESSAGE)
        errors[#errors + 1] = failure
        ::next::
    end
end

-- The first that was the end of a task: attempts that were followed by another one were not.
local function first_end(errors)
    for _, failure in ipairs(errors) do
        if not failure.retried then return failure end
    end
end

-- A task that failed makes the case faulted; what else there is to learn, the next iterations still show. They do not
-- when nothing works, and a task that ran out of time would do so again in each of them. Where failures are expected,
-- the case's end says whether these were.
local function note_faults(run, report, number)
    local record = run.record
    keep_failures(run, report.failures, number)
    if core.interrupted() then hooks.halt("interrupted", "interrupted while tasks ran") end
    if run.expected then return end
    local first = first_end(record.errors)
    local where = first and first.task and ("iteration %d, item %d"):format(number, first.task)
        or ("iteration %d"):format(number)
    record.fault = record.fault or ("%s: %s"):format(where, first and first.message or "a task did not end ok")
    if report.outcomes.timeout > 0 or report.outcomes.ok == 0 then hooks.halt("faulted", record.fault) end
end

-- The pool gave up: what had ended counts, the rest is cancelled.
local function map_failed(run, number, message, code, report)
    local record = run.record
    if report then
        add_outcomes(record, report.outcomes)
        keep_failures(run, report.failures, number)
    end
    if code == "ECANCELED" or core.interrupted() then hooks.halt("interrupted", "interrupted while tasks ran") end
    hooks.check_pool(run, message, code)
    if not first_end(record.errors) then
        record.errors[#record.errors + 1] = { iteration = number, outcome = "cancelled", message = message }
    end
    hooks.halt("faulted", message)
end

---One map over the items, on the pool of the case.
---@param run table
---@param number integer the iteration, from 1
---@param into { map_s: number[], reduce_s: number[] } where times are kept
---@return table entry the iteration as results have it
function M.map(run, number, into)
    local pool, reduce, p = run.pool, run.hooks.reduce, run.p
    local items = make_items(run)
    if run.faults then run.faults:begin(pool, run.warming and 0 or number) end
    local slept = core.suspended_ns()
    local t0 = now()
    local fine, results, report, code, rest = xpcall(pool.run, handler, pool, items)
    local t1 = now()
    if run.faults then run.faults:look() end
    if not fine then hooks.refuse(run, "items", results) end -- an iterator of the scenario's raised
    if not results then map_failed(run, number, report, code, rest) end
    local entry = { ready = report.ready, tasks_by_worker = report.tasks_by_worker, outcomes = report.outcomes,
        busy_by_worker_s = report.busy_by_worker_s, longest_task_s = report.longest_task_s,
        chunks = report.chunks, suspended = noise.suspended_since(slept) }
    run.record.items_n = report.n
    into.map_s[#into.map_s + 1] = t1 - t0
    add_outcomes(run.record, report.outcomes)
    run.last_ready = report.ready
    if not all_ok(report) then
        into.reduce_s[#into.reduce_s + 1] = 0
        run.keep(entry)
        note_faults(run, report, number)
        return entry
    end
    keep_failures(run, report.failures, number) -- attempts that others followed
    local result = results
    local reduce_s = 0
    if reduce then
        local r0 = now()
        local ok, value = xpcall(reduce, handler, results, p)
        reduce_s = now() - r0
        result = hooks.result(run, "reduce", ok, value)
    end
    into.reduce_s[#into.reduce_s + 1] = reduce_s
    run.keep(entry)
    check(run, entry, result, number)
    return entry
end

-- What rig.exec gave is judged by how the command ended; its result is what it printed, parsed where it was asked to.
local function exec_result(value, message)
    if value == nil and type(message) == "string" then return nil, message end -- nil, message: it could not be done
    -- what a body of its own returns may have any metatable
    if type(value) ~= "table" or getmetatable(value) ~= nil then return value end
    if type(value.stdout) ~= "string" or value.wall_s == nil then return value end
    if value.status ~= 0 then
        local why = value.signal and ("signal %s"):format(value.signal) or ("exit status %s"):format(value.status)
        local said = equal.text(value.stderr or ""):match("([^\n]+)%s*$")
        return nil, "the command ended with " .. why .. (said and ": " .. said or "")
    end
    if value.value ~= nil then return value.value end
    return (value.stdout:gsub("%s+$", ""))
end

-- Seconds, the result and why it is none, with the outcome. A time limit reaches Lua code here: no other process
-- runs it.
local function call_body(run, n)
    local body, p, state, limit = run.hooks.body, run.p, run.state, run.case.params.timeout or 0
    local ok, value, message
    local t0 = now()
    if limit > 0 then
        ok, value, message = core.call_within(limit, body, p, state, n)
    else
        ok, value, message = xpcall(body, handler, p, state, n)
    end
    local seconds = now() - t0
    if limit > 0 and not ok and message == true then
        return seconds, nil, "timed out after " .. units.format_duration(limit), "timeout"
    end
    local result, fault = exec_result(hooks.result(run, "body", ok, value), message)
    return seconds, result, fault, fault and "error" or "ok"
end

---Calls `body` to find out how long it takes; nothing is kept.
---@param run table
---@param n integer
---@return number seconds
---@return any result
---@return string? fault
M.call_body = call_body

---One call of `body`, whose time is that of one of the n times that it did its thing.
---@param run table
---@param number integer
---@param into { map_s: number[], reduce_s: number[] }
---@return table entry
function M.body(run, number, into)
    local n, slept = run.n or 1, core.suspended_ns()
    local seconds, result, fault, outcome = call_body(run, n)
    local outcomes = { ok = 0, error = 0, timeout = 0, died = 0, cancelled = 0 }
    outcomes[outcome] = 1
    local entry = { outcomes = outcomes, suspended = noise.suspended_since(slept) }
    into.map_s[#into.map_s + 1] = seconds / n
    into.reduce_s[#into.reduce_s + 1] = 0
    add_outcomes(run.record, outcomes)
    run.keep(entry)
    if fault then
        local failure = { outcome = outcome, message = fault }
        note_faults(run, { n = 1, outcomes = outcomes, failures = { failure } }, number)
        return entry
    end
    check(run, entry, result, number)
    return entry
end

---Says where the case is, to whoever shows progress.
---@param run table
---@param done integer iterations that have ended, warm-up included
function M.tell(run, done)
    local params, tell = run.case.params, run.opts.on_iteration
    -- calibrated maps may go on beyond what was declared
    if tell then tell(run.case, done, math.max(done, (params.warmup or 0) + (params.iterations or 1))) end
end

local function between(run)
    if core.interrupted() then hooks.halt("interrupted", "interrupted between iterations") end
    M.tell(run, run.done)
    run.collector:between()
end

-- Warm-up iterations are measured and checked like the others, and kept apart.
local function warm_up(run, one, count)
    local times = { map_s = {}, reduce_s = {} }
    run.keep, run.warming = function() end, true
    for number = 1, count do
        between(run)
        one(run, number, times)
        run.done = run.done + 1
    end
    run.warming = nil
    run.retried_warm = run.pool and run.pool:stats().retried
    local record = run.record
    record.warmup = times.map_s
    record.verified, record.outcomes = 0, { ok = 0, error = 0, timeout = 0, died = 0, cancelled = 0 }
end

---All iterations of a case.
---@param run table
---@param one fun(run: table, number: integer, into: table): table
function M.all(run, one)
    local record, params = run.record, run.case.params
    local warmup, count = params.warmup or 0, params.iterations or 1
    run.done = 0
    if warmup > 0 then warm_up(run, one, warmup) end
    run.keep = function(entry) record.iterations[#record.iterations + 1] = entry end
    local number = 1
    while number <= count or calibrate.wants_more(run, number - 1) do
        between(run)
        one(run, number, record.phases)
        run.done, number = run.done + 1, number + 1
    end
    calibrate.note_maps(run)
    record.ready_at_last_result = run.last_ready
    if record.fault then
        record.status, record.reason = "faulted", record.fault
    end
end

return M
