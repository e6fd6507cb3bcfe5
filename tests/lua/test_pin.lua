-- Pinning from Lua: a process that is pinned stays where it was told, whoever started it does not, and what is no
-- processor is refused by name. What the kernel is asked is tests/unit/test_os_cpus.c's business.

local lu = require "luaunit"
local core = require "rig.core"

-- What a function returns in a process of its own.
local function in_child(fn)
    local r <close>, w = core.pipe()
    local child = assert(core.fork(function() w:put(fn()) end))
    w:close()
    local value = r:get(60)
    lu.assertEquals(child:wait(60).exit, 0)
    return value
end

TestPin = {}

function TestPin.test_a_pinned_process_stays_there_and_its_parent_does_not()
    local before = core.cpus()
    local last = before[#before]
    lu.assertEquals(in_child(function() return core.pin(last) and core.cpus() end), { last })
    lu.assertEquals(core.cpus(), before)
end

function TestPin.test_several_processors_may_be_named()
    local all = core.cpus()
    lu.assertEquals(in_child(function() return core.pin(all[1]) and core.pin(all) and core.cpus() end), all)
end

function TestPin.test_what_is_no_processor_is_refused()
    for _, wrong in ipairs { -1, 1.5, 1 << 40, "first", {}, { 0, "x" }, { 0, -1 } } do
        local fine, problem = pcall(core.pin, wrong)
        lu.assertFalse(fine)
        lu.assertStrContains(problem, "processor")
    end
    lu.assertErrorMsgContains("2.5 is no processor; give numbers from 0 to", core.pin, 2.5)
end

function TestPin.test_a_processor_that_is_not_there_is_an_error_that_names_it()
    local there = {}
    for _, cpu in ipairs(core.cpus()) do there[cpu] = true end
    local absent = 1023
    while there[absent] do absent = absent - 1 end
    local ok, problem, code = core.pin(absent)
    lu.assertNil(ok)
    lu.assertStrContains(problem, ("processor %d"):format(absent))
    lu.assertEquals(code, "EINVAL")
end

os.exit(lu.LuaUnit.run())
