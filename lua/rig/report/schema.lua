-- The shape of a results document: which fields there are, of what type, and which may be missing. Completes a
-- document before it is written, and says what is wrong with one that was read.
-- Not for what figures mean. scenarios/results.schema.json says the same to others; a test compares the two.
-- Neighbours: results.lua (assembles and reads documents), report/json.lua (writes them).

local json = require("rig.json")

local M = {}

--- The name of this version of the document.
M.ID = "rig-results/1"

--- Keys in the order in which people want to read them; all others follow in alphabetical order.
M.ORDER = {
    "schema", "status", "exit", "signal", "rig", "version", "commit", "argv", "label", "seed", "index", "kind",
    "name", "about", "file", "sha256", "source", "params", "git_commit", "scenario", "host", "started", "ended",
    "duration_s", "text", "skipped", "verify", "varying", "findings", "run", "reason", "s_per_iteration", "total_s",
    "verified", "expected", "make_s", "phases", "start_s", "place_s", "deliver_s", "map_s", "reduce_s", "close_s",
    "ready_at_last_result", "undelivered", "result", "right", "ready", "tasks_by_worker", "n", "median", "mean",
    "stddev", "mad", "min", "max", "p25", "p75", "p95", "p99", "ci95", "outliers", "stats", "metrics", "rates",
    "outcomes", "ok", "error", "timeout", "died", "cancelled", "counters", "errors", "replaced", "iterations",
    "warmup", "id", "pid", "started_s", "ready_s", "tasks", "workers", "case", "metric", "verdict", "effect", "low",
    "high", "confidence", "pairs", "what", "a", "b", "unit", "ab", "baseline", "verdicts", "thresholds", "cases",
}

local function of_type(name, accepts)
    return { name = name, accepts = accepts }
end

local any = of_type("a value", function() return true end)
local text = of_type("a string", function(v) return type(v) == "string" end)
local number = of_type("a number", function(v) return type(v) == "number" end)
local flag = of_type("true or false", function(v) return type(v) == "boolean" end)
-- an integer to Lua: what is beyond 64 bits is read as a float, which "%d" refuses
local function integer_of(v) return type(v) == "number" and math.tointeger(v) or nil end
local whole = of_type("a whole number", function(v) return integer_of(v) ~= nil end)
local count = of_type("a whole number of at least 0", function(v) return (integer_of(v) or -1) >= 0 end)
local scalar = of_type("a number, a string or true or false", function(v) return type(v) ~= "table" end)

local function enum(words)
    local known = {}
    for _, word in ipairs(words) do known[word] = true end
    return of_type("one of " .. table.concat(words, ", "), function(v) return known[v] == true end)
end

local function optional(shape) return { optional = shape } end
local function list(shape) return { list = shape } end
-- one that documents of an earlier version lack
local function later_list(shape) return { list = shape, absent = true } end
local function map(shape) return { map = shape } end

-- open: may hold more fields than these
local function object(fields, open) return { fields = fields, open = open } end

local outcomes = object({ ok = count, error = count, timeout = count, died = count, cancelled = count })

local summary = object({
    n = count, median = number, mean = number, stddev = optional(number), mad = number, min = number, max = number,
    p25 = number, p75 = number, p95 = number, p99 = number, ci95 = optional(list(number)),
    outliers = object({ mild = count, severe = count }),
})

local phases = object({
    start_s = optional(number), place_s = optional(number), deliver_s = optional(number), map_s = list(number),
    reduce_s = list(number), close_s = optional(number),
})

local iteration = object({
    result = optional(scalar), right = optional(flag), ready = optional(count), tasks_by_worker = list(count),
    outcomes = optional(outcomes), busy_by_worker_s = optional(list(number)), longest_task_s = optional(number),
    chunks = optional(object({ messages = count, least = count, most = count, stolen = optional(count) })),
    suspended = optional(flag),
})

local noise = object({
    wall_s = number, steal_s = optional(number), other_cpu_s = optional(number), runnable = optional(count),
    throttled_s = optional(number), involuntary_switches = optional(count), suspended_s = optional(number),
})

local worker = object({
    id = count, pid = optional(whole), started_s = optional(number), ready_s = optional(number),
    tasks = optional(count), bytes_in = optional(count), bytes_out = optional(count), messages_in = optional(count),
    messages_out = optional(count), busy_s = optional(number), user_s = optional(number), sys_s = optional(number),
    minor_faults = optional(count), voluntary_switches = optional(count), involuntary_switches = optional(count),
    peak_rss_bytes = optional(count), uss_bytes = optional(count), exit = optional(text),
})

