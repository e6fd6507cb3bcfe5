-- Durations that people type, and quantities as tables and messages show them.
-- Neighbour: lua/rig/units.lua.

local lu = require "luaunit"
local units = require "rig.units"

TestDurations = {}

function TestDurations.test_reads_every_unit()
    for text, seconds in pairs {
        ["0"] = 0, ["5"] = 5, ["0.25"] = 0.25, ["1e-3"] = 1e-3, ["300ms"] = 0.3, ["1.5s"] = 1.5, ["1.5 s"] = 1.5,
        ["2m"] = 120, ["2min"] = 120, ["1h"] = 3600, ["1d"] = 86400, ["10us"] = 1e-5, ["10µs"] = 1e-5,
        ["250ns"] = 2.5e-7, ["1m30s"] = 90, ["1h 5m"] = 3900, [".5s"] = 0.5,
    } do
        lu.assertAlmostEquals(units.parse_duration(text), seconds, 1e-12, text)
    end
end

function TestDurations.test_refuses_what_is_none()
    for _, text in ipairs {
        "", "soon", "5 parsecs", "ms", "-1", "-1s", "5s extra", "1..2s", "s5", "inf", "nan", "1e999", "5s-",
    } do
        local seconds, problem = units.parse_duration(text)
        lu.assertNil(seconds, text)
        lu.assertEquals(type(problem), "string", text)
    end
end

function TestDurations.test_names_an_unknown_unit()
    local _, problem = units.parse_duration "5 parsecs"
    lu.assertEquals(problem, "has the unknown unit parsecs")
end

function TestDurations.test_shows_three_digits()
    for _, row in ipairs {
        { 0, "0 s" }, { 0.00481, "4.81 ms" }, { 0.0962, "96.2 ms" }, { 1, "1.00 s" }, { 90, "90.0 s" },
        { 1234, "1234 s" }, { 2.5e-7, "250 ns" }, { 1.41e-5, "14.1 µs" }, { 5e-10, "0.5 ns" }, { -0.5, "-500 ms" },
    } do
        lu.assertEquals(units.format_duration(row[1]), row[2])
    end
end

function TestDurations.test_rounding_never_shows_a_thousand_of_a_smaller_unit()
    lu.assertEquals(units.format_duration(0.99996), "1.00 s")
    lu.assertEquals(units.format_duration(0.00099996), "1.00 ms")
end

TestSizes = {}

function TestSizes.test_bytes()
    for _, row in ipairs {
        { 0, "0 bytes" }, { 999, "999 bytes" }, { 1000, "1.00 kB" }, { 1267914552, "1.27 GB" },
        { 5e12, "5.00 TB" }, { 4096, "4.10 kB" }, { -4096, "-4.10 kB" }, { 999999999, "1.00 GB" },
    } do
        lu.assertEquals(units.format_bytes(row[1]), row[2])
    end
end

function TestSizes.test_group()
    for _, row in ipairs {
        { 0, "0" }, { 12, "12" }, { 999, "999" }, { 1000, "1,000" }, { 158489319, "158,489,319" },
        { -1234567, "-1,234,567" }, { 100000.0, "100,000" }, { 0.5, "0.5" }, { "auto", "auto" },
        { math.mininteger, "-9,223,372,036,854,775,808" },
    } do
        lu.assertEquals(units.group(row[1]), row[2])
    end
end

function TestSizes.test_count()
    lu.assertEquals(units.count(1, "case"), "1 case")
    lu.assertEquals(units.count(0, "case"), "0 cases")
    lu.assertEquals(units.count(1200, "entry", "entries"), "1,200 entries")
end

os.exit(lu.LuaUnit.run())
