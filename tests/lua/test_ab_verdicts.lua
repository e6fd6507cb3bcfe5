-- What an A/B run says of its figures, without running one: the sentences that JUnit and annotations show beside the
-- figures of the tables. Neighbours: lua/rig/ab/verdicts.lua, test_ab.lua (real runs), test_reports.lua (the tables).

local lu = require "luaunit"
local change = require "rig.report.change"
local verdicts = require "rig.ab.verdicts"

-- A run of one case whose pairs are about `ratio` apart.
local function judged(word, ratio)
    local ratios, a, b = {}, {}, {}
    for i = 1, 40 do
        ratios[i], a[i], b[i] = math.log(ratio) + (i % 5 - 2) / 1000, 0.01, 0.01 * ratio
    end
    local track = { ratios = ratios, all = ratios, verdict = word }
    local schedule = { tracks = { track }, confidence = 0.95 }
    function schedule.same() return { flagged = false } end
    function schedule.same_in_all() return { flagged = false } end
    local samples = { a = a, b = b, x = {}, cpu = { a = {}, b = {} }, metrics = { a = {}, b = {} }, counters = {} }
    local doc = { ab = {} }
    verdicts.add(doc, { twins = { { label = "builtin", params = {} } }, schedule = schedule, samples = { samples },
        sides = { a = "base", b = "head" }, min_effect = 0.03, iterations = {} })
    return doc.verdicts[1]
end

TestSigns = {}

function TestSigns.test_texts_have_the_sign_of_the_tables()
    for word, ratio in pairs { improved = 0.9, unchanged = 0.999, regressed = 1.1, inconclusive = 0.98 } do
        local v = judged(word, ratio)
        lu.assertNil(v.text:find("\u{2212}", 1, true), v.text)
        local low, high = change.interval(v.low, v.high, v.effect):match "^(%S+) … (%S+)$"
        lu.assertStrContains(v.text, ("(%s %% to %s %%, 40 pairs)"):format(low, high))
    end
    -- the bounds are the 14th and the 27th of the 40: 0.9 times exp(-0.001) and exp(0.001)
    lu.assertStrContains(judged("improved", 0.9).text, "10 % faster with head (-10.1 % to -9.9 %, 40 pairs)")
end

os.exit(lu.LuaUnit.run())
