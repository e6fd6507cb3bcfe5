-- Parameters: bounds of the built-in ones, types of the scenario's own, and what text on the command line means.
-- Neighbours: lua/rig/params.lua, sweep.lua, values.lua. What a whole scenario makes of them: test_scenario.

local lu = require "luaunit"
local language = require "rig.language"
local params = require "rig.params"
local values = require "rig.values"

local function refused(problem, remedy, made, got, what)
    lu.assertNil(made)
    lu.assertStrContains(got, problem)
    lu.assertStrContains(what, remedy)
end

local function builtin(name, given)
    return assert(params.builtin(name, given)).values
end

local function parse(name, text)
    return params.parse(assert(params.builtin(name)), text)
end

TestBuiltin = {}

function TestBuiltin.test_defaults()
    local expected = {
        pool = "builtin", size = 1, workers = 4, iterations = 9, runs = 1, warmup = 0, chunk = "preset",
        start = "preset", delivery = "preset", channel = "preset", barrier = "preset", max_tasks = 0,
        retry = 0, timeout = 0,
        seed = 1, gc = "default", pin = false,
    }
    local found = {}
    for _, name in ipairs(params.builtin_names()) do
        local param = params.builtin(name)
        lu.assertEquals({ param.origin, param.kind, #param.values }, { "default", "builtin", 1 })
        lu.assertEquals(type(param.help), "string")
        found[name] = param.values[1]
    end
    lu.assertEquals(found, expected)
end

function TestBuiltin.test_every_default_is_accepted()
    for _, name in ipairs(params.builtin_names()) do
        local default = params.builtin(name).default
        lu.assertEquals(builtin(name, default), { default })
    end
end

function TestBuiltin.test_whole_floats_become_integers()
    lu.assertEquals(math.type(builtin("size", 1e5)[1]), "integer")
    lu.assertEquals(builtin("workers", 4.0), { 4 })
end

function TestBuiltin.test_a_list_is_swept()
    lu.assertEquals(builtin("workers", { 1, 2, 4 }), { 1, 2, 4 })
    lu.assertEquals(builtin("chunk", { "auto", 1, 100 }), { "auto", 1, 100 })
    lu.assertEquals(builtin("barrier", { true, false, "preset" }), { true, false, "preset" })
    lu.assertEquals(builtin("pool", { "serial", { base = "custom", delivery = "shm" } }),
        { "serial", { base = "custom", delivery = "shm" } })
    lu.assertEquals(builtin("pool", { base = "custom", delivery = "shm" }), { { base = "custom", delivery = "shm" } })
end

function TestBuiltin.test_bounds_of_workers()
    local remedy = "give an integer from 1 to 4096"
    refused("2.5 is not a whole number", remedy, params.builtin("workers", 2.5))
    refused("0 is below 1", remedy, params.builtin("workers", 0))
    refused("-1 is below 1", remedy, params.builtin("workers", -1))
    refused("1000000 is above 4096", remedy, params.builtin("workers", 10 ^ 6))
    refused('"four" is a string, not an integer', remedy, params.builtin("workers", "four"))
    refused("true is a boolean, not an integer", remedy, params.builtin("workers", true))
    refused("a function is not an integer", remedy, params.builtin("workers", print))
    refused('"4" is a string', "write 4 without quotes", params.builtin("workers", "4"))
    refused('"1..8" is a string', "rig.range(first, last)", params.builtin("workers", "1..8"))
end

function TestBuiltin.test_sizes_that_cannot_be()
    refused("1e+99 is above 9007199254740992", "give an integer from 0 to", params.builtin("size", 1e99))
    refused("nan is not a whole number", "give an integer", params.builtin("size", 0 / 0))
    refused("inf is not a whole number", "give an integer", params.builtin("size", math.huge))
    refused("-inf is not a whole number", "give an integer", params.builtin("size", -math.huge))
    refused("is below 0", "give an integer", params.builtin("size", -1e99))
end

function TestBuiltin.test_sweeps_that_cannot_be()
    refused("the list is empty", "at least one value", params.builtin("size", {}))
    refused("the list has a hole", "none of them nil", params.builtin("size", { 1, nil, 3 }))
    refused('the list has the key "x"', "nothing but values", params.builtin("size", { 1, x = 2 }))
    refused("3 is given twice", "give it once", params.builtin("size", { 3, 4, 3.0 }))
    refused('"custom" is given twice', "give it once", params.builtin("pool", { "custom", "custom" }))
    refused("{ 1, 2 } is a list inside a list", "rig.value", params.builtin("size", { { 1, 2 }, 3 }))
    refused("cannot be swept", "give an integer", params.builtin("runs", { 1, 2 }))
    refused("which this does not take", "give an integer", params.builtin("size", values.value { 1 }))
    local many = {}
    for i = 1, 10001 do many[i] = i end
    refused("10001 values are too many", "at most 10000", params.builtin("size", many))
end

function TestBuiltin.test_the_culprit_is_the_one_value_of_a_list()
    local _, _, _, culprit = params.builtin("workers", { 1, 2.5, 4 })
    lu.assertEquals(culprit, 2.5)
end

function TestBuiltin.test_durations()
    lu.assertEquals(builtin("timeout", { 2, 0.5, "300ms", "1m30s", "none" }), { 2, 0.5, 0.3, 90, 0 })
    refused('"soon" is not a duration', "a duration such as", params.builtin("timeout", "soon"))
    refused("-1 is below 0", "a duration such as", params.builtin("timeout", -1))
    refused("nan is not a length of time", "a duration such as", params.builtin("timeout", 0 / 0))
    refused("inf is not a length of time", "a duration such as", params.builtin("timeout", math.huge))
    refused('"nnoe" is not a duration', "did you mean none?", params.builtin("timeout", "nnoe"))
end

function TestBuiltin.test_words()
    refused('"atuo" is a string, not an integer', "did you mean auto?", params.builtin("chunk", "atuo"))
    refused('"teleport" is not one of its values', "use pipe, socket, ring, queue or preset",
        params.builtin("channel", "teleport"))
    refused('"inhreit" is not one of its values', "did you mean inherit?", params.builtin("delivery", "inhreit"))
end

TestOwn = {}

local function own(given)
    return assert(params.own("x", given))
end

function TestOwn.test_the_default_gives_the_type()
    for _, row in ipairs {
        { 4, "integer" }, { 0.5, "number" }, { 2.0, "number" }, { true, "boolean" }, { "a path", "string" },
        { { "array", "table" }, "enum" }, { { 1, 2 }, "integer" }, { { 1, 0.5 }, "number" },
        { { false, true }, "boolean" },
        { values.value { 1, 2 }, "value" }, { { values.value { 1 }, values.value { 2 } }, "value" },
        { { "one" }, "string" },
    } do
        lu.assertEquals(own(row[1]).type, row[2])
    end
end

function TestOwn.test_numbers_of_one_sweep_are_of_one_kind()
    local list = own({ 1, 0.5 }).values
    lu.assertEquals({ math.type(list[1]), math.type(list[2]) }, { "float", "float" })
end

function TestOwn.test_several_strings_are_all_there_is()
    local param = own { "array", "table" }
    lu.assertEquals(param.choices, { "array", "table" })
    refused('"tabel" is not one of its values', "did you mean table?", params.parse(param, "tabel"))
    lu.assertEquals(params.parse(own "a/b.so", "../c.so,d..e"), { "../c.so", "d..e" })
end

function TestOwn.test_long_form()
    local param = own { default = 4, min = 1, max = 8, help = "how deep" }
    lu.assertEquals({ param.type, param.default, param.help }, { "integer", 4, "how deep" })
    refused("9 is above 8", "an integer from 1 to 8", params.parse(param, "9"))
    local enum = own { default = "lz4", choices = { "lz4", "zstd" } }
    lu.assertEquals({ enum.type, enum.values[1] }, { "enum", "lz4" })
    lu.assertEquals(own({ default = { 1, 2 }, help = "swept" }).values, { 1, 2 })
end

function TestOwn.test_refusals()
    refused("a function cannot be a parameter", "give numbers, strings", params.own("x", print))
    refused('"a" stands among values of type integer', "values of one type", params.own("x", { 1, "a" }))
    refused("{ 1, 2 } is a list inside a list", "rig.value", params.own("x", { { 1, 2 } }))
    refused("the list is empty", "at least one value", params.own("x", {}))
    refused("nan is not a finite number", "give a number", params.own("x", 0 / 0))
    refused("has no default", "give default", params.own("x", { min = 1 }))
    refused('"defualt" is not a field of a parameter', "did you mean default?", params.own("x", { defualt = 1 }))
    refused('min is "1", not a number', "give a number", params.own("x", { default = 1, min = "1" }))
    refused("choices is 4, not a list", "list the values", params.own("x", { default = 1, choices = 4 }))
    refused("help is 4, not a string", "in a few words", params.own("x", { default = 1, help = 4 }))
    refused("5 is above 4", "an integer of at most 4", params.own("x", { default = 5, max = 4 }))
    refused('"c" is not one of its values', "use a or b", params.own("x", { default = "c", choices = { "a", "b" } }))
    refused("which the command line cannot give", "in the scenario", params.parse(own(values.value { 1 }), "1"))
end

TestText = {}

local function parsed(name, text)
    return assert(parse(name, text))
end

function TestText.test_values_and_lists()
    lu.assertEquals(parsed("workers", "4"), { 4 })
    lu.assertEquals(parsed("workers", " 1, 2 ,4 "), { 1, 2, 4 })
    lu.assertEquals(parsed("size", "1e5"), { 100000 })
    lu.assertEquals(parsed("chunk", "auto,16"), { "auto", 16 })
    lu.assertEquals(parsed("barrier", "true,false"), { true, false })
    lu.assertEquals(parsed("timeout", "5s,none"), { 5, 0 })
    lu.assertEquals(parsed("pool", "builtin,custom+delivery=inherit"),
        { "builtin", { base = "custom", delivery = "inherit" } })
end

function TestText.test_ranges()
    lu.assertEquals(parsed("workers", "1..8"), { 1, 2, 3, 4, 5, 6, 7, 8 })
    lu.assertEquals(parsed("workers", "1..1"), { 1 })
    lu.assertEquals(parsed("workers", "1,2,4..6"), { 1, 2, 4, 5, 6 })
    lu.assertEquals(parsed("size", "1e5..1e8:5"), { 100000, 562341, 3162277, 17782794, 100000000 })
    lu.assertEquals(parsed("size", "1e5..158489319:5"), { 100000, 630957, 3981071, 25118864, 158489319 })
    lu.assertEquals(math.type(parsed("size", "1..3")[3]), "integer")
    local rate = params.own("rate", 0.5)
    lu.assertEquals(params.parse(rate, "0.5..2.5"), { 0.5, 1.5, 2.5 })
    lu.assertAlmostEquals(params.parse(rate, "0.01..1:3")[2], 0.1, 1e-12)
end

function TestText.test_refusals()
    local integer = "give an integer from 1 to 4096"
    refused("2.5 is not a whole number", integer, parse("workers", "2.5"))
    refused('"two" is not a number', integer, parse("workers", "two"))
    refused("a value is missing", integer, parse("workers", ""))
    refused("a value is missing", integer, parse("workers", "1,,2"))
    refused("5000 is above 4096", integer, parse("workers", "1,5000"))
    refused("4097 is above 4096", integer, parse("workers", "4090..4097"))
    refused('"8..1" runs downwards', "write 1..8", parse("workers", "8..1"))
    refused("has more than 10000 values", ":5", parse("seed", "-9223372036854775808..5"))
    refused("has more than 10000 values", ":5", parse("size", "1..1e400"))
    refused('"1..1e9" has more than 10000 values', "write 1..1e9:5", parse("size", "1..1e9"))
    refused('"x" is not a number', "write a range as 1..8", parse("workers", "x..8"))
    refused('"" is not a number', "write a range as 1..8", parse("workers", "1.."))
    refused("asks for 1 points", "give 2 to 10000", parse("size", "1..8:1"))
    refused("asks for 2.5 points", "give 2 to 10000", parse("size", "1..8:2.5"))
    refused("starts at 0", "start it at 1 or more", parse("size", "0..8:3"))
    refused('"8..8:3" does not rise', "from the smaller end", parse("size", "8..8:3"))
    refused("1e+99 is above", "give an integer", parse("size", "1..1e99:3"))
    refused("2 is given twice", "give it once", parse("workers", "1..3,2"))
    refused("more than one value", "give an integer", parse("runs", "1,2"))
    refused('"ture" is neither true nor false', "did you mean true?", parse("barrier", "ture"))
    refused('"atuo" is not a number', "did you mean auto?", parse("chunk", "atuo"))
    refused('"custm" is not a pool', "did you mean custom?", parse("pool", "custm"))
    refused('"5 parsecs" has the unknown unit parsecs', "a duration such as", parse("timeout", "5 parsecs"))
end

function TestText.test_digits_grouped_by_commas_are_not_taken_for_other_sizes()
    refused('"000" has leading zeros', "without commas between their digits", parse("size", "100,000"))
end

function TestText.test_what_is_shown_can_be_typed()
    for _, row in ipairs {
        { "chunk", "auto" }, { "size", 158489319 }, { "timeout", 0.3 }, { "timeout", 0 }, { "barrier", false },
        { "pool", { base = "custom", chunk = 4 } }, { "delivery", "shm" }, { "delivery", "preset" },
    } do
        local param = params.builtin(row[1])
        lu.assertEquals(params.parse(param, values.text(param, row[2])), { row[2] })
    end
end

TestShow = {}

function TestShow.test_values_fit_on_a_line()
    for _, row in ipairs {
        { 4, "4" }, { 1e5, "100000" }, { 1e99, "1e+99" }, { -0.5, "-0.5" }, { 0 / 0, "nan" }, { math.huge, "inf" },
        { nil, "nil" }, { true, "true" }, { "a\n\"b\"\\", '"a\\x0a\\"b\\"\\\\"' }, { print, "a function" },
        { {}, "an empty table" }, { { 1, 2, 3, 4, 5 }, "{ 1, 2, 3, 4, ... }" },
        { { base = "custom", x = {} }, '{ base = "custom", x = a table }' }, { 0.1 + 0.2, "0.30000000000000004" },
        { setmetatable({ 1 }, {}), "a table" }, { io.stdout, "a userdata" }, { values.value { 1 }, "rig.value{ 1 }" },
        { ("x"):rep(100), '"' .. ("x"):rep(57) .. '..."' },
    } do
        lu.assertEquals(values.show(row[1]), row[2])
    end
end

TestLanguage = {}

local function raises(problem, f, ...)
    local fine, message = pcall(f, ...)
    lu.assertFalse(fine)
    lu.assertStrContains(message, problem)
    lu.assertNil(message:find "lua/rig/", message)
end

function TestLanguage.test_logspace_is_truncated_with_exact_ends()
    lu.assertEquals(language.logspace(1e5, 10 ^ 8.2, 5), { 100000, 630957, 3981071, 25118864, 158489319 })
    lu.assertEquals(language.logspace(1, 1000, 4), { 1, 10, 100, 1000 })
    lu.assertEquals(language.logspace(1, 2 ^ 40, 41)[40], 2 ^ 39)
    for _, v in ipairs(language.logspace(1, 1e15, 16)) do lu.assertEquals(math.type(v), "integer") end
end

function TestLanguage.test_logspace_gives_no_number_twice()
    lu.assertEquals(language.logspace(1, 4, 9), { 1, 2, 3, 4 })
end

function TestLanguage.test_logspace_refusals()
    raises("the first number is 0; start at 1 or more", language.logspace, 0, 8, 3)
    raises("8 to 1 does not rise", language.logspace, 8, 1, 3)
    raises("the number of points is 1, not an integer of at least 2", language.logspace, 1, 8, 1)
    raises('the last number is "x", not a finite number', language.logspace, 1, "x", 3)
    raises("the first number is nan, not a finite number", language.logspace, 0 / 0, 8, 3)
    raises("which no integer can be", language.logspace, 1, 1e99, 3)
    raises("20000 points are too many", language.logspace, 1, 8, 20000)
end

function TestLanguage.test_range()
    lu.assertEquals(language.range(1, 8), { 1, 2, 3, 4, 5, 6, 7, 8 })
    lu.assertEquals(language.range(8, 2, -3), { 8, 5, 2 })
    lu.assertEquals(language.range(0, 1, 0.25), { 0, 0.25, 0.5, 0.75, 1 })
    lu.assertEquals(#language.range(0, 1, 0.1), 11)
    lu.assertEquals(language.range(3, 3), { 3 })
    lu.assertEquals(math.type(language.range(1.0, 2.0)[1]), "integer")
    raises("steps of 1 never lead from 8 to 1", language.range, 8, 1)
    raises("the step is 0", language.range, 1, 8, 0)
end

function TestLanguage.test_fill_copies_what_is_nested()
    local items = language.fill(100, language.fill(100, 1))
    lu.assertEquals({ #items, #items[1], #items[100] }, { 100, 100, 100 })
    items[1][1] = 5
    lu.assertEquals({ items[2][1], items[100][1] }, { 1, 1 })
    local deep = language.fill(2, { { 1 } })
    deep[1][1][1] = 9
    lu.assertEquals(deep[2][1][1], 1)
end

function TestLanguage.test_fill_keeps_cycles_and_things_with_metatables()
    local loop = {}
    loop.me = loop
    local filled = language.fill(2, loop)
    lu.assertIs(filled[2].me, filled[2])
    lu.assertNotIs(filled[1], filled[2])
    local object = setmetatable({}, {})
    lu.assertIs(language.fill(2, object)[2], object)
    lu.assertEquals(language.fill(0, 1), {})
    raises("the number of entries is -1", language.fill, -1, 1)
    raises("the number of entries is 2.5", language.fill, 2.5, 1)
    raises("the value is nil", language.fill, 2)
end

function TestLanguage.test_sum()
    lu.assertEquals(language.sum { 1, 2, 3 }, 6)
    lu.assertEquals(math.type(language.sum { 1, 2 }), "integer")
    lu.assertEquals(language.sum {}, 0)
    lu.assertEquals(language.sum({ 0.5, 1 }, { "p" }), 1.5)
    raises('entry 2 is "x", not a number', language.sum, { 1, "x" })
    raises("nil is not a list of numbers", language.sum)
end

function TestLanguage.test_value_keeps_its_own_copy()
    local list = { 1, { 2 } }
    local kept = language.value(list)
    list[2][1] = 9
    lu.assertEquals(values.plain(kept), { 1, { 2 } })
    raises("4 is not a plain list", language.value, 4)
end

os.exit(lu.LuaUnit.run())
