-- What more workers bring: the speed-up over no pool at all or over the smallest one; and what keeps it from being
-- more, by the Universal Scalability Law: contention (work that waits its turn) and coherency (the cost of every pair).
-- Not for other numbers: that is growth. Only counts up to the cores say anything of a pool; beyond, cores limit.
-- Neighbours: fits (the law), points, compare (ratios), growth (which leaves workers to this).

local compare = require("rig.findings.compare")
local fits = require("rig.fits")
local human = require("rig.report.human")
local points = require("rig.findings.points")

local M = {}

local MOST_SERIES = 6
-- Counts that the law needs.
local ENOUGH_COUNTS = 4
-- Shares below this are none to people.
local NOTHING = 0.005
-- A fit that explains less than this of what was measured explains nothing.
local LEAST_R2 = 0.5
-- Beyond so many times the largest count that was measured, a prediction is a guess.
local FAR = 8
-- More than this below the best speed-up, and more workers cost time.
local FALLING = 0.95
-- Below this nobody would speak of a speed-up.
local LEAST_SPEEDUP = 1.1
-- Of what more workers could bring at most, in logarithms: with this share they still bring something.
local STILL_RISING = 0.5

-- What a pool's size is measured against: no pool at all, else the smallest pool.
local function baseline_of(model, fixed, one)
    for _, point in ipairs(points.at(model, fixed)) do
        if point.serial then return point, "serial" end
    end
    return one.points[1], human.count(one.points[1].params.workers, "worker")
end

