-- What the binaries show to a linker: exactly what rig.h declares, and luaopen_rig. Anything else would clash with a
-- host's own names; anything less would leave a shared object that rig.load opens unresolved.

local lu = require "luaunit"
local rigtest = require "rigtest"

---@param file string in the build folder
---@return table<string, true> symbols that it defines for others
local function exported_by(file)
    local path = assert(os.getenv "RIG_BUILD_DIR") .. "/" .. file
    local pipe <close> = assert(io.popen("nm -D --defined-only " .. rigtest.quote(path)))
    local set = {}
    for line in pipe:lines() do
        local kind, name = line:match "^%x+ (%a) ([%w_]+)"
        if kind and not name:match "^__" and name ~= "_init" and name ~= "_fini" then set[name] = true end
    end
    return set
end

---@return table<string, true> functions that rig.h declares
local function declared()
    local text = rigtest.read(rigtest.source "core/include/rig.h"):gsub("/%*.-%*/", " "):gsub("//[^\n]*", " ")
    local set = {}
    for name in text:gmatch "RIG_API[%w%s_%*]-(rig_[%w_]+)%s*%(" do set[name] = true end
    assert(next(set), "rig.h declares no function with RIG_API")
    return set
end

---@return string their names, one a line
local function names(set)
    local list = {}
    for name in pairs(set) do list[#list + 1] = name end
    table.sort(list)
    return table.concat(list, "\n")
end

TestSymbols = {}

function TestSymbols.test_the_shared_library_shows_what_rig_h_declares()
    local expected = declared()
    expected.luaopen_rig = true
    lu.assertEquals(names(exported_by "librig.so"), names(expected))
end

function TestSymbols.test_the_lua_module_shows_the_same()
    local expected = declared()
    expected.luaopen_rig = true
    lu.assertEquals(names(exported_by "rig.so"), names(expected))
end

function TestSymbols.test_the_executable_shows_rig_h_and_lua_to_what_it_loads()
    local shown = exported_by "rig"
    for name in pairs(declared()) do lu.assertTrue(shown[name], name .. " is not exported by the executable") end
    for _, name in ipairs { "lua_pushstring", "luaL_openlibs", "lua_callk" } do
        lu.assertTrue(shown[name], name .. " is not exported by the executable")
    end
end

-- core/cmake/lua_place.c: the same script takes up to a tenth longer where our own code decides where Lua's lies.
function TestSymbols.test_the_code_of_lua_lies_the_same_way_whatever_stands_before_it()
    local path = assert(os.getenv "RIG_BUILD_DIR") .. "/rig"
    local pipe <close> = assert(io.popen("nm " .. rigtest.quote(path)))
    local at = {}
    for line in pipe:lines() do
        local address, name = line:match "^(%x+) %a ([%w_]+)$"
        if name then at[name] = tonumber(address, 16) end
    end
    lu.assertEquals(at.rig_lua_begins % 64, 32)
    local distance = at.lua_callk - at.rig_lua_begins -- lapi.o, the first of Lua's, has 13 KB of code
    lu.assertTrue(distance > 0 and distance < 16384, "Lua's code does not begin behind rig_lua_begins")
end

os.exit(lu.LuaUnit.run())
