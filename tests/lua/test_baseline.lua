-- Baselines that must be refused, whatever is wrong with them, and never be taken for "no regression": broken files,
-- values of a wrong type, figures that do not fit each other, files that would hang a reader. Loops over all there is.
-- Neighbours: lua/rig/baseline.lua, compare/sound.lua; test_compare.lua (what sound ones say), test_baseline_run.lua.

local lu = require("luaunit")
local baseline = require("rig.baseline")
local compare = require("rig.compare")
local json = require("rig.json")
local render = require("rig.report.json").render
local results = require("rig.results")
local rigtest = require("rigtest")
local synthetic = require("synthetic")

local PATH = "base.json"

local function document(runs)
    local cases = synthetic.sweep({ { "pool", { "builtin+chunk=4", "custom" } }, { "size", { 1000 } } }, runs)
    for _, case in ipairs(cases) do
        case.metrics = { epoch = { unit = "s", values = { 1.0, 1.5, 1.25 } } }
        results.case(case)
    end
    local doc = synthetic.document("fixed_data", { "pool", "size" }, cases)
    doc.scenario.params = { pool = json.list({ "builtin+chunk=4", "custom" }), size = json.list({ 1000 }),
        workers = json.list({ 4 }), iterations = json.list({ 9 }) }
    return doc
end

local function read_text(text)
    rigtest.write(PATH, text)
    return baseline.read(PATH)
end

local function refused(text, why)
    local doc, problem = read_text(text)
    lu.assertTrue(doc == nil, "was taken for a baseline")
    lu.assertStrContains(problem, PATH .. ": ")
    if why then lu.assertStrContains(problem, why) end
    return problem
end

-- A copy to be spoilt, as it comes out of a file.
local function read_back(doc)
    return assert(json.decode(assert(render(doc))))
end

