-- Scenarios: what a file may declare, what is said where it is wrong, where its code runs, and what the command line
-- changes. The scenarios of tests/broken that break while they load are checked here without an executable.
-- Neighbours: lua/rig/scenario.lua, declare.lua, sandbox.lua, source.lua.

local lu = require "luaunit"
local language = require "rig.language"
local mistake = require "rig.mistake"
local params = require "rig.params"
local plan = require "rig.plan"
local scenario = require "rig.scenario"
local source = require "rig.source"

local root = os.getenv "RIG_SOURCE_DIR" or arg[0]:match "^(.*)/tests/lua/[^/]*$" or "."

-- What a scenario requires here: the language without the primitives, which only hooks call.
package.loaded.rig = setmetatable({}, { __index = language })

local HEAD = 'local rig = require "rig"\n'

local function load_text(text)
    return scenario.load("x.lua", HEAD .. text)
end

-- A scenario with one more line, which stands at line 3.
local function with(line, shape)
    return load_text("return rig.scenario {\n" .. line .. "\n" ..
        (shape or "items = 4, map = function(item) return item end,") .. "\n}\n")
end

local function refused(message, s, err)
    lu.assertNil(s)
    lu.assertTrue(mistake.is(err))
    lu.assertEquals(tostring(err), err.message)
    lu.assertStrContains(err.message, message)
    lu.assertNil(err.message:find("lua/rig/", 1, true), err.message)
    lu.assertNil(err.message:find("\n", 1, true), err.message)
    return err
end

TestDeclare = {}

function TestDeclare.test_the_reference_experiment()
    local s = assert(load_text [[
return rig.scenario {
  name       = "fixed_data",
  about      = "Fixed data of growing size, handed to 4 workers in two ways",
  pool       = { "builtin", "custom" },
  size       = rig.logspace(1e5, 10^8.2, 5),
  workers    = 4,
  iterations = 9,
  params     = { reads = false },
  fixed  = function(p) return rig.array("i64", p.size, 50) end,
  items  = function(p) return rig.fill(100, rig.fill(100, 1)) end,
  map    = function(item, fixed) return #item end,
  reduce = rig.sum,
  expect = 99990000,
}]])
    lu.assertEquals({ s.name, s.file, s.hooks.expect }, { "fixed_data", "x.lua", 99990000 })
    lu.assertStrContains(s.source, "99990000")
    lu.assertIs(s.hooks.reduce, language.sum)
    lu.assertEquals(params.find(s.params, "size").values, { 100000, 630957, 3981071, 25118864, 158489319 })
    local size = params.find(s.params, "size")
    lu.assertEquals({ size.origin, size.line }, { "scenario", 6 })
    lu.assertEquals(params.find(s.params, "seed").origin, "default")
end

function TestDeclare.test_parameters_keep_the_order_in_which_they_are_written()
    local s = assert(with [[workers = { 1, 2 }, params = { zeta = 1, alpha = { "a", "b" } },
pool = "custom", size = 5,]])
    local first = {}
    for i = 1, 5 do first[i] = s.params[i].name end
    lu.assertEquals(first, { "workers", "zeta", "alpha", "pool", "size" })
    local seen = {}
    for _, param in ipairs(s.params) do
        lu.assertNil(seen[param.name])
        seen[param.name] = true
    end
    for _, name in ipairs(params.builtin_names()) do lu.assertTrue(seen[name], name) end
end

function TestDeclare.test_name_and_about_are_optional()
    local s = assert(scenario.load("some/where/pipes.lua", HEAD .. "return rig.scenario { body = function() end }"))
    lu.assertEquals({ s.name, s.about }, { "pipes", "" })
    refused('x.lua:3: name: 4 is not a line of text; write it as "..."', with("name = 4,"))
    refused('x.lua:3: about: "a\\x0ab" is not a line of text', with('about = "a\\nb",'))
end

function TestDeclare.test_unknown_keys_name_the_nearest()
    local err = refused("x.lua:3: worker: unknown key, given 4; did you mean workers?", with "worker = 4,")
    lu.assertEquals({ err.kind, err.file, err.line, err.key, err.value }, { "scenario", "x.lua", 3, "worker", 4 })
    refused("fixed_via_x: unknown key, given true; did you mean fixed?", with "fixed_via_x = true,")
    refused("belongs in params", with "zzzzzz = 1,")
    refused('[1]: "custom" has no name; write it as key = value', with '"custom",')