local function rows_of(one, base)
    local rows, best = {}, 1
    for i, point in ipairs(one.points) do
        local workers, r = point.params.workers, compare.ratio(point, base)
        rows[i] = { workers = workers, speedup = r.ratio, efficiency = r.ratio / workers, low = r.low, high = r.high,
            runs = point == base and #point.values or r.runs }
        if r.ratio > rows[best].speedup then best = i end
    end
    return rows, best
end

-- From 15 to 16 workers is a few percent even where all of them work: that is not yet levelling off.
local function is_rising(from, to, cores)
    local could = math.min(to.workers, cores or math.huge) / math.min(from.workers, cores or math.huge)
    return could > 1 and math.log(to.speedup / from.speedup) > STILL_RISING * math.log(could)
end

-- The counts around the best one that are not told from it: within the noise all of them are the best.
local function plateau(one, rows, best, cores)
    local first, last = best, best
    local function is_level(i)
        return one.points[i] and compare.ratio(one.points[i], one.points[best]).level
    end
    while is_level(first - 1) and not is_rising(rows[first - 1], rows[best], cores) do first = first - 1 end
    while is_level(last + 1) do last = last + 1 end
    return first, last
end

-- "1.94 x", with enough runs "1.94 x (1.90 to 1.97)"
local function ratio_text(row)
    if not row.low then return human.ratio(row.speedup) end
    return ("%s (%s)"):format(human.ratio(row.speedup), (human.ratio_range(row.low, row.high):gsub(" x$", "")))
end

local function speedups_text(one, rows, base)
    local words = {}
    for i, row in ipairs(rows) do
        if one.points[i] ~= base then words[#words + 1] = ("%s with %d"):format(ratio_text(row), row.workers) end
    end
    return human.join(words)
end

-- Every run of every count that the cores can serve.
local function samples(one, cores)
    local ns, seconds, counts = {}, {}, 0
    for _, point in ipairs(one.points) do
        local workers = point.params.workers
        if not cores or workers <= cores then
            counts = counts + 1
            for _, value in ipairs(point.values) do ns[#ns + 1], seconds[#seconds + 1] = workers, value end
        end
    end
    return ns, seconds, counts
end

-- Small shares differ in their first digit behind the point.
local function share(x)
    if x < 0.0005 then return "0 %" end
    if x >= 0.0995 then return human.percent(x) end
    return (("%.1f %%"):format(100 * x):gsub("%.0 ", " "))
end

-- "4.2 % (3.1 to 5.6 %)"
local function with_range(x, ci)
    if not (ci and ci[1] and ci[2]) then return share(x) end
    local low, high = share(ci[1]), share(ci[2])
    if low == high then return share(x) end
    return ("%s (%s to %s)"):format(share(x), low:gsub(" %%$", ""), high)
end

local function contention_text(fit)
    local ci = fit.sigma_ci
    if fit.sigma < NOTHING and (not ci or ci[2] < 10 * NOTHING) then return "no contention" end
    return "contention " .. with_range(fit.sigma, ci)
end

-- The law's kappa is a share of one worker's time for every pair; people count workers, not pairs.
local function coherency_text(fit)
    local ci = fit.kappa_ci
    local shows = fit.kappa > 0 and (not ci or ci[1] > 0)
    if shows then
        return ("coherency cost %s for each pair of workers"):format(with_range(fit.kappa, ci))
    end
    return "no coherency cost that shows"
end

-- How many workers there is any use in.
local function limit_text(fit, largest)
    local peak = fit.peak and math.floor(fit.peak + 0.5)
    local shows = fit.kappa > 0 and fit.kappa_ci and fit.kappa_ci[1] and fit.kappa_ci[1] > 0
    if peak and shows and peak <= largest then
        return ("more than %s will not help"):format(human.count(peak, "worker"))
    elseif peak and shows and peak <= FAR * largest then
        return ("by this law no use in more than about %d (measured up to %d)"):format(peak, largest)
    elseif fit.sigma >= NOTHING and fit.sigma_ci and fit.sigma_ci[1] and fit.sigma_ci[1] >= NOTHING then
        return ("by this law never faster than %s, however many workers"):format(human.ratio(1 / fit.sigma))
    end
    return nil
end

local function law_text(fit, largest)
    local words = { contention_text(fit), coherency_text(fit) }
    words[#words + 1] = limit_text(fit, largest)
    return "; " .. table.concat(words, ", ")
end

-- Why there is no law, where workers were swept far enough for one.
local function no_law_text(one, cores, counts)
    if #one.points < ENOUGH_COUNTS then return "" end
    if cores and counts < #one.points then
        return ("; beyond %d the cores limit it, not the pool"):format(cores)
    end
    return ""
end

local function cores_text(cores)
    return cores and (" (the machine has %s)"):format(human.count(cores, "core")) or ""
end

-- Which counts are the best, as far as they can be told apart.
local function which_text(rows, first, last)
    local from = rows[first].workers
    if first == last then return "best with " .. human.count(from, "worker") end
    if last == #rows then return "levels off at " .. human.count(from, "worker") end
    return ("best with %d to %s"):format(from, human.count(rows[last].workers, "worker"))
end

local function best_text(one, rows, best, cores)
    local first, last = plateau(one, rows, best, cores)
    local row = rows[first]
    -- a best that is not told from next to nothing is nothing too
    if row.speedup < LEAST_SPEEDUP then return "; no speed-up to speak of" .. cores_text(cores), false end
    local text = ("; %s: %.2f of at most %d%s"):format(which_text(rows, first, last), row.speedup,
        math.min(row.workers, cores or row.workers), cores_text(cores))
    if last < #rows and rows[#rows].speedup < FALLING * rows[best].speedup and row.workers < (cores or math.huge) then
        text = text .. ", and slower again with more"
    end
    return text, true
end

local function fewest_runs(rows)
    local runs = math.huge
    for _, row in ipairs(rows) do runs = math.min(runs, row.runs) end
    return runs
end

local function law_of(one, cores)
    local ns, seconds, counts = samples(one, cores)
    local fit = counts >= ENOUGH_COUNTS and fits.usl(ns, seconds) or nil
    if fit and (not fit.r2 or fit.r2 < LEAST_R2) then fit = nil end
    return fit, ns[#ns], counts
end

local function speedup_of(model, axis, fixed, one)
    if one.points[1].serial or #one.points < 2 then return nil end
    local cores = model.doc.host and model.doc.host.cores
    local base, base_name = baseline_of(model, fixed, one)
    local rows, best = rows_of(one, base)
    local fit, largest, counts = law_of(one, cores)
    local best_said, is_faster = best_text(one, rows, best, cores)
    local text = ("%s: speed-up over %s %s%s"):format(one.label, base_name, speedups_text(one, rows, base), best_said)
    -- what limits it is no question where there is nothing to limit
    if is_faster then
        text = text .. (fit and law_text(fit, largest) or no_law_text(one, cores, counts))
        if fit and counts < #one.points then text = ("%s (fitted up to the %d cores)"):format(text, cores) end
    end
    text = ("%s (%s)"):format(text, compare.runs_text(fewest_runs(rows)))
    return { kind = "speedup", text = text, evidence = {
        label = one.label, along = axis.name, base = base_name, base_s = base.seconds, cores = cores, speedups = rows,
        law = fit and { sigma = fit.sigma, kappa = fit.kappa, lambda = fit.lambda, peak = fit.peak, r2 = fit.r2,
            sigma_ci = fit.sigma_ci, kappa_ci = fit.kappa_ci, counts = counts } or nil,
        cases = points.indexes(base, table.unpack(one.points)),
    } }
end

---@param model rig.Model
---@return table[] findings
function M.find(model)
    local out = {}
    for _, axis in ipairs(model.dims) do
        if axis.name == "workers" and axis.numeric then
            for _, fixed in ipairs(points.surroundings(model, axis)) do
                for _, one in ipairs(points.series(model, axis, fixed)) do
                    if #out < MOST_SERIES then out[#out + 1] = speedup_of(model, axis, fixed, one) end
                end
            end
        end
    end
    return out
end

return M
