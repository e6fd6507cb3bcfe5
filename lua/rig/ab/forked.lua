--- A side of an A/B run that is a value of a parameter: each case is measured in a coordinator process of its own, a
--- copy of this one from before anything was loaded, so that libraries and heaps of one side never reach the other.
--- Neighbours: run.lua (asks for values), case.lua (measures, in the child), executables.lua (sides that are programs).

local calibrate = require "rig.calibrate"
local core = require "rig.core"
local measure_case = require "rig.case"
local oom = require "rig.pools.oom"
local units = require "rig.units"

local M = {}

-- So long may a case go on that was under way when the run was asked to stop or its budget was spent: its teardown is
-- the end of it.
local TO_TIDY_UP_S = 1

-- A record without the marks that only matter when it is written: they cannot cross to another process.
local function plain(value)
    if type(value) ~= "table" then return value end
    local copy = {}
    for key, inner in next, value do
        local kind = type(inner)
        if kind == "table" then
            copy[key] = plain(inner)
        elseif kind ~= "function" and kind ~= "userdata" and kind ~= "thread" then
            copy[key] = inner
        end
    end
    return copy
end

-- A forked process collects late, because workers should not copy what they inherited. A coordinator of its own is to
-- collect as any other does: after as much growth as when its parent had just collected everything.
local function collect_as_usual()
    collectgarbage("step", math.max(32 << 10, collectgarbage "count" // 4 | 0))
end

local function measure(plan, case, opts, out)
    collect_as_usual()
    core.set_force(opts.force or false)
    out:put(plain(measure_case.measure(plan, case, { force = opts.force, fresh = true })))
end

local function end_text(finished, killed)
    if not finished then return "its coordinator did not end" end
    if finished.signal then
        local words = killed:words(finished) or ""
        return ("its coordinator was ended by signal %d%s"):format(finished.signal, words)
    end
    return ("its coordinator ended with exit status %d"):format(finished.exit)
end

--- Measures a case once.
---@param plan rig.Plan
---@param case rig.Case
---@param opts { force: boolean|nil, limit_s: number|nil }  limit_s: longer than this it will not end
---@return table|nil record  as case.measure gives it
---@return string|nil message  nothing could be started, or somebody asked to stop
---@return string|nil code
function M.measure(plan, case, opts)
    local from, to, code = core.pipe()
    if not from then return nil, to, code end
    local child, message
    local killed = oom.new()
    collectgarbage() -- here, where it copies nothing
    child, message, code = core.fork(measure, plan, case, opts, to)
    to:close()
    if not child then
        from:close()
        return nil, message, code
    end
    local record, why
    record, why, code = from:get(opts.limit_s)
    from:close()
    if not record and code == "ETIMEDOUT" then
        child:stop(0)
        local reason = ("it had not ended after %s"):format(units.format_duration(opts.limit_s))
        return measure_case.lost(case, reason, "timeout")
    end
    if not record and code == "ECANCELED" then
        child:finish(TO_TIDY_UP_S)
        return nil, why, code
    end
    local finished = child:wait(10)
    if not finished then child:stop(0) end
    calibrate.remember(plan, case, record)
    -- it said nothing: the script, or a library that it loaded, took it down
    return record or measure_case.lost(case, end_text(finished, killed))
end

return M
