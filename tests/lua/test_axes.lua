-- What pools are made of: presets, one axis changed, parameters over presets, and the combinations that are refused.
-- Neighbour: lua/rig/axes.lua.

local lu = require "luaunit"
local axes = require "rig.axes"

local function resolve(pool, set)
    return axes.resolve(assert(axes.check_pool(pool)), set or {})
end

TestPresets = {}

function TestPresets.test_are_what_the_design_says()
    lu.assertEquals(resolve "builtin", {
        preset = "builtin", impl = "c", start = "fork", delivery = "inherit", channel = "socket", chunk = "auto",
        barrier = true,
    })
    lu.assertEquals(resolve "custom", {
        preset = "custom", impl = "lua", start = "fork", delivery = "queue", channel = "queue", chunk = 1,
        barrier = false,
    })
    local shm = resolve "shm"
    lu.assertEquals({ shm.impl, shm.start, shm.delivery, shm.channel, shm.barrier },
        { "c", "fork", "shm", "ring", true })
end

function TestPresets.test_serial_has_no_processes()
    lu.assertFalse(axes.has_processes "serial")
    lu.assertTrue(axes.has_processes "custom")
    local serial = resolve("serial", { delivery = "send", chunk = 8 })
    lu.assertEquals({ serial.start, serial.delivery, serial.chunk }, { "none", "none", 1 })
end

function TestPresets.test_every_axis_value_and_preset_has_help()
    for _, axis in ipairs(axes.axes) do
        lu.assertEquals(type(axis.help), "string")
        for _, value in ipairs(axis.values) do lu.assertEquals(type(value.help), "string", value.name) end
    end
    for _, preset in ipairs(axes.presets) do lu.assertEquals(type(preset.help), "string") end
    lu.assertEquals(axes.available(axes.presets), { "serial", "builtin", "custom", "shm", "spawn", "per_task" })
end

TestPools = {}

function TestPools.test_one_axis_changed_keeps_the_others()
    local pool = axes.check_pool { base = "custom", delivery = "inherit" }
    lu.assertEquals(axes.label(pool), "custom+delivery=inherit")
    local made = axes.resolve(pool, {})
    lu.assertEquals({ made.preset, made.delivery, made.channel, made.impl }, { "custom", "inherit", "queue", "lua" })
end

function TestPools.test_the_same_axes_in_either_implementation()
    local in_c, in_lua = resolve { base = "custom", impl = "c" }, resolve "custom"
    lu.assertEquals(in_c.impl, "c")
    in_c.impl = "lua"
    lu.assertEquals(in_c, in_lua)
    lu.assertEquals(resolve({ base = "builtin", impl = "lua" }).impl, "lua")
end

function TestPools.test_labels_have_the_order_of_the_axes()
    lu.assertEquals(axes.label(axes.check_pool { impl = "lua", barrier = false, chunk = 4, base = "builtin" }),
        "builtin+chunk=4+barrier=false+impl=lua")
    lu.assertEquals(axes.label(axes.check_pool { base = "custom", delivery = "shm", name = "mine" }), "mine")
end

function TestPools.test_a_table_that_changes_nothing_is_the_preset()
    lu.assertEquals(axes.check_pool { base = "custom" }, "custom")
end

function TestPools.test_is_checked_into_a_copy()
    local given = { base = "custom", chunk = 4.0 }
    local pool = axes.check_pool(given)
    lu.assertEquals(math.type(pool.chunk), "integer")
    lu.assertEquals(math.type(given.chunk), "float")
end

local function refused(pool, problem, remedy)
    local checked, got, what = axes.check_pool(pool)
    lu.assertNil(checked)
    lu.assertStrContains(got, problem)
    lu.assertStrContains(what, remedy)
end

function TestPools.test_refusals_name_the_nearest()
    refused("custm", '"custm" is not a pool', "did you mean custom?")
    refused(4, "4 is not the name of a pool", 'a name such as "builtin"')
    refused({ base = "biultin" }, '"biultin" is not a pool', "did you mean builtin?")
    refused({ delivery = "inherit" }, "does not say which pool it changes", "give base")
    refused({ base = "custom", delivry = "inherit" }, '"delivry" is not an axis', "did you mean delivery?")
    refused({ base = "custom", delivery = "inherrit" }, 'delivery: "inherrit"', "did you mean inherit?")
    refused({ base = "custom", chunk = 0 }, "chunk: 0 is below 1", "an integer from 1")
    refused({ base = "custom", chunk = "atuo" }, 'chunk: "atuo"', "did you mean auto?")
    refused({ base = "custom", barrier = "no" }, 'barrier: "no" is a string', "true or false")
    refused({ base = "custom", impl = "go" }, 'impl: "go"', "use c or lua")
    refused({ base = "custom", name = "" }, 'name = "" is not a name', "letters")
    refused({ base = "serial", delivery = "send" }, "serial has no processes", "remove delivery")
end

TestText = {}

function TestText.test_every_label_can_be_given_on_the_command_line()
    for _, pool in ipairs {
        "serial", "builtin", { base = "custom", delivery = "inherit" }, { base = "builtin", impl = "lua", chunk = 16 },
        { base = "builtin", chunk = "auto", barrier = false, channel = "pipe" },
    } do
        local checked = axes.check_pool(pool)
        lu.assertEquals(axes.parse_pool(axes.label(checked)), checked)
    end
