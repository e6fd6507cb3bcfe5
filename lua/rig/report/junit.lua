-- A results document as JUnit XML, which CI systems show: each case, threshold and verdict is a test case of its own.
-- What is only advice or not settled passes, and says so in its output.
-- Not for reading it back. Neighbours: judged (what is red), change (figures), plain (what XML can hold).

local change = require("rig.report.change")
local human = require("rig.report.human")
local judged = require("rig.report.judged")
local plain = require("rig.report.plain")
local text_report = require("rig.report.text")

local M = {}

local MOST_ERRORS = 20
local LONGEST_TEXT = 4000

local ENTITIES = {
    ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["\n"] = "&#10;", ["\r"] = "&#13;",
    ["\t"] = "&#9;",
}

-- A reader turns bare line ends of an attribute into spaces.
local function attribute(text)
    return (plain.text(text):gsub('[&<>"\n\r\t]', ENTITIES))
end

local function content(text)
    return (plain.text(text):gsub("[&<>\r]", ENTITIES))
end

-- Written as decimals: schemas know no exponents.
local function seconds(s)
    return ("%.6f"):format((s and s >= 0 and s < 1e15) and s or 0)
end

---@class rig.JunitCase
---@field class string
---@field name string
---@field time number|nil
---@field result "failure"|"error"|"skipped"|nil
---@field type string|nil
---@field message string|nil
---@field details string|nil  what stands inside the result
---@field output string|nil

