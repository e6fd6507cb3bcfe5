-- How long does `rig --version` take, beside `lua5.4 -v`?
--
-- Both start, open Lua and say who they are. On the command line also `true`, which does nothing at all: what it takes
-- any command takes. Where there is no lua5.4 it is left out, and the line under the title says so.
--
--   rig scenarios/bench/startup.lua
--   rig scenarios/bench/startup.lua command=rig,lua,true runs=20

local rig = require "rig"

local function is_installed(program)
    for folder in (os.getenv "PATH" or ""):gmatch "[^:]+" do
        local file <close> = io.open(folder .. "/" .. program)
        if file then return true end
    end
    return false
end

-- The executable that runs this, wherever it is.
local function own_path()
    local file <close> = assert(io.open "/proc/self/stat")
    return ("/proc/%d/exe"):format(file:read "n")
end

local COMMANDS = { rig = { own_path(), "--version" }, lua = { "lua5.4", "-v" }, ["true"] = { "true" } }
local SAYS = { rig = "^rig %d", lua = "^Lua 5%.4", ["true"] = "^$" }

local has_lua = is_installed "lua5.4"

return rig.scenario {
    name = "startup",
    about = "rig --version beside lua5.4 -v" .. (has_lua and "" or " (no lua5.4 was found)"),

    params = { command = { default = has_lua and { "lua", "rig" } or { "rig" }, choices = { "rig", "lua", "true" } } },
    iterations = 11,
    runs = 6,
    calibrate = "10ms",

    body = function(p, _, n)
        local done
        for _ = 1, n do done = assert(rig.exec(COMMANDS[p.command])) end
        return done.status == 0 and done.stdout or done
    end,
    expect = function(p, said) return said:find(SAYS[p.command]) ~= nil, "it says: " .. said end,
}
