-- Watches luaunit: a test case that leaves a child, a descriptor or a shared mapping in this process, or takes one
-- away, fails and says which. rig-lua loads it before a test, which goes on requiring "luaunit" as usual.
-- Also the few helpers that Lua tests share. What outlives the process is leaves_nothing's business.

local lu = require "luaunit"
local inventory = require "rigtest.inventory"

-- Whether valgrind runs this: whatever works takes 20 to 50 times as long there, and a process a second to start.
local VALGRIND = os.getenv "RIG_VALGRIND" ~= nil
local SANITIZED = (os.getenv "RIG_SANITIZE" or "") ~= ""

local M = { inventory = inventory, valgrind = VALGRIND }

---Seconds of a time limit or a budget: so many, under valgrind ten times as many, with sanitizers three times.
---@param seconds number
---@return number
function M.patience(seconds) return (VALGRIND and 10 or SANITIZED and 3 or 1) * seconds end

---The same as `--budget` takes it.
---@param seconds number
---@return string
function M.budget(seconds) return ("%gs"):format(M.patience(seconds)) end

---How many of something there are: n, or under valgrind as few as still show it.
---@param n integer
---@param few integer
---@return integer
function M.many(n, few) return VALGRIND and few or n end

local before

-- what nobody holds any more is closed by the collector; that is not a leak
local function settle()
    collectgarbage()
    collectgarbage()
end

---@param a string[]
---@param b string[]
---@return string[] those of a that are not in b
local function minus(a, b)
    local known, rest = {}, {}
    for _, line in ipairs(b) do known[line] = true end
    for _, line in ipairs(a) do
        if not known[line] then rest[#rest + 1] = line end
    end
    return rest
end

local function difference()
    settle()
    local after, lines = inventory.all(), {}
    for _, line in ipairs(minus(after, before)) do lines[#lines + 1] = "left behind: " .. line end
    for _, line in ipairs(minus(before, after)) do lines[#lines + 1] = "was there before the test: " .. line end
    return lines
end

local start_test, end_test = lu.LuaUnit.startTest, lu.LuaUnit.endTest

function lu.LuaUnit:startTest(name)
    settle()
    before = inventory.all()
    return start_test(self, name)
end

function lu.LuaUnit:endTest()
    local node = self.result.currentNode
    local lines = difference()
    if #lines > 0 and node:isSuccess() then
        self:updateStatus { status = "FAIL", msg = table.concat(lines, "\n"), trace = "" }
    end
    return end_test(self)
end

local function count_new(values, seen)
    local n = 0
    for _, value in ipairs(values) do n = n + (seen[value] and 0 or 1) end
    return n
end

---As few of a list as have all values that occur in it. Of those with as many new ones it is another for each `who`, so
---that each of the list has its turn for some of them.
---@generic T
---@param list T[]
---@param values_of fun(one: T): string[]
---@param who string
---@return T[]
function M.sample(list, values_of, who)
    local seen, chosen, start = {}, {}, 0
    for i = 1, #who do start = start * 31 + who:byte(i) end
    while true do
        local best, most = nil, 0
        for i = 1, #list do
            local one = list[(start + i) % #list + 1]
            local n = count_new(values_of(one), seen)
            if n > most then best, most = one, n end
        end
        if not best then return chosen end
        chosen[#chosen + 1] = best
        for _, value in ipairs(values_of(best)) do seen[value] = true end
    end
end

---Reads a whole file.
---@param path string
---@return string
function M.read(path)
    local file <close> = assert(io.open(path, "rb"))
    return file:read "a"
end

---Writes a whole file.
---@param path string
---@param text string
---@return string path
function M.write(path, text)
    local file <close> = assert(io.open(path, "wb"))
    assert(file:write(text))
    return path
end

---@param path string of a file or a folder
---@return boolean
function M.exists(path)
    local file <close> = io.open(path)
    return file ~= nil
end

---A path inside the project, whatever the working directory.
---@param path string
---@return string
function M.source(path)
    return assert(os.getenv "RIG_SOURCE_DIR", "RIG_SOURCE_DIR is not set; run the tests through ctest") .. "/" .. path
end

---Quotes a word for the shell.
---@param word string
---@return string
function M.quote(word)
    return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

---Runs a command and waits for it.
---@param ... string the program and its arguments
---@return { exit: integer|nil, signal: integer|nil, out: string, err: string }
function M.run(...)
    local words = {}
    for _, word in ipairs { ... } do words[#words + 1] = M.quote(word) end
    -- in the working directory, which is this test's own: TMPDIR is checked for leftovers
    local out, err = "rigtest.out", "rigtest.err"
    local _, how, number = os.execute(table.concat(words, " ") .. " >" .. out .. " 2>" .. err .. " </dev/null")
    local result = { out = M.read(out), err = M.read(err) }
    result[how] = number
    os.remove(out)
    os.remove(err)
    return result
end

---Runs the executable under test and waits for it.
---@param ... string its arguments
---@return { exit: integer|nil, signal: integer|nil, out: string, err: string }
function M.rig(...)
    return M.run(assert(os.getenv "RIG", "RIG is not set; run the tests through ctest"), ...)
end

---Runs a piece of Lua in a stock interpreter that finds rig.so.
---@param code string
---@return { exit: integer|nil, signal: integer|nil, out: string, err: string }
function M.stock(code)
    local preload = os.getenv "RIG_STOCK_PRELOAD"
    return M.run("env", "LUA_CPATH=" .. assert(os.getenv "RIG_BUILD_DIR") .. "/?.so;;",
        preload and "LD_PRELOAD=" .. preload or "RIG_STOCK=1", assert(os.getenv "LUA_STOCK"), "-e", code)
end

return M
