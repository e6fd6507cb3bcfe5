-- What a terminal shows: columns that fit and line up, rows that can be printed one by one, nothing from a foreign
-- document that a terminal would obey. Neighbours: lua/rig/report/{text,columns,sections,chart,layout,human}.lua.

local lu = require("luaunit")
local findings = require("rig.findings")
local human = require("rig.report.human")
local layout = require("rig.report.layout")
local results = require("rig.results")
local synthetic = require("synthetic")
local text = require("rig.report.text")

local function lines_of(s)
    local lines = {}
    for line in (s .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
    return lines
end

-- The lines between the titles of the columns and the first empty line.
local function table_of(s)
    local rows, on = {}, false
    for _, line in ipairs(lines_of(s)) do
        if on and line == "" then break end
        if line:find("^%s+pool%s") or line:find("^%s+kind%s") then on = true end
        if on then rows[#rows + 1] = line end
    end
    return rows
end

local function plain(s)
    return (s:gsub("\27%[%d+m", ""))
end

TestTable = {}

function TestTable.test_there_is_a_column_for_each_parameter_that_varies()
    local rows = table_of(text.render(synthetic.fixed_data(), { columns = 100 }))
    lu.assertStrMatches(rows[1], "  pool +size +s/iter +start +deliver +map +.*ready  result")
    lu.assertStrMatches(rows[6], "  builtin +158,489,319  0%.005%d%d +.* 4/4  99990000 ✓ 9/9")
    lu.assertStrMatches(rows[11], "  custom +158,489,319  0%.17%d+ .* >1%.51 s .* 1/4  99990000 ✓ 9/9")
    lu.assertEquals(#rows, 12) -- titles, ten cases, the note on delivery
end

function TestTable.test_nothing_is_wider_than_the_terminal_but_commands()
    for _, name in ipairs({ "fixed_data", "why", "faults", "scaling", "body" }) do
        for _, columns in ipairs({ 80, 100, 140, 200 }) do
            for _, line in ipairs(lines_of(text.render(synthetic[name](), { columns = columns }))) do
                if not line:find("next: ", 1, true) and not line:find("^again: ") then
                    lu.assertIsTrue(human.width(line) <= columns, ("%s at %d: %s"):format(name, columns, line))
                end
            end
        end
    end
end

function TestTable.test_rows_end_where_their_columns_end()
    for _, columns in ipairs({ 80, 100, 140 }) do
        local rows = table_of(text.render(synthetic.fixed_data(), { columns = columns }))
        local at = utf8.len(rows[1], 1, rows[1]:find("result", 1, true) - 1)
        for i = 2, 11 do
            local result = rows[i]:find("99990000", 1, true)
            lu.assertEquals(utf8.len(rows[i], 1, result - 1), at, rows[i])
        end
    end
end

function TestTable.test_a_wider_terminal_shows_more()
    local function titles(columns)
        return table_of(text.render(synthetic.fixed_data(), { columns = columns }))[1]
    end
    lu.assertNotStrContains(titles(80), "start")
    lu.assertStrContains(titles(80), "deliver")
    lu.assertStrContains(titles(100), "start")
    lu.assertStrContains(titles(140), "iterations")
    lu.assertStrContains(titles(60), "s/iter")
    lu.assertStrContains(titles(60), "result")
end

function TestTable.test_the_rows_of_a_running_command_are_those_of_a_saved_document()
    local doc = synthetic.fixed_data()
    local scenario = { name = doc.scenario.name, about = doc.scenario.about, hooks = {} }
    local plan = { scenario = scenario, varying = doc.varying, cases = {}, estimate_s = 25 }
    for i, case in ipairs(doc.cases) do plan.cases[i] = { index = i, run = 1, params = case.params } end
    local printer = text.begin(plan, { columns = 100 })
    local streamed = { printer:header() }
    for _, case in ipairs(doc.cases) do streamed[#streamed + 1] = printer:case(case) end
    streamed[#streamed + 1] = printer:finish(doc)
    local shown = text.render(doc, { columns = 100 })
    lu.assertStrContains(streamed[1], "10 cases, 4 workers, 9 iterations each, about 25.0 s")
    lu.assertEquals(table_of(table.concat(streamed)), table_of(shown))
    lu.assertStrContains(shown, streamed[#streamed])
end

function TestTable.test_pools_declared_as_tables_show_their_label()
    local plan = { scenario = { name = "x" }, varying = { "pool" }, cases = {
        { index = 1, params = { pool = { base = "custom", delivery = "inherit" } } },
        { index = 2, params = { pool = "shm" } },
    } }
    local printer = text.begin(plan, { columns = 100 })
    local case = synthetic.case(1, { pool = "custom+delivery=inherit" })
    lu.assertStrMatches(printer:case(case), "  custom%+delivery=inherit  .*")
end

function TestTable.test_a_scenario_without_anything_that_varies_shows_its_pool()
    local doc = synthetic.document("hello", {}, { synthetic.case(1, { pool = "builtin" }) })
    lu.assertStrMatches(table_of(text.render(doc))[2], "  builtin  0%.00%d+ .*")
    lu.assertStrContains(text.render(doc), "1 case, builtin, 4 workers, 9 iterations\n")
end

function TestTable.test_repeated_runs_are_numbered()
    local rows = table_of(text.render(synthetic.fixed_data(2), { columns = 100 }))
    lu.assertStrContains(rows[1], " run ")
    lu.assertStrMatches(rows[12], "  builtin +100,000    2  .*")
end

function TestTable.test_a_body_shows_the_time_of_a_call()
    local shown = text.render(synthetic.body(), { columns = 100 })
    lu.assertStrMatches(table_of(shown)[1], "  kind +bytes  per call .*rate .*calls .*")
    lu.assertStrContains(shown, "12 cases, 7 calls each")
    lu.assertStrContains(shown, "3.08 µs")
    lu.assertNotStrContains(shown, "s/iter")
    lu.assertNotStrContains(shown, "ready")
end

function TestTable.test_a_single_iteration_has_no_spread()
    local doc = synthetic.document("x", { "size" }, synthetic.sweep({ { "pool", { "builtin" } }, { "size", { 1, 2 } },
        { "iterations", { 1 } } }))
    local titles = lines_of(text.render(doc, { columns = 200 }))[4]
    lu.assertStrContains(titles, "own mem  result")
    lu.assertNotStrContains(titles, "MAD")
end

TestBadCases = {}

local faults = text.render(synthetic.faults(), { columns = 80 })

function TestBadCases.test_a_skipped_case_says_why()
    lu.assertStrContains(faults, "  custom   3,981,071  skipped: does not fit in memory: delivery=queue of 31.8 MB\n"
        .. "                      of fixed data")
end

function TestBadCases.test_a_wrong_result_is_shown_with_the_right_one_beneath()
    lu.assertStrContains(faults, "99980001 ✗ 6/9\n      ✗ iteration 3: result is 99980001, expected 99990000\n")
end

function TestBadCases.test_lost_tasks_are_counted_in_the_row_and_listed()
    lu.assertStrContains(faults, "✗ 2 died\n")
    lu.assertStrContains(faults, "  Failures\n    custom, 630,957: iteration 4, tasks 17 and 18 died: worker 2 (pid")
end

function TestBadCases.test_the_verdict_counts_them()
    lu.assertStrContains(faults, "  faulted: 6 cases, 1 failed, 1 faulted, 1 skipped, 42 of 45 results right,\n"
        .. "    23.6 s (exit 4)\n")
end

function TestBadCases.test_long_lists_of_failures_are_cut()
    local doc = synthetic.faults()
    for i = 1, 50 do doc.cases[5].errors[i] = { iteration = i, task = 1, outcome = "error", message = "no" } end
    local shown = text.render(doc)
    lu.assertStrContains(shown, "and 40 more; all are in the JSON")
end

function TestBadCases.test_where_a_task_failed_is_said_unless_its_message_does()
    local doc = synthetic.faults()
    local failure = { iteration = 1, task = 7, outcome = "timeout", worker = 3, pid = 77, message = "too slow" }
    doc.cases[5].errors = { failure }
    lu.assertStrContains(text.render(doc), "iteration 1, task 7 timeout (worker 3, pid 77): too slow")
end

function TestBadCases.test_an_interrupted_run_says_so()
    local doc = synthetic.fixed_data()
    local case = doc.cases[10]
    case.status, case.reason = "interrupted", "interrupted while tasks ran"
    doc.signal = 2
    results.finish(doc, { signal = 2 })
    local shown = text.render(doc)
    lu.assertStrContains(shown, "interrupted after 9")
    lu.assertStrContains(shown, "interrupted: 10 cases, 1 interrupted")
    lu.assertStrContains(shown, "(exit 130)")
end

function TestBadCases.test_a_case_that_failed_before_its_first_map_shows_the_reason()
    local doc = synthetic.document("x", { "pool" }, {
        results.case({ index = 1, params = { pool = "builtin" }, status = "error", reason = "x.lua:3: boom\nstack" }),
    })
    lu.assertStrContains(text.render(doc), "  builtin  ✗ x.lua:3: boom\n")
end

function TestBadCases.test_the_verdict_of_verify_is_shown()
    local doc = synthetic.fixed_data()
    doc.verify = { right = false, message = "custom should be slower" }
    lu.assertStrContains(text.render(doc), "✗ verify: custom should be slower")
end

TestAfter = {}

function TestAfter.test_what_is_compared_stands_side_by_side_with_bars()
    local shown = text.render(synthetic.fixed_data(), { columns = 80 })
    lu.assertStrContains(shown, "Seconds per iteration by size")
    lu.assertStrMatches(shown, ".*\n    158,489,319  0%.0055%d ▌ +0%.17%d+ ████████████████ +30%.%d x\n.*")
end

function TestAfter.test_many_stand_one_under_another_at_the_largest_value()
    local shown = text.render(synthetic.why(), { columns = 80 })
    lu.assertStrContains(shown, "Seconds per iteration at 158M ints")
    lu.assertStrMatches(shown, ".*\n    builtin%+delivery=queue   0%.62%d+ █████████+.*")
end

function TestAfter.test_metrics_have_a_table_of_their_own()
    lu.assertStrMatches(text.render(synthetic.body()), ".*Metrics %(medians%)\n    kind +bytes +bytes/s  epoch_s\n"
        .. "    pipe +64  20%.8 MB/s %(20%.8 MB to 20%.8 MB%)  9%.46 µs\n.*")
end

function TestAfter.test_findings_are_numbered_and_the_next_command_can_be_copied()
    local shown = text.render(synthetic.fixed_data(), { columns = 80 })
    lu.assertStrContains(shown, "  Findings\n    1. custom takes 30.8 x as long as builtin at 158M ints, 7.4")
    lu.assertStrContains(shown, "    next: rig scenarios/fixed_data.lua pool=builtin,builtin+delivery=queue,"
        .. "custom+delivery=inherit,custom size=158489319\n")
end

function TestAfter.test_a_saved_document_says_where_it_comes_from_and_how_to_run_it_again()
    local doc = synthetic.fixed_data()
    doc.argv = { "rig", "scenarios/fixed_data.lua", "--label", "a b's" }
    local shown = text.render(doc)
    lu.assertStrContains(shown, "measured 2026-01-31 12:00:00 UTC, Invented CPU, 2 cores")
    lu.assertStrContains(shown, [[again: rig scenarios/fixed_data.lua --label 'a b'\''s']] .. "\n")
end

function TestAfter.test_a_busy_machine_is_mentioned()
    local doc = synthetic.fixed_data()
    lu.assertNotStrContains(text.render(doc), "busy")
    doc.host.load = { 5.8, 3, 2 }
    lu.assertStrContains(text.render(doc), "the machine was busy when the run began: load 5.8 on 2 cores")
end

function TestAfter.test_what_disturbed_the_run_is_said_once()
    local doc = synthetic.fixed_data()
    doc.host.load = { 5.8, 3, 2 }
    for _, case in ipairs(doc.cases) do case.noise = { wall_s = 1, other_cpu_s = 1 } end
    doc.findings = findings.of(doc)
    local said = text.render(doc, { columns = 200 })
    lu.assertStrContains(said, "others used 50 % of the 2 processors (load 5.8 at the start): small differences")
    lu.assertNotStrContains(said, "busy")
    -- that iterations varied is no reason why
    doc.findings = { { kind = "noise", text = "iterations varied wildly", evidence = { mad = 0.01 } } }
    lu.assertStrContains(text.render(doc), "the machine was busy when the run began")
end

TestColour = {}

function TestColour.test_colours_change_nothing_else()
    for _, name in ipairs({ "fixed_data", "faults", "body" }) do
        local doc = synthetic[name]()
        local coloured = text.render(doc, { columns = 100, color = true })
        lu.assertStrContains(coloured, "\27[")
        lu.assertEquals(plain(coloured), text.render(doc, { columns = 100 }))
    end
end

function TestColour.test_a_foreign_document_cannot_send_escapes_to_the_terminal()
    local doc = synthetic.faults()
    local evil = "\27]0;evil\7\n\u{9b}31m"
    doc.scenario.name, doc.scenario.about, doc.label, doc.argv = evil, evil, evil, { evil }
    doc.started, doc.host.cpu, doc.host["os"], doc.rig.version = evil, evil, evil, evil
    doc.findings[1].text = evil
    for _, case in ipairs(doc.cases) do
        case.params.pool, case.reason = evil, case.reason and evil
        case.metrics = { [evil] = { unit = evil, values = { 1 }, median = 1 } }
        for _, iteration in ipairs(case.iterations) do iteration.result = evil end
        for _, failure in ipairs(case.errors) do failure.message = evil end
    end
    local shown = text.render(doc, { columns = 100 })
    lu.assertNil(shown:find("[%z\1-\9\11-\31\127]"))
    lu.assertNil(shown:find("\u{9b}", 1, true))
end

TestHuman = {}

function TestHuman.test_numbers_are_short_and_keep_three_digits()
    local said = {}
    for i, n in ipairs({ 0, 512, 9999, 10000, 630957, 999960, 25118864, 158489319, 0.125, 2.5 }) do
        said[i] = human.short(n)
    end
    lu.assertEquals(said, { "0", "512", "9,999", "10K", "631K", "1M", "25.1M", "158M", "0.125", "2.5" })
end

function TestHuman.test_ratios()
    local said = {}
    for i, r in ipairs({ 30.83, 1.046, 9.996, 112.3, 0.5, 1584.9 }) do said[i] = human.ratio(r) end
    lu.assertEquals(said, { "30.8 x", "1.05 x", "10.0 x", "112 x", "0.50 x", "1,585 x" })
    lu.assertEquals(human.ratio_range(28.41, 31), "28.4 to 31.0 x")
    lu.assertEquals(human.ratio_range(1.001, 1.002), "1.00 x")
end

function TestHuman.test_numbers_that_only_a_file_can_say_are_short_too()
    local ratios, numbers = {}, {}
    for i, x in ipairs({ 5e-324, 1.2e-302, 1e-90, 1e-10, 1e19, 1e300 }) do
        ratios[i], numbers[i] = human.ratio(x), human.short(x)
    end
    lu.assertEquals(ratios, { "4.94e-324 x", "1.2e-302 x", "1e-90 x", "1e-10 x", "1e+19 x", "1e+300 x" })
    lu.assertEquals(numbers, { "4.94e-324", "1.2e-302", "1e-90", "1e-10", "10000000T", "1e+288T" })
end

function TestHuman.test_lists_and_ranges()
    lu.assertEquals(human.join({ "a", "b", "c" }), "a, b and c")
    lu.assertEquals(human.join({}), "")
    lu.assertEquals(human.ranges({ 1, 3, 4, 5, 7, 8 }), "1, 3 to 5, 7 and 8")
end

TestLayout = {}

function TestLayout.test_lines_break_at_words_and_keep_numbers_with_their_units()
    lu.assertEquals(layout.wrap("it takes 172 ms at 158M", 13, "  "), "it takes\n  172 ms at\n  158M")
    lu.assertEquals(layout.wrap("a b", 1), "a\nb")
    lu.assertEquals(layout.wrap("averylongword b", 5), "averylongword\nb")
    lu.assertEquals(layout.wrap("", 10), "")
end

function TestLayout.test_bars_are_proportional_and_never_nothing()
    lu.assertEquals(layout.bar(1, 4), "████")
    lu.assertEquals(layout.bar(0.5, 3), "█▌")
    lu.assertEquals(layout.bar(0.0001, 10), "▏")
end

function TestLayout.test_sparklines_are_relative_to_the_largest()
    lu.assertEquals(layout.spark({ 8, 1, 4 }, 9), "█▁▄")
    lu.assertEquals(layout.spark({}, 9), "")
    lu.assertEquals(utf8.len(layout.spark({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }, 9)), 9)
end

function TestLayout.test_text_is_cut_by_characters()
    lu.assertEquals(layout.cut("µµµµ", 3), "µµ…")
    lu.assertEquals(layout.cut("abc", 3), "abc")
end

os.exit(lu.LuaUnit.run())
