-- The cases that follow from a scenario: order, labels, effective values, what the command line leaves of them, what
-- is refused, the read-only `p`, and the arithmetic of memory.
-- Neighbours: lua/rig/plan.lua, choice.lua, readonly.lua.

local lu = require "luaunit"
local language = require "rig.language"
local mistake = require "rig.mistake"
local plan = require "rig.plan"
local scenario = require "rig.scenario"

package.loaded.rig = setmetatable({}, { __index = language })

local function load_with(entries, shape)
    return assert(scenario.load("x.lua", 'local rig = require "rig"\nreturn rig.scenario {\n' .. entries .. "\n" ..
        (shape or "items = 4, map = function(item) return item end,") .. "\n}"))
end

local function made(entries, opts, shape)
    return assert(plan.make(load_with(entries, shape), opts))
end

local function labels(p)
    local list = {}
    for i, case in ipairs(p.cases) do
        lu.assertEquals(case.index, i)
        list[i] = case.label
    end
    return list
end

local function refused(message, p, err)
    lu.assertNil(p)
    lu.assertTrue(mistake.is(err))
    lu.assertStrContains(err.message, message)
    lu.assertNil(err.message:find("lua/rig/", 1, true), err.message)
    return err
end

TestCases = {}

function TestCases.test_the_reference_experiment_has_ten()
    local p = made 'pool = { "builtin", "custom" }, size = rig.logspace(1e5, 10^8.2, 5), workers = 4, iterations = 9,'
    lu.assertEquals(labels(p), {
        "builtin, 100,000", "builtin, 630,957", "builtin, 3,981,071", "builtin, 25,118,864", "builtin, 158,489,319",
        "custom, 100,000", "custom, 630,957", "custom, 3,981,071", "custom, 25,118,864", "custom, 158,489,319",
    })
    lu.assertEquals(p.varying, { "pool", "size" })
    lu.assertEquals(p.cases[6].axes, {
        preset = "custom", impl = "lua", start = "fork", delivery = "queue", channel = "queue", chunk = 1,
        barrier = false,
    })
    lu.assertEquals(p.cases[10].params, {
        pool = "custom", size = 158489319, workers = 4, iterations = 9, runs = 1, warmup = 0, chunk = 1, start = "fork",
        delivery = "queue", channel = "queue", barrier = false, max_tasks = 0, retry = 0, timeout = 0, seed = 1,
        pin = false,
        gc = "default",
    })
end

function TestCases.test_the_first_parameter_of_the_scenario_is_the_slowest()
    lu.assertEquals(labels(made 'size = { 1, 2 }, pool = { "builtin", "custom" },'),
        { "1, builtin", "1, custom", "2, builtin", "2, custom" })
    lu.assertEquals(labels(made 'params = { kind = { "a", "b" }, reads = { false, true } }, workers = { 1, 2 },'), {
        "kind a, reads false, workers 1", "kind a, reads false, workers 2",
        "kind a, reads true, workers 1", "kind a, reads true, workers 2",
        "kind b, reads false, workers 1", "kind b, reads false, workers 2",
        "kind b, reads true, workers 1", "kind b, reads true, workers 2",
    })
end

function TestCases.test_runs_are_outside_of_everything()
    local p = made "workers = { 1, 2 }, runs = 2,"
    lu.assertEquals(labels(p), { "workers 1, run 1", "workers 2, run 1", "workers 1, run 2", "workers 2, run 2" })
    lu.assertEquals({ p.cases[2].run, p.cases[3].run }, { 1, 2 })
    lu.assertEquals(p.varying, { "workers" })
end

function TestCases.test_one_case_is_called_after_its_pool()
    lu.assertEquals(labels(made ""), { "builtin" })
    lu.assertEquals(made("").varying, {})
end

