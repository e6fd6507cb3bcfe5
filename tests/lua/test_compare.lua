-- Two saved results side by side: which cases are the same, which counters decide, and what is no comparison at all.
-- Documents are synthetic; nothing is measured.
-- Neighbours: lua/rig/compare.lua and compare/*; test_compare_times.lua; test_baseline.lua (files and the command).

local lu = require("luaunit")
local compare = require("rig.compare")
local synthetic = require("synthetic")

local POOLS = { "builtin+chunk=4", "custom" }

-- Cases with a number as their chunk; small sizes, so that delivery ends.
local function document(runs, iterations)
    local cases = synthetic.sweep({ { "pool", POOLS }, { "size", { 1000, 20000 } },
        { "iterations", { iterations or 9 } } }, runs)
    return synthetic.document("fixed_data", { "pool", "size" }, cases)
end

local function verdicts_of(base, new, opts)
    local verdicts, notes = compare.documents(base, new, opts)
    lu.assertNotNil(verdicts, tostring(notes))
    return verdicts, notes
end

local function refusal_of(base, new)
    local verdicts, why = compare.documents(base, new)
    lu.assertNil(verdicts)
    return why
end

local function find(verdicts, label, metric)
    for _, verdict in ipairs(verdicts) do
        if verdict.case == label and verdict.metric == metric then return verdict end
    end
end

local function of_kind(verdicts, kind, word)
    local list = {}
    for _, verdict in ipairs(verdicts) do
        if verdict.kind == kind and (not word or verdict.verdict == word) then list[#list + 1] = verdict end
    end
    return list
end

local function has_note(notes, text)
    lu.assertStrContains(table.concat(notes, "\n"), text)
end

TestExactCounters = {}

function TestExactCounters.test_the_same_document_has_not_changed()
    local verdicts = verdicts_of(document(), document())
    lu.assertEquals(#of_kind(verdicts, "exact"), 16)
    lu.assertEquals(#of_kind(verdicts, "exact", "unchanged"), 16)
    lu.assertEquals(#of_kind(verdicts, "tolerance", "changed"), 0)
    lu.assertEquals(compare.outcome(verdicts), "passed")
end

function TestExactCounters.test_a_difference_of_one_is_a_change_and_decides()
    for _, name in ipairs({ "messages", "payload_bytes", "forks" }) do
        for _, by in ipairs({ 1, -1 }) do
            local new = document()
            new.cases[2].counters[name] = new.cases[2].counters[name] + by
            local verdicts = verdicts_of(document(), new)
            local changed = of_kind(verdicts, "exact", "changed")
            lu.assertEquals(#changed, 1, name)
            lu.assertEquals(changed[1].metric, name)
            lu.assertTrue(changed[1].gates)
            lu.assertEquals(changed[1].b - changed[1].a, by)
            lu.assertEquals(compare.outcome(verdicts), "regressed")
        end
    end
end

function TestExactCounters.test_the_sentence_names_case_counter_and_both_values()
    local new = document()
    new.cases[1].counters.messages = 2700
    local verdict = find(verdicts_of(document(), new), "builtin+chunk=4, 1,000", "messages")
    lu.assertEquals(verdict.text, "builtin+chunk=4, 1,000: messages 1,800 -> 2,700")
    lu.assertEquals({ verdict.a, verdict.b, verdict.effect }, { 1800, 2700, 1.5 })
end

function TestExactCounters.test_changes_that_are_accepted_are_told_and_decide_nothing()
    local new = document()
    new.cases[1].counters.messages = 2700
    local verdicts = verdicts_of(document(), new, { accept_counters = true })
    lu.assertEquals(#of_kind(verdicts, "exact", "changed"), 1)
    lu.assertEquals(compare.outcome(verdicts), "passed")
end

local function change_all(name, value)
    return function(doc)
        for _, case in ipairs(doc.cases) do case.params[name] = value end
    end
end

function TestExactCounters.test_they_are_not_compared_where_they_are_no_measure_of_the_program()
    local unlike = {
        ["chunk=auto adapts to the clock"] = change_all("chunk", "auto"),
        ["seeds differ"] = change_all("seed", 2),
        ["workers were replaced"] = function(doc)
            for _, case in ipairs(doc.cases) do case.replaced = 1 end
        end,
        ["warm-up iterations differ"] = function(doc)
            for _, case in ipairs(doc.cases) do case.warmup = { 0.1 } end
        end,
    }
    for why, change in pairs(unlike) do
        local base, new = document(), document()
        for _, doc in ipairs({ base, new }) do change_all("seed", 1)(doc) end
        if why:find("chunk") then change(base) end
        change(new)
        new.cases[1].counters.messages = 1
        local verdicts, notes = verdicts_of(base, new)
        lu.assertEquals(#of_kind(verdicts, "exact"), 0, why)
        has_note(notes, "exact counters of 4 cases not compared: " .. why)
        lu.assertEquals(compare.outcome(verdicts), "nothing")
    end
end

function TestExactCounters.test_another_number_of_iterations_is_another_amount_of_work()
    local verdicts, notes = verdicts_of(document(1, 9), document(1, 12))
    lu.assertEquals(#of_kind(verdicts, "exact") + #of_kind(verdicts, "tolerance"), 0)
    has_note(notes, "iterations differ: 9 and 12")
    lu.assertNil(find(verdicts, "custom, 1,000", "s_per_iteration"))
    lu.assertNotNil(find(verdicts, "custom, 1,000", "map"))
    has_note(notes, "s_per_iteration and cpu of 4 cases not compared")
end

function TestExactCounters.test_messages_are_not_compared_where_delivery_was_abandoned()
    local new = document()
    new.cases[3].undelivered = { workers = 1, bytes = 8 }
    new.cases[3].counters.messages = 1
    local verdicts, notes = verdicts_of(document(), new)
    lu.assertNil(find(verdicts, "custom, 1,000", "messages"))
    lu.assertEquals(find(verdicts, "custom, 1,000", "tasks").verdict, "unchanged")
    has_note(notes, "delivery was abandoned")
    lu.assertEquals(compare.outcome(verdicts), "passed")
end

function TestExactCounters.test_one_that_varies_between_the_runs_of_the_base_cannot_decide()
    local base, new = document(3), document(3)
    base.cases[5].counters.messages = 1810
    new.cases[1].counters.messages = 5000
    local verdict = find(verdicts_of(base, new), "builtin+chunk=4, 1,000", "messages")
    lu.assertEquals({ verdict.verdict, verdict.gates }, { "changed", false })
    lu.assertStrContains(verdict.text, "1,800 to 1,810 -> 1,800 to 5,000 (it varies between the runs of the base)")
    new.cases[1].counters.messages = 1805
    lu.assertEquals(find(verdicts_of(base, new), "builtin+chunk=4, 1,000", "messages").verdict, "unchanged")
end

TestTolerantCounters = {}

local function set_all(doc, name, value)
    for _, case in ipairs(doc.cases) do
        if name == "syscalls" then
            case.counters.syscalls = { read = value }
        else
            for i, worker in ipairs(case.workers) do worker[name] = i == 1 and value or 0 end
        end
    end
    return doc
end

local TOLERANCE = { minor_faults = 8, voluntary_switches = 15, syscalls = 10 }

function TestTolerantCounters.test_they_change_outside_their_tolerance_only_and_decide_only_when_asked()
    for name, percent in pairs(TOLERANCE) do
        for _, sign in ipairs({ 1, -1 }) do
            for beyond, word in pairs({ [0] = "unchanged", [1] = "changed" }) do
                local base = set_all(document(), name, 10000)
                local new = set_all(document(), name, 10000 + sign * (percent * 100 + beyond))
                for _, gate in ipairs({ false, true }) do
                    local verdicts = verdicts_of(base, new, { gate = { counters = gate } })
                    local verdict = find(verdicts, "custom, 1,000", name)
                    lu.assertEquals({ verdict.verdict, verdict.kind, verdict.gates }, { word, "tolerance", gate }, name)
                    lu.assertEquals(compare.outcome(verdicts), gate and beyond == 1 and "regressed" or "passed")
                end
            end
        end
    end
end

function TestTolerantCounters.test_what_the_runs_of_the_base_had_is_no_change()
    local base, new = set_all(document(3), "minor_faults", 1000), set_all(document(3), "minor_faults", 1200)
    base.cases[5].workers[1].minor_faults = 1150
    lu.assertEquals(find(verdicts_of(base, new), "builtin+chunk=4, 1,000", "minor_faults").verdict, "unchanged")
    lu.assertEquals(find(verdicts_of(base, new), "custom, 1,000", "minor_faults").verdict, "changed")
end

function TestTolerantCounters.test_involuntary_switches_are_the_machines_doing()
    local new = set_all(document(), "involuntary_switches", 100000)
    for _, verdict in ipairs(verdicts_of(document(), new)) do
        lu.assertNotEquals(verdict.metric, "involuntary_switches")
    end
end

TestMatching = {}

function TestMatching.test_neither_order_nor_numbers_of_cases_matter()
    local new = document(2)
    for i = 1, #new.cases // 2 do
        local j = #new.cases + 1 - i
        new.cases[i], new.cases[j] = new.cases[j], new.cases[i]
    end
    new.cases[1].counters.messages = 1
    local verdict = find(verdicts_of(document(), new), "custom, 20,000", "messages")
    lu.assertEquals({ verdict.verdict, verdict.b }, { "changed", 900.5 })
    lu.assertEquals(#of_kind(verdicts_of(document(), new), "exact", "changed"), 1)
end

function TestMatching.test_what_is_on_one_side_only_is_named()
    local base, new = document(), document()
    table.remove(new.cases, 1)
    for _, doc in ipairs({ base, new }) do
        doc.cases[#doc.cases].params.size = doc == base and 77 or 88
    end
    local verdicts, notes = verdicts_of(base, new)
    lu.assertEquals(#of_kind(verdicts, "exact"), 8)
    has_note(notes, "only in the base, not compared: builtin+chunk=4, 1,000; custom, 77")
    has_note(notes, "only in the new results, not compared: custom, 88")
end

function TestMatching.test_what_did_not_end_ok_is_not_compared()
    local base, new = document(), document()
    new.cases[1].status, base.cases[2].status, base.skipped = "failed", "skipped", 1
    local verdicts, notes = verdicts_of(base, new)
    lu.assertNil(find(verdicts, "builtin+chunk=4, 1,000", "map"))
    has_note(notes, "builtin+chunk=4, 1,000: failed now, not compared")
    has_note(notes, "builtin+chunk=4, 20,000: skipped in the base, not compared")
end

function TestMatching.test_what_is_skipped_on_both_sides_is_not_missing()
    local base, new = document(), document()
    base.cases[1].status, new.cases[1].status, base.skipped = "skipped", "skipped", 1
    local _, _, counts = compare.documents(base, new)
    lu.assertEquals(counts, { compared = 3, not_compared = 0 })
    new.cases[2].status = "failed"
    _, _, counts = compare.documents(base, new)
    lu.assertEquals(counts, { compared = 2, not_compared = 1 })
end

function TestMatching.test_a_parameter_that_is_new_is_no_difference()
    local new = document()
    change_all("reads", false)(new)
    lu.assertEquals(#of_kind(verdicts_of(document(), new), "exact", "unchanged"), 16)
end

function TestMatching.test_a_parameter_with_another_value_is_another_case()
    local new = document()
    for _, case in ipairs(new.cases) do case.params.workers = 2 end
    lu.assertEquals(refusal_of(document(), new),
        "no case is in both and was measured in both: workers is 4 in the base and 2 now")
    new.cases[1].params.workers = 4
    local _, notes = verdicts_of(document(), new)
    has_note(notes, "custom, 1,000: workers is 4 in the base and 2 now, not compared")
end

function TestMatching.test_true_and_the_word_true_are_two_values()
    local base, new = document(), document()
    change_all("reads", true)(base)
    change_all("reads", "true")(new)
    lu.assertStrContains(refusal_of(base, new), "reads is true in the base and true now")
end

function TestMatching.test_a_preset_that_sets_an_axis_otherwise_is_the_same_case()
    local base, new = document(), document()
    for _, doc in ipairs({ base, new }) do
        doc.scenario.params = { pool = POOLS, size = { 1000 }, chunk = { "preset" } }
    end
    for _, case in ipairs(new.cases) do case.params.chunk = 2 end
    new.cases[3].counters.messages = 2700
    local verdicts, notes = verdicts_of(base, new)
    lu.assertEquals(find(verdicts, "custom, 1,000", "messages").verdict, "changed")
    has_note(notes, "custom, 1,000: chunk is 1 in the base and 2 now, as its pool sets it")
end

TestRefusals = {}

function TestRefusals.test_a_base_that_is_not_of_a_clean_run()
    for _, status in ipairs({ "failed", "regressed", "faulted", "error", "interrupted", "inconclusive" }) do
        local base = document()
        base.status = status
        lu.assertStrContains(refusal_of(base, document()), "no baseline: ")
        lu.assertStrContains(refusal_of(base, document()), status)
    end
end

function TestRefusals.test_another_scenario()
    local new = document()
    new.scenario.name = "hello"
    lu.assertEquals(refusal_of(document(), new), "the base is of the scenario fixed_data, these results are of hello")
    new = document()
    new.scenario.kind = "body"
    lu.assertStrContains(refusal_of(document(), new), "had a map in the base, and has a body now")
end

function TestRefusals.test_another_text_of_the_scenario_is_noted_only()
    local new = document()
    new.scenario.sha256 = ("1"):rep(64)
    local _, notes = verdicts_of(document(), new)
    has_note(notes, "the scenario's text is not the one of the base")
end

function TestRefusals.test_nothing_measured()
    local base = synthetic.document("fixed_data", {}, {})
    base.status = "passed"
    lu.assertStrContains(refusal_of(base, document()), "no case in it was measured")
    base = document()
    for _, case in ipairs(base.cases) do case.status = "skipped" end
    base.skipped = #base.cases
    lu.assertStrContains(refusal_of(base, document()), "no case in it was measured")
end

function TestRefusals.test_two_cases_that_cannot_be_told_apart()
    local base = document()
    base.cases[4].params.size = 1000
    lu.assertEquals(refusal_of(base, document()), "no baseline: cases[3] and cases[4] are the same case")
end

TestNotes = {}

function TestNotes.test_machines_and_builds_that_differ_are_named()
    local new = document()
    new.host.cpu, new.host.cores, new.host.kernel, new.host.governor = "Another CPU", 64, "6.19.0", nil
    new.rig.version = "0.2.0"
    local _, notes = verdicts_of(document(), new)
    has_note(notes, "the processor: Invented CPU in the base, Another CPU now")
    has_note(notes, "cores: 2 in the base, 64 now")
    has_note(notes, "the kernel: 6.18.0 in the base, 6.19.0 now")
    has_note(notes, "the governor: performance in the base, not known now")
    has_note(notes, "rig's version: 0.1.0 in the base, 0.2.0 now")
end

TestBody = {}

function TestBody.test_calls_of_a_body_have_times_tasks_and_forks()
    local function body()
        local doc = synthetic.body()
        for _, case in ipairs(doc.cases) do
            case.counters = { tasks = 7, forks = 0, messages = 0, payload_bytes = 0, syscalls = {} }
        end
        return doc
    end
    local new = body()
    new.cases[1].counters.forks = 2
    local verdicts = verdicts_of(body(), new)
    local verdict = find(verdicts, "kind pipe, bytes 64", "forks")
    lu.assertEquals({ verdict.verdict, verdict.gates }, { "changed", true })
    lu.assertNil(find(verdicts, "kind pipe, bytes 64", "messages"))
    lu.assertNil(find(verdicts, "kind pipe, bytes 64", "s_per_iteration"))
    lu.assertEquals(find(verdicts, "kind pipe, bytes 64", "map").n_base, 7)
end

os.exit(lu.LuaUnit.run())
