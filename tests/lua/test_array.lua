-- Arrays as scripts see them: elements of every type, bounds, slices, conversions, and clear words for every misuse.

local lu = require "luaunit"
local core = require "rig.core"

local INTEGERS = {
    i8 = { -128, 127 }, i16 = { -32768, 32767 }, i32 = { -2147483648, 2147483647 },
    i64 = { math.mininteger, math.maxinteger },
    u8 = { 0, 255 }, u16 = { 0, 65535 }, u32 = { 0, 4294967295 },
}
local SIZES = { i8 = 1, i16 = 2, i32 = 4, i64 = 8, u8 = 1, u16 = 2, u32 = 4, u64 = 8, f32 = 4, f64 = 8 }

local function refused(message, f, ...)
    lu.assertErrorMsgContains(message, f, ...)
end

local function set(a, i, v)
    a[i] = v
end

local function get(a, i)
    return a[i]
end

TestMaking = {}

function TestMaking.test_every_type_with_its_size()
    for name, size in pairs(SIZES) do
        local a = core.array(name, 100)
        lu.assertEquals({ #a, a:type(), a:bytes(), a:sum() }, { 100, name, 100 * size, 0 })
        lu.assertEquals(tostring(a), "array " .. name .. " x 100")
        lu.assertIsTrue(core.is_array(a))
    end
    for _, v in ipairs { {}, "array", 1, io.stdout, print } do lu.assertIsFalse(core.is_array(v)) end
    lu.assertIsFalse(core.is_array(nil))
end

function TestMaking.test_filled_from_small_to_large()
    for name in pairs(SIZES) do
        for _, n in ipairs { 1, 2, 3, 7, 8, 9, 63, 64, 65, 100, 1000, 300001 } do
            local a = core.array(name, n, 7)
            lu.assertEquals(a:sum(), 7 * n)
            lu.assertEquals({ a[1], a[n] }, { 7, 7 })
        end
    end
end

function TestMaking.test_without_a_fill_value_elements_are_0()
    for _, n in ipairs { 1, 1000, 30000, 1000000 } do
        local dirty = core.array("i64", n, -1)
        dirty:close()
        lu.assertEquals(core.array("i64", n):sum(), 0)
        lu.assertEquals(core.array("i64", n, 0):sum(), 0)
    end
end

function TestMaking.test_a_whole_number_may_be_a_float()
    lu.assertEquals(#core.array("i64", 10 ^ 5), 100000)
    lu.assertEquals(core.array("i8", { 1.0, 2.0 }):table(), { 1, 2 })
end

function TestMaking.test_a_size_that_is_none_is_named()
    for _, n in ipairs { 0, -1, 2.5, math.mininteger, -0.0 } do
        refused("array size " .. tostring(n) .. " is not a number of elements; give a whole number from 1 on",
            core.array, "i64", n)
    end
    refused("is not a number of elements", core.array, "i64", 0 / 0)
    refused("is not a number of elements", core.array, "i64", -math.huge)
    for _, n in ipairs { 1e99, math.huge, math.maxinteger, 2 ^ 47, 2 ^ 44 + 1 } do
        refused("is too large; i64 elements go up to 17592186044416", core.array, "i64", n)
    end
end

function TestMaking.test_what_does_not_fit_in_memory_is_refused_with_both_figures()
    local n = 2 ^ 43
    refused("array i64 x 8796093022208 needs 70368.74 GB and ", core.array, "i64", n)
    refused("GB are available; make it smaller, or allow it with --force", core.shared_array, "i64", n)
    core.set_force(true)
    local ok, message = pcall(core.array, "i64", 2 ^ 44) -- more than the address space leaves
    core.set_force(false)
    lu.assertIsFalse(ok)
    lu.assertStrContains(message, "not enough memory for an array i64 x 17592186044416")
end

function TestMaking.test_wrong_arguments()
    refused("'int' is not an array type; there are i8, i16, i32, i64, u8,", core.array, "int", 5)
    refused("5 is not an array type", core.array, 5, 5)
    refused("nil is not an array type", core.array)
    refused("number of elements, table or array expected, got string", core.array, "i64", "5")
    refused("a fill value goes with a number of elements only", core.array, "i64", { 1 }, 2)
    refused("too many arguments", core.array, "i64", 5, 1, 1)
    refused("array i8: 128 at index 1 does not fit; i8 holds integers from -128 to 127", core.array, "i8", 5, 128)
end

TestElements = {}

function TestElements.test_integer_ranges_end_where_they_should()
    for name, range in pairs(INTEGERS) do
        local a = core.array(name, 2)
        a[1], a[2] = range[1], range[2]
        lu.assertEquals(a:table(), range)
        if range[2] < math.maxinteger then
            local why = (" at index 2 does not fit; %s holds integers from %d to %d"):format(name, range[1], range[2])
            refused(range[2] + 1 .. why, set, a, 2, range[2] + 1)
            refused(range[1] - 1 .. why, set, a, 2, range[1] - 1)
        end
        refused("1.5 at index 1 does not fit", set, a, 1, 1.5)
        refused("1e+300 at index 1 does not fit", set, a, 1, 1e300)
        refused("'5' at index 1 does not fit", set, a, 1, "5")
        refused("a table at index 1 does not fit", set, a, 1, {})
        refused("true at index 1 does not fit", set, a, 1, true)
        refused("element 1 is nil", set, a, 1, nil)
        lu.assertEquals(a:table(), range)
    end
end

function TestElements.test_integers_read_as_integers_and_floats_as_floats()
    for name in pairs(SIZES) do
        local a = core.array(name, { 1, 2.0 })
        local expected = name:find "^f" and "float" or "integer"
        lu.assertEquals({ math.type(a[1]), math.type(a[2]), math.type(a:sum()) }, { expected, expected, expected })
    end
end

function TestElements.test_u64_holds_64_bits_as_lua_does()
    local a = core.array("u64", 4)
    a[1], a[2], a[3], a[4] = -1, math.mininteger, 2 ^ 63, 2 ^ 63 + 2048
    lu.assertEquals(a:table(), { -1, math.mininteger, math.mininteger, math.mininteger + 2048 })
    lu.assertEquals(("%u"):format(0) and math.ult(1, a[1]), true)
    refused("does not fit; u64 holds integers of 64 bits and floats below 2^64", set, a, 1, 2 ^ 64)
    refused("does not fit", set, a, 1, 0.5)
end

function TestElements.test_floats()
    local a = core.array("f64", { 0.1, -0.0, math.huge, 2 ^ 53 })
    lu.assertEquals(a[1], 0.1)
    lu.assertEquals(1 / a[2], -math.huge)
    a[1] = 0 / 0
    lu.assertNotEquals(a[1], a[1])
    local b = core.array("f32", { 0.1, math.huge, 3.4e38, -1e-50 })
    lu.assertEquals(b[1], string.unpack("f", string.pack("f", 0.1)))
    lu.assertEquals({ b[2], b[4] }, { math.huge, -0.0 })
    refused("1e+39 at index 1 does not fit; f32 holds numbers up to 3.4e38", set, b, 1, 1e39)
    refused("element 1 is nil; f64 holds numbers", set, a, 1, nil)
end

function TestElements.test_indices_out_of_bounds()
    local a = core.array("i64", 10, 1)
    for _, i in ipairs { 0, -1, 12, math.maxinteger, math.mininteger, 1.5 } do
        refused(("array i64 x 10 has no index %s; its indices are 1 to 10"):format(i), get, a, i)
    end
    for _, i in ipairs { 0, 11, 1.5, true } do
        refused(("array i64 x 10 has no index %s; its indices are 1 to 10"):format(i), set, a, i, 1)
    end
    refused("has no index nil", get, a, nil)
    refused("has no index 'x'", set, a, "x", 1)
    lu.assertNil(a[11]) -- where ipairs stops
    lu.assertEquals(a[10.0], 1)
    a[10.0] = 5
    lu.assertEquals(a[10], 5)
end

function TestElements.test_an_unknown_method_is_named()
    local a = core.array("i64", 1)
    local message = "an array has no method 'lenght'; it has bytes, close, copy, fill, slice, sum, table, type"
    refused(message, get, a, "lenght")
end

function TestElements.test_ipairs_and_pairs()
    local a = core.array("i16", { 5, 6, 7 })
    for _, iterate in ipairs { ipairs, pairs } do
        local seen = {}
        for i, v in iterate(a) do seen[#seen + 1] = { i, v } end
        lu.assertEquals(seen, { { 1, 5 }, { 2, 6 }, { 3, 7 } })
    end
end

TestWhole = {}

function TestWhole.test_slices_share_the_memory()
    local a = core.array("i32", 100, 1)
    local s = a:slice(11, 20)
    s[1] = 5
    a[12] = 6
    lu.assertEquals({ #s, s[2], a[11], s:sum() }, { 10, 6, 5, 19 })
    local inner = s:slice(2)
    lu.assertEquals({ #inner, inner[1] }, { 9, 6 })
    a:close()
    collectgarbage()
    lu.assertEquals({ s[1], inner:sum() }, { 5, 14 })
    lu.assertEquals(#s:slice(11), 0)
    lu.assertEquals(#s:slice(5, 4), 0)
    lu.assertErrorMsgContains("array i32 x 0 has no index 1", set, s:slice(5, 4), 1, 1)
    refused("1 to 11 is not a range of this array i32 x 10", s.slice, s, 1, 11)
    refused("0 to 10 is not a range", s.slice, s, 0)
    refused("5 to 3 is not a range", s.slice, s, 5, 3)
    refused("12 to 10 is not a range", s.slice, s, 12)
    refused("number expected", s.slice, s)
end

function TestWhole.test_fill()
    local a = core.array("u16", 100)
    lu.assertIs(a:fill(7), a)
    lu.assertEquals(a:sum(), 700)
    a:fill(1, 11, 20):fill(2, 100):fill(9, 5, 4)
    lu.assertEquals(a:sum(), 700 - 60 - 5)
    refused("70000 at index 3 does not fit", a.fill, a, 70000, 3)
    refused("1 to 101 is not a range", a.fill, a, 1, 1, 101)
    refused("value expected", a.fill, a)
    refused("too many arguments", a.fill, a, 1, 1, 2, 3)
end

function TestWhole.test_tables_both_ways()
    for name in pairs(SIZES) do
        for _, n in ipairs { 0, 1, 511, 512, 513, 2000 } do
            local t = {}
            for i = 1, n do t[i] = i % 100 end
            local a = core.array(name, t)
            lu.assertEquals(#a, n)
            lu.assertEquals(a:table(), t)
        end
    end
    local a = core.array("i64", { 1, 2, 3, 4 })
    lu.assertEquals({ a:table(2), a:table(2, 3), a:table(4, 3) }, { { 2, 3, 4 }, { 2, 3 }, {} })
end

function TestWhole.test_a_table_that_does_not_fit_is_named_by_element()
    local t = {}
    for i = 1, 1000 do t[i] = i % 100 end
    t[777] = 200
    refused("array i8: 200 at index 777 does not fit; i8 holds integers from -128 to 127", core.array, "i8", t)
    t[777] = "x"
    refused("array f32: 'x' at index 777 does not fit", core.array, "f32", t)
    t[777] = nil
    refused("element 777 is nil", core.array, "i64", t)
    t[777] = 0.5
    refused("array u64: 0.5 at index 777 does not fit", core.array, "u64", t)
    lu.assertEquals(core.array("f64", t)[777], 0.5)
end

function TestWhole.test_from_another_array()
    local a = core.array("i64", { 1, 2, 300 })
    local same = core.array("i64", a)
    same[1] = 9
    lu.assertEquals({ a[1], same:table() }, { 1, { 9, 2, 300 } })
    lu.assertEquals(core.array("f32", a):table(), { 1.0, 2.0, 300.0 })
    lu.assertEquals(core.array("i64", core.array("f64", { 1, -2 })):table(), { 1, -2 })
    refused("array i8: 300 at index 3 does not fit", core.array, "i8", a)
    refused("array i8: 0.5 at index 1 does not fit", core.array, "i8", core.array("f64", { 0.5 }))
end

function TestWhole.test_copy_is_private_and_its_own()
    local a = core.shared_array("i64", 10, 3)
    lu.assertEquals(tostring(a), "shared array i64 x 10")
    local b = a:copy()
    b[1] = 4
    lu.assertEquals({ a:sum(), b:sum(), tostring(b) }, { 30, 31, "array i64 x 10" })
end

function TestWhole.test_integer_sums_wrap_as_addition_does()
    lu.assertEquals(core.array("i64", 3, math.maxinteger):sum(), math.maxinteger * 3)
    lu.assertEquals(core.array("u64", 100, -1):sum(), -100)
    lu.assertEquals(core.array("u8", 1000, 255):sum(), 255000)
    lu.assertEquals(core.array("i8", 1000, -128):sum(), -128000)
    local mixed, expected = core.array("i32", 1037), 0
    for i = 1, #mixed do
        mixed[i] = (i * 7919 % 1000003 - 500000) * 4000
        expected = expected + mixed[i]
    end
    lu.assertEquals(mixed:sum(), expected)
end

function TestWhole.test_float_sums_keep_their_precision()
    local a = core.array("f64", 1000003, 0.1)
    lu.assertAlmostEquals(a:sum(), 100000.3, 1e-9)
    lu.assertAlmostEquals(core.array("f32", 1000, 0.5):sum(), 500, 0)
    lu.assertEquals(core.array("f64", { math.huge, 1 }):sum(), math.huge)
    for n = 1, 40 do lu.assertEquals(core.array("f64", n, 1):sum(), n + 0.0) end
    for _, n in ipairs { 511, 512, 513, 1024, 1025, 4095, 4096, 5000 } do
        lu.assertEquals(core.array("f32", n, 2):sum(), 2.0 * n)
    end
end

function TestWhole.test_equality_is_by_type_and_value()
    local a, b = core.array("i64", { 1, 2 }), core.array("i64", { 1, 2 })
    lu.assertIsTrue(a == b)
    b[2] = 3
    lu.assertIsFalse(a == b)
    lu.assertIsFalse(a == core.array("i32", { 1, 2 }))
    lu.assertIsFalse(a == core.array("i64", { 1 }))
    lu.assertIsTrue(a == core.shared_array("i64", { 1, 2 }))
    lu.assertIsTrue(core.array("f64", { 0.0 }) == core.array("f64", { -0.0 }))
    lu.assertIsFalse(core.array("f64", { 0 / 0 }) == core.array("f64", { 0 / 0 }))
    lu.assertIsFalse(core.array("f32", { 1, 2 }) == core.array("f32", { 1, 3 }))
    lu.assertIsTrue(core.array("i64", {}) == core.array("i64", {}))
    lu.assertIsFalse(a == io.stdout)
end

TestLife = {}

---@return number bytes of memory that this process has
local function resident()
    local file <close> = assert(io.open "/proc/self/statm")
    return tonumber(file:read("a"):match "^%d+ (%d+)") * 4096
end

function TestLife.test_closing_gives_the_memory_back_at_once()
    local before = resident()
    for _ = 1, 10 do
        local a <close> = core.array("i64", 10000000, 1) -- 80 MB
        a:slice(5):close()
        lu.assertEquals(#a, 10000000)
        lu.assertIsTrue(resident() - before < 160e6)
    end
    local a = core.array("i64", 5)
    a:close()
    a:close()
    lu.assertEquals(tostring(a), "array i64 (closed)")
    refused("array i64 (closed) has no index 1", get, a, 1)
    refused("array i64 (closed) has no index 1", set, a, 1, 1)
    for _, method in ipairs { "bytes", "copy", "fill", "slice", "sum", "table", "type" } do
        refused("the array is closed", function() return a[method](a, 1) end)
    end
    refused("the array is closed", function() return #a end)
    lu.assertIsFalse(a == core.array("i64", 5))
end

function TestLife.test_arrays_that_nobody_holds_are_collected_before_memory_runs_out()
    local before = resident()
    for _ = 1, 20 do
        core.array("i64", 10000000, 1)
        lu.assertIsTrue(resident() - before < 600e6)
    end
end

-- whatever a finalizer does in the middle of a method, memory stays sound
function TestLife.test_a_finalizer_may_close_an_array_at_work()
    local closed = 0
    local function trial(work)
        local a = core.array("f64", 3000, 1)
        setmetatable({}, { __gc = function() a:close() end })
        local ok, message = pcall(work, a)
        if not ok then
            lu.assertStrContains(message, "closed")
            closed = closed + 1
        end
    end
    collectgarbage "generational"
    for _ = 1, 2000 do
        trial(function(a) return a:slice(2) end)
        trial(function(a) return a:table() end)
        trial(function(a) return a:copy() end)
        trial(function(a) return core.array("i64", a) end)
    end
    collectgarbage "incremental"
    lu.assertIsTrue(closed < 8000)
end

function TestLife.test_scripts_cannot_change_what_arrays_do()
    local a = core.array("i64", 1)
    lu.assertEquals(getmetatable(a), "array")
    lu.assertErrorMsgContains("array expected, got FILE*", a.sum, io.stdout)
    lu.assertErrorMsgContains("array expected, got table", a.sum, {})
    lu.assertErrorMsgContains("array expected", a.close, 5)
end

os.exit(lu.LuaUnit.run())
