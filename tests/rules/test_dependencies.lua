-- Dependencies point one way, in C and in Lua: which file may include or require which, who may speak to the kernel,
-- who may print or exit. Reads the sources and the object files; says nothing about how the code behaves.

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

local function read(path)
    return rigtest.read(rigtest.source(path))
end

-- ---------------------------------------------------------------------------------------------------------------------
-- C: includes

-- what each floor may include of ours; made files (rig_build.h) belong to the floor that uses them
local may_include = {
    os = { os = true },
    pool = { os = true, pool = true },
    bind = { os = true, pool = true, bind = true, include = true, made = true },
    include = {},
    cmake = {}, -- runs while rig is built, and is no part of it
    api = { os = true, pool = true, bind = true, include = true, made = true },
    main = { include = true },
}

local function floor_of(path)
    if path == "core/rig.c" then return "api" end
    if path == "core/main.c" then return "main" end
    return path:match "^core/(%w+)/"
end

-- the floor of an included name: beside the includer, else under core/ or core/include/
local function floor_included(path, name)
    if name == "rig_build.h" then return "made" end
    local beside = path:match "^(.*/)" .. name
    for _, candidate in ipairs { beside, "core/" .. name, "core/include/" .. name } do
        if rigtest.exists(rigtest.source(candidate)) then
            -- "../os/sys.h" is the floor that it leads to
            while candidate:find "[^/]+/%.%./" do candidate = candidate:gsub("[^/]+/%.%./", "", 1) end
            return floor_of(candidate)
        end
    end
end

TestIncludes = {}

function TestIncludes.test_floors_include_only_what_lies_below()
    local seen = 0
    for _, path in ipairs(lines_of "find core -name '*.[ch]' | sort") do
        local floor = floor_of(path)
        lu.assertNotNil(may_include[floor], path .. " belongs to no floor")
        for name in read(path):gmatch '#%s*include%s*"([^"]+)"' do
            local target = floor_included(path, name)
            lu.assertNotNil(target, ("%s includes %s, which is nowhere"):format(path, name))
            lu.assertTrue(may_include[floor][target] == true,
                ("%s includes %s: %s must not know %s"):format(path, name, floor, target))
            seen = seen + 1
        end
    end
    lu.assertTrue(seen > 0)
end

function TestIncludes.test_only_bind_and_rig_c_know_lua()
    local seen = 0
    for _, path in ipairs(lines_of "find core -name '*.[ch]' | sort") do
        local floor = floor_of(path)
        for name in read(path):gmatch "#%s*include%s*[<\"]([^>\"]+)[>\"]" do
            if name:match "^lua" or name:match "^lauxlib" then
                local may = floor == "bind" or floor == "api" or floor == "cmake"
                lu.assertTrue(may, ("%s includes %s"):format(path, name))
                seen = seen + 1
            end
        end
    end
    lu.assertTrue(seen > 0)
end

-- ---------------------------------------------------------------------------------------------------------------------
-- C: only core/os calls the kernel (and malloc)

-- What the floors above may take from libc: things that work on memory alone. A name that is missing here either
-- belongs into core/os, behind its table, or into this list if it asks nothing of the kernel.
local harmless = {
    "^mem[^f]", "^bcmp$",
    "^str%l", "^stpcpy$", "^__mem", "^__str", "^__isoc%d+_strto", "^__isoc%d+_sscanf$", "^v?snprintf$",
    "^__v?snprintf_chk$", "^qsort$", "^bsearch$", "^isalnum$", "^to%l+er$",
    "^__cmsg_nxthdr$", "^__ctype_", "^__errno_location$", "^__stack_chk_fail$", "^__assert_fail$", "^abort$",
    "^_setjmp$", "^longjmp$", "^__longjmp_chk$",
    -- mathematics
    "^l?log[%dp]*f?$", "^exp[%d]*f?$", "^pow$", "^sqrt$", "^floor$", "^ceil$", "^l?l?round$", "^trunc$", "^fmod$",
    "^frexp$", "^ldexp$", "^sin$", "^cos$", "^fabs$", "^l?l?rint$", "^nearbyint$",
    "^getenv$", "^sigabbrev_np$",
    -- reading the clock is inline in os/clock.h
    "^clock_gettime$",
    -- stdio is Lua's: its buffers are flushed around a fork, or a child would write them again
    "^fflush$",
    -- the linker's own, and instrumentation
    "^_GLOBAL_OFFSET_TABLE_$", "^environ$", "^__popcountdi2$", "^_DYNAMIC$", "^__tls_get_addr$",
    "^__[aut]?[sbl]*san_", "^__ubsan_", "^__asan_", "^__tsan_", "^__gcov_", "^__llvm_", "^__sanitizer_",
}