end

function TestDeclare.test_calibrate_is_true_or_a_duration()
    lu.assertNil(with("").calibrate_s)
    lu.assertNil(with("calibrate = false,").calibrate_s)
    lu.assertEquals(with("calibrate = true,").calibrate_s, 0.02)
    lu.assertEquals(with('calibrate = "5 ms",').calibrate_s, 0.005)
    for _, wrong in ipairs { "20", '"20"', '"20 mss"', '"0s"', '"2min"', "{}", '""' } do
        refused("x.lua:3: calibrate: ", with("calibrate = " .. wrong .. ","))
    end
    refused("x.lua:3: calibrate: beside map it sets iterations, and those are swept",
        with("calibrate = true, iterations = { 1, 2 },"))
end

function TestDeclare.test_hooks_are_functions()
    refused('x.lua:3: reduce: "sum" is a string, not a function; write reduce = function(results, p)',
        with 'reduce = "sum",')
    refused("x.lua:3: init: a table is not a function", with "init = setmetatable({}, {}),")
    refused("x.lua:3: verify: true is a boolean, not a function", with "verify = true,")
    refused("items: -1 is a number, not a function; give a list, a count", with("items = -1,", "map = print,"))
    refused("items: 2.5 is a number, not a function; give a list, a count", with("items = 2.5,", "map = print,"))
end

function TestDeclare.test_items_and_expect_may_be_values()
    lu.assertEquals(with("items = 4.0,", "map = print,").hooks.items, 4)
    lu.assertEquals(with("items = { 1, { 2 } },", "map = print,").hooks.items, { 1, { 2 } })
    lu.assertEquals(with("expect = { 1, 2 },").hooks.expect, { 1, 2 })
    lu.assertEquals(with("expect = false,").hooks.expect, false)
end

function TestDeclare.test_a_scenario_maps_or_has_a_body()
    refused("x.lua:2: map: missing: nothing would be measured", with("", ""))
    refused("x.lua:3: body: map and body exclude each other", with "body = function() end,")
    refused("x.lua:2: items: missing: map has nothing to work on", with("", "map = print,"))
end

function TestDeclare.test_a_body_has_no_pool()
    local body = "body = function() end,"
    for _, key in ipairs { "fixed", "init", "finish", "reduce" } do
        refused(("x.lua:3: %s: belongs to map, and this scenario has a body"):format(key),
            with(key .. " = print,", body))
    end
    for _, key in ipairs { "pool", "delivery", "chunk", "barrier" } do
        local values = { pool = '"custom"', delivery = '"send"', chunk = "1", barrier = "true" }
        refused(("x.lua:3: %s: belongs to a pool, and body runs without one"):format(key),
            with(("%s = %s,"):format(key, values[key]), body))
    end
    local s = assert(with("workers = { 1, 2 }, setup = print, teardown = print, verify = print, work = print,", body))
    lu.assertNil(params.find(s.params, "pool"))
    lu.assertNotNil(params.find(s.params, "workers"))
end

function TestDeclare.test_own_parameters()
    refused("x.lua:3: workers: a built-in parameter; set it beside params", with "params = { workers = 4 },")
    refused("x.lua:3: params: 4 is not a table; write params = { name = default }", with "params = 4,")
    refused('x.lua:3: params: 1 is not a name', with 'params = { "kind" },')
    refused('x.lua:3: params: "a b" is not a name', with 'params = { ["a b"] = 1 },')
    refused("x.lua:3: impl: results use this name", with 'params = { impl = "a" },')
    refused("x.lua:5: kind: a function cannot be a parameter", with "params = {\nreads = false,\nkind = print },")
    local s = assert(with('params = { impl = { "a.py", "b.py" } },', "body = function() end,"))
    lu.assertEquals(params.find(s.params, "impl").values, { "a.py", "b.py" })
    lu.assertEquals(params.find(s.params, "impl").line, 3)
