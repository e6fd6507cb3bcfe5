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

-- The exponent from the turn on, where there is one.
local function turn(axis, list)
    local xs, ys = xs_and_ys(axis, list)
    local hinge = fits.fit_hinge(xs, ys)
    if not hinge or hinge.gain < GAIN_OF_A_TURN or hinge.from == xs[1] or hinge.exponent <= 0 then return nil end
    return hinge
end

-- Between the last two points: a cost that grows under a fixed one shows its own exponent only there.
local function last_exponent(axis, list)
    if #list < 3 then return nil end
    local fit = fits.fit_power(xs_and_ys(axis, { list[#list - 1], list[#list] }))
    return fit and fit.exponent
end

local SAID = {
    flat = "does not grow with %s", level = "hardly changes with %s", unclear = "shows no clear trend with %s",
    ["sub-linear"] = "grows with %s, sub-linearly", linear = "grows with %s, linearly",
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

-- What a fit means for people: growth of a few percent over a whole sweep is none, whatever its interval.
local function class_of(fit, hinge, times, list)
    local class = fits.growth_class(fit)
    if class == "flat" then return class end
    if math.max(times, 1 / times) < CHANGE_WORTH_NAMING then return "level" end
    if is_contradicted(fit, list) then return "unclear" end
    -- a level with one rise at its end has an exponent of zero by most pairs of points, and grows all the same
    if class == "unclear" and hinge then return "sub-linear" end
    return class
end

local function growth_text(model, axis, one, fit, class, hinge)
    local list = one.points
    local times = list[#list].seconds / list[1].seconds
    local of = list[#list].params[axis.name] / list[1].params[axis.name]
    local text = ("%s %s: %s, %s for %s the %s (exponent %s)"):format(one.label, SAID[class]:format(axis.name),
        ends_text(model, axis, list), human.ratio(times), human.ratio(of), axis.name, exponent_text(fit))
    if not class:find("linear") then return text end
    if hinge then
        text = ("%s; growth begins at about %s: %s from there on"):format(text,
            points.value_again(model, axis.name, hinge.from), human.exponent(hinge.exponent))
    end
    local steep = last_exponent(axis, list)
    if steep and steep > (hinge and hinge.exponent or fit.exponent) + STEEPER then
        text = ("%s%s %s between the last two"):format(text, hinge and "," or "; exponent", human.exponent(steep))
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
            ratio = e.ratio, phases = e.phases, cases = e.cases }
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

local function merge_growing(axis, list)
    table.sort(list, function(a, b) return a.evidence.ratio > b.evidence.ratio end)
    local words, evidence = merged(axis, list, "growing", function(e)
        return ("%s %s (exponent %s)"):format(e.label, human.ratio(e.ratio), exponent_text(e))
    end)
    local values = axis.values
    local text = ("time for %s the %s: %s"):format(human.ratio(values[#values] / values[1]), axis.name,
        human.join(words))
    return { kind = "growth", text = text, evidence = evidence }
end

-- Few series have a sentence each; of many, those that stay level share one, and those that do not another.
local function merge(axis, list)
    local level, growing, out = {}, {}, {}
    for _, finding in ipairs(list) do
        local class = finding.evidence.class
        table.insert((class == "flat" or class == "level") and level or growing, finding)
    end
    if #level >= MANY_LEVEL then level = { merge_level(axis, level) } end
    if #growing >= MANY_GROWING then growing = { merge_growing(axis, growing) } end
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
    return merge(axis, list)
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
