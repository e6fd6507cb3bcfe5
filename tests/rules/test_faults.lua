-- The table of faults in tests/README.md: each test that it names exists, and each test of the files that go through
-- the pools stands in it. What the tests show is theirs.

local lu = require "luaunit"
local rigtest = require "rigtest"

local CHAOS = { "chaos/test_workers.lua", "chaos/test_coordinator.lua", "chaos/test_results.lua" }

-- The names of the tests in a file of that name, in whatever folder.
local function tests_of(file)
    local names = {}
    local paths = file == "chaos" and CHAOS or { "lua/test_" .. file .. ".lua", "unit/test_" .. file .. ".c" }
    for _, path in ipairs(paths) do
        path = rigtest.source("tests/" .. path)
        local text = rigtest.exists(path) and rigtest.read(path) or ""
        for name in text:gmatch "%f[%w_]test_([%w_]+)" do names[name:gsub("_$", "")] = true end
        for name in text:gmatch "CLEAN_TEST%(([%w_]+)%)" do names[name] = true end
    end
    return names
end

-- For each row its text and what it names: { { file, test }, … }.
local function rows()
    local section = rigtest.read(rigtest.source "tests/README.md"):match "\n## Faults\n(.-)\n## "
    local list = {}
    for fault, tests in section:gmatch "\n| ([^|\n]+) | ([^|\n]+) |%f[\n]" do
        local row = { fault = fault }
        if fault ~= "fault" then
            for file, names in (tests .. ";"):gmatch "`([%w_]+)` ([^;]+);" do
                for name in names:gmatch "[%w_]+" do row[#row + 1] = { file, name } end
            end
            list[#list + 1] = row
        end
    end
    return list
end

TestFaults = {}

function TestFaults.test_every_test_that_the_table_names_exists()
    local list = rows()
    lu.assertTrue(#list >= 26, #list .. " rows: the table is not read as it is written")
    for _, row in ipairs(list) do
        lu.assertTrue(#row > 0, row.fault .. ": no test")
        for _, named in ipairs(row) do
            local exists = tests_of(named[1])[named[2]] == true
            lu.assertTrue(exists, ("%s: %s has no test %s"):format(row.fault, named[1], named[2]))
        end
    end
end

function TestFaults.test_every_test_of_the_fault_tables_is_in_a_row()
    for _, file in ipairs { "fault_table", "fault_table_cli" } do
        local named = {}
        for _, row in ipairs(rows()) do
            for _, one in ipairs(row) do named[one[1] .. " " .. one[2]] = true end
        end
        local text = rigtest.read(rigtest.source("tests/lua/test_" .. file .. ".lua"))
        for name in text:gmatch "function Test%w+%.test_([%w_]+)" do
            lu.assertTrue(named[file .. " " .. name] == true, name .. " is not in the table of tests/README.md")
        end
    end
end

os.exit(lu.LuaUnit.run())
