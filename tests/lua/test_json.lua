-- JSON for results: what lua-cjson gets wrong on its own must come out right here (empty lists, 64-bit
-- integers, 17 digits, NaN, UTF-8, limits), and whatever was written must read back the same.
-- Not a test of cjson's strings. Neighbour: lua/rig/json.lua.

local lu = require("luaunit")
local json = require("rig.json")

local function round(value)
    return json.decode(assert(json.encode(value)))
end

TestWriting = {}

function TestWriting.test_a_marked_empty_list_is_a_list_and_an_unmarked_one_an_object()
    lu.assertEquals(json.encode({ a = json.list(), b = {} }), '{"a":[],"b":{}}')
end

function TestWriting.test_integers_are_exact_to_64_bits()
    lu.assertEquals(json.encode({ math.maxinteger, math.mininteger, (1 << 53) + 1 }),
        "[9223372036854775807,-9223372036854775808,9007199254740993]")
end

function TestWriting.test_floats_are_the_shortest_text_that_reads_back()
    lu.assertEquals(json.encode({ 0.1, 1 / 3, 5e-324, 1e300, 3.0, -0.0 }),
        "[0.1,0.3333333333333333,5e-324,1e+300,3.0,-0.0]")
end

function TestWriting.test_random_floats_read_back_exactly()
    math.randomseed(7)
    for _ = 1, 2000 do
        local value = string.unpack("d", string.pack("i8", math.random(0)))
        if value == value and math.abs(value) ~= math.huge then
            lu.assertIsTrue(round({ value })[1] == value)
        end
    end
end

function TestWriting.test_nan_and_infinities_become_null()
    lu.assertEquals(json.encode({ 0 / 0, math.huge, -math.huge }), "[null,null,null]")
end

function TestWriting.test_bytes_that_are_no_utf8_are_replaced()
    lu.assertEquals(json.encode("a\xFFb\xC3(\xED\xA0\x80é"), '"a\u{FFFD}b\u{FFFD}(\u{FFFD}\u{FFFD}\u{FFFD}é"')
    lu.assertNotNil(utf8.len(json.encode({ ["\xFF"] = "\xFE" })))
end

function TestWriting.test_strings_keep_zeros_and_slashes()
    lu.assertEquals(json.encode("a/b\\/\0\n"), [["a/b\\/\u0000\n"]])
    lu.assertEquals(round("a/b\\/\0\n\u{1F600}"), "a/b\\/\0\n\u{1F600}")
end

function TestWriting.test_named_keys_come_first_then_the_alphabet()
    lu.assertEquals(json.encode({ b = 1, a = 2, schema = 3, rig = 4 }, { order = { "schema", "rig" } }),
        '{"schema":3,"rig":4,"a":2,"b":1}')
end

function TestWriting.test_pretty_keeps_short_lists_and_objects_on_one_line()
    local text = json.encode({ map_s = { 0.5, 1.25 }, cases = { { run = 1 }, { run = 2 } },
        long = ("x"):rep(90) }, { pretty = true, order = { "map_s", "cases" } })
    lu.assertEquals(text, '{\n  "map_s": [0.5, 1.25],\n  "cases": [{ "run": 1 }, { "run": 2 }],\n  "long": "'
        .. ("x"):rep(90) .. '"\n}')
end

