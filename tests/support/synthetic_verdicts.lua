-- Results documents with verdicts and thresholds that nobody measured, in every kind there is, so that tests of reports
-- know what must be shown. Same call, same document.
-- Neighbours: synthetic.lua (cases), tests/lua/test_{reports,junit}.lua.

local results = require("rig.results")
local synthetic = require("synthetic")

local M = {}

local function ratios(n, middle)
    local list = {}
    for i = 1, n do list[i] = math.log(middle) + ((i * 37) % 21 - 10) / 500 end
    return list
end

local AA = { effect = 1.001, low = 0.992, high = 1.011, pairs = 40, flagged = false }

local function verdict(params, metric, word, effect, more)
    local v = {
        case = ("%s, %d"):format(params.pool, params.size), params = params, metric = metric, kind = "time",
        verdict = word, effect = effect, low = effect - 0.011, high = effect + 0.012, confidence = 0.9975, pairs = 40,
        a = 0.01, b = 0.01 * effect, unit = "s", gates = true, log_ratios = ratios(40, effect), aa = AA,
    }
    for name, value in pairs(more or {}) do v[name] = value end
    return v
end

---An A/B run of two builds of a library: one case regressed, one improved, one unchanged, one not settled.
---@return table doc
function M.ab()
    local doc = synthetic.document("decode", { "pool", "size" }, synthetic.sweep({ { "pool", { "builtin" } },
        { "size", { 1000, 2000, 4000, 8000 } } }))
    doc.ab = { what = "lib", a = "base/libdec.so", b = "head/libdec.so", min_effect = 0.03, seed = 7,
        looks = { 20, 40, 80, 160 }, budget_s = 180, valid = true, unknown = {}, aa = AA }
    local function params(size) return { pool = "builtin", size = size, workers = 4 } end
    doc.verdicts = {
        verdict(params(1000), "map", "regressed", 1.052, { confirmed = true }),
        verdict(params(2000), "map", "improved", 0.81),
        verdict(params(4000), "map", "unchanged", 1.002),
        verdict(params(8000), "map", "inconclusive", 1.03, { low = 0.96, high = 1.11, pairs = 160,
            log_ratios = ratios(160, 1.03) }),
    }
    doc.status, doc.exit = "regressed", 3
    return doc
end

---The same run, but base differed from itself.
---@return table doc
function M.invalid()
    local doc = M.ab()
    doc.ab.valid = false
    doc.verdicts[1].aa = { effect = 1.08, low = 1.05, high = 1.11, pairs = 40, flagged = true }
    doc.status, doc.exit = "inconclusive", 0
    return doc
end

---A run beside a saved baseline: counters decide, times are advice.
---@return table doc
function M.baseline()
    local doc = synthetic.document("decode", { "pool", "size" }, synthetic.sweep({ { "pool", { "builtin" } },
        { "size", { 1000, 2000 } } }))
    doc.baseline = { file = "base.json", started = "2026-01-30T12:00:00Z", gate_time = false, accept_counters = false }
    local params = { pool = "builtin", size = 1000 }
    local saved = { n_base = 9, n_new = 9, gates = false }
    doc.verdicts = { verdict(params, "map", "regressed", 3.8, saved),
        { case = "builtin, 1000", params = params, metric = "messages", kind = "exact", verdict = "changed",
            a = 1800, b = 2700, unit = "1", gates = true },
        { case = "builtin, 1000", params = params, metric = "minor_faults", kind = "tolerance", verdict = "changed",
            effect = 1.2, a = 1000, b = 1200, unit = "1", gates = false } }
    for _, name in ipairs({ "pairs", "log_ratios", "aa" }) do doc.verdicts[1][name] = nil end
    doc.status, doc.exit = "regressed", 3
    return doc
end

---The reference experiment with thresholds: held and broken, judged in every way.
---@return table doc
function M.thresholds()
    local doc = synthetic.fixed_data()
    doc.thresholds = {
        { text = "map.median < 10 ms", case = "builtin, 100,000", cases = { 1 }, metric = "map.median", value = 0.00481,
            low = 0.00479, high = 0.00485, n = 9, limit = 0.01, unit = "s", judged_by = "interval", passed = true },
        { text = "map.median < 5 ms", where = { pool = "custom" }, case = "custom, 158,489,319", cases = { 10 },
            metric = "map.median", value = 0.0098, low = 0.0095, high = 0.0101, n = 9, limit = 0.005, unit = "s",
            judged_by = "interval", passed = false, reason = "the whole interval lies above 5 ms" },
        { text = "s_per_iteration.ratio > 2", metric = "s_per_iteration.ratio", value = 30.8, n = 1, limit = 2,
            judged_by = "median", passed = true, reason = "fewer than 6 samples" },
        { text = "epoch_s < 1 s", metric = "epoch_s", limit = 1, judged_by = "nothing", passed = false,
            reason = "no sample: nothing recorded epoch_s (rig.metric)" },
    }
    doc.status, doc.exit = "failed", 1
    return doc
end

---A document in which every text is meant to break what it is put into.
---@param text string
---@return table doc
function M.hostile(text)
    local doc = M.thresholds()
    doc.scenario.name, doc.scenario.about, doc.scenario.file, doc.label = text, text, text, text
    doc.host.cpu, doc.argv = text, { "rig", text }
    doc.verdicts = M.baseline().verdicts
    for _, v in ipairs(doc.verdicts) do v.case, v.text = text, text end
    for _, t in ipairs(doc.thresholds) do t.text, t.case, t.reason = text, text, text end
    for _, case in ipairs(doc.cases) do case.label, case.params.pool = text, text end
    local case = doc.cases[1]
    case.status, case.reason = "failed", text
    case.iterations[1].result, case.iterations[1].right = text, false
    case.errors = { { outcome = "error", message = text, task = 1 } }
    case.metrics[text] = { unit = text, values = { 1.5 }, median = 1.5 }
    doc.cases[2] = results.case({ index = 2, params = doc.cases[2].params, label = text, status = "skipped",
        reason = text })
    doc.findings = { { kind = "faster", text = text, evidence = {} }, { kind = "noise", text = text, evidence = {} } }
    doc.verify = { right = false, message = text }
    return doc
end

return M
