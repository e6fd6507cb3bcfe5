-- Facts about the machine and the scenario: each is there or left out, and none of them stops a run.

local lu = require "luaunit"
local core = require "rig.core"
local env = require "rig.env"
local proc = require "rig.proc"

TestHost = {}

function TestHost.test_what_every_linux_tells_is_there()
    local host = env.host()
    lu.assertTrue(host.cores >= 1)
    lu.assertTrue(host.memory_bytes > 1 << 20)
    lu.assertTrue(host.memory_available_bytes > 0)
    lu.assertTrue(host.memory_available_bytes <= host.memory_bytes)
    lu.assertStrMatches(host.kernel, "%d+%.%d+.*")
    lu.assertEquals(#host.load, 3)
end

function TestHost.test_facts_are_plain_values()
    for name, value in pairs(env.host()) do
        local kind = type(value)
        lu.assertTrue(kind == "string" or kind == "number" or kind == "boolean" or name == "load", name)
    end
end

function TestHost.test_processors_that_may_be_used_are_named()
    local host = env.host()
    lu.assertEquals(host.affinity, proc.cpu_ranges(core.cpus()))
    lu.assertEquals(#core.cpus(), host.cores)
    lu.assertTrue(host.cores <= host.cores_online)
end

function TestHost.test_what_changed_is_added_at_the_end()
    local host = env.host()
    host.steal_s = (host.steal_s or 0) - 1.5 -- as if so much had been stolen since
    env.add_changes(host)
    lu.assertTrue(host.steal_change_s >= 1.5)
    lu.assertEquals(#host.at_end.load, 3)
    lu.assertTrue(host.at_end.memory_available_bytes > 0)
end

TestScenarioFacts = {}

function TestScenarioFacts.test_the_digest_of_a_known_text()
    lu.assertEquals(env.sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
end

function TestScenarioFacts.test_no_commit_outside_of_a_work_tree()
    lu.assertNil(env.git_commit("/proc/version"))
    lu.assertNil(env.git_commit("/no/such/folder/x.lua"))
end

function TestScenarioFacts.test_the_time_is_utc_in_results_form()
    lu.assertStrMatches(env.timestamp(), "%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ")
end

os.exit(lu.LuaUnit.run())