function TestCases.test_serial_is_planned_once_whatever_workers_and_axes_say()
    local p = made [[workers = { 1, 2, 4 }, pool = { "serial", "builtin" }, size = { 10, 20 },
delivery = { "inherit", "shm" },]]
    local serial, builtin = 0, 0
    for _, case in ipairs(p.cases) do
        if case.axes.preset == "serial" then
            serial = serial + 1
            lu.assertEquals({ case.params.workers, case.params.delivery, case.params.chunk }, { 1, "none", 1 })
        else
            builtin = builtin + 1
        end
    end
    lu.assertEquals({ serial, builtin }, { 2, 12 })
    lu.assertEquals(#made('runs = 3, workers = { 1, 2 }, pool = "serial",').cases, 3)
end

function TestCases.test_axes_set_as_parameters_hold_for_every_pool()
    local p = made 'pool = { "builtin", "custom" }, delivery = "inherit", chunk = { 1, "auto" },'
    for _, case in ipairs(p.cases) do lu.assertEquals(case.params.delivery, "inherit") end
    lu.assertEquals(p.cases[1].params.chunk, 1)
    lu.assertEquals(p.cases[2].axes.chunk, "auto")
    lu.assertEquals(labels(p), { "builtin, chunk 1", "builtin, chunk auto", "custom, chunk 1", "custom, chunk auto" })
    local presets = made 'pool = "custom", delivery = { "preset", "shm" },'
    lu.assertEquals({ presets.cases[1].params.delivery, presets.cases[2].params.delivery }, { "queue", "shm" })
end

function TestCases.test_pools_with_an_axis_changed()
    local p = made [[pool = {
"custom", { base = "custom", delivery = "inherit" }, { base = "custom", impl = "c", name = "inC" } },]]
    lu.assertEquals(labels(p), { "custom", "custom+delivery=inherit", "inC" })
    lu.assertEquals({ p.cases[2].params.pool, p.cases[2].axes.delivery, p.cases[3].axes.impl },
        { "custom+delivery=inherit", "inherit", "c" })
end

function TestCases.test_a_body_has_no_pool()
    local p = made("workers = { 1, 2 },", nil, "body = function() end,")
    lu.assertEquals(labels(p), { "workers 1", "workers 2" })
    lu.assertEquals({ p.cases[1].params.pool, p.cases[1].axes.preset }, { "none", "none" })
    lu.assertEquals(labels(made("", nil, "body = function() end,")), { "body" })
end

function TestCases.test_too_many_are_refused_before_they_are_made()
    refused("the sweeps make more than 100,000 cases; sweep fewer values",
        plan.make(load_with "size = rig.range(1, 1000), workers = rig.range(1, 1000),"))
    refused("more than 100,000 cases", plan.make(load_with "size = rig.range(1, 1000), runs = 1000,"))
end

TestRefusals = {}

function TestRefusals.test_combinations_that_cannot_be_name_line_reason_and_remedy()
    local err = refused("x.lua:4: delivery: delivery = send cannot go with channel = queue: a queue is shared",
        plan.make(load_with 'pool = { "builtin", "custom" },\ndelivery = "send",'))
    lu.assertEquals({ err.kind, err.key, err.value }, { "scenario", "delivery", "send" })
    lu.assertStrContains(err.message, "(pool custom); use delivery = queue, or channel = pipe, socket or ring")
    refused("start = spawn cannot go with delivery = inherit", plan.make(load_with 'start = "spawn",'))
    refused("delivery = shm contradicts the pool custom+delivery=inherit",
        plan.make(load_with 'pool = { base = "custom", delivery = "inherit" }, delivery = "shm",'))
end

function TestRefusals.test_asked_for_on_the_command_line_they_are_usage_errors()
    local s = load_with 'pool = "custom",'
    assert(scenario.override(s, { { name = "delivery", text = "send" } }))
    local err = refused("command line: delivery: delivery = send cannot go with", plan.make(s))
    lu.assertEquals({ err.kind, err.file }, { "usage", nil })
end

function TestRefusals.test_what_is_to_come()
    refused("x.lua:3: start: start = thread is not available in this version (pool builtin); use fork",
        plan.make(load_with 'start = "thread",'))
    refused("x.lua:3: pool: start = thread is not available in this version (pool builtin+start=thread)",
        plan.make(load_with 'pool = { base = "builtin", start = "thread" },'))
end

function TestRefusals.test_only_may_leave_them_out()
    local s = load_with 'pool = { "builtin", "custom" }, delivery = { "send", "inherit" },'
    refused("cannot go with", plan.make(s))
    lu.assertEquals(#assert(plan.make(s, { only = { { name = "pool", text = "builtin" } } })).cases, 2)
end

TestOptions = {}

local SWEEP = 'pool = { "builtin", "custom" }, size = { 10, 20, 30 }, params = { kind = { "array", "table" } },'

function TestOptions.test_only_keeps_values()
    local p = made(SWEEP, { only = { { name = "size", text = "10,30" }, { name = "kind", values = { "table" } } } })
    lu.assertEquals(labels(p), { "builtin, 10", "builtin, 30", "custom, 10", "custom, 30" })
    lu.assertEquals(p.varying, { "pool", "size" })
    lu.assertEquals(p.cases[1].params.kind, "table")
    local ranged = made("workers = { 1, 2, 3, 4 },", { only = { { name = "workers", text = "2..3" } } })
    lu.assertEquals(labels(ranged), { "workers 2", "workers 3" })
end

function TestOptions.test_only_knows_pools_by_their_label()
    local p = made('pool = { "custom", { base = "custom", delivery = "inherit" } },',
        { only = { { name = "pool", text = "custom+delivery=inherit" } } })
    lu.assertEquals(p.cases[1].axes.delivery, "inherit")
    lu.assertEquals(#p.cases, 1)
end

function TestOptions.test_only_refuses_what_is_not_there()
    local s = load_with(SWEEP)
    local function only(name, text)
        return plan.make(s, { only = { { name = name, text = text } } })
    end
    local err = refused("command line: --only size: 40 is not among its values; use 10, 20 or 30", only("size", "40"))
    lu.assertEquals(err.kind, "usage")
    refused("--only siez: no such parameter; did you mean size?", only("siez", "10"))
    refused('--only kind: "tabel" is not one of its values; did you mean table?', only("kind", "tabel"))
    refused("--only pool: serial is not among its values; use builtin or custom", only("pool", "serial"))
    refused("--only size: 2.5 is not a whole number", only("size", "2.5"))
end

function TestOptions.test_asked_is_what_the_command_line_chose()
    local s = load_with(SWEEP)
    lu.assertFalse(plan.make(s).cases[1].asked)
    lu.assertFalse(plan.make(s, { seed = 4, timeout = 1 }).cases[1].asked)
    lu.assertTrue(plan.make(s, { only = { { name = "size", text = "10" } } }).cases[1].asked)
    assert(scenario.override(s, { { name = "size", text = "99" } }))
    lu.assertTrue(plan.make(s).cases[1].asked)
end

function TestOptions.test_seed_and_timeout()
    local p = made("seed = 7,", { timeout = 1.5 })
    lu.assertEquals({ p.seed, p.cases[1].params.timeout }, { 7, 1.5 })
    p = made("seed = 7,", { seed = 9, timeout = "300ms" })
    lu.assertEquals({ p.seed, p.cases[1].params.seed, p.cases[1].params.timeout }, { 9, 9, 0.3 })
    lu.assertEquals(made("").seed, 1)
    refused('--timeout: "soon" is not a duration', plan.make(load_with "", { timeout = "soon" }))
    refused("--seed: 0.5 is not a whole number", plan.make(load_with "", { seed = 0.5 }))
end

function TestOptions.test_smoke_takes_the_smallest_case_once()
    local p = made([[pool = { "serial", "custom", "builtin" }, size = { 30, 10, 20 }, workers = { 4, 2 },
runs = 3, warmup = 2,]], { smoke = true })
    lu.assertEquals(#p.cases, 1)
    local case = p.cases[1]
    lu.assertEquals({ case.index, case.run, case.params.pool, case.params.size, case.params.workers },
        { 1, 1, "custom", 10, 2 })
    lu.assertEquals({ case.params.iterations, case.params.runs, case.params.warmup }, { 1, 1, 0 })
    lu.assertEquals(p.varying, {})
    lu.assertEquals(made('pool = "serial",', { smoke = true }).cases[1].params.pool, "serial")
end

function TestOptions.test_planning_changes_no_scenario()
    local s = load_with(SWEEP)
    assert(plan.make(s, { smoke = true, seed = 9, only = { { name = "size", text = "20" } } }))
    lu.assertEquals(#assert(plan.make(s)).cases, 12)
    lu.assertEquals(plan.make(s).seed, 1)
end

TestP = {}

local function p_of(entries, shape)
    return made(entries, nil, shape).cases[1].p
end

local function raises(message, f)
    local fine, err = pcall(f)
    lu.assertFalse(fine)
    lu.assertEquals(type(err), "string")
    lu.assertStrContains(err, message)
    lu.assertStrContains(err, "test_plan.lua:")
    lu.assertNil(err:find("lua/rig/", 1, true), err)
end

function TestP.test_reads_every_parameter()
    local p = p_of 'params = { reads = false, kind = "array" }, pool = "custom", size = 10,'
    lu.assertEquals({ p.pool, p.size, p.reads, p.kind, p.delivery, p.barrier, p.timeout },
        { "custom", 10, false, "array", "queue", false, 0 })
    local seen = {}
    for name, v in pairs(p) do seen[name] = v end
    lu.assertEquals(seen.size, 10)
    lu.assertEquals(seen.reads, false)
end

function TestP.test_an_unknown_name_raises_with_the_nearest()
    local p = p_of ""
    raises("p.sise: no such parameter; did you mean size?", function() return p.sise end)
    raises("p.1: no such parameter", function() return p[1] end)
end

function TestP.test_cannot_be_changed()
    local p = p_of 'params = { mix = rig.value{ 1, { 2, 3 } } },'
    raises("p.size: parameters are read-only", function() p.size = 5 end)
    raises("p.new: parameters are read-only", function() p.new = 5 end)
    raises("p.1: parameters are read-only", function() p.mix[1] = 5 end)
    raises("p.1: parameters are read-only", function() p.mix[2][1] = 5 end)
    lu.assertEquals(getmetatable(p), "read-only")
    lu.assertFalse(pcall(setmetatable, p, nil))
end

function TestP.test_lists_as_values_read_like_lists()
    local case = made("params = { mix = rig.value{ 1, { 2, 3 }, 4 } },").cases[1]
    local mix = case.p.mix
    lu.assertEquals({ #mix, mix[1], #mix[2], mix[2][2], mix[4] }, { 3, 1, 2, 3, nil })
    local count = 0
    for i, v in ipairs(mix) do
        count = count + i
        lu.assertNotNil(v)
    end
    for _ in pairs(mix) do count = count + 1 end
    lu.assertEquals(count, 9)
    lu.assertEquals({ table.unpack(mix, 1, 1) }, { 1 })
    lu.assertEquals(case.params.mix, { 1, { 2, 3 }, 4 })
    lu.assertNil(getmetatable(case.params.mix))
end

function TestP.test_lists_as_values_are_swept_in_a_list()
    local p = made("params = { mix = { rig.value{ 1, 2 }, rig.value{ 3, 4 } } },")
    lu.assertEquals({ p.cases[1].p.mix[1], p.cases[2].p.mix[1] }, { 1, 3 })
    lu.assertEquals(labels(p), { "mix { 1, 2 }", "mix { 3, 4 }" })
end

TestMemory = {}

local function case_of(entries)
    return made(entries).cases[1]
end

function TestMemory.test_copies_follow_the_delivery()
    local gigabyte = 1000000000
    for entries, copies in pairs {
        ['pool = "serial",'] = 1, ['pool = "builtin", workers = 8,'] = 1, ['pool = "custom", workers = 4,'] = 5,
        ['delivery = "send", workers = 3,'] = 4, ['pool = "shm", workers = 64,'] = 2,
    } do
        lu.assertEquals(plan.estimate_memory(case_of(entries), gigabyte), copies * gigabyte, entries)
    end
    lu.assertEquals(math.type(plan.estimate_memory(case_of 'pool = "custom",', 1 << 40)), "integer")
end

function TestMemory.test_fits_or_says_what_to_do()
    local case = case_of 'pool = "custom", workers = 4,'
    lu.assertTrue(plan.fits(case, 1000, 1000))
    local fits, reason = plan.fits(case, 6339572760, 3200000000)
    lu.assertFalse(fits)
    lu.assertEquals(reason, "custom needs 6.34 GB of memory and 3.20 GB are available; take a smaller size, "
        .. "fewer workers, or delivery = inherit, which copies nothing; --force tries all the same")
    local _, other = plan.fits(case_of "", 2, 1)
    lu.assertEquals(other, "builtin needs 2 bytes of memory and 1 bytes are available; take a smaller size; "
        .. "--force tries all the same")
end

os.exit(lu.LuaUnit.run())