local failure = object({
    iteration = optional(count), task = optional(count), outcome = text, worker = optional(count),
    pid = optional(whole), signal = optional(whole), exit = optional(whole), message = optional(text),
    attempt = optional(count), retried = optional(flag),
})

local fault = object({
    step = count, what = text, worker = count, pid = optional(whole), task = optional(count),
    iteration = optional(count), at_s = number, recovered_s = optional(number),
})

local counters = object({
    tasks = optional(count), messages = optional(count), payload_bytes = optional(count), forks = optional(count),
    syscalls = map(count),
})

local case = object({
    index = count, label = optional(text), params = map(any), run = count,
    status = enum({ "ok", "failed", "faulted", "skipped", "error", "interrupted" }), reason = optional(text),
    verified = count, expected = flag, make_s = optional(number), phases = phases,
    s_per_iteration = optional(number), total_s = optional(number), iterations = list(iteration),
    warmup = list(number), ready_at_last_result = optional(count),
    undelivered = object({ workers = count, bytes = optional(count) }), fixed_bytes = optional(count),
    fixed_n = optional(count), fixed_type = optional(text), items_n = optional(count),
    stats = map(optional(summary)),
    metrics = map(object({ unit = optional(text), values = list(optional(number)), median = optional(number) })),
    rates = optional(object({
        bytes_per_s = optional(number), items_per_s = optional(number), bytes_per_s_ci95 = later_list(number),
        items_per_s_ci95 = later_list(number),
    })),
    calibrated = optional(object({ n = count, s = optional(number) })),
    outcomes = outcomes, counters = counters, workers = list(worker), replaced = count, renewed = optional(count),
    retried = optional(count), faults = later_list(fault), as_expected = optional(flag),
    errors = list(failure),
    noise = optional(noise),
})

-- the A/A arm: one side against itself
local same = object({ effect = optional(number), low = optional(number), high = optional(number),
    pairs = optional(count), flagged = flag })

-- a run whose two sides were measured by turns
local ab = object({
    aa = optional(same),
    what = text, a = text, b = text, min_effect = number, seed = optional(whole), looks = list(count),
    budget_s = optional(number), confidence = optional(number), valid = flag, reason = optional(text),
    unknown = later_list(text),
})

local verdict = object({
    case = text, params = map(any), metric = text, kind = enum({ "time", "exact", "tolerance" }),
    verdict = enum({ "regressed", "improved", "unchanged", "inconclusive", "changed" }), effect = optional(number),
    low = optional(number), high = optional(number), confidence = optional(number), pairs = optional(count),
    n_base = optional(count), n_new = optional(count), a = optional(number), b = optional(number),
    unit = optional(text), confirmed = optional(flag), gates = optional(flag), text = optional(text),
    pairs_in_all = optional(count), iterations = optional(count),
    values = optional(object({ a = later_list(number), b = later_list(number), x = later_list(number) })),
    log_ratios = later_list(number),
    aa = optional(same),
})

local threshold = object({
    text = text, where = optional(map(any)), of = optional(map(any)), to = optional(map(any)),
    case = optional(text), cases = later_list(count),
    metric = optional(text), value = optional(number), low = optional(number), high = optional(number),
    n = optional(count), limit = optional(number), unit = optional(text),
    judged_by = enum({ "interval", "median", "nothing" }), passed = flag, reason = optional(text),
})

local baseline = object({
    file = text, started = optional(text), gate_time = flag, accept_counters = flag, gate_counters = optional(flag),
    min_effect = optional(number), notes = later_list(text), compared = optional(count),
    not_compared = optional(count),
})

local host = object({
    cpu = optional(text), cores = optional(count), memory_bytes = optional(count),
    memory_available_bytes = optional(count), kernel = optional(text), ["os"] = optional(text),
    governor = optional(text), load = list(number), transparent_hugepage = optional(text),
    shmem_huge = optional(text), clocksource = optional(text), cgroup_quota = optional(scalar),
    cores_online = optional(count), affinity = optional(text), turbo = optional(flag), smt = optional(flag),
    aslr = optional(count), isolated_cpus = optional(text), cgroup_throttled_s = optional(number),
    throttled_change_s = optional(number), runnable = optional(count), steal_s = optional(number),
    steal_change_s = optional(number), temperature_c = optional(number), swap_bytes = optional(count),
    swap_used_bytes = optional(count), virtualization = optional(text), container = optional(text),
    at_end = optional(object({
        load = list(number), runnable = optional(count), temperature_c = optional(number),
        memory_available_bytes = optional(count),
    })),
}, true)

