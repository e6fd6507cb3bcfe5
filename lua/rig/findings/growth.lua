-- How time grows with each number that was swept: the fitted exponent, as a whole and by phase, and where growth
-- begins. Not for workers: that is speedup.
-- Neighbours: fits, points (the series), phases (the parts of an iteration).

local fits = require("rig.fits")
local human = require("rig.report.human")
local phases = require("rig.findings.phases")
local points = require("rig.findings.points")

local M = {}

local MOST_SERIES = 6
-- A phase below this share of the largest point's time is noise with an exponent.
local SHARE_WORTH_NAMING = 0.03
-- A turn is named when it leaves at most a third of the squares that one straight line leaves.
local GAIN_OF_A_TURN = 3
-- Below this factor over the whole sweep nobody would speak of growth.
local CHANGE_WORTH_NAMING = 1.25
-- Up to the turn a series may vary by this and be called flat, and by this and have a turn at all.
local FLAT_BEFORE, LEVEL_BEFORE = 1.10, 1.5
-- The whole interval of an exponent that is called linear.
local LINEAR_FROM, LINEAR_TO = 0.75, 1.25
-- The end of a sweep is named apart when its exponent is this much above the rest.
local STEEPER = 0.1
-- One step against the trend by more than this is no trend.
local STEP_BACK = 1.1
-- From so many series on, one sentence says it of all that stay level, or of all that grow.
local MANY_LEVEL, MANY_GROWING = 3, 4

