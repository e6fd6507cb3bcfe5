-- Saved results from any bytes: JSON, the shape and the sense of a document, and all that works on one that passed.
-- Promised: JSON is refused with a place, or read, and what was read is the same after it was written and read again;
-- a document that is accepted can be shown in every form, and be compared as old and as new results, without an error;
-- what is written of it is accepted again.
-- Not for files: what is read is the input, whatever its name.

local folder = ...
local input = ""

-- sound results to compare the others with
local REFERENCE
do
    local file <close> = assert(io.open(folder .. "/corpus/results/passed_map.json", "rb"))
    REFERENCE = file:read "a"
end

-- the one way in which results reach a file
function io.open()
    local at = 1
    local file = setmetatable({}, { __close = function() end })
    function file.read(_, n)
        if at > #input then return nil end
        local piece = input:sub(at, at + n - 1)
        at = at + #piece
        return piece
    end
    return file
end
local core = require "rig.core"
function core.file_kind() return "file" end

local baseline = require "rig.baseline"
local comparison = require "rig.compare"
local json = require "rig.json"
local results = require "rig.results"

local FORMS = { "csv", "json", "junit", "markdown", "annotations" }
local JUDGED = { "junit", "markdown", "annotations" }
local LOOKS = { { color = false }, { color = true, columns = 40 } }

local function same(a, b, path)
    if type(a) ~= "table" or type(b) ~= "table" then
        assert(a == b and math.type(a) == math.type(b), ("%s: %s became %s"):format(path, a, b))
        return
    end
    for key, value in pairs(a) do same(value, b[key], path .. "." .. tostring(key)) end
    for key in pairs(b) do assert(a[key] ~= nil, path) end
end

-- What is no UTF-8 is read as it is and written as U+FFFD, so that is not the same again.
local function check_json(bytes)
    local value, problem = json.decode(bytes)
    if value == nil then
        assert(type(problem) == "string" and #problem > 0)
        assert(problem:find "^line %d+, column %d+: " or problem:find "^longer than", problem)
        return nil
    end
    local text = assert(json.encode(value, { pretty = #bytes % 2 == 0 }))
    if utf8.len(bytes) then same(value, (json.decode(text)), "value") end
    return value
end

local function show(doc, look, forms)
    assert(type(require("rig.report.text").render(doc, look)) == "string")
    assert(type(require("rig.report.changes").render(doc, look)) == "string")
    for _, form in ipairs(forms) do
        local text, problem = require("rig.report." .. form).render(doc)
        assert(type(text) == "string", problem)
        if form == "json" then assert(results.check(assert(json.decode(text)))) end
    end
end

local function read(text, how)
    input = text
    return how("input")
end

-- A place in rig's code is none of its readers' business; one that stands in the document may be quoted.
local function must_say(problem, bytes)
    assert(type(problem) == "string" and problem:find "^input: ", problem)
    local own = problem:match "[%w_/]*%.lua:%d+"
    if own and not bytes:find(own, 1, true) then
        assert(json.encode(json.decode(bytes)):find(own, 1, true), problem)
    end
end

-- What a comparison may be asked for.
local WISHES = {
    {}, { gate = { time = true, counters = true }, min_effect = 0.5, strict = true, accept_counters = true },
    { gate = { counters = true }, strict = true }, { gate = { time = true }, min_effect = 0.001 },
}

local reference = assert(read(REFERENCE, baseline.read))

-- With itself, and with sound results where they are of the same scenario; each input in one of the ways.
local function compare(doc, bytes)
    local base = doc
    local problem = comparison.no_baseline(doc)
    if problem or doc.scenario.name == reference.scenario.name and #bytes % 3 == 0 then base = reference end
    doc, problem = read(bytes, baseline.read_new)
    if not doc then return must_say(problem, bytes) end
    problem = baseline.apply(doc, base, "input", WISHES[#bytes % #WISHES + 1])
    if problem then must_say(problem, bytes) else show(doc, LOOKS[#bytes % 2 + 1], JUDGED) end
end

return function(bytes)
    if not check_json(bytes) then return end
    local doc, problem = read(bytes, results.read)
    if not doc then return must_say(problem, bytes) end
    show(doc, LOOKS[#bytes % 2 + 1], FORMS)
    compare(doc, bytes)
end
