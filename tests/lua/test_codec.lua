-- What crosses between processes comes out as it went in: core.encode and core.decode over every kind of value, and
-- random ones. How bytes are referred to, and damaged bytes, are tested in unit/test_codec*.c.

local lu = require "luaunit"
local core = require "rig.core"

---@param value any
---@return any
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
    for _ = 1, 300 do
        litter()
        assert_crosses(value)
    end
    collectgarbage("setpause", 200)
    lu.assertIsTrue(encoded > 100)
end

TestRandom = {}

local seed = tonumber(os.getenv "RIG_TEST_SEED") or os.time()
local random = math.random

local makers
local function make(depth, pool)
    return makers[random(depth > 6 and 9 or #makers)](depth, pool)
end

local function make_table(depth, pool)
    local t = {}
    pool[#pool + 1] = t
    for i = 1, random(0, 1) * random(0, 9) do t[i] = make(depth + 1, pool) end
    for _ = 1, random(0, 1) * random(0, 6) do
        local key = make(depth + 1, pool)
        -- not two table keys: which is which could not be told
        if key ~= nil and key == key and type(key) ~= "table" and type(key) ~= "userdata" then
            t[key] = make(depth + 1, pool)
        end
    end
    return t
end

local words = {}
for i = 1, 40 do words[i] = ("word"):rep(i % 12) .. i end

makers = {
    function() return random(0, 200) end,
    function() return random(0) >> random(0, 63) end,
    function() return -(random(0) >> random(1, 63)) end,
    function() return string.unpack("d", string.pack("j", random(0))) end,
    function() return random(0, 10) / 2 end,
    function() return words[random(#words)] end,
    function() return string.pack("j", random(0)):rep(random(0, 12)):sub(1, random(0, 96)) end,
    function() return random(2) == 1 end,
    function() return nil end,
    make_table, make_table, make_table,
    function(_, pool) return pool[random(math.max(#pool, 1))] end,
    function() -- a list of numbers
        local t, shift = {}, random(0, 63)
        for i = 1, random(0, 12) do t[i] = random(20) == 1 and i / 2 or random(0) >> shift end
        return t
    end,
    function(_, pool)
        local array = core.array(random(2) == 1 and "i16" or "f64", random(5), random(0, 9))
        pool[#pool + 1] = array
        return array
    end,
}

function TestRandom.test_a_hundred_thousand_random_values()
    print("RIG_TEST_SEED=" .. seed)
    math.randomseed(seed)
    for i = 1, 100000 do
        local value = random(4) == 1 and make(0, {}) or make_table(0, {})
        local out = copy(value)
        local ok, where = same(value, out, {}, {})
        if not ok then lu.fail(("random value %d of seed %d%s"):format(i, seed, where)) end
    end
end

os.exit(lu.LuaUnit.run())