end

function TestDeclare.test_lines_are_those_of_the_keys()
    refused("x.lua:5: workers: 0 is below 1", load_text [[
return rig.scenario { -- workers = 7
  items = 4, map = function(workers) local workers = 3; return workers end,
  name = "x", about = "workers = 9",
  workers = 0,
}]])
end

function TestDeclare.test_a_table_made_elsewhere_gets_the_line_of_the_call_or_none()
    local err = refused("workers: 0 is below 1",
        load_text "local t = { workers = 0, items = 4, map = print }\nreturn rig.scenario(t)")
    lu.assertNil(err.line)
    refused("rig.scenario: nil is not a table", load_text "return rig.scenario()")
end

function TestDeclare.test_outside_of_a_file_it_raises_a_mistake_with_the_line_of_the_script()
    local fine, err = pcall(function()
        local s = language.scenario { items = 4, map = print, workres = 3 }
        return s
    end)
    lu.assertFalse(fine)
    lu.assertTrue(mistake.is(err))
    lu.assertStrContains(err.message, "workres: unknown key, given 3; did you mean workers?")
end

TestLoad = {}

function TestLoad.test_what_is_no_scenario_file()
    local err = refused("no/such.lua: no such file; rig list shows", scenario.load "no/such.lua")
    lu.assertEquals({ err.kind, err.file }, { "usage", "no/such.lua" })
    refused("workers_zero: no such file; did you mean", scenario.load(root .. "/tests/broken/workers_zero"))
    refused(": is a directory, not a scenario", scenario.load(root .. "/tests"))
    refused("x.lua: is compiled Lua (bytecode); give its source",
        scenario.load("x.lua", string.dump(function() return 1 end)))
    refused("x.lua: returns nothing; write return rig.scenario", scenario.load("x.lua", ""))
    refused("x.lua: returns 4, not a scenario", scenario.load("x.lua", "return 4"))
    refused("x.lua: returns { items = 4 }, not a scenario", scenario.load("x.lua", "return { items = 4 }"))
    refused("x.lua:2: declares a scenario and does not return it",
        load_text "local s = rig.scenario { items = 4, map = print }")
end

function TestLoad.test_an_endless_file_is_refused_after_a_bounded_read()
    refused("/dev/zero: has more than 16 MiB", scenario.load "/dev/zero")
end

function TestLoad.test_syntax_errors_have_the_whole_path()
    local long = ("long/"):rep(40) .. "x.lua"
    refused(long .. ":2: syntax error: ", scenario.load(long, "return {\nitems = = 4 }"))
    refused("something is not closed", scenario.load("x.lua", "return {"))
    refused("is there a comma after the entry before it?", scenario.load("x.lua", "return {\na = 1\nb = 2 }"))
end

function TestLoad.test_errors_have_the_whole_path_and_the_line()
    local long = ("long/"):rep(40) .. "x.lua"
    local err = refused(long .. ":2: loading failed: attempt to call a nil value", scenario.load(long, "local a\na()"))
    lu.assertEquals(err.line, 2)
    refused("x.lua:2: loading failed: out of luck", load_text 'error "out of luck"')
    refused("x.lua: loading failed: { 1 } was raised in place of a message", load_text "error { 1 }")
    refused("x.lua:2: rig.logspace: 8 to 1 does not rise", load_text "local l = rig.logspace(8, 1, 3)")
end

function TestLoad.test_a_first_line_for_the_shell_and_a_byte_order_mark_are_skipped()
    lu.assertNotNil(scenario.load("x.lua", "#!/usr/bin/env rig\n" .. HEAD .. "return rig.scenario { body = print }"))
    lu.assertNotNil(scenario.load("x.lua", "\xef\xbb\xbf" .. HEAD .. "return rig.scenario { body = print }"))
    refused("x.lua:4: workers:", scenario.load("x.lua", "#!/usr/bin/env rig\n" .. HEAD ..
        "return rig.scenario { body = print,\nworkers = 0 }"))
end