-- Every run counts: several at each value can give an interval to an exponent that has few values.
local function xs_and_ys(axis, list)
    local xs, ys = {}, {}
    for _, point in ipairs(list) do
        for _, seconds in ipairs(point.values) do
            xs[#xs + 1], ys[#ys + 1] = point.params[axis.name], seconds
        end
    end
    return xs, ys
end

local function exponent_text(fit)
    if not fit.low then return human.exponent(fit.exponent) end
    return ("%s, interval %s to %s"):format(human.exponent(fit.exponent), human.exponent(fit.low),
        human.exponent(fit.high))
end

-- The seconds of each phase at each point: those of the table, with the wait for the data taken out of map.
local function phase_seconds(model, list)
    local cores = model.doc.host and model.doc.host.cores
    local rows = {}
    for i, point in ipairs(list) do
        local parts = phases.of_point(point, cores)
        if not parts then return nil end
        rows[i] = { start = parts.start, deliver = parts.deliver, wait = parts.wait, map = parts.map + parts.fewer,
            reduce = parts.reduce, close = parts.close }
    end
    return rows
end

local NAMES = { start = "start", deliver = "delivery", wait = "waiting in map for the data", map = "map",
    reduce = "reduce", close = "close" }

-- Exponents of the phases that matter at the largest value.
local function by_phase(model, axis, list)
    local rows = not model.of_body and phase_seconds(model, list)
    if not rows then return "", nil end
    local words, evidence, xs = {}, {}, {}
    for i, point in ipairs(list) do xs[i] = point.params[axis.name] end
    for _, name in ipairs({ "start", "deliver", "wait", "map", "reduce", "close" }) do
        local ys = {}
        for i, row in ipairs(rows) do ys[i] = row[name] end
        local fit = fits.fit_power(xs, ys)
        local share = ys[#ys] / list[#list].seconds
        if fit and fit.n == #list and share >= SHARE_WORTH_NAMING then
            local said = name == "map" and evidence.wait and "the rest of map" or NAMES[name]
            words[#words + 1] = ("%s %s"):format(said, human.exponent(fit.exponent))
            evidence[name] = { exponent = fit.exponent, low = fit.low, high = fit.high, share = share }
        end
    end
    if #words == 0 then return "", nil end
    return "; by phase: " .. table.concat(words, ", "), evidence
end

local function ends_text(model, axis, list)
    local first, last = list[1], list[#list]
    return ("%s%s at %s, %s at %s"):format(human.duration(first.seconds), model.per,
        points.value_text(model, axis.name, first.params[axis.name]), human.duration(last.seconds),
        points.value_again(model, axis.name, last.params[axis.name]))
end

-- How far the times of the first so many points lie apart.
local function spread(list, count)
    local low, high = math.huge, 0
    for i = 1, count do low, high = math.min(low, list[i].seconds), math.max(high, list[i].seconds) end
    return high / low
end

-- Where growth begins, from the times that are shown: the exponent is that between the turn and the end, so that
-- whoever has the table can reckon it again.
local function turn(axis, list)
    local hinge = fits.fit_hinge(xs_and_ys(axis, list))
    if not hinge or hinge.gain < GAIN_OF_A_TURN or hinge.exponent <= 0 then return nil end
    local at
    for i, point in ipairs(list) do
        if point.params[axis.name] == hinge.from then at = i end
    end
    if not at or at == 1 or at == #list then return nil end
    local first, last, before = list[at], list[#list], spread(list, at)
    local times, of = last.seconds / first.seconds, last.params[axis.name] / hinge.from
    if before > LEVEL_BEFORE or times < CHANGE_WORTH_NAMING then return nil end
    return { from = hinge.from, first = first, times = times, of = of, exponent = math.log(times) / math.log(of),
        before = before }
end

-- Between the last two points: a cost that grows under a fixed one shows its own exponent only there.
local function last_exponent(axis, list)
    if #list < 3 then return nil end
    local a, b = list[#list - 1], list[#list]
    return math.log(b.seconds / a.seconds) / math.log(b.params[axis.name] / a.params[axis.name])
end

local SAID = {
    flat = "does not grow with %s", level = "hardly changes with %s", unclear = "shows no clear trend with %s",
    growing = "grows with %s", ["sub-linear"] = "grows with %s, sub-linearly", linear = "grows with %s, linearly",
    ["super-linear"] = "grows with %s, worse than linearly", falling = "takes less time with more %s",
}

-- Whether neighbours contradict the whole: with too few points for an interval that is all there is to doubt it.
local function is_contradicted(fit, list)
    if fit.low then return false end
    for i = 2, #list do
        local step = list[i].seconds / list[i - 1].seconds
        if fit.exponent < 0 then step = 1 / step end
        if step < 1 / STEP_BACK then return true end
    end
    return false
end

-- Only the word that the whole interval allows.
local function supported(class, fit)
    local low, high = fit.low or fit.exponent, fit.high or fit.exponent
    if class == "sub-linear" and high >= 1 or class == "super-linear" and low <= 1 then return "growing" end
    if class == "linear" and fit.low and (low < LINEAR_FROM or high > LINEAR_TO) then return "growing" end
    return class
end

-- What a fit means for people: growth of a few percent over a whole sweep is none, whatever its interval.
local function class_of(fit, hinge, times, list)
    local class = fits.growth_class(fit)
    -- a level with one rise at its end has an exponent of zero by most pairs of points, and grows all the same
    if hinge then return "turning" end
    if class == "flat" then return class end
    if math.max(times, 1 / times) < CHANGE_WORTH_NAMING then return "level" end
    if is_contradicted(fit, list) then return "unclear" end
    return supported(class, fit)
end

local GROWS = { growing = true, ["sub-linear"] = true, linear = true, ["super-linear"] = true }

-- "custom is flat with size up to 25.1M ints (7.10 ms per iteration), and grows from there: 178 ms at 158M, …"
local function turn_text(model, axis, one, hinge)
    local last = one.points[#one.points]
    local name, from = axis.name, points.value_text(model, axis.name, hinge.from)
    if from == name .. " " .. human.short(hinge.from) then from = human.short(hinge.from) end
    local flat = hinge.before < FLAT_BEFORE and "is flat" or "stays within " .. human.ratio(hinge.before)
    local said = "%s %s with %s up to %s (%s%s there), and grows from there: %s at %s, %s for %s the %s (exponent %s)"
    return said:format(one.label, flat, name, from, human.duration(hinge.first.seconds), model.per,
        human.duration(last.seconds), points.value_again(model, name, last.params[name]), human.ratio(hinge.times),
        human.ratio(hinge.of), name, human.exponent(hinge.exponent))
end

local function growth_text(model, axis, one, fit, class, hinge)
    if hinge then return turn_text(model, axis, one, hinge) end
    local list = one.points
    local times = list[#list].seconds / list[1].seconds
    local of = list[#list].params[axis.name] / list[1].params[axis.name]
    local text = ("%s %s: %s, %s for %s the %s (exponent %s)"):format(one.label, SAID[class]:format(axis.name),
        ends_text(model, axis, list), human.ratio(times), human.ratio(of), axis.name, exponent_text(fit))
    local steep = GROWS[class] and last_exponent(axis, list)
    if steep and steep > fit.exponent + STEEPER then
        text = ("%s; exponent %s between the last two, %s and %s"):format(text, human.exponent(steep),
            points.value_again(model, axis.name, list[#list - 1].params[axis.name]),
            points.value_again(model, axis.name, list[#list].params[axis.name]))
    end
    return text
end

local function growth_of(model, axis, one)
    local list = one.points
    local first = list[1].params[axis.name]
    if #list < 2 or not first or first <= 0 then return nil end
    local fit = fits.fit_power(xs_and_ys(axis, list))
    if not fit then return nil end
    local hinge, times = turn(axis, list), list[#list].seconds / list[1].seconds
    local class = class_of(fit, hinge, times, list)
    local phase_text, phase_evidence = by_phase(model, axis, list)
    return { kind = "growth", text = growth_text(model, axis, one, fit, class, hinge) .. phase_text, evidence = {
        label = one.label, along = axis.name, class = class, exponent = fit.exponent, low = fit.low, high = fit.high,
        points = fit.n, from = hinge and hinge.from, exponent_from_there = hinge and hinge.exponent,
        ratio = times, phases = phase_evidence, cases = points.indexes(table.unpack(list)),
    } }
end

-- One finding for many series: what it says of each is short, and all is in the evidence.
local function merged(axis, list, class, say)
    local words, cases, series = {}, {}, {}
    for i, finding in ipairs(list) do
        local e = finding.evidence
        words[i] = say(e)
        series[i] = { label = e.label, class = e.class, exponent = e.exponent, low = e.low, high = e.high,
            ratio = e.ratio, from = e.from, exponent_from_there = e.exponent_from_there, phases = e.phases,
            cases = e.cases }
        table.move(e.cases, 1, #e.cases, #cases + 1, cases)
    end
    return words, { along = axis.name, class = class, series = series, cases = cases }
end

local function merge_level(axis, list)
    local most = 1
    for _, finding in ipairs(list) do most = math.max(most, finding.evidence.ratio) end
    local words, evidence = merged(axis, list, "level", function(e) return e.label end)
    local text = ("%s hardly change with %s: at most %s over the whole sweep"):format(human.join(words), axis.name,
        human.ratio(most))
    return { kind = "growth", text = text, evidence = evidence }
end

local function merge_growing(model, axis, list)
    table.sort(list, function(a, b) return a.evidence.ratio > b.evidence.ratio end)
    local words, evidence = merged(axis, list, "growing", function(e)
        if e.from then
            return ("%s %s (from %s on, exponent %s)"):format(e.label, human.ratio(e.ratio),
                points.value_again(model, axis.name, e.from), human.exponent(e.exponent_from_there))
        end
        return ("%s %s (exponent %s)"):format(e.label, human.ratio(e.ratio), exponent_text(e))
    end)
    local values = axis.values
    local text = ("time for %s the %s: %s"):format(human.ratio(values[#values] / values[1]), axis.name,
        human.join(words))
    return { kind = "growth", text = text, evidence = evidence }
end

-- Few series have a sentence each; of many, those that stay level share one, and those that do not another.
local function merge(model, axis, list)
    local level, growing, out = {}, {}, {}
    for _, finding in ipairs(list) do
        local class = finding.evidence.class
        table.insert((class == "flat" or class == "level") and level or growing, finding)
    end
    if #level >= MANY_LEVEL then level = { merge_level(axis, level) } end
    if #growing >= MANY_GROWING then growing = { merge_growing(model, axis, growing) } end
    table.move(level, 1, #level, 1, out)
    return table.move(growing, 1, #growing, #out + 1, out)
end

local function along(model, axis)
    local list = {}
    for _, fixed in ipairs(points.surroundings(model, axis)) do
        for _, one in ipairs(points.series(model, axis, fixed)) do
            list[#list + 1] = growth_of(model, axis, one)
        end
    end
    return merge(model, axis, list)
end

---@param model rig.Model
---@return table[] findings
function M.find(model)
    local out = {}
    for _, axis in ipairs(model.dims) do
        -- what workers bring is speedup's
        if axis.numeric and axis.name ~= "workers" then
            local list = along(model, axis)
            table.move(list, 1, math.min(#list, MOST_SERIES), #out + 1, out)
        end
    end
    return out
end

return M
