-- The results document: complete when written, the same when read back, valid by its JSON Schema in the eyes of a
-- validator that is not ours, and refused with the place named when something in it is wrong.
-- Neighbours: lua/rig/results.lua, lua/rig/report/{schema,json}.lua, scenarios/results.schema.json.

local lu = require("luaunit")
local json = require("rig.json")
local render = require("rig.report.json").render
local results = require("rig.results")
local schema = require("rig.report.schema")
local synthetic = require("synthetic")
local verdicts = require("synthetic_verdicts")

local SOURCE = os.getenv("RIG_SOURCE_DIR") or "."

local function source(path)
    return SOURCE .. "/" .. path
end

local function read(path)
    local file <close> = assert(io.open(path, "rb"))
    return file:read("a")
end

-- A file that is gone when the test ends.
local function with_file(text, fn)
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    local ok, message = pcall(fn, path)
    os.remove(path)
    if not ok then error(message, 0) end
end

local function read_back(doc)
    return assert(json.decode(assert(render(doc))))
end

TestWriting = {}

function TestWriting.test_what_is_written_reads_back_and_is_written_the_same_again()
    for _, name in ipairs({ "fixed_data", "faults", "scaling", "body", "why" }) do
        local text = assert(render(synthetic[name]()))
        local doc = assert(json.decode(text))
        lu.assertIsTrue(results.check(doc))
        lu.assertEquals(render(doc), text, name)
    end
end

function TestWriting.test_absent_fields_are_null_and_absent_lists_empty()
    local doc = synthetic.document("tiny", {}, { results.case({ index = 1, params = {}, status = "skipped" }) })
    local text = assert(render(doc))
    lu.assertStrContains(text, '"make_s": null')
    lu.assertStrContains(text, '"map_s": []')
    lu.assertStrContains(text, '"iterations": []')
    lu.assertStrContains(text, '"rates": null')
    lu.assertEquals(read_back(doc).skipped, 1)
end

function TestWriting.test_keys_stand_in_the_order_in_which_people_read()
    local text = assert(render(synthetic.fixed_data()))
    local last = 0
    for _, key in ipairs({ "schema", "status", "argv", "scenario", "host", "findings", "cases" }) do
        local at = text:find('\n  "' .. key .. '"', 1, true)
        lu.assertIsTrue(at ~= nil and at > last, key)
        last = at
    end
end

function TestWriting.test_what_rig_keeps_for_itself_is_not_written()
    local case = results.case({ index = 1, params = {}, scratch = print })
    lu.assertNil(read_back(synthetic.document("tiny", {}, { case })).cases[1].scratch)
end

function TestWriting.test_a_value_that_cannot_be_written_is_named()
    local case = results.case({ index = 1, params = { f = print } })
    local text, problem = render(synthetic.document("tiny", {}, { case }))
    lu.assertNil(text)
    lu.assertStrContains(problem, "cases[1].params.f: a function cannot be written")
end

function TestWriting.test_not_a_number_does_not_spoil_the_document()
    local x = { unit = "s", values = { 1.0, 0 / 0, 3.0 } }
    local case = results.case({ index = 1, params = {}, metrics = { x = x } })
    lu.assertEquals(case.metrics.x.median, 2)
    local back = read_back(synthetic.document("tiny", {}, { case }))
    lu.assertEquals(back.cases[1].metrics.x.values, { 1.0, json.null, 3.0 })
    lu.assertIsTrue(results.check(back))
end

TestCases = {}

function TestCases.test_a_case_gets_its_statistics_and_axes()
    local case = results.case({ index = 1, params = { pool = "shm" }, phases = { map_s = { 3, 1, 2 }, reduce_s = {} } },
        { preset = "shm", impl = "c", barrier = true })
    lu.assertEquals(case.stats.map.median, 2)
    lu.assertNil(case.stats.reduce)
    lu.assertEquals(case.params, { pool = "shm", preset = "shm", impl = "c", barrier = true })
end

function TestCases.test_a_parameter_of_the_scenario_keeps_its_value_beside_the_axes()
    local case = results.case({ index = 1, params = { impl = "script.py" } }, { impl = "c" })
    lu.assertEquals(case.params.impl, "script.py")
end

function TestCases.test_a_pool_given_as_a_table_is_written_by_its_label()
    local case = results.case({ index = 1, params = { pool = { base = "custom", delivery = "inherit" } } })
    lu.assertEquals(case.params.pool, "custom+delivery=inherit")
end

TestReading = {}