function TestLoad.test_one_scenario_may_load_another()
    scenario.nested = function() return scenario.load("inner.lua", HEAD .. "return rig.scenario { body = 4 }") end
    package.loaded.rig.nested = scenario.nested
    refused("x.lua:3: workers: 0 is below 1", load_text [[
local s, err = rig.nested(); assert(not s and err.file == "inner.lua")
return rig.scenario { body = print, workers = 0 }]])
    scenario.nested, package.loaded.rig.nested = nil, nil
end

TestGlobals = {}

function TestGlobals.test_writing_one()
    local err = refused("x.lua:2: count: 3 is assigned to a global; write local count = ...", load_text "count = 3")
    lu.assertEquals({ err.line, err.key, err.value }, { 2, "count", 3 })
    lu.assertNil(rawget(_G, "count"))
    refused("x.lua:2: count: a function is assigned", load_text "function count() end")
    refused("x.lua:2: count: 3 is assigned", load_text "_G.count = 3")
end

function TestGlobals.test_reading_an_undefined_one_names_what_is_near()
    refused("x.lua:3: sise: undefined, read here as a global; did you mean size?",
        load_text "local size = 3\nreturn sise")
    refused("did you mean size?", load_text "local size = 3\nreturn (function() return size + sise end)()")
    refused("x.lua:2: pritn: undefined, read here as a global; did you mean print?", load_text "pritn(4)")
    refused("zzzzzzz: undefined, read here as a global; declare it before: local zzzzzzz", load_text "return zzzzzzz")
    refused('rig: undefined, read here as a global; add local rig = require "rig"',
        scenario.load("x.lua", "return rig.scenario {}"))
end

function TestGlobals.test_in_a_hook_the_error_is_plain_text_with_the_line()
    local s = assert(with("init = function() total = 1 end, setup = function() return totl end,"))
    for hook, message in pairs {
        init = "x.lua:3: total: 1 is assigned to a global; write local total = ...",
        setup = "x.lua:3: totl: undefined, read here as a global; declare it before: local totl = ...",
    } do
        local fine, err = pcall(s.hooks[hook])
        lu.assertFalse(fine)
        lu.assertEquals(err, message)
    end
end

function TestGlobals.test_code_made_at_run_time_is_held_to_the_same()
    refused("leaked: 1 is assigned to a global", load_text 'load("leaked = 1")()')
    lu.assertNotNil(load_text [[
local env = {}
load("fine = 1", "chunk", "t", env)()
assert(env.fine == 1)
return rig.scenario { body = print }]])
end

function TestGlobals.test_the_usual_ones_are_there()
    lu.assertNotNil(load_text [[
assert(string.format and math.floor and os.getenv and io.open and pairs and _VERSION and _G.print == print)
return rig.scenario { body = print }]])
end

TestRequire = {}

-- Runs take(folder) with the files in a folder that is gone afterwards.
local function with_files(files, take)
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir -p '" .. folder .. "/sub'"))
    for name, text in pairs(files) do
        local file <close> = assert(io.open(folder .. "/" .. name, "wb"))
        file:write(text)
    end
    local fine, err = pcall(take, folder)
    assert(os.execute("rm -r '" .. folder .. "'"))
    if not fine then error(err, 0) end
end

local function file_with(line)
    return HEAD .. line .. "\nreturn rig.scenario { body = print, about = tostring(m.answer) }"
end

function TestRequire.test_looks_beside_the_scenario_first()
    package.loaded.helper = { answer = "installed" }
    with_files({
        ["a.lua"] = file_with 'local m, where = require "helper"; assert(where:find "helper.lua$")',
        ["b.lua"] = file_with 'local m = require "sub.deep"',
        ["helper.lua"] = "return { answer = 'beside' }",
        ["sub/deep.lua"] = "return { answer = require('helper').answer .. ' and deep' }",
    }, function(folder)
        lu.assertEquals(assert(scenario.load(folder .. "/a.lua")).about, "beside")
        lu.assertEquals(assert(scenario.load(folder .. "/b.lua")).about, "beside and deep")
    end)
    lu.assertEquals(package.loaded.helper.answer, "installed")
    package.loaded.helper = nil
end

