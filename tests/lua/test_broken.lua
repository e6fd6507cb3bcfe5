-- Broken scenarios and command lines through the executable (its path in RIG): each ends with the exit status and the
-- one message on stderr that its first line expects, without a hang and without a word about rig's own code.
-- Not for what the checks find in detail: test_scenario and test_params are. The scenarios are tests/broken/*.lua;
-- files named run_* break only while they run.

local lu = require "luaunit"

local rig = os.getenv "RIG"
if not rig then
    print "skipped: RIG does not name the executable"
    os.exit(77)
end

local root = os.getenv "RIG_SOURCE_DIR" or arg[0]:match "^(.*)/tests/lua/[^/]*$" or "."
local folder = root .. "/tests/broken"

-- No broken scenario takes longer than this; one that does hangs.
local PATIENCE_SECONDS = 60

local function quote(word)
    return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function read(path)
    local file <close> = assert(io.open(path, "rb"))
    return file:read "a"
end

---@param words string[] arguments
---@return integer exit, string stderr
local function run(words)
    local quoted = {}
    for i, word in ipairs(words) do quoted[i] = quote(word) end
    local command = ("timeout -k 5 %d %s %s 2>&1 >/dev/null </dev/null; printf '\\n%%d\\n' $?"):format(
        PATIENCE_SECONDS, quote(rig), table.concat(quoted, " "))
    local pipe <close> = assert(io.popen(command))
    local text, status = pipe:read("a"):match "^(.-)\n?\n(%d+)\n$"
    return math.tointeger(tonumber(status)), text
end

-- Lines below a message that belong to it (a worker's traceback) are indented.
local function messages_of(stderr)
    local list = {}
    for line in stderr:gmatch "[^\n]+" do
        if not line:find "^%s" then list[#list + 1] = line end
    end
    return list
end

local own_modules = {}
do
    local pipe <close> = assert(io.popen("cd " .. quote(root .. "/lua") .. " && find rig -name '*.lua'"))
    for path in pipe:lines() do own_modules[#own_modules + 1] = path end
end

local function check_no_own_code(stderr)
    for _, path in ipairs(own_modules) do
        lu.assertNil(stderr:find(path .. ":", 1, true), "names rig's own code: " .. stderr)
    end
    lu.assertNil(stderr:find("[C]: in", 1, true), "shows frames that are no script's: " .. stderr)
end

local function check(words, exit, pattern)
    local status, stderr = run(words)
    lu.assertNotEquals(status, 124, "hangs")
    local found = messages_of(stderr)
    lu.assertEquals(#found, 1, ("wants one message, got %d (exit %d): %s"):format(#found, status, stderr))
    lu.assertNotNil(stderr:find(pattern), ("wants %s, got: %s"):format(pattern, stderr))
    check_no_own_code(stderr)
    lu.assertEquals(status, exit, stderr)
end

TestBroken = {}

local function each_scenario(take)
    local pipe <close> = assert(io.popen("ls " .. quote(folder)))
    for name in pipe:lines() do
        if name:find "%.lua$" then take(name:gsub("%.lua$", ""), folder .. "/" .. name) end
    end
end

each_scenario(function(name, path)
    TestBroken["test_" .. name] = function()
        local text = read(path)
        local exit, pattern = text:match "^%-%- expect: exit (%d+); ([^\n]+)\n"
        lu.assertNotNil(exit, path .. " does not begin with `-- expect: exit N; PATTERN`")
        local words = { path }
        for word in (text:match "\n%-%- args: ([^\n]*)" or ""):gmatch "%S+" do words[#words + 1] = word end
        check(words, math.tointeger(tonumber(exit)), pattern)
    end
end)

function TestBroken.test_there_are_at_least_twenty()
    local count = 0
    each_scenario(function() count = count + 1 end)
    lu.assertTrue(count >= 20)
end

-- What no file in the tree can be.
TestNoScenario = {}

local function with_file(text, take)
    local path = os.tmpname()
    do
        local file <close> = assert(io.open(path, "wb"))
        file:write(text)
    end
    local fine, problem = pcall(take, path)
    os.remove(path)
    if not fine then error(problem, 0) end
end

function TestNoScenario.test_a_file_that_is_not_there()
    check({ folder .. "/no_such_file.lua" }, 2, "no_such_file%.lua: no such file; ")
end

function TestNoScenario.test_a_file_named_without_its_suffix()
    check({ folder .. "/workers_zero" }, 2, "workers_zero: no such file; did you mean .*workers_zero%.lua%?")
end

function TestNoScenario.test_a_directory()
    check({ folder }, 2, "broken: is a directory, not a scenario; name one of the %.lua files in it")
end

function TestNoScenario.test_bytecode()
    with_file(string.dump(function() return 1 end), function(path)
        check({ path }, 2, "is compiled Lua %(bytecode%); give its source")
    end)
end

function TestNoScenario.test_an_empty_file()
    with_file("", function(path)
        check({ path }, 2, "is empty; end it with return rig%.scenario")
    end)
end

os.exit(lu.LuaUnit.run())
