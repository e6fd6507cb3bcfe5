-- Workflow commands of GitHub Actions, which show what went wrong beside the change that caused it:
-- ::error file=…,line=…,title=…::message. Whatever counts is an error, what needs a look a warning, the rest a notice.
-- Not for deciding where they are printed (cli). Neighbours: judged (what is red), change (figures).

local change = require("rig.report.change")
local human = require("rig.report.human")
local judged = require("rig.report.judged")
local plain = require("rig.report.plain")

local M = {}

-- GitHub shows ten of a kind for each step, and drops the others without a word.
local MOST = 10

local MESSAGE = { ["%"] = "%25", ["\r"] = "%0D", ["\n"] = "%0A" }
local PROPERTY = { ["%"] = "%25", ["\r"] = "%0D", ["\n"] = "%0A", [":"] = "%3A", [","] = "%2C" }

local function message(text)
    return (plain.text(text):gsub("[%%\r\n]", MESSAGE))
end

local function property(text)
    return (plain.text(text):gsub("[%%\r\n:,]", PROPERTY))
end

-- Messages of hooks name the line: "scenarios/x.lua:12: …".
local function line_in(file, text)
    local from, to = (text or ""):find(file, 1, true)
    while from do
        local number = text:match("^:(%d+):", to + 1)
        if number then return number end
        from, to = text:find(file, to + 1, true)
    end
end

local function command(kind, doc, title, text)
    local words, file = {}, doc.scenario.file
    if file and file ~= "" then
        words[1] = "file=" .. property(file)
        local number = line_in(file, text)
        if number then words[2] = "line=" .. number end
    end
    words[#words + 1] = "title=" .. property(("rig: %s"):format(title))
    return ("::%s %s::%s"):format(kind, table.concat(words, ","), message(text))
end

local BAD = { failed = true, faulted = true, error = true, interrupted = true }

local function of_cases(doc, add)
    for _, case in ipairs(doc.cases) do
        if BAD[case.status] then
            local label = case.label and case.label .. " " or ""
            add("error", ("%s: %s%s"):format(doc.scenario.name, label, case.status), case.reason or case.status)
        end
    end
    local verify = doc.verify
    if verify and not verify.right then
        add("error", doc.scenario.name .. ": verify", verify.message or "verify says that the run is wrong")
    end
end

local function of_thresholds(doc, add)
    for _, t in ipairs(doc.thresholds or {}) do
        if not t.passed then
            add("error", doc.scenario.name .. ": threshold broken",
                ("%s: %s"):format(change.threshold_name(t), change.threshold(t)))
        end
    end
end

local function of_verdicts(doc, add)
    for _, v in ipairs(doc.verdicts or {}) do
        local title = ("%s: %s %s"):format(doc.scenario.name, v.metric, v.verdict)
        if judged.is_red(doc, v) then
            add("error", title, change.sentence(v))
        elseif judged.is_yellow(doc, v) then
            add("warning", title, change.sentence(v))
        elseif v.verdict == "improved" and judged.is_valid(doc) then
            add("notice", title, change.sentence(v))
        end
    end
    for _, note in ipairs(judged.notes(doc)) do
        if note.style == "red" then add("warning", doc.scenario.name .. ": the run says nothing", note.text) end
    end
end

local function of_noise(doc, add)
    for _, finding in ipairs(doc.findings or {}) do
        if finding.kind == "noise" then add("warning", doc.scenario.name .. ": noise", human.clean(finding.text)) end
    end
end

local function add_kind(lines, doc, kind, list)
    for i, one in ipairs(list) do
        if i == MOST and #list > MOST then
            local title = ("%s: %d more"):format(doc.scenario.name, #list - MOST + 1)
            lines[#lines + 1] = command(kind, doc, title, "GitHub shows ten; the log and the results have all of them")
            return
        end
        lines[#lines + 1] = command(kind, doc, one[1], one[2])
    end
end

---@param doc table  a results document
---@return string commands  one on each line, or empty
function M.render(doc)
    local found = { error = {}, warning = {}, notice = {} }
    local function add(kind, title, text) table.insert(found[kind], { title, text }) end
    of_cases(doc, add)
    of_thresholds(doc, add)
    of_verdicts(doc, add)
    of_noise(doc, add)
    local lines = {}
    for _, kind in ipairs({ "error", "warning", "notice" }) do add_kind(lines, doc, kind, found[kind]) end
    return #lines > 0 and table.concat(lines, "\n") .. "\n" or ""
end

return M
