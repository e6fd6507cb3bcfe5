-- What CI and spreadsheets read, and the verdicts on a terminal: everything shown, nothing of it obeyed, and as long as
-- it may be.
-- Neighbours: lua/rig/report/{csv,markdown,annotations,verdicts,change,judged,plain}.lua. Not JUnit: test_junit.lua.

local lu = require "luaunit"
local annotations = require "rig.report.annotations"
local change = require "rig.report.change"
local csv = require "rig.report.csv"
local human = require "rig.report.human"
local json = require "rig.json"
local judged = require "rig.report.judged"
local markdown = require "rig.report.markdown"
local plain = require "rig.report.plain"
local results = require "rig.results"
local synthetic = require "synthetic"
local text = require "rig.report.text"
local verdicts = require "synthetic_verdicts"

local NASTY = 'a,b"<i>&</i>|`x` @user #12 $a$ [l](u) *b* ~s~\n# head\r\n::error::gone%\0\xff'

local function lines_of(s)
    local lines = {}
    for line in s:gmatch "[^\n]+" do lines[#lines + 1] = line end
    return lines
end

-- RFC 4180, read by its grammar: a list of records, each a list of fields.
local function read_csv(s)
    local records, record, at = {}, {}, 1
    while at <= #s do
        local value
        if s:sub(at, at) == '"' then
            local stop = at + 1
            while s:sub(stop, stop + 1):find '^""' or s:sub(stop, stop) ~= '"' do
                assert(stop <= #s, "a quoted field that does not end")
                stop = stop + (s:sub(stop, stop + 1) == '""' and 2 or 1)
            end
            value, at = s:sub(at + 1, stop - 1):gsub('""', '"'), stop + 1
        else
            value = s:match('^[^,\r\n"]*', at)
            at = at + #value
        end
        record[#record + 1] = value
        if s:sub(at, at) == "," then
            at = at + 1
            if at > #s then record[#record + 1] = "" end
        else
            assert(s:sub(at, at + 1) == "\r\n", ("record %d does not end in CRLF"):format(#records + 1))
            records[#records + 1], record, at = record, {}, at + 2
        end
    end
    return records
end

-- Rows as tables by column.
local function rows_of(doc)
    local records, rows = read_csv(csv.render(doc)), {}
    for i = 2, #records do
        lu.assertEquals(#records[i], #records[1], "record " .. i)
        local row = {}
        for k, title in ipairs(records[1]) do row[title] = records[i][k] end
        rows[#rows + 1] = row
    end
    return rows, records[1]
end

TestCsv = {}

function TestCsv.test_each_sample_is_a_row_with_the_parameters_as_columns()
    local doc = synthetic.fixed_data()
    local rows, titles = rows_of(doc)
    lu.assertEquals(table.concat(titles, ",", 1, 4), "case,run,pool,size")
    local maps = {}
    for _, row in ipairs(rows) do
        if row.metric == "map" then maps[#maps + 1] = row end
    end
    lu.assertEquals(#maps, 90)
    lu.assertEquals(tonumber(maps[2].value), doc.cases[1].phases.map_s[2])
    lu.assertEquals({ maps[2].pool, maps[2].size, maps[2].iteration, maps[2].right, maps[2].unit },
        { "builtin", "100000", "2", "true", "s" })
end

function TestCsv.test_a_case_without_times_is_a_row_too()
    local rows = rows_of(synthetic.faults())
    lu.assertEquals(rows[#rows].status, "skipped")
    lu.assertEquals(rows[#rows].value, "")
end

function TestCsv.test_any_text_comes_back_whole()
    local rows = rows_of(verdicts.hostile(NASTY))
    lu.assertEquals(rows[1].pool, (NASTY:gsub("[%z\xff]", "\u{FFFD}")))
    lu.assertEquals(rows[1].result, rows[1].pool)
end

function TestCsv.test_values_that_are_none_are_empty()
    local case = results.case { index = 1, params = { list = { 1, 2 } }, run = 1,
        metrics = { x = { unit = "s", values = { 0 / 0, json.null, 2.5 } } } }
    local rows = rows_of(synthetic.document("tiny", {}, { case }))
    lu.assertEquals({ rows[1].value, rows[2].value, rows[3].value }, { "", "", "2.5" })
    lu.assertEquals(rows[1].list, "[1,2]")
end

function TestCsv.test_a_parameter_named_as_a_column_keeps_its_own()
    local case = results.case { index = 1, params = { metric = "mine", case = 7 }, label = "one" }
    local rows = rows_of(synthetic.document("tiny", { "metric" }, { case }))
    lu.assertEquals({ rows[1].case, rows[1]["param.case"], rows[1]["param.metric"] }, { "one", "7", "mine" })
end

function TestCsv.test_an_ab_run_has_a_row_for_each_pair()
    local doc = verdicts.ab()
    local rows = rows_of(doc)
    lu.assertEquals(#rows, 40 + 40 + 40 + 160 + 4)
    lu.assertEquals({ rows[3].pair, rows[3].verdict, rows[3].size }, { "3", "regressed", "1000" })
    lu.assertEquals(tonumber(rows[3].log_ratio), doc.verdicts[1].log_ratios[3])
    lu.assertAlmostEquals(tonumber(rows[3].ratio), math.exp(doc.verdicts[1].log_ratios[3]), 1e-12)
    lu.assertEquals({ rows[41].pair, rows[41].base, rows[41].unit }, { "", "0.01", "s" })
end

function TestCsv.test_a_pair_has_its_two_values_where_they_are_kept()
    local doc = verdicts.ab()
    local v = doc.verdicts[1]
    v.values = { a = {}, b = {}, x = {} }
    for i, d in ipairs(v.log_ratios) do v.values.a[i], v.values.b[i] = 0.5, 0.5 * math.exp(d) end
    v.values.b[2] = 7 -- belongs to another pair
    local rows = rows_of(doc)
    lu.assertEquals(rows[1].base, "0.5")
    lu.assertAlmostEquals(math.log(tonumber(rows[1].new) / 0.5), v.log_ratios[1], 1e-9)
    lu.assertEquals({ rows[2].base, rows[2].new }, { "", "" })
end

TestMarkdown = {}

function TestMarkdown.test_the_verdict_comes_first()
    lu.assertEquals(lines_of(markdown.render(verdicts.ab()))[1], "### ❌ decode: regressed (exit 3)")
    lu.assertEquals(lines_of(markdown.render(synthetic.fixed_data()))[1], "### ✅ fixed_data: passed")
    local counts = lines_of(markdown.render(verdicts.ab()))[2]
    lu.assertStrContains(counts, "1 regressed, 1 inconclusive, 1 improved, 1 unchanged")
end

function TestMarkdown.test_an_ab_run_shows_verdicts_in_place_of_cases()
    local said = markdown.render(verdicts.ab())
    lu.assertStrContains(said, "| case | metric | base | new | change | pairs | verdict |")
    lu.assertStrContains(said, "| builtin, 1000 | map | 10.0 ms | 10.5 ms | +5.2 % (+4.1 … +6.4) | 40 "
        .. "| ❌ **regressed, twice** |")
    lu.assertNotStrContains(said, "s/iter")
    lu.assertStrContains(said, "A/A: no difference found between base and base (+0.1 % (-0.8 … +1.1), 40 pairs)")
    local doc = verdicts.ab()
    doc.ab.aa = { effect = 1.2, pairs = 8, flagged = false }
    lu.assertStrContains(markdown.render(doc), "A/A: too few values of base against base to tell")
end

function TestMarkdown.test_a_run_that_says_nothing_shows_no_red_verdict()
    local said = markdown.render(verdicts.invalid())
    lu.assertNotStrContains(said, "❌ **")
    lu.assertStrContains(said, "❌ A/A: base differs from itself in builtin, 1000: map by +8.0 %")
end

function TestMarkdown.test_every_table_has_as_many_cells_in_each_row()
    for _, doc in ipairs { synthetic.faults(), synthetic.body(), verdicts.ab(), verdicts.baseline(),
        verdicts.thresholds(), verdicts.hostile(NASTY) } do
        local width
        for line in markdown.render(doc):gmatch "([^\n]*)\n" do
            if line:find "^|" then
                local _, bars = line:gsub("\\|", ""):gsub("|", "")
                width = width or bars
                lu.assertEquals(bars, width, line)
            else
                width = nil
            end
        end
    end
end

function TestMarkdown.test_text_of_the_results_is_shown_and_not_obeyed()
    local said = markdown.render(verdicts.hostile(NASTY))
    local outside = said:gsub("```.-```", "")
    lu.assertNil(outside:find("@user", 1, true)) -- would notify somebody
    lu.assertNil(outside:find("#12", 1, true))
    lu.assertNil(outside:find("<i>", 1, true))
    lu.assertNil(outside:find("[l]", 1, true))
    lu.assertNil(outside:find(" *b*", 1, true))
    lu.assertNil(outside:find "%f[$]%$a%$")
    lu.assertNotNil(utf8.len(said))
end

function TestMarkdown.test_a_command_with_backticks_stays_in_its_block()
    local doc = synthetic.fixed_data()
    doc.argv = { "rig", "a```b", "x" }
    lu.assertStrContains(markdown.render(doc), "````\nrig 'a```b' x\n````")
end

-- As many of everything as rig allows, and more.
local function huge(doc, text_of)
    local long = text_of or ("x y "):rep(2000)
    for i = #doc.cases + 1, 3000 do
        doc.cases[i] = results.case { index = i, params = doc.cases[1].params, status = "error", reason = long,
            label = long, errors = { { outcome = "error", message = long } } }
    end
    for i = 1, 500 do
        doc.findings[i] = { kind = "faster", text = long, evidence = {} }
        doc.thresholds[i] = { text = long, case = long, passed = false, judged_by = "nothing", reason = long }
        doc.verdicts[i] = { case = long, params = {}, metric = long, kind = "time", verdict = "regressed", effect = 2,
            text = long }
    end
    doc.scenario.name, doc.argv = long, { "rig", long, long }
    return doc
end

function TestMarkdown.test_it_is_never_longer_than_github_takes()
    for _, long in ipairs { ("x y "):rep(2000), ("é"):rep(5000), ("$@#<|"):rep(2000) } do
        local doc = verdicts.thresholds()
        doc.verdicts = {}
        local said = markdown.render(huge(doc, long))
        lu.assertTrue(#said <= 65000, #said)
        lu.assertNotNil(utf8.len(said))
        lu.assertStrContains(said, "all are in the JSON")
    end
end

TestAnnotations = {}

function TestAnnotations.test_what_counts_is_an_error_and_what_does_not_a_warning()
    local lines = lines_of(annotations.render(verdicts.ab()))
    lu.assertEquals(#lines, 3)
    lu.assertStrContains(lines[1],
        "::error file=scenarios/decode.lua,title=rig%3A decode%3A map regressed::builtin, 1000")
    lu.assertStrContains(lines[1], "+5.2 %25 (+4.1")
    lu.assertStrContains(lines[2], "::warning file=scenarios/decode.lua,title=rig%3A decode%3A map inconclusive::")
    lu.assertStrContains(lines[3], "::notice ")
    local advice = lines_of(annotations.render(verdicts.baseline()))
    lu.assertStrContains(advice[1], "::error file=scenarios/decode.lua,title=rig%3A decode%3A messages changed::")
    lu.assertStrContains(advice[2], "::warning file=scenarios/decode.lua,title=rig%3A decode%3A map regressed::")
end

function TestAnnotations.test_nothing_is_red_in_a_run_that_says_nothing()
    local said = annotations.render(verdicts.invalid())
    lu.assertNotStrContains(said, "::error")
    lu.assertStrContains(said, "title=rig%3A decode%3A the run says nothing::A/A: base differs from itself")
end

function TestAnnotations.test_failures_thresholds_and_noise_are_told()
    local doc = verdicts.thresholds()
    doc.cases[3].status, doc.cases[3].reason = "faulted", "worker 2 died"
    doc.findings = { { kind = "noise", text = "4 s were stolen", evidence = {} } }
    local said = annotations.render(doc)
    lu.assertStrContains(said,
        "::error file=scenarios/fixed_data.lua,title=rig%3A fixed_data%3A faulted::worker 2 died")
    lu.assertStrContains(said, "threshold broken::map.median < 5 ms: custom, 158,489,319: 9.80 ms")
    lu.assertStrContains(said,
        "::warning file=scenarios/fixed_data.lua,title=rig%3A fixed_data%3A noise::4 s were stolen")
    lu.assertEquals(annotations.render(synthetic.fixed_data()), "")
end

function TestAnnotations.test_a_line_that_a_message_names_is_pointed_at()
    local doc = synthetic.faults()
    doc.cases[2].reason = "scenarios/fixed_data.lua:12: no such thing (in items)"
    lu.assertStrContains(annotations.render(doc), "::error file=scenarios/fixed_data.lua,line=12,title=")
end

function TestAnnotations.test_each_stays_one_command_whatever_the_text()
    local lines = lines_of(annotations.render(verdicts.hostile(NASTY)))
    lu.assertTrue(#lines > 5)
    for _, line in ipairs(lines) do
        local kind, properties, message = line:match "^::(%l+) (.-)::(.*)$"
        lu.assertTrue(kind == "error" or kind == "warning" or kind == "notice", line)
        lu.assertStrMatches(properties, "file=[^,:]*,title=[^,:]*")
        lu.assertNil(line:find "[\r%z]")
        lu.assertNotNil(message)
    end
end

function TestAnnotations.test_no_more_than_github_shows_and_the_last_says_so()
    local doc = verdicts.ab()
    for i = 1, 30 do doc.verdicts[i] = verdicts.ab().verdicts[1] end
    local lines = lines_of(annotations.render(doc))
    lu.assertEquals(#lines, 10)
    lu.assertStrContains(lines[10], "21 more")
end

TestTerminal = {}

function TestTerminal.test_an_ab_run_shows_verdicts_in_place_of_cases()
    local said = text.render(verdicts.ab(), { columns = 100 })
    lu.assertStrContains(said, "A/B of lib: head/libdec.so against base/libdec.so")
    lu.assertStrMatches(said,
        ".*\n  builtin, 1000 +10%.0 ms +10%.5 ms +%+5%.2 %% %(%+4%.1 … %+6%.4%) +40  regressed, twice\n.*")
    lu.assertStrContains(said, "1 verdict inconclusive: the interval")
    lu.assertNotStrContains(said, "s/iter")
    lu.assertStrMatches(said, ".*regressed: 4 cases, .*%(exit 3%).*")
end

function TestTerminal.test_a_case_of_an_ab_run_that_failed_is_still_shown()
    local doc = verdicts.ab()
    doc.cases[2].status, doc.cases[2].reason = "faulted", "worker 3 died"
    lu.assertStrContains(text.render(doc, {}), "✗ worker 3 died")
end

function TestTerminal.test_red_is_what_counts()
    local function has(doc, said) return text.render(doc, { color = true }):find(said, 1, true) ~= nil end
    lu.assertTrue(has(verdicts.ab(), "\27[31mregressed, twice\27[0m"))
    lu.assertFalse(has(verdicts.invalid(), "\27[31mregressed"))
    lu.assertTrue(has(verdicts.baseline(), "\27[33mregressed (advice)\27[0m"))
    lu.assertTrue(has(verdicts.baseline(), "\27[31mchanged\27[0m"))
end

function TestTerminal.test_a_verdict_has_the_same_word_as_in_markdown()
    local advised = { "regressed (advice)", "changed (advice)", "improved (advice)", "inconclusive (advice)",
        "unchanged" }
    local doc = verdicts.baseline()
    for i, word in ipairs(advised) do
        local v = verdicts.ab().verdicts[1]
        v.verdict, v.gates, v.confirmed, v.case = word:match "^%l+", false, nil, "case " .. i
        doc.verdicts[i] = v
    end
    local terminal, page = text.render(doc, { columns = 200 }), markdown.render(doc)
    for i, word in ipairs(advised) do
        lu.assertStrContains(terminal:match(("\n  case %d [^\n]*"):format(i)) .. "\n", "  " .. word .. "\n")
        lu.assertStrContains(page:match(("\n| case %d [^\n]*"):format(i)), " " .. word .. " |")
    end
end

function TestTerminal.test_thresholds_say_how_they_were_judged()
    local said = text.render(verdicts.thresholds(), { columns = 140 })
    lu.assertStrContains(said,
        "✓ map.median < 10 ms: builtin, 100,000: 4.81 ms (95 % interval 4.79 … 4.85 ms, 9 samples)\n")
    lu.assertStrContains(said, "9.80 ms (95 % interval 9.50 … 10.1 ms, 9 samples), not < 5 ms\n")
    lu.assertStrContains(said, "✓ s_per_iteration.ratio > 2: 30.8 (one value); fewer than 6 samples")
    lu.assertStrContains(said, "✗ epoch_s < 1 s: fails: no sample: nothing recorded epoch_s (rig.metric)")
    lu.assertStrContains(said, "2 of 4 thresholds held")
end

function TestTerminal.test_no_line_is_wider_than_the_terminal()
    for _, doc in ipairs { verdicts.ab(), verdicts.invalid(), verdicts.baseline(), verdicts.thresholds() } do
        for _, v in ipairs(doc.verdicts or {}) do v.case = v.case .. (", a long name"):rep(9) end
        for _, columns in ipairs { 60, 80, 100, 200 } do
            for _, line in ipairs(lines_of(text.render(doc, { columns = columns }))) do
                if not line:find("next: ", 1, true) and not line:find "^again: " then
                    lu.assertTrue(human.width(line) <= columns, ("%d: %s"):format(columns, line))
                end
            end
        end
    end
end

function TestTerminal.test_nothing_of_a_foreign_document_reaches_the_terminal()
    local said = text.render(verdicts.hostile "a\27[2Jb\xC2\x9Bc", {})
    lu.assertNil(said:find("\27", 1, true))
    lu.assertNil(said:find("\xC2\x9B", 1, true))
end

TestFigures = {}

function TestFigures.test_changes_are_percent_and_large_ones_multiples()
    lu.assertEquals(change.effect(1.052), "+5.2 %")
    lu.assertEquals(change.effect(0.9), "-10.0 %")
    lu.assertEquals(change.effect(1), "0.0 %")
    lu.assertEquals(change.effect(0.99999), "0.0 %")
    lu.assertEquals(change.effect(30.8), "30.8 x")
    lu.assertEquals(change.effect(nil), "–")
    lu.assertEquals(change.of { kind = "time", effect = 30.8, low = 28.4, high = 31 }, "30.8 x (28.4 … 31.0)")
    lu.assertEquals(change.of { kind = "exact", a = 2700, b = 1800 }, "-900")
    lu.assertEquals(change.of { kind = "exact", a = 100000, b = 1000369, unit = "B" }, "+900 kB")
    lu.assertEquals(change.of { kind = "exact", a = 1000, b = 964, unit = "B" }, "-36 bytes")
    lu.assertEquals(change.of { kind = "exact", a = 2, b = 1002, unit = "1" }, "+1,000")
end

function TestFigures.test_counters_keep_their_digits()
    lu.assertEquals(change.value(1234567, "1"), "1,234,567")
    lu.assertEquals(change.value(1234567.0, nil), "1,234,567")
    lu.assertEquals(change.value(0.0105, "s"), "10.5 ms")
    lu.assertEquals(change.value(2e9, "B"), "2.00 GB")
    lu.assertEquals(change.value(0 / 0, "s"), "–")
end

function TestFigures.test_a_sentence_names_its_case_once()
    local v = { case = "10", metric = "map", verdict = "regressed", text = "10.5 % slower, 110 pairs" }
    lu.assertEquals(change.sentence(v), "10: map: 10.5 % slower, 110 pairs")
    v.text = "10: map 10.5 % slower"
    lu.assertEquals(change.sentence(v), "10: map 10.5 % slower")
end

function TestFigures.test_only_what_decides_is_counted_by_its_verdict()
    lu.assertEquals(judged.counts(verdicts.ab()), "1 regressed, 1 inconclusive, 1 improved, 1 unchanged")
    lu.assertEquals(judged.counts(verdicts.baseline()), "1 changed, 2 as advice")
    lu.assertNil(judged.counts(synthetic.fixed_data()))
end

function TestFigures.test_bytes_that_are_no_text_are_replaced_and_the_rest_stays()
    lu.assertEquals(plain.text "a\tb\r\nc é 漢 \u{1F600}", "a\tb\r\nc é 漢 \u{1F600}")
    lu.assertEquals(plain.text "a\0b\x1Bc\xFFd\x7F", "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}")
    lu.assertEquals(plain.text "\u{FFFE}\u{FFFD}", "\u{FFFD}\u{FFFD}")
    lu.assertEquals(plain.line "a\r\nb\n\n c", "a b c")
end

os.exit(lu.LuaUnit.run())
