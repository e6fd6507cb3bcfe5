--- What tasks of the contract tests do: the item says which act. A module of its own, because a fresh process
--- (start = spawn) finds `play`, `begin` and `finish` by their names here.
--- Not for checking anything: contract.lua opens pools over it, tests/lua/test_contract*.lua look at them.

local core = require "rig.core"

local M = {}

-- Far more than anything here takes: what waits for so long waits for ever.
local HANG_S = 60

---Adds a line to a file. Lines of several processes do not mix: each is one write at the end of the file.
---@param path string
---@param text string|integer
function M.tell(path, text)
    local file <close> = assert(io.open(path, "a"))
    assert(file:write(text, "\n"))
end

-- That this task was begun: in a cell that no other process writes to, or where there is no memory in common as a line.
local function note(w)
    local p = w.p
    if p.cells then
        local at = (w.id - 1) * p.n + w.index
        p.cells[at] = p.cells[at] + 1
    elseif p.begun then
        M.tell(p.begun, w.index)
    end
end

local acts = {}

function acts.value(item) return item.value end

function acts.twice(item) return item.value * 2 end

function acts.bad(item) error(item.message) end

function acts.exit(item) os.exit(item.code) end

-- $PPID of the shell is the process that runs this task
function acts.signal(item)
    os.execute("kill -" .. item.name .. " $PPID")
    core.sleep(HANG_S)
end

function acts.forever()
    while true do end
end

---Says that it runs, and waits until a file is there.
function acts.gate(item)
    if item.started then M.tell(item.started, "started") end
    local deadline = core.now() + HANG_S
    repeat
        local file <close> = io.open(item.open)
        if file then return item.value end
        core.sleep(0.002)
    until core.now() > deadline
    error("nobody made " .. item.open)
end

function acts.big(item)
    return { #item.data, ("r"):rep(item.back) }
end

function acts.uncrossable() return { at = { print } } end

function acts.about(_, _, w)
    return { id = w.id, index = w.index, p = w.p.base, random = w.rng:int(1, 1 << 40) }
end

function acts.state(_, fixed, w) return { w.state, fixed.list[2] } end

---A pool like the one that it is in, inside of it.
function acts.inside(item)
    local spec = { workers = 2, map = item.spawn and "double" or M.double }
    if item.spawn then spec.module = "contract_jobs" end
    for name, value in pairs(item.spec) do spec[name] = value end
    local pool <close> = assert(require("rig").pool(spec))
    local results = pool:map(5)
    assert(pool:close())
    return results[5] + item.value
end

---A task.
function M.play(item, fixed, w)
    note(w)
    local value = acts[item.act](item, fixed, w)
    return value -- no tail call, which would take this frame out of tracebacks
end

function M.double(item, _, w)
    note(w)
    return item * 2
end

---Gives the number back, or nil or false for some of them.
function M.sometimes(item)
    if item % 3 == 0 then return nil end
    return item % 3 == 1 and item
end

function M.same(item) return item end

-- What the fixed data of these tests comes to: whoever has the same number has the same data.
local function digest(fixed)
    return ("%d %d %s %q %q"):format(#fixed.array, fixed.array:sum(), table.concat(fixed.list, ","), fixed.nested.text,
        fixed.nested.number)
end
M.digest = digest

function M.begin(p, fixed)
    if p.held then M.tell(p.held, digest(fixed)) end
    if p.init_fails then error "no state for anybody" end
    return p.base
end

function M.finish(w)
    if w.p.finished then M.tell(w.p.finished, w.id) end
    if w.p.finish_fails then error "no orderly end" end
end

return M
