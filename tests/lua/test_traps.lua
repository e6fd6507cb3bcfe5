-- What a scenario may get wrong, or set as a trap: every mistake is a clear message of its own, none an internal error,
-- and none costs the results of what was measured.
-- Scenarios are given as text and run in this process, through rig.run. Neighbour: test_runner (what works).

local lu = require "luaunit"
local results = require "rig.results"
local rig = require "rig"

local function load_and_run(source, opts)
    opts = opts or {}
    opts.source = source
    return rig.run("test.lua", opts)
end

local function run(body, opts)
    local doc, problem = load_and_run('local rig = require "rig"\nreturn rig.scenario {\n' .. body .. "\n}\n", opts)
    return lu.assertNotNil(doc, tostring(problem)) or doc
end

local SMALL = "workers = 2, iterations = 1, items = 4, map = function(i) return i end,"
local TRAP = [[setmetatable({}, { __len = error, __index = error, __eq = error, __pairs = error, __tostring = error,
    __lt = error, __call = error, __name = "trap" })]]

-- The scenario is refused, and says all of these.
local function refused(body, ...)
    local doc = run(body)
    local case = doc.cases[1]
    lu.assertEquals(case.status, "error", body)
    lu.assertEquals(doc.exit, 2, body)
    for _, words in ipairs { ... } do lu.assertStrContains(case.reason, words) end
    lu.assertNotStrContains(case.reason, "rig/")
    return case
end

TestShm = {}

