-- What crosses between processes comes out as it went in: core.encode and core.decode over every kind of value, and
-- random ones. How bytes are referred to, and damaged bytes, are tested in unit/test_codec*.c.

local lu = require "luaunit"
local core = require "rig.core"
local rigtest = require "rigtest"

-- there and back again
local function copy(value)
    return core.decode(core.encode(value))
end

-- numbers with all their bits, so that 1 is not 1.0, 0.0 not -0.0, and a NaN is itself
local function same_number(a, b)
    return math.type(a) == math.type(b) and string.pack(math.type(a) == "float" and "d" or "j", a)
        == string.pack(math.type(b) == "float" and "d" or "j", b)
end

-- Compares two values deeply. `seen` and `back` map the tables and arrays of one to those of the other, so that what is
-- shared must be shared, and what is not must not. Keys that are tables are told by their numbers of entries.
local same

local function same_tables(a, b, seen, back)
    local n = 0
    for k, v in next, a do
        n = n + 1
        if type(k) == "table" then
            local found = false
            for other in next, b do found = found or seen[k] == other or (not seen[k] and type(other) == "table") end
            if not found then return false, "a table as a key is missing" end
        else
            local ok, where = same(v, b[k], seen, back)
            if not ok then return false, ("[%s]%s"):format(tostring(k), where) end
        end
    end
    for _ in next, b do n = n - 1 end
    return n == 0, " has another number of entries"
end

function same(a, b, seen, back)
    if type(a) ~= type(b) then return false, (": %s became %s"):format(type(a), type(b)) end
    if type(a) == "number" then return same_number(a, b), (": %s became %s"):format(a, b) end
    if type(a) ~= "table" and type(a) ~= "userdata" then return a == b, ": differs" end
    if seen[a] or back[b] then return seen[a] == b and back[b] == a, ": is not shared in the same way" end
    seen[a], back[b] = b, a
    if type(a) == "userdata" then return a == b, ": another array" end
    return same_tables(a, b, seen, back)
end

---@param value any
---@return any what came out
local function assert_crosses(value)
    local out = copy(value)
    local ok, where = same(value, out, {}, {})
    if not ok then lu.fail("value" .. where) end
    return out
end

TestScalars = {}

function TestScalars.test_nil_and_booleans()
    lu.assertNil(copy(nil))
    lu.assertIs(copy(true), true)
    lu.assertIs(copy(false), false)
end

function TestScalars.test_integers_at_every_power_of_two()
    for bit = 0, 63 do
        for around = -2, 2 do
            assert_crosses((1 << bit) + around)
            assert_crosses(-(1 << bit) + around)
        end
    end
    assert_crosses(math.mininteger)
    assert_crosses(math.maxinteger)
end

function TestScalars.test_floats_bit_by_bit()
    for _, x in ipairs { 0.0, -0.0, 1.0, 1.5, -1e300, 5e-324, 2 ^ 53, 2 ^ 63, math.huge, -math.huge, 0 / 0, math.pi } do
        assert_crosses(x)
        assert_crosses { x, x, x, x, x }
    end
    for _, bits in ipairs { 0x7ff8000000000001, 0x7ff0000000000001, 0xfff8dead00000000, 0x7fffffffffffffff } do
        local nan = string.unpack("d", string.pack("j", bits))
        lu.assertEquals(string.unpack("j", string.pack("d", copy(nan))), bits)
        lu.assertEquals(string.unpack("j", string.pack("d", copy({ 1, nan })[2])), bits)
    end
end