end

function TestText.test_names_of_the_scenario_are_known()
    local mine = axes.check_pool { base = "custom", delivery = "shm", name = "mine" }
    lu.assertIs(axes.parse_pool("mine", { "builtin", mine }), mine)
    local _, problem, remedy = axes.parse_pool("mien", { mine })
    lu.assertEquals({ problem, remedy }, { '"mien" is not a pool', "did you mean mine?" })
end

function TestText.test_refusals()
    for text, problem in pairs {
        ["custom+"] = "does not change an axis", ["custom+delivery"] = "does not change an axis",
        ["custom+base=serial"] = "does not change an axis", ["custom+speed=9"] = "is not an axis of a pool",
        ["custom+chunk=many"] = "chunk:", ["nope+chunk=1"] = "is not a pool", [""] = "is not a pool",
    } do
        local pool, got = axes.parse_pool(text)
        lu.assertNil(pool, text)
        lu.assertStrContains(got, problem)
    end
end

TestResolve = {}

function TestResolve.test_parameters_win_over_the_preset()
    local made = resolve("builtin", { delivery = "queue", barrier = false, chunk = 7 })
    lu.assertEquals({ made.delivery, made.barrier, made.chunk, made.channel }, { "queue", false, 7, "socket" })
end

function TestResolve.test_a_parameter_must_not_contradict_the_pools_own_table()
    local made, problem, remedy, key = resolve({ base = "custom", delivery = "inherit" }, { delivery = "shm" })
    lu.assertNil(made)
    lu.assertEquals(problem, "delivery = shm contradicts the pool custom+delivery=inherit")
    lu.assertEquals({ remedy, key }, { "set delivery in one place", "delivery" })
    lu.assertNotNil(resolve({ base = "custom", delivery = "inherit" }, { delivery = "inherit" }))
    lu.assertNil((resolve({ base = "custom", barrier = true }, { barrier = false })))
end

function TestResolve.test_spawn_cannot_inherit()
    local made, problem, remedy, key = resolve("builtin", { start = "spawn" })
    lu.assertNil(made)
    lu.assertStrContains(problem, "start = spawn cannot go with delivery = inherit: a fresh process has none")
    lu.assertStrContains(remedy, "delivery = send, queue or shm")
    lu.assertEquals(key, "start")
end

function TestResolve.test_the_pool_in_lua_forks()
    local made, problem, remedy, key = resolve("custom", { start = "spawn" })
    lu.assertNil(made)
    lu.assertStrContains(problem, "start = spawn cannot go with impl = lua: the pool written in Lua forks")
    lu.assertStrContains(remedy, "impl = c")
    lu.assertEquals(key, "start")
    lu.assertNotNil(resolve({ base = "custom", impl = "c" }, { start = "spawn" }))
end

function TestResolve.test_nothing_is_sent_over_a_shared_queue()
    local made, problem, remedy, key = resolve { base = "custom", delivery = "send" }
    lu.assertNil(made)
    lu.assertStrContains(problem, "delivery = send cannot go with channel = queue")
    lu.assertStrContains(remedy, "channel = pipe, socket or ring")
    lu.assertEquals(key, "pool")
    lu.assertNotNil(resolve { base = "custom", delivery = "send", channel = "pipe" })
end

function TestResolve.test_a_pool_written_in_lua_has_no_rings()
    local made, problem, remedy, key = resolve("custom", { channel = "ring" })
    lu.assertNil(made)
    lu.assertStrContains(problem, "channel = ring cannot go with impl = lua: a pool written in Lua is made of")
    lu.assertStrContains(remedy, "impl = c")
    lu.assertEquals(key, "channel")
    lu.assertEquals(resolve({ base = "custom", impl = "c" }, { channel = "ring" }).channel, "ring")
end

function TestResolve.test_what_is_to_come_says_so()
    for _, row in ipairs {
        { "builtin", { start = "thread", delivery = "send" }, "start = thread", "start" },
        { { base = "shm", start = "mpi" }, {}, "start = mpi", "pool" },
    } do
        local made, problem, remedy, key = resolve(row[1], row[2])
        lu.assertNil(made)
        lu.assertEquals(problem, row[3] .. " is not available in this version")
        lu.assertStrContains(remedy, "use ")
        lu.assertEquals(key, row[4])
    end
end

function TestResolve.test_every_combination_is_made_or_refused_with_a_reason()
    local made, refusals = 0, 0
    for _, start in ipairs { "fork", "spawn" } do
        for _, delivery in ipairs { "inherit", "send", "queue", "shm" } do
            for _, channel in ipairs { "pipe", "socket", "ring", "queue" } do
                for _, impl in ipairs { "c", "lua" } do
                    local result, problem, remedy, key = resolve {
                        base = "builtin", start = start, delivery = delivery, channel = channel, impl = impl,
                    }
                    if result then
                        made = made + 1
                        lu.assertEquals({ result.start, result.delivery, result.channel, result.impl },
                            { start, delivery, channel, impl })
                    else
                        refusals = refusals + 1
                        lu.assertTrue(#problem > 0 and #remedy > 0 and #key > 0)
                    end
                end
            end
        end
    end
    lu.assertEquals({ made, refusals }, { 37, 27 })
end

os.exit(lu.LuaUnit.run())