function TestRequire.test_falls_back_on_what_is_installed_and_runs_a_module_once()
    package.preload["rigtest_installed"] = function() return { answer = "installed" } end
    with_files({
        ["a.lua"] = file_with 'local m = require "rigtest_installed"',
        ["b.lua"] = file_with 'require "once"; require "once"; local m = { answer = require("counter").n }',
        ["once.lua"] = 'local c = require "counter"; c.n = c.n + 1',
        ["counter.lua"] = "return { n = 0 }",
    }, function(folder)
        lu.assertEquals(assert(scenario.load(folder .. "/a.lua")).about, "installed")
        lu.assertEquals(assert(scenario.load(folder .. "/b.lua")).about, "1")
    end)
    package.preload["rigtest_installed"], package.loaded["rigtest_installed"] = nil, nil
end

function TestRequire.test_what_goes_wrong_in_a_module_names_its_file()
    with_files({
        ["a.lua"] = file_with 'local m = require "syntax"', ["syntax.lua"] = "return {\n= }",
        ["b.lua"] = file_with 'local m = require "leaks"', ["leaks.lua"] = "\nleak = 1",
        ["c.lua"] = file_with 'local m = require "bytes"', ["bytes.lua"] = string.dump(function() end),
        ["d.lua"] = file_with 'local m = require "no_such_module"',
        ["e.lua"] = file_with "local m = require(4)",
    }, function(folder)
        refused(folder .. "/syntax.lua:2: syntax error", scenario.load(folder .. "/a.lua"))
        refused(folder .. "/leaks.lua:2: leak: 1 is assigned to a global", scenario.load(folder .. "/b.lua"))
        refused(folder .. "/bytes.lua: is compiled Lua", scenario.load(folder .. "/c.lua"))
        refused(("%s/d.lua:2: require: module \"no_such_module\" is neither beside the scenario (%s/) nor installed")
            :format(folder, folder), scenario.load(folder .. "/d.lua"))
        refused("e.lua:2: require: 4 is not a module's name", scenario.load(folder .. "/e.lua"))
    end)
end

TestOverride = {}

local function sample()
    return assert(with [[pool = { "builtin", "custom" }, size = 10,
params = { kind = { "array", "table" }, reads = false },]])
end

local function values_of(s, name)
    return params.find(s.params, name).values
end

function TestOverride.test_sets_values_of_every_type()
    local s = sample()
    lu.assertTrue(scenario.override(s, {
        { name = "workers", text = "1..3" }, { name = "size", text = "1e5..1e8:4" }, { name = "kind", text = "table" },
        { name = "reads", text = "true,false" }, { name = "pool", text = "serial" }, { name = "timeout", text = "5s" },
    }))
    lu.assertEquals(values_of(s, "workers"), { 1, 2, 3 })
    lu.assertEquals(values_of(s, "size"), { 100000, 1000000, 10000000, 100000000 })
    lu.assertEquals(values_of(s, "kind"), { "table" })
    lu.assertEquals(values_of(s, "reads"), { true, false })
    lu.assertEquals(values_of(s, "timeout"), { 5 })
    lu.assertEquals(params.find(s.params, "pool").origin, "command line")
    lu.assertEquals(params.find(s.params, "pool").declared, { "builtin", "custom" })
    lu.assertEquals(params.find(s.params, "chunk").origin, "default")
end

function TestOverride.test_changes_nothing_when_anything_is_wrong()
    local s = sample()
    refused("command line: workers: 2.5 is not a whole number; give an integer from 1 to 4096",
        scenario.override(s, { { name = "size", text = "5" }, { name = "workers", text = "2.5" } }))
    lu.assertEquals(values_of(s, "size"), { 10 })
end

function TestOverride.test_unknown_names()
    local err = refused("command line: wrkers: no such parameter; did you mean workers?",
        scenario.override(sample(), { { name = "wrkers", text = "2" } }))
    lu.assertEquals({ err.kind, err.key, err.value }, { "usage", "wrkers", "2" })
    refused("knd: no such parameter; did you mean kind?", scenario.override(sample(), { { name = "knd", text = "" } }))
    refused("map: a hook is the scenario's own", scenario.override(sample(), { { name = "map", text = "x" } }))
    refused("size: given twice; write size=A,B", scenario.override(sample(),
        { { name = "size", text = "1" }, { name = "size", text = "2" } }))
    local body = assert(with("", "body = print,"))
    refused("pool: belongs to a pool", scenario.override(body, { { name = "pool", text = "custom" } }))
