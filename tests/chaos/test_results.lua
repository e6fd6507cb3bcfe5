-- A file of results whose writer is killed at any moment: there is the old document or a new one, whole, and never
-- anything else; first the function that writes, again and again, then the executable, which writes at its end.
-- The calls that it consists of are made to fail one by one in tests/unit/test_os_file.c.
-- RIG_SEED repeats the choices; RIG_CHAOS_KILLS is how many, 1,500 when not said.

local lu = require "luaunit"
local core = require "rig.core"
local outside = require "rigtest.outside"
local results = require "rig.results"
local rig = require "rig"
local rigtest = require "rigtest"

local render = require "rig.report.json".render

local sanitized = (os.getenv "RIG_SANITIZE" or "") ~= ""
local KILLS = math.tointeger(tonumber(os.getenv "RIG_CHAOS_KILLS" or "")) or
    os.getenv "RIG_FULL" and 20000 or sanitized and 300 or 1500
local SEED = math.tointeger(tonumber(os.getenv "RIG_SEED" or "")) or core.now_ns() % 1000000000
print(("chaos: %d writers, RIG_SEED=%d"):format(KILLS, SEED))

local FILE = "out.json"
local SCENARIO = [[
    local rig = require "rig"
    return rig.scenario {
        name = "short", about = "ends soon", pool = "serial", items = 3, iterations = %d,
        map = function(item) return item end, reduce = rig.sum, expect = 6,
    }]]

local function scenario(iterations)
    rigtest.write("short.lua", SCENARIO:format(iterations))
end

-- What a writer that was killed could not remove any more.
local function remove_part(pid)
    return os.remove((".%s.%d.tmp"):format(FILE, pid)) ~= nil
end

TestResults = {}

function TestResults.tearDown()
    os.remove(FILE)
    os.remove "short.lua"
end

function TestResults.test_the_function_that_writes_leaves_old_or_new()
    local rng = core.rng("results", SEED)
    local texts, known = {}, {}
    for i, iterations in ipairs { 1, 30, 300, 3000 } do -- a few KiB to some hundred
        scenario(iterations)
        texts[i] = assert(render(assert(rig.run "short.lua")))
        known[texts[i]] = true
    end
    assert(core.write_file(FILE, texts[1]))
    local parts, written = 0, 0
    local function write_for_ever(first)
        local i = first
        while true do
            i = i % #texts + 1
            assert(core.write_file(FILE, texts[i]))
        end
    end
    local last = texts[1]
    for kill = 1, KILLS do
        local writer <close> = assert(core.fork(write_for_ever, rng:int(1, #texts)))
        local pid, moment = writer:pid(), core.now() + rng:float() * 0.004
        while core.now() < moment do core.sleep(0.0002) end
        writer:kill "KILL"
        assert(writer:wait(60))
        if remove_part(pid) then parts = parts + 1 end
        local text = rigtest.read(FILE)
        local said = ("RIG_SEED=%d, kill %d: %d bytes that nobody wrote"):format(SEED, kill, #text)
        lu.assertTrue(known[text] == true, said)
        if text ~= last then written, last = written + 1, text end
    end
    lu.assertNotNil(results.read(FILE))
    lu.assertTrue(KILLS < 100 or parts > 0 and written > 0, "nobody was killed while writing: the test sees nothing")
    print(("chaos: %d writers killed, %d of them between the first byte and the last step, %d had changed the file; " ..
        "0 torn"):format(KILLS, parts, written))
end

function TestResults.test_the_executable_leaves_none_old_or_new()
    local rng = core.rng("executable", SEED)
    scenario(30)
    local whole, none = 0, 0
    local began = core.now()
    lu.assertEquals(rig.exec { os.getenv "RIG", "short.lua", "--quiet", "--json", FILE }.status, 0)
    local takes_s = core.now() - began
    for kill = 1, math.max(1, KILLS // 15) do
        if kill % 2 == 0 then os.remove(FILE) end
        local starter <close> = assert(core.fork(function()
            rig.exec { os.getenv "RIG", "short.lua", "--quiet", "--json", FILE }
        end))
        core.sleep(takes_s * (0.5 + rng:float() * 0.6))
        local pid = outside.children(starter:pid())[1]
        local fd = pid and outside.aim(pid, starter:pid())
        if fd then
            outside.hit(fd, 9)
            outside.drop(fd)
        end
        assert(starter:wait(60))
        if pid then remove_part(pid) end
        if rigtest.exists(FILE) then
            local doc, problem = results.read(FILE)
            lu.assertNotNil(doc, ("RIG_SEED=%d, run %d: %s"):format(SEED, kill, tostring(problem)))
            whole = whole + 1
        else
            none = none + 1
        end
    end
    print(("chaos: runs of the executable killed: %d whole documents, %d none, 0 torn"):format(whole, none))
end

os.exit(lu.LuaUnit.run())