local function error_line(failure)
    local words = {}
    for _, name in ipairs({ "iteration", "task", "worker", "pid", "signal", "exit" }) do
        if failure[name] then words[#words + 1] = ("%s %s"):format(name, failure[name]) end
    end
    if failure.retried then words[#words + 1] = "tried again" end
    return ("%s: %s (%s)"):format(failure.outcome, failure.message or "", table.concat(words, ", "))
end

local function details_of(case)
    local lines = {}
    if case.reason then lines[1] = case.reason end
    for i, iteration in ipairs(case.iterations or {}) do
        if iteration.right == false then
            lines[#lines + 1] = ("iteration %d: wrong result: %s"):format(i, tostring(iteration.result))
        end
    end
    local left = #(case.errors or {}) - MOST_ERRORS
    for i = 1, math.min(MOST_ERRORS, #(case.errors or {})) do lines[#lines + 1] = error_line(case.errors[i]) end
    if left > 0 then lines[#lines + 1] = ("and %d more; all are in the JSON"):format(left) end
    return table.concat(lines, "\n")
end

local RESULT = {
    failed = "failure", faulted = "error", error = "error", interrupted = "error", skipped = "skipped",
}
local TYPE = {
    failed = "wrong result", faulted = "task did not end ok", error = "scenario error", interrupted = "interrupted",
}

local function of_case(doc, case)
    local result = RESULT[case.status]
    return {
        class = doc.scenario.name, name = case.label or ("case %d"):format(case.index), time = case.total_s,
        result = result, type = TYPE[case.status], message = case.reason or case.status,
        details = result and result ~= "skipped" and details_of(case) or nil,
    }
end

local function of_verify(doc)
    local verify = doc.verify
    if not verify then return nil end
    return {
        class = doc.scenario.name, name = "verify", result = not verify.right and "failure" or nil,
        type = "verify", message = verify.message or "verify says that the run is wrong",
    }
end

local function of_threshold(doc, t)
    local one = { class = doc.scenario.name .. ".thresholds", name = change.threshold_name(t),
        message = change.threshold(t) }
    if not t.passed then
        one.result, one.type = "failure", "threshold"
    elseif judged.is_left_out(t) then
        one.result = "skipped"
    else
        one.output = one.message
    end
    return one
end

local function of_verdict(doc, v)
    local sentence = change.sentence(v)
    local one = { class = doc.scenario.name .. ".verdicts", name = change.name(v), message = sentence }
    if not judged.is_valid(doc) then
        one.result, one.message = "skipped", "base differs from itself, so this says nothing: " .. sentence
    elseif judged.is_red(doc, v) then
        one.result, one.type = "failure", v.verdict
    else
        one.output = ("%s: %s"):format(v.verdict, sentence)
    end
    return one
end

-- Readers tell test cases by class and name; two of the same would be shown as one.
local function make_unique(list)
    local seen = {}
    for _, one in ipairs(list) do
        local key = one.class .. "\0" .. one.name
        seen[key] = (seen[key] or 0) + 1
        if seen[key] > 1 then one.name = ("%s (%d)"):format(one.name, seen[key]) end
    end
end

---@return rig.JunitCase[]
local function test_cases(doc)
    local list = {}
    for _, case in ipairs(doc.cases) do list[#list + 1] = of_case(doc, case) end
    list[#list + 1] = of_verify(doc)
    for _, t in ipairs(doc.thresholds or {}) do list[#list + 1] = of_threshold(doc, t) end
    for _, v in ipairs(doc.verdicts or {}) do list[#list + 1] = of_verdict(doc, v) end
    make_unique(list)
    return list
end

-- A parser refuses a document with a text of many megabytes; all of it is in the JSON.
local function cut(text)
    if #text <= LONGEST_TEXT then return text end
    return text:sub(1, utf8.offset(text, 0, LONGEST_TEXT) - 1) .. ("… (%d more bytes)"):format(#text - LONGEST_TEXT)
end

local function result_element(one)
    local kind = one.type and (' type="%s"'):format(attribute(one.type)) or ""
    local open = ('      <%s%s message="%s"'):format(one.result, kind, attribute(cut(plain.text(one.message))))
    if not one.details or one.details == "" then return open .. "/>" end
    return ("%s>%s</%s>"):format(open, content(cut(plain.text(one.details))), one.result)
end

local function element(one)
    local open = ('    <testcase classname="%s" name="%s" time="%s"'):format(attribute(one.class),
        attribute(one.name), seconds(one.time))
    local inner = {}
    if one.result then inner[1] = result_element(one) end
    if one.output then
        inner[#inner + 1] = ("      <system-out>%s</system-out>"):format(content(cut(plain.text(one.output))))
    end
    if #inner == 0 then return open .. "/>" end
    return ("%s>\n%s\n    </testcase>"):format(open, table.concat(inner, "\n"))
end

local function properties(doc)
    local host, ab = doc.host or {}, doc.ab or {}
    local rows = {
        { "command", text_report.command(doc) }, { "seed", doc.seed }, { "label", doc.label },
        { "rig", doc.rig.version }, { "commit", doc.rig.commit }, { "status", doc.status }, { "exit", doc.exit },
        { "scenario.file", doc.scenario.file }, { "scenario.sha256", doc.scenario.sha256 },
        { "host.cpu", host.cpu }, { "host.cores", host.cores }, { "host.memory_bytes", host.memory_bytes },
        { "host.os", host["os"] }, { "host.kernel", host.kernel }, { "host.governor", host.governor },
        { "ab.base", ab.a }, { "ab.new", ab.b }, { "ab.min_effect", ab.min_effect },
        { "baseline", doc.baseline and doc.baseline.file },
    }
    local lines = {}
    for i = 1, #rows do
        local name, value = rows[i][1], rows[i][2]
        if value ~= nil then
            lines[#lines + 1] = ('      <property name="%s" value="%s"/>'):format(name, attribute(value))
        end
    end
    return table.concat(lines, "\n")
end

local function output(doc)
    local lines = {}
    for _, finding in ipairs(doc.findings or {}) do lines[#lines + 1] = human.clean(finding.text) end
    for _, note in ipairs(judged.notes(doc)) do lines[#lines + 1] = note.text end
    return table.concat(lines, "\n")
end

local function counts(list)
    local found = { failure = 0, error = 0, skipped = 0 }
    for _, one in ipairs(list) do
        if one.result then found[one.result] = found[one.result] + 1 end
    end
    return found
end

-- No zone: a schema that many readers follow allows none, and the time is UTC.
local function timestamp(started)
    return started:match("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d") or "1970-01-01T00:00:00"
end

---@param doc table  a results document
---@return string xml  ends in a newline
function M.render(doc)
    local list = test_cases(doc)
    local found = counts(list)
    local host = doc.host and doc.host.hostname
    local lines = {
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<testsuites>",
        ('  <testsuite id="0" package="rig" name="%s" timestamp="%s" hostname="%s" tests="%d" failures="%d" '
            .. 'errors="%d" skipped="%d" time="%s">'):format(attribute(doc.scenario.name), timestamp(doc.started),
            attribute(type(host) == "string" and host or "localhost"), #list, found.failure, found.error,
            found.skipped, seconds(doc.duration_s)),
        "    <properties>", properties(doc), "    </properties>",
    }
    for _, one in ipairs(list) do lines[#lines + 1] = element(one) end
    lines[#lines + 1] = ("    <system-out>%s</system-out>"):format(content(output(doc)))
    lines[#lines + 1] = "    <system-err/>"
    lines[#lines + 1] = "  </testsuite>"
    lines[#lines + 1] = "</testsuites>"
    return table.concat(lines, "\n") .. "\n"
end

return M