local function is_harmless(name)
    -- these allocate
    if name == "strdup" or name == "strndup" then return false end
    for _, pattern in ipairs(harmless) do
        if name:find(pattern) then return true end
    end
    return false
end

---@param objects string paths, separated by spaces
---@return table<string, string> defined, table<string, string> undefined symbol to object
local function symbols_of(objects)
    local defined, undefined = {}, {}
    for _, line in ipairs(lines_of("nm -A " .. objects)) do
        local object, kind, name = line:match "^(.-):%x*%s+(%a) (%S+)"
        if kind == "U" or kind == "w" then
            undefined[name] = object:match "[^/]*$"
        elseif kind then
            defined[name] = object:match "[^/]*$"
        end
    end
    return defined, undefined
end

TestKernel = {}

local function past_the_table(objects, allowed)
    local all = table.concat({ os.getenv "RIG_OS_OBJECTS", os.getenv "RIG_POOL_OBJECTS", os.getenv "RIG_BIND_OBJECTS",
        os.getenv "RIG_API_OBJECTS" }, " ")
    local ours = symbols_of(all)
    local _, undefined = symbols_of(objects)
    local wrong, seen = {}, 0
    for name, object in pairs(undefined) do
        seen = seen + 1
        if not (ours[name] or is_harmless(name) or allowed and name:find(allowed)) then
            wrong[#wrong + 1] = object .. " calls " .. name
        end
    end
    table.sort(wrong)
    return table.concat(wrong, "\n"), seen
end

local function check_floor(floor, allowed)
    local wrong, seen = past_the_table(assert(os.getenv("RIG_" .. floor .. "_OBJECTS")), allowed)
    lu.assertTrue(seen > 0, "no symbols: nm found nothing to look at")
    lu.assertEquals(wrong, "", "past core/os")
end

-- What the files of core/os may take from libc beside sys.c: a lock that is held for a few lines, the linker (tests
-- give it shared objects that fail), and memory of this process.
local may_call = {
    fds = "^pthread_mutex_u?n?lock$",
    dso = "^dl%l+$",
    spawn = "^unsetenv$",
    proc = "^sigfillset$",
}


function TestKernel.test_pools_go_through_the_table()
    check_floor("POOL")
end

function TestKernel.test_bindings_go_through_the_table()
    check_floor("BIND", "^lua")
end

function TestKernel.test_the_public_interface_goes_through_the_table()
    check_floor("API", "^lua")
end

function TestKernel.test_within_core_os_only_sys_c_calls_the_kernel_and_malloc()
    local seen = 0
    for object in assert(os.getenv "RIG_OS_OBJECTS"):gmatch "%S+" do
        local name = object:match "([^/]*)%.c%.o$"
        if name ~= "sys" then
            lu.assertEquals(past_the_table(object, may_call[name]), "", "past core/os/sys.c")
            seen = seen + 1
        end
    end
    lu.assertTrue(seen > 5)
end

-- Who does call the kernel is noticed: the check above can fail.
function TestKernel.test_a_call_past_the_table_is_noticed()
    local wrong = past_the_table(assert(os.getenv("RIG_OS_OBJECTS"):match "%S*/sys%.c%.o"))
    for _, name in ipairs { "malloc", "fork", "pipe2", "sendmsg", "syscall", "setitimer" } do
        lu.assertStrContains(wrong .. "\n", " calls " .. name .. "\n")
    end
end

-- ---------------------------------------------------------------------------------------------------------------------
-- Lua: layers, purity, who prints

-- Code without comments and strings, so that words in a message are no calls. Long brackets included.
local function code_of(path)
    local text = read(path)
    text = text:gsub("%-%-%[(=*)%[.-%]%1%]", " "):gsub("%[(=*)%[.-%]%1%]", '""')
    text = text:gsub('\\.', ""):gsub('"[^"\n]*"', '""'):gsub("'[^'\n]*'", "''"):gsub("%-%-[^\n]*", "")
    return text
end

-- Is the global `name` used? a.os, a:os and the key in { os = 1 } are others.
local function uses_global(code, name)
    for at, stop in code:gmatch("()%f[%w_]" .. name .. "%f[^%w_]()") do
        local before = code:sub(math.max(1, at - 2), at - 1)
        local field = before:match "[.:]$" and before ~= ".."
        local key = code:match("^%s*=[^=]", stop)
        if not field and not key then return true end
    end
    return false
end

local function modules()
    local list = {}
    for _, path in ipairs(lines_of "find lua -name '*.lua' | sort") do
        local name = path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
        list[name] = path
    end
    return list
end

---@return string[] the modules of ours that a file requires
local function requires_of(path)
    local list = {}
    -- our requires are in double quotes; one inside single quotes stands in a message
    for name in read(path):gsub("'[^'\n]*'", "''"):gsub("%-%-[^\n]*", ""):gmatch 'require%s*%(?%s*"([%w_.]+)"' do
        if name:match "^rig" then list[#list + 1] = name end
    end
    return list
end

-- table in, table or string out
local numerics = {
    ["rig.stats"] = true, ["rig.paired"] = true, ["rig.fits"] = true, ["rig.fits.crossing"] = true,
    ["rig.fits.ranks"] = true, ["rig.fits.usl"] = true, ["rig.bootstrap"] = true, ["rig.distributions"] = true,
}

local function is_pure(name)
    return numerics[name] or name:match "^rig%.compare" ~= nil or name:match "^rig%.findings" ~= nil
        or name:match "^rig%.report%." ~= nil or name:match "^rig%.thresholds" ~= nil
        or name:match "^rig%.doctor%.judge" ~= nil or name == "rig.doctor.text"
end

-- and what these may lean on, which must be as quiet
local leaves = {
    ["rig.names"] = true, ["rig.units"] = true, ["rig.axes"] = true, ["rig.json"] = true, ["rig.status"] = true,
    ["rig.values"] = true, ["rig.mistake"] = true,
}

-- higher ones know lower ones, never the other way round; those not named know neither runner nor command line
local height = { ["rig.core"] = 0, ["rig.scenario"] = 2, ["rig.plan"] = 3, ["rig.runner"] = 4, ["rig.host"] = 5,
    ["rig.ab.command"] = 5,    ["rig.cli"] = 6, rig = 6 }

TestLuaModules = {}

function TestLuaModules.test_pure_modules_know_no_core_and_no_world()
    local seen = 0
    for name, path in pairs(modules()) do
        if is_pure(name) then
            seen = seen + 1
            local code = code_of(path)
            for _, global in ipairs { "io", "os", "print", "dofile", "loadfile" } do
                lu.assertFalse(uses_global(code, global), ("%s uses %s; it must be pure"):format(path, global))
            end
            for _, other in ipairs(requires_of(path)) do
                lu.assertTrue(is_pure(other) or leaves[other] == true,
                    ("%s requires %s; it must be pure"):format(path, other))
            end
        end
    end
    lu.assertTrue(seen > 0)
end

function TestLuaModules.test_leaves_know_nothing_higher()
    for name, path in pairs(modules()) do
        if leaves[name] then
            for _, other in ipairs(requires_of(path)) do
                lu.assertTrue(leaves[other] == true, ("%s requires %s"):format(path, other))
            end
        end
    end
end

function TestLuaModules.test_layers_point_downwards()
    for name, path in pairs(modules()) do
        for _, other in ipairs(requires_of(path)) do
            local mine, its = height[name] or 3.5, height[other] or 0
            lu.assertTrue(mine > its or mine == its and its < 2, ("%s requires %s: upwards"):format(path, other))
        end
    end
end

function TestLuaModules.test_only_the_command_line_prints_and_exits()
    local may_print = { ["rig.cli"] = true, ["rig.progress"] = true }
    for name, path in pairs(modules()) do
        local code = code_of(path)
        local top = name:match "^rig%.cli" and "rig.cli" or name
        if not may_print[top] then
            lu.assertFalse(uses_global(code, "print"), path .. " prints; only the command line does")
            for _, call in ipairs { "io%.write", "io%.stdout", "io%.stderr" } do
                lu.assertNil(code:find("%f[%w_]" .. call), path .. " writes to the terminal; only the cli does")
            end
        end
        if top ~= "rig.cli" then
            lu.assertNil(code:find "%f[%w_]os%.exit", path .. " exits; only the command line does")
        end
    end
end

function TestLuaModules.test_every_module_loads_in_a_stock_interpreter_without_the_core()
    local lua = assert(os.getenv "LUA_STOCK")
    local alone = {
        "names", "values", "units", "axes", "params", "scenario", "sandbox", "plan", "stats", "findings", "json",
        "paired", "bootstrap", "fits", "compare", "status", "results", "report.text", "report.json", "thresholds",
    }
    for _, name in ipairs(alone) do
        local path = rigtest.source "lua/?.lua" .. ";" .. rigtest.source "lua/?/init.lua" .. ";;"
        local command = ("LUA_PATH=%s %s -e %s 2>&1"):format(rigtest.quote(path), rigtest.quote(lua),
            rigtest.quote(('package.preload["rig.core"] = function() error "the core is not here" end require "rig.%s"')
                :format(name)))
        local pipe <close> = assert(io.popen(command))
        lu.assertEquals(pipe:read "a", "", name)
    end
end

os.exit(lu.LuaUnit.run())