function TestScalars.test_strings_of_any_bytes_and_length()
    local all = {}
    for i = 0, 255 do all[i + 1] = string.char(i) end
    local bytes = table.concat(all)
    for _, n in ipairs { 0, 1, 2, 39, 40, 41, 62, 63, 64, 65, 127, 128, 129, 16383, 16384, 65535, 65536, 1048577 } do
        assert_crosses(bytes:rep(n // 256 + 1):sub(1, n))
    end
    assert_crosses "\0"
    assert_crosses { "\0", "\0\0", "a\0b", ["\0"] = "\0" }
end

function TestScalars.test_a_string_beyond_2_gib()
    if not os.getenv "RIG_FULL" then lu.skip "needs 9 GB; only in the full tier" end
    local half = string.rep("0123456789abcdef", (1 << 30) // 16) -- string.rep itself ends at 2 GiB
    local long = half .. half .. "!"
    local out = copy { long }
    lu.assertEquals(#out[1], (1 << 31) + 1)
    lu.assertIsTrue(out[1] == long)
end

TestTables = {}

function TestTables.test_lists_of_integers_of_every_width()
    for _, limit in ipairs { 0, 127, 128, 32767, 32768, 2147483647, 2147483648, math.maxinteger } do
        for _, n in ipairs { 0, 1, 2, 3, 4, 5, 100, 1023, 1024, 1025, 3000 } do
            local list = {}
            for i = 1, n do list[i] = i % 3 == 0 and -limit - 1 or i % 3 == 1 and limit or i end
            lu.assertEquals(#assert_crosses(list), n)
        end
    end
end

function TestTables.test_lists_that_change_their_kind()
    assert_crosses { 1, 2, 3, 4, 5.0, 6.0, 7.0, 8.0, 9.0, "x", 1, 2, 3, 4, 5, true, { 1 }, 1.5, 2, 2.5, 3 }
    assert_crosses { "a", "b", 1, "a", 2, "a", 3.0, nil, 4 }
    assert_crosses { false, true, false, {} }
end

function TestTables.test_holes_stay_holes()
    local list = {}
    for i = 1, 200 do list[i] = i end
    for i = 1, 200, 7 do list[i] = nil end
    assert_crosses(list)
    for i = 20, 180 do list[i] = nil end
    assert_crosses(list)
    assert_crosses { nil, nil, 3 }
    assert_crosses { 1, nil, 3, nil, nil, 6, n = 6 }
    assert_crosses(table.pack(nil, nil, nil))
    assert_crosses { [1] = 1, [2] = 2, [4] = 4, [1000000] = 5, [math.mininteger] = 6, [0] = 7, [-1] = 8 }
end

function TestTables.test_integer_keys_that_lua_keeps_in_another_order()
    for n = 1, 70 do
        local down, twice, mixed = {}, {}, { a = 1, b = 2, c = 3 }
        for i = n, 1, -1 do down[i] = i end
        for i = n, 1, -2 do twice[i], mixed[i] = i, "v" .. i end
        for i = n - 1, 1, -2 do mixed[i] = i end
        assert_crosses(down)
        assert_crosses(twice)
        assert_crosses(mixed)
        mixed.a, mixed.b = nil, nil
        mixed[n + 1] = "last"
        assert_crosses(mixed)
    end
end

function TestTables.test_strings_of_digits_are_not_indices()
    local out = assert_crosses { 1, 2, 3, ["1"] = "a", ["2"] = "b", ["3"] = "c", ["4"] = "d", ["4.0"] = "e" }
    lu.assertEquals(#out, 3)
    for n = 1, 40 do
        local t = {}
        for i = n, 1, -1 do t[i % 3 == 0 and tostring(i) or i] = i end
        assert_crosses(t)
    end
end

function TestTables.test_keys_of_every_kind()
    local key = { "a key" }
    local out = assert_crosses {
        [true] = 1, [false] = 2, [1.5] = 3, [-0.5] = 4, [math.huge] = 5, [""] = 6, [key] = key,
    }
    for k, v in pairs(out) do
        if type(k) == "table" then
            lu.assertIs(k, v)
            lu.assertEquals(k, { "a key" })
        end
    end
    local array = core.array("i64", { 1, 2 })
    out = copy { [array] = array }
    lu.assertIs(next(out), out[next(out)])
    lu.assertIsTrue(next(out) == array)
end

function TestTables.test_any_number_of_pairs()
    for _, n in ipairs { 1, 2, 222, 223, 224, 225, 255, 256, 257, 511, 512, 513, 5000, 70000 } do
        local t = {}
        for i = 1, n do t["k" .. i] = i end
        assert_crosses(t)
        t[1], t[2] = 1, 2
        assert_crosses(t)
    end
end

function TestTables.test_strings_that_come_again()
    local list = {}
    for i = 1, 3000 do
        list[i] = { id = i, name = "name " .. i % 100 }
        list[i]["key " .. i % 700] = "a string of more than forty bytes in a record"
    end
    assert_crosses(list)
    local long = ("long"):rep(1000)
    lu.assertIsTrue(#core.encode { long, long, long, long } < 3 * #long)
    assert_crosses { long, long, long, long, { long } }
end

function TestTables.test_shared_and_cyclic_tables_keep_their_identity()
    local t = { name = "x" }
    t.self, t[1], t[2] = t, { t }, { { t } }
    local out = assert_crosses(t)
    lu.assertIs(out.self, out)
    lu.assertIs(out[2][1][1], out)
    local leaf = {}
    out = assert_crosses { leaf, leaf, { leaf }, a = leaf, [leaf] = 1 }
    lu.assertIs(out[1], out.a)
    lu.assertEquals(out[out[1]], 1)
    local many = {}
    for i = 1, 1000 do many[i] = { i, i > 1 and many[i // 2] or nil, many } end
    assert_crosses(many)
end

function TestTables.test_a_hundred_levels_cross_and_one_more_does_not()
    local function nest(n)
        local t = { "innermost" }
        for _ = 2, n do t = { t } end
        return t
    end
    assert_crosses(nest(100))
    lu.assertErrorMsgContains("more than 100 tables within each other", core.encode, nest(101))
    lu.assertErrorMsgContains("value[1][1][1]", core.encode, nest(101))
end

function TestTables.test_tables_that_are_not_trees_of_a_simple_kind()
    assert_crosses {}
    assert_crosses { {} }
    assert_crosses { { {}, {} }, {}, a = {}, b = { c = {} } }
    assert_crosses { [1] = "x" }
    assert_crosses { [2] = "x" }
end

TestArrays = {}

function TestArrays.test_arrays_of_every_type_and_size()
    for _, type in ipairs { "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64" } do
        for _, n in ipairs { 1, 7, 1000, 65536, 65537 } do
            local a = core.array(type, n, 3)
            a[n], a[1] = 100, 7
            lu.assertEquals(assert_crosses(a):type(), type)
            assert_crosses { a, "and", a }
        end
    end
    assert_crosses(core.array("i64", {}))
    local x = core.array("f64", { 0.5, -0.0, 1 / 0, -1 / 0 })
    lu.assertEquals(1 / copy(x)[2], -math.huge)
end

function TestArrays.test_slices_and_shared_arrays_cross_as_copies()
    local a = core.shared_array("i64", 20000, 1)
    local s = a:slice(101, 10100)
    local out = copy { s, a:slice(1, 5) }
    a[101], a[1] = 5, 5
    lu.assertEquals(out[1]:sum(), 10000)
    lu.assertEquals(out[2]:table(), { 1, 1, 1, 1, 1 })
end

function TestArrays.test_encoding_does_not_leave_them_frozen()
    local a = core.array("i64", 100000, 1)
    core.encode { a, a, a:slice(2) }
    a[1] = 2
    lu.assertErrorMsgContains("value[2]: a function cannot cross", core.encode, { a, print })
    a[1] = 3
    lu.assertEquals(a:sum(), 100002)
end

function TestArrays.test_a_closed_array_cannot_cross()
    local a = core.array("i64", 10)
    a:close()
    lu.assertErrorMsgContains("value.x: this array is closed", core.encode, { x = a })
end

TestCopy = {}

function TestCopy.test_a_copy_is_what_another_process_would_get()
    local large, shared = core.array("i64", 100000, 7), { "shared" }
    local out = core.copy { shared, large, shared, large, { 1, 2, 3 } }
    lu.assertIs(out[1], out[3])
    lu.assertIs(out[2], out[4])
    lu.assertEquals(out[5], { 1, 2, 3 })
    lu.assertIsTrue(out[2] == large and not rawequal(out[2], large))
    large[1], out[2][2] = 1, 2 -- neither is frozen, and they are apart
    lu.assertEquals({ out[2][1], large[2] }, { 7, 7 })
    lu.assertIs(core.copy(5), 5)
    lu.assertNil(core.copy(nil))
    lu.assertErrorMsgContains("too many arguments", core.copy, 1, 2)
end

function TestCopy.test_lists_of_numbers_around_the_sizes_at_which_they_are_made_in_one_go()
    for _, n in ipairs { 1, 3, 4, 11, 12, 13, 1023, 1024, 1025, 2048, 2049 } do
        for _, kind in ipairs { 1, -200, 70000, 1 << 40, 0.5 } do
            local list = {}
            for i = 1, n do list[i] = kind + (i % 3) end
            lu.assertEquals(#assert_crosses(list), n)
            assert_crosses { list, list, { list }, name = list }
            list[n + 1] = "and something else"
            assert_crosses(list)
        end
    end
end

function TestCopy.test_with_a_hook_too()
    local list, calls = {}, 0
    for i = 1, 100 do list[i] = i end
    local bytes = core.encode(list)
    debug.sethook(function() calls = calls + 1 end, "", 1)
    local out = core.decode(bytes)
    local during = calls
    debug.sethook()
    lu.assertEquals(out, list)
    lu.assertIsTrue(during < 10) -- of this test's own lines: none runs within decode
end

TestRefusals = {}

function TestRefusals.test_the_path_names_what_cannot_cross()
    local function refused(value, message)
        lu.assertErrorMsgContains(message, core.encode, value)
    end
    refused(print, "value: a function cannot cross processes; send data")
    refused({ items = { 1, 2, { callback = print } } }, "value.items[3].callback: a function cannot cross processes")
    refused({ { ["two words"] = coroutine.create(print) } }, 'value[1]["two words"]: a coroutine cannot cross')
    refused({ [-1] = { [2.5] = io.stdout } }, "value[-1][2.5]: a FILE* cannot cross")
    refused(setmetatable({}, {}), "value: a table with a metatable cannot cross")
    refused({ [print] = 1 }, "value[a function]: a function cannot cross")
end

function TestRefusals.test_exactly_one_value_is_decoded()
    lu.assertErrorMsgContains("not a value that encode made", core.decode, "")
    lu.assertErrorMsgContains("not a value that encode made", core.decode, "\xff")
    lu.assertErrorMsgContains("3 bytes follow", core.decode, core.encode { 1 } .. "xyz")
    lu.assertErrorMsgContains("string expected", core.decode, 5)
    lu.assertErrorMsgContains("value expected", core.encode)
    lu.assertErrorMsgContains("too many arguments", core.encode, 1, 2)
end

-- finalizers may encode while another value is being encoded or decoded
function TestRefusals.test_finalizers_may_encode_too()
    local encoded = 0
    local function litter()
        setmetatable({}, { __gc = function()
            encoded = encoded + #core.encode { "inner", { "inner", core.array("i64", 9000) }, 1, 2, 3, 4 } // 70000
        end })
    end
    local value = { core.array("i64", 9000, 1), { x = { "outer", "outer", "outer" } } }
    for i = 1, 40 do value[#value + 1] = { name = "n" .. i, list = { i, i, i, i } } end
    collectgarbage("setpause", 0)
    for _ = 1, rigtest.many(300, 30) do
        litter()
        assert_crosses(value)
    end
    collectgarbage("setpause", 200)
    lu.assertIsTrue(encoded > rigtest.many(100, 10))
end

TestRandom = {}

-- Each value comes from a seed, its number and a size, so that one that fails can be made again, and smaller.
local seed = math.tointeger(os.getenv "RIG_SEED" or "") or os.time()
local random = math.random
local SIZE = 6

local BITS = { 0, 1 << 63, 0x7ff0 << 48, 0xfff0 << 48, 0x7ff8 << 48, 0x7ff8 << 48 | 1, 0xfff8dead << 32, 1 }
local INTEGERS = { math.mininteger, math.maxinteger, -1, 0, 127, 128, -128, -129, 1 << 31, -(1 << 31) - 1, 1 << 53 }
local TYPES = { "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64" }
local words = {}
for i = 1, 40 do words[i] = ("word"):rep(i % 12) .. i end

local makers

-- `made` has the tables and arrays so far: any of them may come again, and so enclose itself.
local function make(made, size, depth)
    return makers[random(depth > 6 and 8 or #makers)](made, size, depth)
end

local function any_float()
    return (string.unpack("d", string.pack("j", random(3) == 1 and BITS[random(#BITS)] or random(0))))
end

-- Where does a key that is equal to another go? So none of those, nor two tables, which could not be told apart.
local function make_key(made, size, depth)
    local key
    repeat key = make(made, size, depth) until type(key) ~= "table" and type(key) ~= "userdata"
    return key == key and key or nil
end

local function make_table(made, size, depth)
    local t = {}
    made[#made + 1] = t
    for i = 1, random(0, 1) * random(0, size) do t[i] = make(made, size, depth + 1) end
    for _ = 1, random(0, 1) * random(0, size) do
        local key = make_key(made, size, depth + 1)
        if key ~= nil then t[key] = make(made, size, depth + 1) end
    end
    if random(4) == 1 then t[random(1, size + 1)] = nil end
    return t
end

local function make_numbers(_, size)
    local t, shift = {}, random(0, 63)
    for i = 1, random(0, size) * random(1, size) do
        t[i] = shift < 10 and i / 2 or random(30) == 1 and i / 2 or random(0) >> shift
    end
    if random(3) == 1 then t[random(1, #t + 1)] = nil end
    return t
end

local function make_array(made, size)
    local kind = TYPES[random(#TYPES)]
    local array = core.array(kind, random(size + 1), kind:sub(1, 1) == "f" and random(-5, 5) / 2 or random(0, 100))
    made[#made + 1] = array
    return array
end

makers = {
    function() return random(-100, 200) end,
    function() return random(2) == 1 and INTEGERS[random(#INTEGERS)] or random(0) >> random(0, 63) end,
    function() return -(random(0) >> random(1, 63)) end,
    any_float,
    function() return words[random(#words)] end,
    function(_, size) return string.pack("j", random(0)):rep(random(0, size)):sub(1, random(0, 8 * size)) end,
    function() return random(2) == 1 end,
    function() return nil end,
    make_table, make_table, make_table, make_numbers, make_array,
    function(made) return made[random(math.max(#made, 1))] end,
}

local function random_value(number, size)
    math.randomseed(seed, number)
    return (random(4) == 1 and make or make_table)({}, size, 0)
end

-- What it looks like, as far as that can be written down.
local function text_of(value, seen)
    if type(value) == "string" then return ("%q"):format(value) end
    if type(value) ~= "table" then return math.type(value) == "float" and ("%a"):format(value) or tostring(value) end
    if seen[value] then return "again" end
    seen[value] = true
    local parts = {}
    for k, v in next, value do parts[#parts + 1] = ("[%s] = %s"):format(text_of(k, seen), text_of(v, seen)) end
    return "{ " .. table.concat(parts, ", ") .. " }"
end

-- Where a random value differs after its passage, or nil.
local function fault_of(number, size)
    local value = random_value(number, size)
    local good, out = pcall(number % 4 == 0 and core.copy or copy, value)
    if not good then return tostring(out), value end
    local ok, where = same(value, out, {}, {})
    if not ok then return where, value end
end

function TestRandom.test_a_hundred_thousand_random_values()
    print("RIG_SEED=" .. seed)
    for number = 1, rigtest.many(100000, 3000) do
        if fault_of(number, SIZE) then
            for size = 0, SIZE do -- the smallest with the same number that fails too
                local where, value = fault_of(number, size)
                if where then
                    local text = text_of(value, {}):sub(1, 3000)
                    lu.fail(("RIG_SEED=%d, value %d%s: %s"):format(seed, number, where, text))
                end
            end
        end
    end
end

local UNSENDABLE = {
    { print, "a function cannot cross" },
    { coroutine.create(print), "a coroutine cannot cross" },
    { setmetatable({}, {}), "a table with a metatable cannot cross" },
    { io.stdout, "a FILE* cannot cross" }, { require "cjson".null, "a pointer cannot cross" },
}

-- Something that cannot cross, put into a random place of random values, is named by the way to it.
function TestRandom.test_what_cannot_cross_is_named_wherever_it_is()
    for number = 1, rigtest.many(3000, 300) do
        math.randomseed(seed, number)
        local what = UNSENDABLE[random(#UNSENDABLE)]
        local value, path = what[1], ""
        for _ = 1, random(0, 8) do
            local around = make_numbers({}, 5)
            local key = ({ #around + 1, "name", "two words", -3, 2.5, true })[random(6)]
            around[key], around.other = value, words[random(#words)]
            value = around
            local text = key == "two words" and '"two words"' or tostring(key)
            path = (key == "name" and ".name" or ("[%s]"):format(text)) .. path
        end
        lu.assertErrorMsgContains("value" .. path .. ": " .. what[2], core.encode, value)
        lu.assertErrorMsgContains("value" .. path .. ": " .. what[2], core.copy, value)
    end
end

os.exit(lu.LuaUnit.run())
