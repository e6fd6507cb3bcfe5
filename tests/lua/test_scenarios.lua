-- The scenarios that come with rig: each of them runs with --smoke and with small sizes, ends with exit 0, and writes
-- results in which everything that it measured is there and right. What its README says can be copied and run.
-- Not for figures: sizes are tiny, and nothing here asserts a time. Neighbours: scenarios/, test_results.lua.

local lu = require "luaunit"
local json = require "rig.json"
local rigtest = require "rigtest"

-- /proc/PID/exe is valgrind there, which does not run itself.
local STARTUP = rigtest.valgrind and { "command=lua,true" } or {}

-- What makes each of them small. One that is missing here is a mistake: a new scenario wants its line.
local SMALL = {
    ["bench/codec.lua"] = { "size=10,100" },
    ["bench/delivery.lua"] = { "size=1000" },
    ["bench/dispatch.lua"] = { "size=10" },
    ["bench/making.lua"] = { "size=1000" },
    ["bench/imap.lua"] = { "size=1000" },
    ["bench/no_op.lua"] = { "size=1000", "workers=2" },
    ["bench/pool_life.lua"] = { "size=1000", "workers=2" },
    ["bench/round_trip.lua"] = { "size=8,100000" },
    ["bench/shares.lua"] = { "size=10" },
    ["bench/startup.lua"] = STARTUP,
    ["bench/workers.lua"] = { "size=1,5", "tasks=100" },
    ["chunks.lua"] = { "size=300", "grain=1" },
    ["ci.lua"] = {},
    ["exec.lua"] = { "size=1000" },
    ["faults.lua"] = { "pool=builtin,custom", "bytes=100,100000" },
    ["fixed_data.lua"] = { "size=1000" },
    ["fixed_data_why.lua"] = { "size=1000" },
    ["hello.lua"] = {},
    ["own_pool.lua"] = { "grain=10" },
    ["library.lua"] = { "size=10000" },
    ["payload.lua"] = { "size=64,200000" },
    ["peers/cpython_pools.lua"] = { "size=1000", "maps=1" },
    ["peers/pools.lua"] = { "size=1000", "what=map_1,life" },
    ["primitives.lua"] = { "rounds=10" },
    ["scaling.lua"] = { "grain=100" },
}