function TestReading.test_a_saved_document_is_read()
    local doc = assert(results.read(source("tests/data/synthetic_fixed_data.json")))
    lu.assertEquals(#doc.cases, 10)
    lu.assertEquals(math.type(doc.cases[1].params.size), "integer")
end

function TestReading.test_the_saved_documents_are_what_the_model_makes()
    for _, name in ipairs({ "fixed_data", "faults" }) do
        -- written again, because they lack the fields of later versions
        local saved = read_back(json.decode(read(source("tests/data/synthetic_" .. name .. ".json"))))
        local made = read_back(synthetic[name]())
        saved.findings, made.findings = nil, nil -- sentences may be improved without new figures
        lu.assertEquals(saved, made)
    end
end

local function refusal_of(text)
    local message
    with_file(text, function(path)
        local doc, problem = results.read(path)
        lu.assertNil(doc)
        lu.assertStrContains(problem, path)
        message = problem
    end)
    return message
end

function TestReading.test_files_that_are_no_results_are_refused_with_the_reason()
    local text = read(source("tests/data/synthetic_fixed_data.json"))
    lu.assertStrContains(refusal_of(""), "not JSON")
    lu.assertStrContains(refusal_of(text:sub(1, #text // 2)), "not JSON: line ")
    lu.assertStrContains(refusal_of("[]"), "not a results document")
    lu.assertStrContains(refusal_of("{}"), 'no "schema"')
    lu.assertStrContains(refusal_of('"text"'), "not a results document")
    lu.assertStrContains(refusal_of('{"schema": "rig-results/9"}'), 'the schema "rig-results/9"')
    lu.assertStrContains(refusal_of('{"schema": "rig-results/1"}'), "is missing")
    lu.assertStrContains(refusal_of(("["):rep(200)), "nested deeper")
end

function TestReading.test_a_path_that_cannot_be_read_is_refused()
    local _, missing = results.read("/nonexistent/results.json")
    lu.assertStrContains(missing, "/nonexistent/results.json: No such file")
    local _, folder = results.read("/")
    lu.assertStrContains(folder, "/: ")
end

-- The message for a document in which one thing was changed.
local function problem_after(change)
    local doc = read_back(synthetic.faults())
    change(doc)
    local ok, problem = results.check(doc)
    lu.assertNil(ok)
    return problem
end

function TestReading.test_values_of_a_wrong_type_are_named_by_their_place()
    lu.assertEquals(problem_after(function(doc) doc.cases[3].phases.map_s[2] = "x" end),
        'cases[3].phases.map_s[2] is "x", not a number')
    lu.assertEquals(problem_after(function(doc) doc.cases[2].outcomes.ok = -1 end),
        "cases[2].outcomes.ok is -1, not a whole number of at least 0")
    lu.assertEquals(problem_after(function(doc) doc.cases[2].verified = nil end), "cases[2].verified is missing")
    lu.assertStrContains(problem_after(function(doc) doc.cases[2].status = "great" end),
        'cases[2].status is "great", not one of ok, failed')
    lu.assertEquals(problem_after(function(doc) doc.cases = { a = 1 } end), "cases is an object, not a list")
    lu.assertEquals(problem_after(function(doc) doc.host = json.list({ 1 }) end), "host is a list, not an object")
    lu.assertEquals(problem_after(function(doc) doc.cases[2].index = 1 end), "cases[2].index is 1, like another's")
    lu.assertEquals(problem_after(function(doc) doc.cases[4].params.size = nil end),
        "cases[4].params.size is missing, which varies")
    lu.assertEquals(problem_after(function(doc) doc.cases[1].iterations[2].tasks_by_worker = 4 end),
        "cases[1].iterations[2].tasks_by_worker is 4, not a list")
end

function TestReading.test_counts_that_no_integer_holds_are_refused()
    lu.assertEquals(problem_after(function(doc) doc.cases[2].outcomes.ok = 2e19 end),
        "cases[2].outcomes.ok is 2e+19 (more than 64 bits hold), not a whole number of at least 0")
    lu.assertEquals(problem_after(function(doc) doc.seed = -2e19 end),
        "seed is -2e+19 (more than 64 bits hold), not a whole number")
    local doc = read_back(synthetic.faults())
    doc.cases[2].outcomes.ok = 3.0
    lu.assertIsTrue(results.check(doc))
end

function TestReading.test_parameters_that_are_shown_as_counts_are_whole_numbers()
    for _, workers in ipairs { 2.5, 1e300 } do
        lu.assertEquals(problem_after(function(doc) doc.cases[2].params.workers = workers end),
            ("cases[2].params.workers is %s, not a whole number"):format(workers))
    end
end

function TestReading.test_fields_that_a_newer_rig_may_add_are_no_fault()
    local doc = read_back(synthetic.faults())
    doc.cases[1].phases.warm_s, doc.invented = 1, {}
    lu.assertIsTrue(results.check(doc))
end

function TestReading.test_documents_of_before_there_were_verdicts_are_read()
    local doc = read_back(synthetic.fixed_data())
    lu.assertEquals(doc.verdicts, {})
    doc.verdicts, doc.thresholds, doc.ab, doc.baseline = nil, nil, nil, nil
    lu.assertIsTrue(results.check(doc))
    lu.assertEquals(read_back(doc).thresholds, {})
end

function TestReading.test_verdicts_are_checked_as_closely_as_cases()
    local doc = read_back(synthetic.fixed_data())
    doc.verdicts = json.list({ { case = "builtin", params = {}, metric = "map", kind = "time", verdict = "worse" } })
    local _, problem = results.check(doc)
    lu.assertStrContains(problem, 'verdicts[1].verdict is "worse", not one of regressed')
    doc.verdicts[1].verdict = "regressed"
    doc.verdicts[1].log_ratios = json.list({ 0.1, "x" })
    _, problem = results.check(doc)
    lu.assertEquals(problem, 'verdicts[1].log_ratios[2] is "x", not a number')
    doc.verdicts = {}
    doc.thresholds = { passed = true }
    _, problem = results.check(doc)
    lu.assertEquals(problem, "thresholds is an object, not a list")
end

TestSchemaFile = {}

local function allows_null(field)
    if field.anyOf then return field.anyOf[2].type == "null" end
    if type(field.type) ~= "table" then return next(field) == nil end
    for _, one in ipairs(field.type) do
        if one == "null" then return true end
    end
    return false
end

local function compare(shape, node, path)
    if shape.optional then
        lu.assertIsTrue(allows_null(node) or shape.optional.name == "a value", path .. " must allow null")
        shape = shape.optional
    elseif not shape.accepts then
        lu.assertIsFalse(allows_null(node), path .. " must not allow null")
    end
    if shape.list then compare(shape.list, node.items, path .. "[]") end
    if shape.map then compare(shape.map, node.additionalProperties, path .. ".*") end
    if not shape.fields then return end
    for name, field in pairs(shape.fields) do
        lu.assertNotNil(node.properties[name], path .. "." .. name .. " is not in the schema file")
        compare(field, node.properties[name], path .. "." .. name)
    end
    for name in pairs(node.properties) do
        lu.assertNotNil(shape.fields[name], path .. "." .. name .. " is only in the schema file")
    end
end

function TestSchemaFile.test_it_says_what_the_code_says()
    compare(schema.document, assert(json.decode(read(source("scenarios/results.schema.json")))), "")
end

local VALIDATE = [[
import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.Draft202012Validator(schema).validate(json.load(open(sys.argv[2])))
]]

local function python()
    local named = os.getenv("RIG_JSONSCHEMA_PYTHON") or "/usr/bin/python3"
    local there = named ~= "" and os.execute(named .. " -c 'import jsonschema' 2>/dev/null")
    return there and named or nil
end

local function is_valid(text)
    local valid
    with_file(text, function(path)
        valid = os.execute(("%s -c '%s' %s %s 2>/dev/null"):format(python(), VALIDATE,
            source("scenarios/results.schema.json"), path))
    end)
    return valid == true
end

function TestSchemaFile.test_a_validator_that_is_not_ours_accepts_what_rig_writes()
    lu.skipIf(not python(), "no python3 with jsonschema")
    for _, name in ipairs({ "fixed_data", "faults", "scaling", "body" }) do
        lu.assertIsTrue(is_valid(assert(render(synthetic[name]()))), name)
    end
    for _, name in ipairs({ "ab", "invalid", "baseline", "thresholds" }) do
        lu.assertIsTrue(is_valid(assert(render(verdicts[name]()))), name)
    end
end

function TestSchemaFile.test_it_is_strict()
    lu.skipIf(not python(), "no python3 with jsonschema")
    local text = assert(render(synthetic.faults()))
    lu.assertIsFalse(is_valid((text:gsub('"verified"', '"verifeid"', 1))))
    lu.assertIsFalse(is_valid((text:gsub('"verified": 6', '"verified": "6"', 1))))
    lu.assertIsFalse(is_valid((text:gsub('"status": "skipped"', '"status": "left out"', 1))))
end

os.exit(lu.LuaUnit.run())
