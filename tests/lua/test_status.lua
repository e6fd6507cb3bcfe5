-- Words and exit statuses of cases and runs: they are part of the interface. Neighbour: lua/rig/status.lua.

local lu = require("luaunit")
local status = require("rig.status")

local function doc_of(...)
    local cases = {}
    for i, word in ipairs({ ... }) do cases[i] = { status = word } end
    return { cases = cases }
end

TestStatus = {}

function TestStatus.test_the_first_in_the_order_5_2_4_1_3_6_wins()
    local order = { 5, 2, 4, 1, 3, 6, 0 }
    for i = 1, #order do
        for k = i, #order do
            lu.assertEquals(status.worst(order[i], order[k]), order[i])
            lu.assertEquals(status.worst(order[k], order[i]), order[i])
        end
    end
    lu.assertEquals(status.worst(), 0)
end

function TestStatus.test_a_signal_goes_before_everything()
    lu.assertEquals(status.worst(5, 130, 2), 130)
    lu.assertEquals(status.word(143), "interrupted")
end

function TestStatus.test_every_exit_status_has_its_word()
    local words = { [0] = "passed", "failed", "error", "regressed", "faulted", "error", "inconclusive" }
    for exit = 0, 6 do lu.assertEquals(status.word(exit), words[exit]) end
end

function TestStatus.test_a_run_is_what_its_worst_case_is()
    lu.assertEquals({ status.of(doc_of("ok", "ok")) }, { "passed", 0 })
    lu.assertEquals({ status.of(doc_of("ok", "failed")) }, { "failed", 1 })
    lu.assertEquals({ status.of(doc_of("failed", "faulted", "ok")) }, { "faulted", 4 })
    lu.assertEquals({ status.of(doc_of("faulted", "error")) }, { "error", 2 })
end

function TestStatus.test_skipped_cases_are_no_fault()
    lu.assertEquals({ status.of(doc_of("skipped", "ok")) }, { "passed", 0 })
end

function TestStatus.test_a_run_that_measured_nothing_has_not_passed()
    lu.assertEquals({ status.of(doc_of()) }, { "inconclusive", 0 })
    lu.assertEquals({ status.of(doc_of("skipped", "skipped")) }, { "inconclusive", 0 })
end

function TestStatus.test_an_interrupted_run_leaves_with_the_signal()
    local doc = doc_of("failed", "interrupted")
    lu.assertEquals({ status.of(doc) }, { "interrupted", 130 })
    doc.signal = 15
    lu.assertEquals({ status.of(doc) }, { "interrupted", 143 })
end

function TestStatus.test_a_case_is_judged_by_what_was_counted()
    local outcomes = { ok = 9, error = 0, timeout = 0, died = 0, cancelled = 0 }
    local case = { outcomes = outcomes, iterations = { { right = true } } }
    lu.assertEquals(status.of_case(case), "ok")
    case.iterations[2] = { right = false }
    lu.assertEquals(status.of_case(case), "failed")
    case.outcomes.died = 1
    lu.assertEquals(status.of_case(case), "faulted")
    lu.assertEquals(status.of_case({}), "ok")
end

os.exit(lu.LuaUnit.run())
