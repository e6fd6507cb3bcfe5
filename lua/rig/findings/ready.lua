-- Workers that did not hold the fixed data when the last result came in: where, how many, what never reached them,
-- and whether the results were right all the same. Timings hide it.
-- Neighbours: points (words), cause (what it costs).

local human = require("rig.report.human")
local points = require("rig.findings.points")

local M = {}

local MOST_PLACES = 4
-- From so many pools on, one sentence says it of all.
local MANY = 3

local function is_unready(case)
    local ready, workers = case.ready_at_last_result, case.params.workers
    return ready and workers and not points.is_serial(case) and #case.phases.map_s > 0 and ready < workers
end

-- Unready cases by what they are called, in the order of the cases.
local function by_label(model)
    local list, groups = {}, {}
    for _, case in ipairs(model.doc.cases or {}) do
        local label = points.label(model, case.params)
        local group = groups[label]
        if not group then
            group = { label = label, cases = {}, all = 0 }
            groups[label] = group
            list[#list + 1] = group
        end
        if #case.phases.map_s > 0 then group.all = group.all + 1 end
        if is_unready(case) then table.insert(group.cases, case) end
    end
    return list
end

local function where(model, case, again)
    return points.place_text(model, case.params, again) or ("in case %d"):format(case.index)
end

-- The fewest ready first, and of those the most data that never arrived.
local function worst_first(cases)
    local sorted = table.move(cases, 1, #cases, 1, {})
    table.sort(sorted, function(a, b)
        local x, y = a.ready_at_last_result / a.params.workers, b.ready_at_last_result / b.params.workers
        if x ~= y then return x < y end
        local more, less = a.undelivered.bytes or 0, b.undelivered.bytes or 0
        if more ~= less then return more > less end
        return a.index < b.index
    end)
    return sorted
end

-- What was still to go when the pool was closed.
local function undelivered_text(case)
    local left = case.undelivered
    if left.workers == 0 then return " (delivered before the close)" end
    if (left.bytes or 0) == 0 then return (" (never delivered to %d)"):format(left.workers) end
    return (" (%s never delivered to %d)"):format(human.bytes(left.bytes), left.workers)
end

-- One for each combination: the worst of its runs.
local function one_of_each(model, sorted)
    local list, seen = {}, {}
    for _, case in ipairs(sorted) do
        local key = where(model, case)
        if not seen[key] then
            seen[key] = true
            list[#list + 1] = case
        end
    end
    return list
end

local function place_text(model, case, again)
    return ("%d of %d %s%s"):format(case.ready_at_last_result, case.params.workers, where(model, case, again),
        undelivered_text(case))
end

-- "1 of 4 at 158M ints (3.80 GB never delivered to 3), 2 of 4 at 3.98M ints (…)"
local function places_text(model, sorted)
    local words = {}
    local places = one_of_each(model, sorted)
    for i, case in ipairs(places) do
        if i > MOST_PLACES then
            words[i] = ("%d more"):format(#places - MOST_PLACES)
            break
        end
        words[i] = place_text(model, case, i > 1)
    end
    return human.join(words)
end

-- Who did the work where the fewest were ready.
local function work_text(model, case)
    local by_worker, total, busiest = {}, 0, 0
    for _, iteration in ipairs(case.iterations) do
        for id, count in ipairs(iteration.tasks_by_worker or {}) do by_worker[id] = (by_worker[id] or 0) + count end
    end
    for _, count in ipairs(by_worker) do total, busiest = total + count, math.max(busiest, count) end
    if total == 0 or busiest < total / 2 then return "" end
    return (". One worker did %s of %s tasks %s"):format(human.group(busiest), human.group(total),
        where(model, case, true))
end

-- Whether every result of the run was checked and right, and how many there are.
local function all_right(doc)
    local all = 0
    for _, case in ipairs(doc.cases or {}) do
        for _, iteration in ipairs(case.iterations) do
            if iteration.right ~= true then return nil end
            all = all + 1
        end
    end
    return all
end

local function results_text(model, cases)
    local right, wrong, all = 0, 0, 0
    for _, case in ipairs(cases) do
        for _, iteration in ipairs(case.iterations) do
            all = all + 1
            if iteration.right == true then right = right + 1 end
            if iteration.right == false then wrong = wrong + 1 end
        end
    end
    if wrong > 0 then
        return (". %d of %d results were wrong"):format(wrong, all), right, all
    elseif right == all and all > 0 then
        local others = all_right(model.doc)
        local said = all == 1 and "The result was" or ("All %d results were"):format(all)
        said = said .. " right all the same"
        if others and others > all then said = ("%s, as were all %d of the run"):format(said, others) end
        return ". " .. said, right, all
    end
    if right + wrong > 0 then return (". %d of %d results were checked, and right"):format(right, all), right, all end
    return ". Results were not checked: the scenario expects nothing", right, all
end

local function rows_of(sorted)
    local rows, bytes, indexes = {}, 0, {}
    for i, case in ipairs(sorted) do
        bytes = bytes + (case.undelivered.bytes or 0)
        indexes[i] = case.index
        rows[i] = { case = case.index, ready = case.ready_at_last_result, workers = case.params.workers,
            undelivered_workers = case.undelivered.workers, undelivered_bytes = case.undelivered.bytes }
    end
    table.sort(indexes)
    return rows, bytes, indexes
end

local SAID = "when the last result came in, not all workers held the fixed data"

local function finding_of(text, label, cases, right, all)
    local rows, bytes, indexes = rows_of(cases)
    return { kind = "unready", text = text, evidence = { label = label, unready = rows, undelivered_bytes = bytes,
        right = right, results = all, cases = indexes } }
end

local function say_one(model, group)
    local sorted = worst_first(group.cases)
    local results, right, all = results_text(model, group.cases)
    local text = ("%s: %s (%d of %s): %s%s%s"):format(group.label, SAID, #sorted, human.count(group.all, "case"),
        places_text(model, sorted), work_text(model, sorted[1]), results)
    return finding_of(text, group.label, sorted, right, all)
end

-- Many at once: the worst place of each.
local function say_many(model, groups, total)
    local cases, words = {}, {}
    for i, group in ipairs(groups) do
        table.move(group.cases, 1, #group.cases, #cases + 1, cases)
        local worst = worst_first(group.cases)[1]
        words[i] = group.label .. " " .. place_text(model, worst, i > 1)
    end
    local results, right, all = results_text(model, cases)
    local text = ("%s (%d of %s): %s%s"):format(SAID, #cases, human.count(total, "case"), human.join(words), results)
    return finding_of(text, nil, worst_first(cases), right, all)
end

---@param model rig.Model
---@return table[] findings
function M.find(model)
    local groups, out, total = {}, {}, 0
    for _, group in ipairs(by_label(model)) do
        total = total + group.all
        if #group.cases > 0 then groups[#groups + 1] = group end
    end
    if #groups >= MANY then return { say_many(model, groups, total) } end
    for i, group in ipairs(groups) do out[i] = say_one(model, group) end
    return out
end

return M