local function shipped()
    local folder = rigtest.source "scenarios"
    local found <close> = assert(io.popen("cd " .. rigtest.quote(folder) .. " && find . -name '*.lua' | sort"))
    local names = {}
    for line in found:lines() do names[#names + 1] = line:gsub("^%./", "") end
    return names
end

local function path_of(name)
    return rigtest.source("scenarios/" .. name)
end

---Runs a scenario, which must pass, and gives its results.
---@param name string
---@param ... string parameters and options
---@return table doc
---@return string printed
local function run(name, ...)
    local ran = rigtest.rig(path_of(name), "--no-progress", "--json", "out.json", ...)
    lu.assertEquals(ran.exit, 0, ("%s ended with %s\n%s%s"):format(name, ran.exit or ran.signal, ran.out, ran.err))
    local text = rigtest.read "out.json"
    os.remove "out.json"
    local doc = assert(json.decode(text))
    lu.assertEquals(doc.schema, "rig-results/1", name)
    lu.assertEquals(doc.status, "passed", name)
    return doc, ran.out
end

local function small(name, ...)
    local words = table.move(SMALL[name], 1, #SMALL[name], 1, {})
    for _, word in ipairs { ... } do words[#words + 1] = word end
    return run(name, table.unpack(words))
end

-- Every case was measured, each iteration has its time, and what was expected came out every time.
local function check_cases(name, doc)
    lu.assertTrue(#doc.cases > 0, name)
    for _, case in ipairs(doc.cases) do
        local what = ("%s, case %s"):format(name, case.label)
        lu.assertEquals(case.status, "ok", what)
        lu.assertEquals(#case.iterations, case.params.iterations, what)
        lu.assertEquals(#case.phases.map_s, case.params.iterations, what)
        for _, seconds in ipairs(case.phases.map_s) do lu.assertTrue(seconds > 0, what) end
        lu.assertTrue(case.s_per_iteration > 0, what)
        if case.as_expected then goto next end -- what failed in it was to fail
        if case.expected then lu.assertEquals(case.verified, case.params.iterations, what) end
        lu.assertEquals(#case.errors, 0, what)
        ::next::
    end
end

local function labels(doc, name)
    local list, seen = {}, {}
    for _, case in ipairs(doc.cases) do
        local value = case.params[name]
        if not seen[value] then list[#list + 1], seen[value] = value, true end
    end
    return list
end

TestShipped = {}

function TestShipped.test_every_scenario_is_known_here()
    for _, name in ipairs(shipped()) do lu.assertNotNil(SMALL[name], name .. " has no line in SMALL") end
end

function TestShipped.test_every_scenario_says_what_it_is_about_and_asks_a_question()
    for _, name in ipairs(shipped()) do
        local text = rigtest.read(path_of(name))
        local head = text:match "^(.-)\n\n"
        lu.assertStrContains(head, "?", false, name .. " does not begin with the question that it asks")
        local checked = rigtest.rig("check", path_of(name), "--json")
        lu.assertEquals(checked.exit, 0, checked.err)
        local doc = assert(json.decode(checked.out))
        lu.assertNotEquals(doc.about, "", name)
    end
end

function TestShipped.test_every_scenario_is_a_page()
    for _, name in ipairs(shipped()) do
        local _, lines = rigtest.read(path_of(name)):gsub("\n", "")
        lu.assertTrue(lines >= 20 and lines <= 85, ("%s has %d lines"):format(name, lines))
    end
end

function TestShipped.test_every_scenario_smokes()
    for _, name in ipairs(shipped()) do
        local doc = small(name, "--smoke")
        lu.assertEquals(#doc.cases, 1, name)
        check_cases(name, doc)
    end
end

function TestShipped.test_every_scenario_runs_whole_with_small_sizes()
    for _, name in ipairs(shipped()) do check_cases(name, (small(name, "runs=1", "iterations=2"))) end
end

-- ---- what single ones must say --------------------------------------------------------------------------------------

TestFixedData = {}

function TestFixedData.test_its_sizes_are_the_articles()
    local checked = rigtest.rig("check", path_of "fixed_data.lua", "--json")
    local doc = assert(json.decode(checked.out))
    lu.assertEquals(#doc.cases, 10)
    local sizes = {}
    for i = 1, 5 do sizes[i] = doc.cases[i].params.size end
    lu.assertEquals(sizes, { 100000, 630957, 3981071, 25118864, 158489319 })
    for _, case in ipairs(doc.cases) do
        lu.assertEquals(case.params.workers, 4)
        lu.assertEquals(case.params.iterations, 9)
    end
end

function TestFixedData.test_every_pool_and_kind_gives_the_known_sum()
    local doc = run("fixed_data.lua", "pool=serial,builtin,custom,shm", "kind=array,table", "reads=false,true",
        "size=5000", "iterations=2")
    check_cases("fixed_data", doc)
    lu.assertEquals(#doc.cases, 16)
    for _, case in ipairs(doc.cases) do
        lu.assertEquals(case.outcomes.ok, 200)
        for _, iteration in ipairs(case.iterations) do lu.assertEquals(iteration.result, 99990000) end
    end
end

-- The data is a parameter of the scenario, so damage is shown with a copy in which the data is made otherwise.
function TestFixedData.test_reads_notices_damaged_data()
    local text, changed = rigtest.read(path_of "fixed_data.lua"):gsub('"i64", p.size, 50', '"i64", p.size, 49')
    lu.assertEquals(changed, 1)
    rigtest.write("damaged.lua", text)
    local ran = rigtest.rig("damaged.lua", "size=2000", "pool=builtin", "iterations=1", "reads=true", "--no-progress")
    os.remove "damaged.lua"
    lu.assertEquals(ran.exit, 4)
    lu.assertStrContains(ran.err, "the fixed data is damaged")
end

TestWhy = {}

function TestWhy.test_from_either_end_one_axis_alone_is_changed()
    local doc = small("fixed_data_why.lua", "iterations=1")
    local axes = { "delivery", "channel", "chunk", "barrier", "impl" }
    local function differing(a, b)
        local found = {}
        for _, name in ipairs(axes) do
            if a.params[name] ~= b.params[name] then found[#found + 1] = name end
        end
        return found
    end
    local by_pool = {}
    for _, case in ipairs(doc.cases) do by_pool[case.params.pool] = case end
    lu.assertEquals(#differing(by_pool.custom, by_pool.builtin), #axes)
    for _, base in ipairs { "custom", "builtin" } do
        local alone = {}
        for _, case in ipairs(doc.cases) do
            if case.params.preset == base and case ~= by_pool[base] then
                local changed = differing(by_pool[base], case)
                lu.assertEquals(#changed, 1, case.params.pool)
                alone[#alone + 1] = changed[1]
            end
        end
        table.sort(alone)
        lu.assertEquals(alone, { "barrier", "channel", "chunk", "delivery", "impl" }, base)
    end
end

TestHello = {}

function TestHello.test_it_finds_the_primes_below_100000()
    for _, case in ipairs(small("hello.lua", "iterations=1").cases) do
        lu.assertEquals(case.iterations[1].result, 9592)
    end
end

TestScaling = {}

function TestScaling.test_serial_is_measured_once_and_every_number_of_workers()
    local counts = {}
    for _, case in ipairs(small("scaling.lua", "iterations=1").cases) do
        if case.params.pool == "builtin" then counts[#counts + 1] = case.params.workers end
    end
    lu.assertEquals(counts, { 1, 2, 3, 4, 5, 6, 7, 8 })
end

TestPrimitives = {}

function TestPrimitives.test_round_trips_are_recorded_over_each_of_them()
    local doc = run("primitives.lua", "rounds=5", "iterations=2", "size=1,100000")
    lu.assertEquals(labels(doc, "over"), { "pipe", "socket", "queue" })
    for _, case in ipairs(doc.cases) do
        lu.assertEquals(case.metrics.round_trip.unit, "s")
        lu.assertTrue(case.metrics.round_trip.median > 0)
    end
end

TestDelivery = {}

function TestDelivery.test_every_way_has_a_rate()
    local doc = run("bench/delivery.lua", "size=10000", "runs=2", "workers=3")
    lu.assertEquals(#doc.cases, 10)
    for _, case in ipairs(doc.cases) do lu.assertTrue(case.rates.bytes_per_s > 0, case.label) end
end

TestBench = {}

-- Every way was measured over each of what it is measured over.
local function check_pairs(name, doc, ways, along)
    local seen = {}
    for _, case in ipairs(doc.cases) do
        local place = tostring(case.params[along])
        seen[place] = seen[place] or {}
        seen[place][case.params[ways]] = true
    end
    local expected = labels(doc, ways)
    lu.assertTrue(#expected >= 2, name)
    for place, found in pairs(seen) do
        for _, way in ipairs(expected) do lu.assertTrue(found[way], ("%s: %s at %s"):format(name, way, place)) end
    end
end

local function kinds(doc)
    local found = {}
    for _, finding in ipairs(doc.findings) do found[finding.kind] = (found[finding.kind] or 0) + 1 end
    return found
end

local function channels()
    local axes = require "rig.axes"
    return axes.available(axes.axis.channel.values)
end

function TestBench.test_every_channel_of_this_version_is_measured_beside_bare_messages()
    for _, name in ipairs { "bench/dispatch.lua", "bench/round_trip.lua" } do
        local doc = run(name, "size=8,64", "runs=1", "iterations=1")
        lu.assertEquals(labels(doc, "over"), channels(), name)
        check_pairs(name, doc, "way", "over")
    end
end

function TestBench.test_a_limit_and_a_pool_are_compared_and_their_growth_is_fitted()
    for name, sizes in pairs {
        ["bench/dispatch.lua"] = "size=5,50,500", ["bench/no_op.lua"] = "size=10,100,10000",
        ["bench/pool_life.lua"] = "size=1000,100000,1000000", ["bench/shares.lua"] = "size=1,5,25",
        ["bench/workers.lua"] = "size=1,3,9",
    } do
        local doc = run(name, sizes, "runs=1", "iterations=1")
        local found = kinds(doc)
        lu.assertTrue((found.faster or 0) >= 1, name .. " compares nothing")
        lu.assertTrue((found.growth or 0) >= 1, name .. " fits no growth")
    end
end

function TestBench.test_without_a_compiler_a_pools_life_is_measured_beside_forks_of_rigs_own()
    local rig = os.getenv "RIG"
    for _, name in ipairs { "bench/pool_life.lua", "bench/workers.lua" } do
        local ran = rigtest.run("env", "PATH=/nowhere", rig, path_of(name), "size=3", "runs=1", "iterations=1",
            "--no-progress")
        lu.assertEquals(ran.exit, 0, ran.err)
    end
end

function TestBench.test_lazy_items_have_a_peak_of_memory()
    for _, case in ipairs(small("bench/imap.lua", "runs=1").cases) do
        lu.assertEquals(case.metrics["peak memory"].unit, "B")
        lu.assertTrue(case.metrics["peak memory"].median >= 0)
    end
end

function TestBench.test_the_rig_that_runs_it_says_its_version()
    lu.skipIf(rigtest.valgrind, "valgrind cannot start that command")
    local doc = small("bench/startup.lua", "command=rig", "runs=1", "iterations=1")
    lu.assertStrContains(doc.cases[1].iterations[1].result, "rig " .. doc.rig.version)
end

TestPeers = {}

local function has_python()
    return rigtest.run("sh", "-c", "command -v python3").exit == 0
end

function TestPeers.test_cpythons_pools_give_the_known_sum_beside_rigs()
    lu.skipIf(not has_python(), "no python3")
    local doc = run("peers/cpython_pools.lua", "size=1000", "maps=2", "runs=1")
    lu.assertEquals(#doc.cases, 4)
    lu.assertEquals(labels(doc, "peer"), { "rig", "cpython" })
    for _, case in ipairs(doc.cases) do
        lu.assertEquals(case.iterations[1].result, 2 * 99990000)
        lu.assertTrue(case.metrics.s_per_iteration.median > 0)
        lu.assertTrue(case.metrics.ready.median >= 1)
    end
end

function TestPeers.test_without_python_they_are_left_out_with_a_word()
    local rig = os.getenv "RIG"
    for name, words in pairs { ["peers/cpython_pools.lua"] = "maps=1", ["peers/pools.lua"] = "what=map" } do
        local ran = rigtest.run("env", "PATH=/nowhere", rig, path_of(name), "size=1000", words, "runs=1",
            "--no-progress")
        lu.assertEquals(ran.exit, 0, ran.err)
        lu.assertStrContains(ran.out, "no python3 was found")
    end
end

function TestPeers.test_each_that_is_there_does_all_of_the_work_right()
    lu.skipIf(not has_python(), "no python3")
    local doc = run("peers/pools.lua", "size=1000", "runs=1")
    check_pairs("peers/pools.lua", doc, "runtime", "what")
    lu.assertEquals(labels(doc, "what"), { "map", "map_1", "round_trip", "payload", "life" })
    for _, case in ipairs(doc.cases) do
        lu.assertIsTrue(case.iterations[1].result, case.label)
        lu.assertEquals(case.metrics.per_task.unit, "s")
    end
end

function TestPeers.test_a_command_that_is_not_there_is_named()
    local rig = os.getenv "RIG"
    local ran = rigtest.run("env", "PATH=/nowhere", rig, path_of "peers/cpython_pools.lua", "size=1000", "maps=1",
        "runs=1", "peer=cpython", "--no-progress")
    lu.assertEquals(ran.exit, 2)
    lu.assertStrContains(ran.err, "python3")
end

TestReadme = {}

function TestReadme.test_its_first_scenario_can_be_copied_and_run()
    local text = rigtest.read(rigtest.source "scenarios/README.md")
    rigtest.write("words.lua", assert(text:match "```lua\n(.-)```"))
    local ran = rigtest.rig("words.lua", "size=50", "iterations=1", "--no-progress")
    os.remove "words.lua"
    lu.assertEquals(ran.exit, 0, ran.err)
    lu.assertStrContains(ran.out, "12")
end

function TestReadme.test_it_has_every_scenario_key_and_field()
    local text = rigtest.read(rigtest.source "scenarios/README.md")
    local names = { "name", "about", "params" }
    for _, hook in ipairs(require("rig.declare").hooks) do names[#names + 1] = hook.name end
    for _, name in ipairs(require("rig.params").builtin_names()) do names[#names + 1] = name end
    local document = require("rig.report.schema").document.fields
    local case = document.cases.list.fields
    for _, fields in ipairs { document, case, case.workers.list.fields, case.phases.fields } do
        for name in pairs(fields) do names[#names + 1] = name end
    end
    for _, name in ipairs(names) do
        lu.assertStrMatches(text, ".*`[^`\n]*%f[%w_]" .. name .. "%f[^%w_][^`\n]*`.*", nil, nil, name)
    end
    for _, name in ipairs(shipped()) do lu.assertStrContains(text, "](" .. name .. ")") end
end

os.exit(lu.LuaUnit.run())
