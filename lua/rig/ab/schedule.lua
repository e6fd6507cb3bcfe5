--- Which case of an A/B run is measured next, in which order its two sides, and when a case has been measured enough:
--- looks at 20, 40, 80 and 160 pairs, a red measured again with fresh pairs, the budget spent where least is known.
--- Pure: measures nothing, reads no clock. Neighbours: run.lua (measures what this asks for), paired.lua (the judging).

local paired = require "rig.paired"

local M = {}

-- Fewer pairs than this have no interval at any of the confidences in use.
local LEAST_PAIRS = 6

---@class rig.Track  what is known of one case
---@field ratios number[]      ln(b/a) of the pairs since the last fresh start
---@field same number[]        ln(a'/a), of all the run: the A/A arm
---@field all number[]         ln(b/a) of all pairs, those before a fresh start included
---@field look integer         looks at `ratios` so far
---@field judged table|nil     what the last look saw
---@field red table|nil        what the look saw that was red; since then everything is measured a second time
---@field verdict string|nil   set when nothing more is to be measured
---@field reason string|nil    why a verdict is none

---@class rig.Schedule
local Schedule = {}
Schedule.__index = Schedule

---@param count integer  cases
---@param opts { min_effect: number, random: (fun(lo: integer, hi: integer): integer), widest_first: boolean|nil,
---        judged: integer|nil }  random: uniform in [lo, hi]; widest_first: the time is short, so it goes where the
---        interval is widest; judged: cases of the whole run, where these are some of them
---@return rig.Schedule
function M.new(count, opts)
    local tracks = {}
    for i = 1, count do
        tracks[i] = { ratios = {}, same = {}, all = {}, look = 0 }
    end
    return setmetatable({
        tracks = tracks, min_effect = opts.min_effect, random = opts.random, widest_first = opts.widest_first,
        confidence = paired.confidence(math.max(1, opts.judged or count)), queue = {},
    }, Schedule)
end

local function shuffle(list, random)
    for i = #list, 2, -1 do
        local j = random(1, i)
        list[i], list[j] = list[j], list[i]
    end
    return list
end

local function width(track)
    local judged = track.judged
    if not judged or not judged.low then return math.huge end
    return math.log(judged.high / judged.low)
end

local function undecided(self, wanted)
    local list = {}
    for i, track in ipairs(self.tracks) do
        if not track.verdict and (not wanted or wanted(track)) then list[#list + 1] = i end
    end
    return list
end

local function is_young(track) return track.look == 0 and not track.red end
local function is_red(track) return track.red ~= nil end

-- The cases of the next round. A red is settled first, because all that it takes must fit into the budget; then
-- every case has its first look; then all of them go on, or the one of which least is known.
local function next_round(self)
    local list = undecided(self, is_red)
    if #list == 0 then list = undecided(self, is_young) end
    if #list == 0 then list = undecided(self) end
    if self.widest_first and #list > 1 and not is_young(self.tracks[list[1]]) then
        local widest = list[1]
        for _, i in ipairs(list) do
            if width(self.tracks[i]) > width(self.tracks[widest]) then widest = i end
        end
        return { widest }
    end
    return shuffle(list, self.random)
end

-- Mirrored, so that a drift falls on both sides alike; which side begins is drawn, so that nothing periodic can
-- keep step with it. The A/A arm ("x": side A once more) stands anywhere among them.
local function block(random)
    local order = random(0, 1) == 0 and { "a", "b", "b", "a" } or { "b", "a", "a", "b" }
    table.insert(order, random(1, 5), "x")
    return order
end

M.block = block

--- What to measure next.
---@return integer|nil case  nil: everything is decided
---@return string[]|nil order  of "a", "b" and "x", two pairs and one more of side A
function Schedule:next()
    while true do
        local case = table.remove(self.queue)
        if not case then
            self.queue = next_round(self)
            case = table.remove(self.queue)
            if not case then return nil end
        end
        if not self.tracks[case].verdict then return case, block(self.random) end
    end
end

local function is_last(track)
    return track.look == #paired.looks
end

-- Nothing more is to be measured, or everything once more.
local function settle(self, track, judged, over)
    local verdict = judged.verdict
    if verdict == "regressed" and not track.red then
        if over then
            track.verdict = "inconclusive"
            track.reason = "it looked slower once, and the time ended before that could be measured again"
            return
        end
        track.red, track.judged, track.ratios, track.look = judged, nil, {}, 0
        self.queue = {} -- at once: whatever makes this case slow now should still be there
    elseif track.red and verdict == "improved" then
        track.verdict, track.reason = "inconclusive", "it looked slower first and faster when measured again"
    elseif verdict ~= "inconclusive" then
        track.verdict = verdict
    elseif over or is_last(track) then
        track.verdict = "inconclusive"
        if track.red then track.reason = "it looked slower once, and not clearly so when measured again" end
    end
end

local function look(self, track, over)
    if not over then track.look = track.look + 1 end
    track.judged = paired.judge(track.ratios, { min_effect = self.min_effect, confidence = self.confidence })
    settle(self, track, track.judged, over)
end

-- The pairs of a block, in the order in which they were measured: the first two of A and B, and the last two.
local function pairs_of(order, values)
    local sides, same = {}, nil
    for i, side in ipairs(order) do
        if side ~= "x" then sides[#sides + 1] = { side = side, value = values[i], at = i } else same = i end
    end
    local found = {}
    for first = 1, 3, 2 do
        local one, other = sides[first], sides[first + 1]
        if one.side == "b" then one, other = other, one end
        found[#found + 1] = { a = one.value, b = other.value }
    end
    local nearest
    for _, one in ipairs(sides) do
        -- of two that are as near the earlier in one kind of block and the later in the other: neither comes more often
        if one.side == "a" and (not nearest or math.abs(one.at - same) < math.abs(nearest.at - same)
            or math.abs(one.at - same) == math.abs(nearest.at - same) and sides[1].side == "b") then
            nearest = one
        end
    end
    return found, math.log(values[same] / nearest.value)
end

M.pairs_of = pairs_of

--- Takes in what was measured, and looks at it where it is time to.
---@param case integer
---@param order string[]  as next gave it
---@param values number[]  seconds, as long as order, all above 0
function Schedule:add(case, order, values)
    local track = self.tracks[case]
    local found, same = pairs_of(order, values)
    for _, pair in ipairs(found) do
        local ratio = math.log(pair.b / pair.a)
        track.ratios[#track.ratios + 1], track.all[#track.all + 1] = ratio, ratio
    end
    track.same[#track.same + 1] = same
    if #track.ratios >= paired.looks[track.look + 1] then look(self, track, false) end
end

--- Leaves a case out from here on: something in it failed.
---@param case integer
---@param reason string
function Schedule:drop(case, reason)
    local track = self.tracks[case]
    track.verdict, track.reason, track.dropped = "inconclusive", reason, true
end

--- The time is over: what is undecided is judged by what there is.
---@param reason string  why it ended
function Schedule:stop(reason)
    for _, track in ipairs(self.tracks) do
        if not track.verdict then
            if #track.ratios >= LEAST_PAIRS then look(self, track, true) end
            if track.verdict == nil or track.verdict == "inconclusive" then
                local twice = track.red and "it looked slower once, and the time ended before that was measured again"
                track.verdict, track.reason = "inconclusive", track.reason or twice or reason
            end
        end
    end
end

local function judge_same(self, ratios)
    if #ratios == 0 then return nil end
    local judged = paired.judge(ratios, { min_effect = self.min_effect, confidence = self.confidence })
    return { effect = judged.effect, low = judged.low, high = judged.high, pairs = #ratios,
        flagged = judged.verdict == "regressed" or judged.verdict == "improved" }
end

--- What the A/A arm of a case says: side A against side A, which must not differ.
---@param case integer
---@return table|nil judged  effect, low, high (nil where there are too few values), pairs, flagged
function Schedule:same(case)
    return judge_same(self, self.tracks[case].same)
end

--- The A/A arms of all cases together: what one alone has too few values to show.
---@return table|nil judged
function Schedule:same_in_all()
    local all = {}
    for _, track in ipairs(self.tracks) do table.move(track.same, 1, #track.same, #all + 1, all) end
    return judge_same(self, all)
end

return M
