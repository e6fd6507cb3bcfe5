-- JUnit XML as CI systems read it: valid by a schema in the eyes of a validator that is not ours, whatever bytes are in
-- the results; red exactly where the run is red.
-- Neighbours: lua/rig/report/junit.lua, tests/data/junit_common.xsd, tests/support/synthetic_verdicts.lua.

local lu = require "luaunit"
local junit = require "rig.report.junit"
local rigtest = require "rigtest"
local synthetic = require "synthetic"
local verdicts = require "synthetic_verdicts"

-- The problem that xmllint has with it, or nil.
local function problem_of(xml)
    local path = rigtest.write("junit.xml", xml)
    local schema = rigtest.source "tests/data/junit_common.xsd"
    local result = rigtest.run("xmllint", "--noout", "--nonet", "--schema", schema, path)
    os.remove(path)
    if result.exit ~= 0 then return result.err end
end

local function needs_xmllint()
    lu.skipIf(rigtest.run("sh", "-c", "command -v xmllint").exit ~= 0, "no xmllint: install libxml2-utils")
end

local function documents()
    return {
        fixed_data = synthetic.fixed_data(), faults = synthetic.faults(), body = synthetic.body(), ab = verdicts.ab(),
        invalid = verdicts.invalid(), baseline = verdicts.baseline(), thresholds = verdicts.thresholds(),
        empty = synthetic.document("empty", {}, {}),
    }
end

-- The element of one test case, found by what its name contains.
local function case_of(xml, name)
    for element in xml:gmatch "    <testcase .-\n()" do
        local from = xml:sub(1, element - 1):match ".*()    <testcase "
        local first = xml:sub(from):match "^[^\n]*"
        if first:find(name, 1, true) then
            return first:find "/>$" and first or xml:sub(from):match "^.-</testcase>"
        end
    end
    error("no test case is called " .. name)
end

local function counts_of(xml)
    local suite = xml:match "<testsuite .->"
    local function count(name) return tonumber(suite:match(name .. '="(%d+)"')) end
    return { tests = count "tests", failures = count "failures", errors = count "errors", skipped = count "skipped" }
end

TestSchema = {}

function TestSchema.test_every_kind_of_document_is_valid()
    needs_xmllint()
    for name, doc in pairs(documents()) do lu.assertNil(problem_of(junit.render(doc)), name) end
end

function TestSchema.test_any_bytes_in_the_results_leave_it_valid()
    needs_xmllint()
    local all = {}
    for byte = 0, 255 do all[#all + 1] = string.char(byte) end
    local texts = {
        table.concat(all), "]]>", "<!-- & -->", '" onload="x', "\u{FFFE}\u{FFFF}\u{10FFFF}", "\xED\xA0\x80", "\xF5\x80",
        "a\r\nb\tc", ("\xC3"):rep(50),
    }
    for _, text in ipairs(texts) do
        lu.assertNil(problem_of(junit.render(verdicts.hostile(text))), ("%q"):format(text))
    end
end

function TestSchema.test_the_schema_is_strict()
    needs_xmllint()
    local xml = junit.render(verdicts.thresholds())
    lu.assertNotNil(problem_of((xml:gsub(' hostname="[^"]*"', "", 1))))
    lu.assertNotNil(problem_of((xml:gsub("<failure type=", "<failure kind=", 1))))
    lu.assertNotNil(problem_of((xml:gsub("23.600000", "2.36e1", 1))))
end

function TestSchema.test_what_is_written_is_what_was_meant()
    needs_xmllint()
    local text = 'a "quoted" <tag> & more,\n\ta second line'
    local path = rigtest.write("junit.xml", junit.render(verdicts.hostile(text)))
    local read = rigtest.run("xmllint", "--xpath", "string(//property[@name='host.cpu']/@value)", path)
    os.remove(path)
    lu.assertEquals(read.out:gsub("\n$", ""), text)
end

TestVerdict = {}

function TestVerdict.test_counts_are_those_of_the_test_cases()
    for name, doc in pairs(documents()) do
        local xml = junit.render(doc)
        local found = { tests = 0, failures = 0, errors = 0, skipped = 0 }
        for _ in xml:gmatch "<testcase " do found.tests = found.tests + 1 end
        for _ in xml:gmatch "<failure " do found.failures = found.failures + 1 end
        for _ in xml:gmatch "<error " do found.errors = found.errors + 1 end
        for _ in xml:gmatch "<skipped " do found.skipped = found.skipped + 1 end
        lu.assertEquals(counts_of(xml), found, name)
    end
end

function TestVerdict.test_a_case_is_what_its_status_says()
    local doc = synthetic.faults()
    for i, case in ipairs(doc.cases) do case.label = "case number " .. i end
    local xml = junit.render(doc)
    lu.assertStrContains(case_of(xml, "number 1"), "/>")
    lu.assertStrContains(case_of(xml, "number 2"), '<failure type="wrong result" message="iteration 3: result is')
    lu.assertStrContains(case_of(xml, "number 2"), "iteration 5: wrong result: 99980001")
    lu.assertStrContains(case_of(xml, "number 5"), '<error type="task did not end ok"')
    lu.assertStrContains(case_of(xml, "number 5"), "pid 4002, signal 9")
    lu.assertStrContains(case_of(xml, "number 6"), '<skipped message="does not fit')
    lu.assertEquals(counts_of(xml), { tests = 6, failures = 1, errors = 1, skipped = 1 })
end

function TestVerdict.test_a_regression_fails_and_the_others_pass()
    local xml = junit.render(verdicts.ab())
    lu.assertStrContains(case_of(xml, "builtin, 1000: map"), '<failure type="regressed" message="builtin, 1000: map')
    lu.assertStrContains(case_of(xml, "builtin, 4000: map"), "<system-out>unchanged: ")
    local unsettled = case_of(xml, "builtin, 8000: map")
    lu.assertStrContains(unsettled, "<system-out>inconclusive: ")
    lu.assertNotStrContains(unsettled, "<failure")
end

function TestVerdict.test_a_run_that_says_nothing_fails_nothing()
    local xml = junit.render(verdicts.invalid())
    lu.assertEquals(counts_of(xml), { tests = 8, failures = 0, errors = 0, skipped = 4 })
    lu.assertStrContains(case_of(xml, "builtin, 1000: map"), "base differs from itself")
end

function TestVerdict.test_times_beside_a_baseline_are_advice_and_counters_count()
    local xml = junit.render(verdicts.baseline())
    lu.assertStrContains(case_of(xml, "1000: map"), "<system-out>regressed: ")
    lu.assertStrContains(case_of(xml, "1000: messages"), '<failure type="changed"')
    lu.assertStrContains(case_of(xml, "1000: minor_faults"), "<system-out>changed: ")
end

function TestVerdict.test_thresholds_fail_with_what_was_measured()
    local doc = verdicts.thresholds()
    doc.thresholds[5] = { text = "map < 1 s", judged_by = "nothing", passed = true,
        reason = "left out by the command line" }
    local xml = junit.render(doc)
    lu.assertStrContains(case_of(xml, "10 ms: builtin"), "<system-out>4.81 ms (95 % interval 4.79 … 4.85 ms")
    lu.assertStrContains(case_of(xml, "5 ms: custom"), "9 samples), not &lt; 5 ms")
    lu.assertStrContains(case_of(xml, "epoch_s"), '<failure type="threshold"')
    lu.assertStrContains(case_of(xml, "map &lt; 1 s"), "<skipped message=\"not judged: left out by the command line")
end

os.exit(lu.LuaUnit.run())