function TestWriting.test_pretty_fills_lines_with_long_lists_of_numbers()
    local numbers = {}
    for i = 1, 200 do numbers[i] = i * 1000 end
    local text = json.encode({ numbers = numbers }, { pretty = true })
    local lines = 0
    for line in text:gmatch("[^\n]+") do
        lines = lines + 1
        lu.assertIsTrue(#line <= 100, line)
    end
    lu.assertIsTrue(lines < 25, "too many lines: " .. lines)
    lu.assertEquals(json.decode(text).numbers, numbers)
end

function TestWriting.test_what_cannot_be_written_is_named_by_its_path()
    local function message(value)
        local text, problem = json.encode(value)
        lu.assertNil(text)
        return problem
    end
    lu.assertEquals(message({ cases = { { map = print } } }), "cases[1].map: a function cannot be written")
    lu.assertStrContains(message({ a = { [1] = 1, [3] = 3 } }), "a: a list with holes")
    lu.assertStrContains(message({ a = { 1, x = 2 } }), "cannot be written")
    lu.assertStrContains(message({ [true] = 2 }), "a key that is a boolean")
    local loop = {}
    loop.self = loop
    lu.assertStrContains(message(loop), "nested deeper than 100 levels")
end

function TestWriting.test_limits_refuse_before_cjson_could_crash()
    local max_string, max_bytes = json.MAX_STRING, json.MAX_BYTES
    json.MAX_STRING, json.MAX_BYTES = 10, 100
    local _, long_string = json.encode({ ("x"):rep(11) })
    local many = {}
    for i = 1, 60 do many[i] = 10 end
    local _, long_text = json.encode(many)
    local _, long_read = json.decode((" "):rep(101))
    json.MAX_STRING, json.MAX_BYTES = max_string, max_bytes
    lu.assertStrContains(long_string, "[1]: a string of 11 bytes")
    lu.assertStrContains(long_text, "longer than the limit of 100 bytes")
    lu.assertStrContains(long_read, "longer than the limit of 100 bytes")
end

TestReading = {}

function TestReading.test_integers_come_back_as_integers_and_floats_as_floats()
    local list = json.decode("[1, 9007199254740993, -9223372036854775808, 1.0, 1e2, 18446744073709551616]")
    lu.assertEquals(math.type(list[1]), "integer")
    lu.assertEquals(list[2], 9007199254740993)
    lu.assertEquals(list[3], math.mininteger)
    lu.assertEquals(math.type(list[4]), "float")
    lu.assertEquals(math.type(list[5]), "float")
    lu.assertEquals(list[6], 2.0 ^ 64)
end

function TestReading.test_nulls_are_absent_in_objects_and_kept_in_lists()
    lu.assertEquals(json.decode('{"a":null,"b":[null,1]}'), { b = { json.null, 1 } })
    lu.assertEquals(json.decode(" null "), json.null)
    lu.assertEquals(json.decode("false"), false)
end

function TestReading.test_a_document_reads_back_and_is_written_the_same_again()
    local text = '{"a":[],"b":{},"c":[1,2.5,"x",true,[{"d":"\\u0000\\u00e9"}]],"e":-0.0}'
    local value = json.decode(text)
    lu.assertIsTrue(json.is_list(value.a))
    lu.assertIsFalse(json.is_list(value.b))
    lu.assertEquals(json.encode(value), (text:gsub("\\u00e9", "é")))
end

function TestReading.test_what_is_no_json_is_refused_with_its_place()
    local cases = {
        { "", "line 1, column 1: the text ends where a value should be" },
        { '{"a": [1, 2', "line 1, column 12: the text ends where ',' or ']' should be" },
        { '{"a": 1,\n "b": }', "line 2, column 7: found '}' where a value should be" },
        { "[NaN]", "found 'NaN'" }, { "[Infinity]", "found 'Infinity'" }, { "[-Infinity]", "found '-Infinity'" },
        { "[0x10]", "line 1, column 3: found 'x10' where ',' or ']' should be" },
        { "[01]", "'01' is not a JSON number" }, { "[1.]", "'1.' is not" }, { "[1e]", "'1e' is not" },
        { "[.5]", "found '.5'" }, { "[+1]", "found '+1'" }, { "[1.e5]", "is not a JSON number" },
        { "[1e999]", "the number 1e999 is out of range" }, { "[1-2]", "is not a JSON number" },
        { "[1,]", "found ']' where a value" }, { "{,}", "a name in quotes" }, { "{a:1}", "found 'a'" },
        { '{"a" 1}', "where ':' should be" }, { "[1] x", "column 5: found 'x' where the end should be" },
        { '["a\nb"]', "a control character" }, { '["abc', "a string that does not end" },
        { '["\\x"]', "an escape that is not JSON's" }, { '["\\ud800"]', "an escape" }, { "tru", "found 'tru'" },
        { ("["):rep(101), "line 1, column 101: nested deeper than 100 levels" },
        { "[\0]", "where a value should be" }, { "'a'", "where a value should be" },
    }
    for _, case in ipairs(cases) do
        local value, message = json.decode(case[1])
        lu.assertNil(value)
        lu.assertStrContains(message, case[2])
    end
end

function TestReading.test_every_prefix_of_a_document_is_refused_and_nothing_raises()
    local text = json.encode({ a = { 1, 2.5, { b = "x\n" } }, c = json.list(), d = true }, { pretty = true })
    for length = 0, #text - 1 do
        local value, message = json.decode(text:sub(1, length))
        lu.assertNil(value)
        lu.assertStrMatches(message, "line %d+, column %d+: .*")
    end
end

function TestReading.test_flipped_bytes_never_raise()
    local text = json.encode({ a = { 1, 2.5, { b = "x\n" } }, c = json.list(), d = true })
    for at = 1, #text do
        for _, byte in ipairs({ 0, 34, 44, 58, 91, 92, 93, 123, 125, 255 }) do
            json.decode(text:sub(1, at - 1) .. string.char(byte) .. text:sub(at + 1))
        end
    end
end

os.exit(lu.LuaUnit.run())
