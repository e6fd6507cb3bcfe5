-- Which phase explains a difference: the extra seconds of the slower one, shared out by where they went.
-- Not for which setting is to blame: that is axes, which needs cases that differ in one only.
-- Neighbours: phases (the parts), compare (whether there is a difference).

local compare = require("rig.findings.compare")
local human = require("rig.report.human")
local phases = require("rig.findings.phases")
local points = require("rig.findings.points")

local M = {}

local MOST_SURROUNDINGS = 2
local SHARE_WORTH_NAMING = 0.02
-- What the data's way to the workers costs, wherever it shows.
local DELIVERY = { "deliver", "wait", "fewer" }

-- The run in which the fewest workers held the data when the last result came in.
local function least_ready(point)
    local least
    for _, case in ipairs(point.cases) do
        local now = case.ready_at_last_result
        if now and (not least or now < least.ready_at_last_result) then least = case end
    end
    return least
end

-- Time lost to workers without the data: "map on fewer workers: 1 of 4 workers held it" where some never held it.
local function fewer_text(point)
    local case = least_ready(point)
    local workers = case and case.params.workers
    if not workers then return "map on fewer workers" end
    local first, last = (case.iterations[1] or {}).ready, case.ready_at_last_result
    if last >= workers then
        if not first or first >= workers then return "workers joined late" end
        return ("workers joined late: %d of %d held it after the first map"):format(first, workers)
    end
    if not first or last == first then
        return ("map on fewer workers: %d of %s held it"):format(last, human.count(workers, "worker"))
    end
    return ("map on fewer workers: %d, at the end %d of %s held it"):format(first, last, human.count(workers, "worker"))
end

local function shares_of(slow, fast, cores)
    local a, b = phases.of_point(fast, cores), phases.of_point(slow, cores)
    if not a or not b then return nil end
    local extra, shares = slow.seconds - fast.seconds, {}
    for _, name in ipairs(phases.ORDER) do shares[name] = (b[name] - a[name]) / extra end
    return shares, extra
end

local function largest_first(shares, names)
    local list = {}
    for _, name in ipairs(names) do
        if math.abs(shares[name]) >= SHARE_WORTH_NAMING then list[#list + 1] = name end
    end
    table.sort(list, function(a, b) return math.abs(shares[a]) > math.abs(shares[b]) end)
    return list
end

local function delivery_text(shares, slow)
    local said = {
        deliver = "before the first map",
        wait = "in map, until the first worker held the data: without a barrier the two overlap",
        fewer = fewer_text(slow),
    }
    local order, words = largest_first(shares, DELIVERY), {}
    for i, name in ipairs(order) do
        words[i] = #order == 1 and said[name] or ("%s %s"):format(human.percent(shares[name]), said[name])
    end
    return #words > 0 and " (" .. table.concat(words, "; ") .. ")" or ""
end

-- All parts, with those that are the delivery's as one.
local function by_part(shares)
    local total = { delivery = 0.0 }
    for _, name in ipairs({ "start", "map", "reduce", "close" }) do total[name] = shares[name] end
    for _, name in ipairs(DELIVERY) do total.delivery = total.delivery + shares[name] end
    return total
end

-- Parts that share no time with each other, so that they add up to the whole; the small ones as one.
local function parts_text(shares, total, slow)
    local words, left = {}, 1.0
    for i, name in ipairs(largest_first(total, { "start", "delivery", "map", "reduce", "close" })) do
        local detail = name == "delivery" and delivery_text(shares, slow) or ""
        local in_map = math.max(math.abs(shares.wait), math.abs(shares.fewer)) >= SHARE_WORTH_NAMING
        local said = name == "map" and in_map and "the rest of map" or name
        words[i] = ("%s %s%s%s"):format(said, i == 1 and "explains " or "", human.percent(total[name]), detail)
        left = left - total[name]
    end
    if #words > 0 and math.abs(left) >= SHARE_WORTH_NAMING then
        words[#words + 1] = "other parts " .. human.percent(left)
    end
    return words
end

local function explain(model, axis, x, fast, slow)
    local shares, extra = shares_of(slow, fast, model.doc.host and model.doc.host.cores)
    if not shares then return nil end
    local total = by_part(shares)
    local words = parts_text(shares, total, slow)
    if #words == 0 then return nil end
    local text = ("%s%s takes %s more%s than %s: %s"):format(
        axis and "at " .. points.value_text(model, axis.name, x) .. " " or "", slow.label, human.duration(extra),
        model.per, fast.label, table.concat(words, ", "))
    return { kind = "cause", text = text, evidence = { at = axis and x or nil, along = axis and axis.name or nil,
        fast = fast.label, slow = slow.label, extra_s = extra, shares = shares, delivery = total.delivery,
        cases = points.indexes(fast, slow) } }
end

-- The fastest and the slowest at the largest value where two differ.
local function extremes(model, axis, fixed)
    local series = points.series(model, axis or model.contender, fixed)
    for i = axis and #axis.values or 1, 1, -1 do
        local x = axis and axis.values[i]
        local fast, slow
        for _, one in ipairs(series) do
            for _, point in ipairs(one.points) do
                if not axis or point.params[axis.name] == x then
                    if not fast or point.seconds < fast.seconds then fast = point end
                    if not slow or point.seconds > slow.seconds then slow = point end
                end
            end
        end
        if fast and fast ~= slow and not compare.ratio(fast, slow).level then return fast, slow, x end
    end
end

---@param model rig.Model
---@return table[] findings
function M.find(model)
    local out = {}
    if not model.contender or model.of_body then return out end
    for i, fixed in ipairs(points.surroundings(model, model.axis)) do
        if i > MOST_SURROUNDINGS then break end
        local fast, slow, x = extremes(model, model.axis, fixed)
        -- serial has no phases to share anything out to
        if fast and not fast.serial and not slow.serial then
            out[#out + 1] = explain(model, model.axis, x, fast, slow)
        end
    end
    return out
end

return M
