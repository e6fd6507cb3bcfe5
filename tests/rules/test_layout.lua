-- The shape of the tree: what may stand at its top, how long a file may be, and that a file says what it is for.

local lu = require "luaunit"
local rigtest = require "rigtest"

---@param command string run in the source folder
---@return string[] lines
local function lines_of(command)
    local pipe <close> = assert(io.popen("cd " .. rigtest.quote(rigtest.source ".") .. " && " .. command))
    local list = {}
    for line in pipe:lines() do list[#list + 1] = line end
    return list
end

-- our own sources, tracked by git or not
local function sources(...)
    local names = {}
    for _, pattern in ipairs { ... } do names[#names + 1] = "-name " .. rigtest.quote(pattern) end
    return lines_of("find core lua scenarios tests -type f \\( " .. table.concat(names, " -o ") .. " \\) | sort")
end

TestLayout = {}

function TestLayout.test_only_what_the_layout_names_stands_at_the_top()
    local allowed = {
        ["CMakeLists.txt"] = true, core = true, lua = true, scenarios = true, tests = true,
        ["README.md"] = true, LICENSE = true,
    }
    for _, name in ipairs(lines_of "ls -A") do
        local ours = allowed[name] or name:match "^%." ~= nil or name:match "^build" ~= nil
        lu.assertTrue(ours, name .. " stands at the top level; the layout has no place for it there")
    end
end

function TestLayout.test_there_is_one_cmakelists()
    lu.assertEquals(lines_of "find core lua scenarios tests -name CMakeLists.txt", {})
end

-- a forgotten line would show as an undefined reference or a missing module, far from its cause
function TestLayout.test_every_source_is_listed_in_cmakelists()
    local listed = {}
    for word in rigtest.read(rigtest.source "CMakeLists.txt"):gmatch "[^%s()]+" do listed[word] = true end
    for _, path in ipairs(lines_of "find core -name '*.c'; cd lua; find rig -name '*.lua'") do
        lu.assertTrue(listed[path] == true, path .. " is not listed in CMakeLists.txt")
    end
end

function TestLayout.test_no_source_is_longer_than_500_lines()
    for _, path in ipairs(sources("*.c", "*.h", "*.lua", "*.sh", "*.py", "*.cmake")) do
        local _, newlines = rigtest.read(rigtest.source(path)):gsub("\n", "")
        lu.assertTrue(newlines <= 500, ("%s has %d lines; split it"):format(path, newlines))
    end
end

function TestLayout.test_every_source_begins_with_what_it_is_for()
    for _, path in ipairs(sources("*.c", "*.h", "*.lua")) do
        -- broken scenarios are broken, their first line too
        if not path:match "^tests/broken/" then
            local first = rigtest.read(rigtest.source(path)):gsub("^#![^\n]*\n", ""):match "^[^\n]*"
            local comment = first:match "^/%*" or first:match "^//" or first:match "^%-%-"
            lu.assertNotNil(comment, path .. " does not begin with a comment that says what it is for")
        end
    end
end

os.exit(lu.LuaUnit.run())