end

function TestOverride.test_describe_says_what_will_run_and_what_would_without_the_command_line()
    local s = sample()
    assert(scenario.override(s, { { name = "workers", text = "1,2" } }))
    local rows = {}
    for _, row in ipairs(params.describe(s)) do rows[row.name] = row end
    lu.assertEquals(rows.workers, {
        name = "workers", kind = "builtin", type = "integer", accepts = "an integer from 1 to 4096",
        values = { "1", "2" }, default = "4", origin = "command line", help = "processes that do the tasks",
    })
    lu.assertEquals({ rows.kind.type, rows.kind.accepts, rows.kind.default },
        { "enum", "array or table", "array,table" })
    lu.assertEquals(rows.pool.default, "builtin,custom")
    lu.assertEquals(rows.timeout.values, { "none" })
    lu.assertEquals(rows.channel.accepts, "pipe, socket, ring, queue or preset")
end

TestSource = {}

local function keys_of(text)
    local found = {}
    for _, key in ipairs(source.scenario_keys(text) or {}) do found[#found + 1] = key.name .. ":" .. key.line end
    return table.concat(found, " ")
end

function TestSource.test_finds_keys_and_lines()
    lu.assertEquals(keys_of "return rig.scenario {\n a = 1,\n b = { c = 2 }; ['d'] = 3,\n}", "a:2 b:3 d:3")
    lu.assertEquals(keys_of "return r.scenario({\n a = 1 })", "a:2")
end

function TestSource.test_is_not_misled()
    lu.assertEquals(keys_of [==[
-- rig.scenario { no = 1 }
local text = "rig.scenario { no = 1 }" .. [[ rig.scenario { no = 2
]]
return rig.scenario {
  a = function(x) local y, z = 1, 2 if x == y then z = 3 end for i = 1, 2 do z = i end repeat z = 1 until true end,
  b = { x = 1, y = { z = 2 } }, -- c = 3,
  --[[ d = 4,
  ]] e = f "g = 5", h = "\", i = 6, \"", ["j"] = k[1], l = (m == n), o = p.q { r = 7 },
}]==], "a:5 b:6 e:8 h:8 j:8 l:8 o:8")
end

function TestSource.test_own_parameters_are_inside()
    local keys = source.scenario_keys "return rig.scenario {\n params = {\n kind = 1,\n reads = 2 } }"
    lu.assertEquals(source.line_of(keys, "params", "reads"), 4)
    lu.assertEquals(source.line_of(keys, "params", "nothing"), 2)
    lu.assertNil(source.line_of(keys, "nothing"))
    lu.assertNil(source.line_of(nil, "nothing"))
end

function TestSource.test_survives_what_is_no_lua()
    for _, text in ipairs {
        "", "\0\1\255", "x.scenario {", "x.scenario { a = ", "x.scenario { [", "x.scenario{'", "--[[", "[[", "\"",
    } do
        lu.assertEquals(type(keys_of(text)), "string")
    end
    lu.assertNil(source.scenario_keys(nil))
end

TestBrokenFiles = {}

do
    local pipe <close> = assert(io.popen("cd '" .. root .. "/tests/broken' && ls *.lua"))
    for name in pipe:lines() do
        local file <close> = assert(io.open(root .. "/tests/broken/" .. name))
        local text = file:read "a"
        local pattern = text:match "^%-%- expect: exit 2; ([^\n]*)\n"
        TestBrokenFiles["test_" .. name] = function()
            local s, err = scenario.load(root .. "/tests/broken/" .. name)
            if s and not text:find("\n-- args: ", 1, true) then
                local made
                made, err = plan.make(s)
                s = made and s
            end
            if name:find "^run_" or text:find("\n-- args: ", 1, true) then return lu.assertNotNil(s) end
            refused("", s, err)
            lu.assertNotNil(err.message:find(pattern), err.message .. " is not " .. tostring(pattern))
        end
    end
end

os.exit(lu.LuaUnit.run())