-- Every value in a document, with its place: fn(holder, key, value, path).
local function each_value(value, fn, path)
    path = path or ""
    local keys = {}
    for key in pairs(value) do keys[#keys + 1] = key end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    for _, key in ipairs(keys) do
        local step = type(key) == "number" and ("[%d]"):format(key) or "." .. key
        if type(value[key]) == "table" then
            each_value(value[key], fn, path .. step)
        else
            fn(value, key, value[key], path .. step)
        end
    end
end

-- Every number in a document, under valgrind every seventh.
local function each_number(doc, fn)
    local every, at = rigtest.many(1, 7), 0
    each_value(doc, function(holder, key, value, path)
        if type(value) ~= "number" then return end
        at = at + 1
        if at % every == 0 then fn(holder, key, value, path) end
    end)
end

-- What no comparison reads, and so may be anything.
local function is_of_no_interest(path)
    return path:find("^%.rig%.build") or path:find("^%.findings") or path:find("%]%.result$")
end

TestFiles = {}

function TestFiles.tearDown() os.remove(PATH) end

function TestFiles.test_a_sound_one_is_read()
    lu.assertNotNil(read_text(render(document())))
    lu.assertNotNil(read_text(render(synthetic.fixed_data())))
    lu.assertNotNil(read_text(render(synthetic.scaling())))
    lu.assertNotNil(read_text(render(synthetic.body())))
end

function TestFiles.test_truncated_anywhere()
    local text = render(document())
    local cuts = 0
    for length = 0, #text - 2, rigtest.many(97, 970) do
        refused(text:sub(1, length), "not JSON")
        cuts = cuts + 1
    end
    print(("truncated at %d places of %d bytes: all refused"):format(cuts, #text))
    lu.assertTrue(cuts > rigtest.many(100, 10))
end

function TestFiles.test_what_is_no_results_document()
    refused("", "not JSON")
    refused("\0\0\0\0", "not JSON")
    refused("rig", "not JSON")
    refused(("["):rep(100000), "nested deeper than")
    refused(('{"a":'):rep(100000), "nested deeper than")
    refused(render(document()) .. "{}", "not JSON")
    refused("[]", "not a results document")
    refused("{}", 'no "schema"')
    refused("null", "not a results document")
    local text = render(document())
    refused(text:gsub("rig%-results/1", "rig-results/2", 1), 'the schema "rig-results/2"')
    for _, word in ipairs({ "NaN", "Infinity", "-Infinity", "nan", "0x10", "1e999", "-1e999", "01", "+1", ".5" }) do
        refused(text:gsub('"total_s": [%d.e+-]+', '"total_s": ' .. word, 1), "not JSON")
    end
end

function TestFiles.test_numbers_that_are_strings()
    local places, doc = 0, read_back(document())
    each_number(doc, function(holder, key, value, path)
        if not is_of_no_interest(path) then
            holder[key] = tostring(value)
            lu.assertTrue(read_text(assert(json.encode(doc))) == nil, path)
            holder[key] = value
            places = places + 1
        end
    end)
    print(("%d numbers written as strings: all refused"):format(places))
    lu.assertTrue(places > rigtest.many(300, 40))
end

-- Whatever stands there, it is refused or compared; nothing raises.
function TestFiles.test_numbers_that_are_absurd()
    local doc, new, read = read_back(document()), document(), 0
    local absurd = { -1, 0.5, 1e300, -1e300, 1 << 62, math.mininteger, 5e-324, 0 }
    local at = 0
    each_number(doc, function(holder, key, value, path)
        at = at + 1
        local other = absurd[at % #absurd + 1]
        holder[key] = other
        local base = read_text(assert(json.encode(doc)))
        if base then
            read = read + 1
            lu.assertNotNil(select(2, compare.documents(base, new)), path)
        end
        holder[key] = value
    end)
    print(("%d numbers replaced by absurd ones: %d refused, %d compared"):format(at, at - read, read))
    lu.assertTrue(read < at)
end

function TestFiles.test_fields_that_are_gone_or_something_else()
    local doc = read_back(document())
    local cases = doc.cases
    for _, name in ipairs({ "schema", "status", "exit", "rig", "scenario", "host", "started", "varying", "cases" }) do
        local value = doc[name]
        for _, other in ipairs({ false, json.list({ 1 }), "x" }) do
            doc[name] = other or nil
            if not (name == "started" and other == "x") then refused(assert(json.encode(doc))) end
            doc[name] = value
        end
    end
    for name, value in pairs(cases[1]) do
        cases[1][name] = json.list({ true })
        refused(assert(json.encode(doc)))
        cases[1][name] = value
    end
end

TestTampered = {}

function TestTampered.tearDown() os.remove(PATH) end

-- A number in cases[1], changed a little: the problem, or nil where it was accepted.
local function problem_after(change)
    local doc = read_back(document())
    change(doc.cases[1], doc)
    local base, problem = read_text(assert(json.encode(doc)))
    return not base and problem or nil
end

function TestTampered.test_samples_and_statistics_that_do_not_fit()
    local count = 0
    each_value(read_back(document()).cases[1], function(_, key, value, path)
        local place = path:match("^%.stats%.%a+%.(%a%w+)")
        local sample = path:find("^%.phases%.%a+_s%[") or path:find("^%.metrics%.epoch%.values%[3%]")
        local single = path:find("^%.s_per_iteration") or path:find("^%.metrics%.epoch%.median")
            or path == ".phases.start_s" or path == ".phases.close_s" or path == ".phases.deliver_s"
        if type(value) == "number" and value ~= 0 and (place and place ~= "outliers" or sample or single) then
            local problem = problem_after(function(case)
                local holder = case
                for step in path:gmatch("[^.%[%]]+") do
                    local at = tonumber(step) or step
                    if type(holder[at]) == "table" then holder = holder[at] end
                end
                holder[key] = math.type(value) == "integer" and value + 1 or value * 1.001
            end)
            lu.assertNotNil(problem, path)
            count = count + 1
        end
    end)
    print(("%d samples, statistics and totals changed by 0.1 %%: all refused"):format(count))
    lu.assertTrue(count > 30)
end

function TestTampered.test_the_place_is_named()
    lu.assertEquals(problem_after(function(_, doc) doc.cases[2].stats.map.median = 1 end),
        PATH .. ": no baseline: cases[2].stats.map.median is not that of its samples")
    lu.assertStrContains(problem_after(function(case) case.stats.map.ci95[1] = 0.001 end),
        "cases[1].stats.map.ci95 is not that of its samples")
    lu.assertStrContains(problem_after(function(case) case.stats.reduce = nil end), "cases[1].stats.reduce is missing")
    lu.assertStrContains(problem_after(function(case) case.metrics.epoch.median = 1 end),
        "cases[1].metrics.epoch.median is not that of its values")
    lu.assertStrContains(problem_after(function(case) case.phases.map_s[1] = -1.0 end),
        "cases[1].phases.map_s[1] is -1.0, which is no time")
    lu.assertStrContains(problem_after(function(case) case.s_per_iteration = 1 end),
        "cases[1].s_per_iteration is not that of its phases")
    lu.assertStrContains(problem_after(function(case) case.total_s = 1e-9 end), "shorter than its phases")
end

function TestTampered.test_counts_of_iterations_that_differ()
    lu.assertStrContains(problem_after(function(case) table.remove(case.phases.map_s) end),
        "cases[1] has 9 iterations and 8 times in phases.map_s")
    lu.assertStrContains(problem_after(function(case) table.remove(case.iterations) end), "has 8 iterations and 9")
    lu.assertStrContains(problem_after(function(case) table.remove(case.phases.reduce_s) end),
        "8 times in phases.reduce_s")
end

function TestTampered.test_outcomes_that_do_not_add_up()
    for _, kind in ipairs({ "ok", "error", "timeout", "died", "cancelled" }) do
        lu.assertStrContains(problem_after(function(case) case.outcomes[kind] = case.outcomes[kind] + 1 end),
            "cases[1].outcomes." .. kind)
    end
    lu.assertStrContains(problem_after(function(case) case.iterations[3].outcomes.ok = 99 end), "iterations[3]")
    lu.assertStrContains(problem_after(function(case) case.iterations[2].tasks_by_worker[1] = 3 end),
        "cases[1].iterations[2].tasks_by_worker does not add up")
    lu.assertStrContains(problem_after(function(case) case.counters.tasks = 901 end), "cases[1].counters.tasks")
    lu.assertStrContains(problem_after(function(case) case.verified = 8 end), "9 iterations were right")
    lu.assertStrContains(problem_after(function(case) case.iterations[4].right = false end),
        "iterations[4].right is false")
end

function TestTampered.test_a_status_that_its_cases_contradict()
    for _, status in ipairs({ "failed", "faulted", "error", "interrupted" }) do
        lu.assertStrContains(problem_after(function(case) case.status = status end),
            "status is passed, and cases[1] is " .. status)
    end
    lu.assertStrContains(problem_after(function(_, doc) doc.exit = 4 end), "status is passed, and exit is 4")
    lu.assertStrContains(problem_after(function(_, doc) doc.skipped = 1 end), "skipped is 1, and 0 cases were")
end

function TestTampered.test_cases_twice_none_and_only_skipped_ones()
    lu.assertStrContains(problem_after(function(case, doc)
        local copy = read_back(document()).cases[1]
        copy.index = 99
        doc.cases[#doc.cases + 1], doc.cases[2] = copy, case
        doc.cases[2].index = 1
        table.remove(doc.cases, 1)
    end), "no baseline: cases[1] and cases[2] are the same case")
    lu.assertStrContains(problem_after(function(_, doc) doc.cases = json.list() end), "no case in it was measured")
    lu.assertStrContains(problem_after(function(_, doc)
        for _, case in ipairs(doc.cases) do case.status = "skipped" end
        doc.skipped = #doc.cases
    end), "no case in it was measured")
end

function TestTampered.test_runs_that_were_not_clean()
    refused(render(synthetic.faults()), "no baseline: a task of its run did not end ok")
    for status, why in pairs({ failed = "its run failed", faulted = "did not end ok", interrupted = "was interrupted",
        regressed = "regressed", error = "ended with an error", inconclusive = "nothing was measured" }) do
        lu.assertStrContains(problem_after(function(_, doc) doc.status = status end), why)
    end
    lu.assertStrContains(problem_after(function(_, doc)
        doc.ab = { what = "lib", a = "a", b = "b", min_effect = 0.03, looks = json.list(), valid = true }
    end), "it is an A/B run")
end

function TestTampered.test_an_inconclusive_comparison_says_nothing_against_the_figures()
    lu.assertNil(problem_after(function(_, doc)
        doc.status, doc.baseline = "inconclusive", { file = "x", gate_time = true, accept_counters = false }
    end))
end

TestPlaces = {}

function TestPlaces.tearDown()
    os.remove(PATH)
    os.remove("fifo")
end

local function problem_of(path)
    local doc, problem = baseline.read(path)
    lu.assertNil(doc)
    return problem
end

function TestPlaces.test_what_is_no_regular_file_is_not_opened()
    lu.assertStrContains(problem_of(""), "the file's name is empty")
    lu.assertStrContains(problem_of("."), ".: is a folder")
    lu.assertStrContains(problem_of("/dev/zero"), "/dev/zero: is no regular file")
    lu.assertStrContains(problem_of("no/such/file.json"), "no/such/file.json: No such file or directory")
    lu.assertStrContains(problem_of("/proc/self/mem"), "/proc/self/mem: ")
    assert(os.execute("mkfifo fifo"))
    lu.assertStrContains(problem_of("fifo"), "fifo: is no regular file")
end

function TestPlaces.test_a_file_that_may_not_be_read()
    rigtest.write(PATH, render(document()))
    os.execute("chmod 0 " .. PATH)
    local readable = io.open(PATH)
    if readable then readable:close() end
    lu.skipIf(readable, "this user may read everything")
    lu.assertStrContains(problem_of(PATH), "Permission denied")
end

TestNew = {}

function TestNew.tearDown() os.remove(PATH) end

local function read_new(change)
    local doc = read_back(document())
    change(doc)
    rigtest.write(PATH, assert(json.encode(doc)))
    return baseline.read_new(PATH)
end

function TestNew.test_results_that_did_not_come_about_are_not_compared()
    for _, status in ipairs({ "faulted", "error", "interrupted" }) do
        local doc, problem = read_new(function(doc) doc.status = status end)
        lu.assertNil(doc)
        lu.assertStrContains(problem, "nothing to compare: the status of its run is " .. status)
    end
    local _, problem = read_new(function(doc) doc.cases[1].stats.map.median = 1 end)
    lu.assertStrContains(problem, "nothing to compare: cases[1].stats.map.median")
end

function TestNew.test_what_an_earlier_comparison_came_to_is_forgotten()
    local doc = read_new(function(doc)
        doc.status, doc.exit = "regressed", 3
        doc.baseline = { file = "x", gate_time = false, accept_counters = false }
        doc.verdicts = json.list({ { case = "a", params = {}, metric = "tasks", kind = "exact", verdict = "changed" } })
    end)
    lu.assertEquals({ doc.status, doc.exit, doc.verdicts, doc.baseline }, { "passed", 0, nil, nil })
end

os.exit(lu.LuaUnit.run())