local document = object({
    schema = of_type('"' .. M.ID .. '"', function(v) return v == M.ID end),
    rig = object({ version = text, commit = optional(text), build = optional(any) }),
    argv = list(text), label = optional(text), seed = optional(whole),
    scenario = object({
        name = text, about = optional(text), kind = optional(enum({ "map", "body" })), file = optional(text),
        sha256 = optional(text), source = optional(text), params = map(any), git_commit = optional(text),
    }),
    host = host, started = text, ended = optional(text), duration_s = optional(number),
    status = enum({ "passed", "failed", "regressed", "inconclusive", "faulted", "error", "interrupted" }),
    exit = count, signal = optional(count), varying = list(text), cases = list(case),
    findings = list(object({
        kind = enum({
            "faster", "growth", "speedup", "crossing", "cause", "imbalance", "unready", "noise", "wrong", "fault",
            "recovery", "next",
        }), text = text, evidence = map(any),
    })),
    skipped = count, verify = optional(object({ right = flag, message = optional(text) })),
    order = later_list(count), ab = optional(ab), verdicts = later_list(verdict), thresholds = later_list(threshold),
    baseline = optional(baseline),
})

--- The whole document, as data, so that a test can compare it with the JSON Schema file.
M.document = document

local function found(v)
    if type(v) == "string" then return ("%q"):format(#v > 40 and v:sub(1, 40) .. "..." or v) end
    if type(v) == "table" then return json.is_list(v) and "a list" or "an object" end
    if math.type(v) == "float" and v % 1 == 0 and not math.tointeger(v) then return v .. " (more than 64 bits hold)" end
    return tostring(v)
end

local check

local function check_object(value, shape, path)
    for name, field in pairs(shape.fields) do
        local inner = path == "" and name or path .. "." .. name
        if value[name] == nil then
            if not (field.optional or field.absent) then return ("%s is missing"):format(inner) end
        else
            local problem = check(value[name], field, inner)
            if problem then return problem end
        end
    end
end

function check(value, shape, path)
    if value == json.null then value = nil end
    if shape.optional then
        if value == nil then return nil end
        shape = shape.optional
    end
    if shape.accepts then
        if value ~= nil and shape.accepts(value) then return nil end
        return ("%s is %s, not %s"):format(path, found(value), shape.name)
    end
    local wants_list = shape.list ~= nil
    if type(value) ~= "table" or (json.is_list(value) or #value > 0) ~= wants_list and next(value) ~= nil then
        return ("%s is %s, not %s"):format(path, found(value), wants_list and "a list" or "an object")
    end
    if shape.fields then return check_object(value, shape, path) end
    for key, inner in pairs(value) do
        local step = wants_list and ("[%s]"):format(key) or "." .. key
        local problem = check(inner, shape.list or shape.map, path .. step)
        if problem then return problem end
    end
end

--- Whether a document has the shape of rig's results. Fields beyond the known ones are allowed: a newer rig
--- may have written them.
---@param doc any
---@return true|nil
---@return string|nil problem  names the place, as in "cases[3].phases.map_s[2] is "x", not a number"
function M.check(doc)
    if type(doc) ~= "table" or json.is_list(doc) then return nil, "not a results document of rig: no object" end
    if doc.schema ~= M.ID then
        if doc.schema == nil then return nil, 'not a results document of rig: it has no "schema"' end
        return nil, ("written for the schema %s; this rig reads %s"):format(found(doc.schema), M.ID)
    end
    local problem = check(doc, document, "")
    if problem then return nil, problem end
    return true
end

local complete

local function complete_object(value, shape)
    local copy = {}
    if shape.open then
        for name, inner in pairs(value) do copy[name] = inner end
    end
    for name, field in pairs(shape.fields) do
        local inner = complete(value[name], field)
        copy[name] = inner
    end
    return copy
end

function complete(value, shape)
    if shape.optional then
        if value == nil or value == json.null then return json.null end
        shape = shape.optional
    end
    if shape.list then
        local copy = json.list()
        for i, inner in ipairs(value or {}) do copy[i] = complete(inner, shape.list) end
        return copy
    elseif shape.map then
        local copy = {}
        for key, inner in pairs(value or {}) do copy[key] = complete(inner, shape.map) end
        return copy
    elseif shape.fields then
        return type(value) == "table" and complete_object(value, shape) or value
    end
    return value
end

--- A copy with every field that the schema names: absent ones as null or as an empty list. What the schema does not
--- know is left out.
---@param doc table
---@return table complete
function M.complete(doc)
    return complete(doc, document)
end

return M