function TestShm.test_it_runs_without_fixed_data()
    local pools = [[ pool = { "shm", { base = "custom", delivery = "shm" } }, ]]
    local doc = run(pools .. "reduce = rig.sum, expect = 10," .. SMALL)
    for _, case in ipairs(doc.cases) do
        lu.assertEquals(case.status, "ok", tostring(case.reason))
        lu.assertNil(case.phases.place_s)
    end
    lu.assertEquals(#doc.cases, 2)
    local function map(i, fixed) return { i, fixed } end
    local pool <close> = assert(rig.pool { workers = 1, preset = "shm", map = map })
    lu.assertEquals(pool:map(2), { { 1 }, { 2 } })
end

TestExit = {}

function TestExit.test_in_the_coordinator_it_is_a_mistake_of_the_scenario()
    for _, hook in ipairs { "setup", "fixed", "reduce", "expect", "teardown", "memory", "work" } do
        refused(SMALL .. hook .. " = function() os.exit(0) end,", "test.lua:3: os.exit would end the run; return from")
    end
    local doc = run(SMALL .. "verify = function() os.exit(0) end,")
    lu.assertEquals(doc.exit, 2)
    lu.assertStrContains(doc.verify.message, "os.exit would end the run")
    local none, problem = load_and_run "local x = 1\nos.exit(3)\n"
    lu.assertNil(none)
    lu.assertStrContains(tostring(problem), "test.lua:2: os.exit would end the run; return from the hook instead")
    none, problem = load_and_run 'require "os".exit(3)\n'
    lu.assertNil(none)
    lu.assertStrContains(tostring(problem), "os.exit would end the run")
end

function TestExit.test_in_a_worker_it_ends_the_worker()
    for _, pool in ipairs { "builtin", "custom" } do
        local doc = run([[ workers = 2, iterations = 1, items = 4,
            map = function(i) if i == 2 then os.exit(7) end end, ]], { params = { pool = pool } })
        lu.assertEquals(doc.cases[1].outcomes, { ok = 3, died = 1, error = 0, timeout = 0, cancelled = 0 }, pool)
        lu.assertEquals(doc.cases[1].errors[1].exit, 7)
        lu.assertEquals(doc.exit, 4)
    end
    local doc = run [[ iterations = 1, expect = 9,
        body = function() return rig.fork(function() os.exit(9) end):wait().exit end, ]]
    lu.assertEquals(doc.status, "passed")
end

function TestExit.test_without_processes_it_is_a_task_that_failed()
    local case = run(SMALL .. 'pool = "serial", init = function() return os.clock() end,').cases[1]
    lu.assertEquals(case.status, "ok")
    local doc = run [[ pool = "serial", iterations = 1, items = 1, map = function() os.exit(0) end, ]]
    lu.assertEquals(doc.exit, 4)
    lu.assertStrContains(doc.cases[1].reason, "os.exit would end the run")
end

TestMemory = {}

function TestMemory.test_words_that_sound_like_a_shortage_are_an_error_like_others()
    for _, words in ipairs { "not enough memory", "this needs 5 GB and 3 GB are available", "no: not enough memory" } do
        for _, hook in ipairs { "fixed", "setup", "memory", "reduce" } do
            refused(("%s %s = function() error(%q, 0) end,"):format(SMALL, hook, words), words, "(in " .. hook)
        end
    end
    local big = "rig.array('i64', 1 << 40)"
    refused(SMALL .. "reduce = function() return " .. big .. " end,", "needs", "(in reduce")
    lu.assertEquals(run(SMALL .. "setup = function() return " .. big .. " end,").cases[1].status, "skipped")
    lu.assertEquals(run(SMALL .. "fixed = function() local a = " .. big .. " return a end,").cases[1].status, "skipped")
end

function TestMemory.test_what_is_no_number_of_bytes_is_named()
    for value, said in pairs {
        ["0/0"] = "nan", ["-1"] = "-1", ["'much'"] = '"much" (a string)', ["math.huge"] = "inf", ["1e300"] = "1e+300",
        ["nil"] = "nil", ["{}"] = "{} (a table)", [TRAP] = "{}",
    } do
        refused(SMALL .. "memory = function() return " .. value .. " end,", "memory: returned ", said, "bytes")
    end
end

TestWork = {}

function TestWork.test_what_is_no_work_is_named_by_key_and_value()
    for value, said in pairs {
        ["5"] = "returned 5", ["nil"] = "returned nil", ["{ byte = 1 }"] = 'unknown key "byte"; did you mean bytes?',
        ["{ 7 }"] = "unknown key 1", ["{ bytes = 'x' }"] = 'bytes is "x"', ["{ items = 0/0 }"] = "nan; give a finite",
        ["{ items = -1 }"] = "items is -1", ["{ bytes = math.huge }"] = "bytes is inf",
        ["{ items = " .. TRAP .. " }"] = "items is {}",
    } do
        refused(SMALL .. "work = function() return " .. value .. " end,", "work: ", said)
    end
    local case = run(SMALL .. "work = function() return " .. TRAP .. " end,").cases[1]
    lu.assertEquals(case.status, "ok")
end

TestTraps = {}

function TestTraps.test_metatables_of_results_are_not_asked()
    for _, body in ipairs {
        SMALL .. "reduce = function() return " .. TRAP .. " end,",
        SMALL .. "reduce = function() return { x = { " .. TRAP .. " } } end, expect = { x = { {} } },",
        SMALL .. "fixed = function() return " .. TRAP .. " end,",
        SMALL .. "reduce = function() return {} end, expect = " .. TRAP .. ",",
        "iterations = 2, body = function() return " .. TRAP .. " end, expect = {},",
    } do
        local doc = run(body)
        lu.assertEquals(doc.cases[1].status, "ok", body .. tostring(doc.cases[1].reason))
        lu.assertEquals(doc.status, "passed")
    end
end

function TestTraps.test_a_wrong_result_with_traps_is_shown()
    local doc = run(SMALL .. "reduce = function() return { a = " .. TRAP .. " } end, expect = { a = 1 },")
    lu.assertEquals(doc.cases[1].status, "failed")
    lu.assertStrContains(doc.cases[1].reason, "result.a is {}, expected 1")
    refused(SMALL .. "expect = function() return " .. TRAP .. " end,", "expect: returned {}", "return true or false")
    doc = run(SMALL .. "expect = function() return false, " .. TRAP .. " end,")
    lu.assertEquals(doc.cases[1].status, "failed")
    doc = run(SMALL .. "verify = function() return false, " .. TRAP .. " end,")
    lu.assertEquals(doc.exit, 1)
end

function TestTraps.test_equality_of_a_scenarios_own_counts_where_it_works()
    local doc = run(SMALL .. [[ reduce = function() return { 1 } end,
        expect = setmetatable({ 2 }, { __eq = function() return true end }), ]])
    lu.assertEquals(doc.cases[1].status, "ok")
end

function TestTraps.test_errors_that_are_traps_are_still_told()
    refused(SMALL .. "reduce = function() error(" .. TRAP .. ") end,", "an error that is no text but a table",
        "(in reduce")
end

TestDocument = {}

function TestDocument.test_nothing_measured_has_not_passed()
    local doc = run(SMALL .. "memory = function() return 2^60 end,")
    lu.assertEquals({ doc.status, doc.exit }, { "inconclusive", 0 })
    local text = require("rig.report.text").render(doc, {})
    lu.assertStrContains(text, "inconclusive: nothing was measured, 1 case, 1 skipped")
    doc = run("memory = function() return 2^60 end, verify = function() return true end," .. SMALL)
    lu.assertEquals({ doc.status, doc.exit }, { "inconclusive", 0 })
end

function TestDocument.test_long_results_are_kept_in_part_with_their_length()
    local doc = run [[ iterations = 1, body = function() return ("é"):rep(1000000) end,
        expect = function(_, s) return #s == 2000000 end, ]]
    local kept = doc.cases[1].iterations[1].result
    lu.assertEquals(kept, ("é"):rep(500) .. "… (2000000 bytes)")
    lu.assertEquals(doc.cases[1].verified, 1)
    doc = run [[ pool = "serial", iterations = 1, items = 1, map = function() error(("x"):rep(1000000), 0) end, ]]
    lu.assertTrue(#doc.cases[1].reason < 5000)
end

function TestDocument.test_verify_sees_a_copy()
    local doc = run(SMALL .. [[ verify = function(doc)
        local n = #doc.cases
        doc.cases[1].status, doc.cases[1].iterations, doc.exit, doc.schema = "failed", nil, 7, nil
        doc.cases[2], doc.host.me = doc, doc
        return n == 1
    end, ]])
    lu.assertEquals({ doc.status, doc.exit, #doc.cases }, { "passed", 0, 1 })
    lu.assertTrue(results.check(require("rig.json").decode(require("rig.report.json").render(doc))))
end

function TestDocument.test_parameters_of_a_wrong_type_are_refused()
    for name, value in pairs { workers = "x", iterations = true, size = {}, pool = 5, timeout = "1s" } do
        local doc = run(SMALL)
        doc.cases[1].params[name] = value
        local ok, problem = results.check(require("rig.json").decode(require("rig.report.json").render(doc)))
        lu.assertNil(ok)
        lu.assertStrContains(problem, "cases[1].params." .. name .. " is ")
    end
end

function TestDocument.test_the_next_command_sets_what_was_set()
    local body = [[ params = { depth = 3, rate = 0.5 }, pool = { "serial", "builtin" }, workers = 2, iterations = 3,
        items = 4, map = function(i, _, w) if w.p.depth == 4 then error "deep" end return i end, ]]
    local function next_command(opts)
        local found = run(body, opts).findings
        return found[#found].evidence.command
    end
    lu.assertEquals(next_command { params = { depth = 4, rate = 0.1, iterations = 2 } },
        "rig test.lua pool=serial depth=4 iterations=2 rate=0.1")
    lu.assertEquals(next_command { params = { depth = "3,4", pool = "builtin", workers = "1" } },
        "rig test.lua depth=4 pool=builtin workers=1")
    lu.assertEquals(next_command { params = { depth = 4 }, only = { { name = "pool", text = "builtin" } } },
        "rig test.lua depth=4 pool=builtin")
end

TestItems = {}

function TestItems.test_a_table_that_is_no_list_is_named_by_its_key()
    for items, said in pairs {
        ["{ a = 1 }"] = "the key 'a' and no item 1", ["{ [2] = 1 }"] = "the key 2 and no item 1",
        ["setmetatable({}, {})"] = "a metatable and nothing in it", [TRAP] = "a metatable and nothing in it",
        ["rig.array('u8', 3)"] = "an array", ["-1"] = "-1 (a number)", ["nil"] = "nil is neither",
    } do
        local body = "workers = 2, iterations = 1, map = function(i) return i end, items = function() return %s end,"
        refused(body:format(items), "items: ", said)
    end
    refused("workers = 1, iterations = 1, map = function(i) return i end, items = { a = 1, b = 2 },", "items: ",
        "the key")
end

function TestItems.test_an_empty_list_and_a_list_among_the_parameters_are_lists()
    local map = "workers = 1, iterations = 1, map = function(i) return i end, reduce = function(r) return #r end,"
    lu.assertEquals(run(map .. "items = {}, expect = 0,").cases[1].status, "ok")
    local case = run(map .. [[ params = { sizes = rig.value { 5, 6, 7 } }, items = function(p) return p.sizes end,
        expect = 3, ]]).cases[1]
    lu.assertEquals({ case.status, case.reason }, { "ok" })
end

TestPlaces = {}

-- The message says where the script is, and nothing of where rig's own code is.
local function misuse(words, fn, ...)
    local fine, message = pcall(fn, ...)
    lu.assertFalse(fine)
    lu.assertStrContains(tostring(message), words)
    lu.assertStrMatches(tostring(message):match "^[^\n]*", "[^ ]*test_traps%.lua:%d+: .*")
    lu.assertNotStrContains(message, "lua/rig/")
end

function TestPlaces.test_misuse_is_told_at_the_scripts_line()
    misuse("rig.exec: a time limit must be", function() local r = rig.exec { "true", timeout = -1 } return r end)
    misuse("rig.run: 5 is neither", function() local r = rig.run(5) return r end)
    misuse("rig.run: params is 5", function() local r = rig.run("x.lua", { params = 5 }) return r end)
    local pool <close> = assert(rig.pool { workers = 1, map = function(i) return i end })
    misuse("pool:map: nil is neither", function() local r = pool:map(nil) return r end)
    misuse("pool:map: a table with the key 'a'", function() local r = pool:map { a = 1 } return r end)
    misuse("function", function()
        local r = rig.pool { workers = 1, delivery = "send", fixed = { f = print }, map = function(i) return i end }
        return r
    end)
end

function TestPlaces.test_in_hooks_and_workers_too()
    local exec = 'local r = rig.exec { "true", timeout = -1 } return r'
    refused(SMALL .. "reduce = function() " .. exec .. " end,", "test.lua:3: rig.exec: a time limit")
    for _, pool in ipairs { "serial", "builtin", "custom" } do
        local doc = run("workers = 1, iterations = 1, items = 1, map = function() " .. exec .. " end,",
            { params = { pool = pool } })
        lu.assertStrContains(doc.cases[1].errors[1].message, "test.lua:3: ")
        lu.assertNotStrContains(doc.cases[1].errors[1].message, "rig/")
    end
    refused(SMALL .. 'pool = { base = "builtin", delivery = "send" }, fixed = function() return { f = print } end,',
        "function", "(in fixed")
    local _, problem = load_and_run('local rig = require "rig"\nlocal a = rig.exec { "true", timeout = -1 }\n')
    lu.assertStrContains(tostring(problem), "test.lua:2: ")
    lu.assertNotStrContains(tostring(problem), "rig/")
end

os.exit(lu.LuaUnit.run())
