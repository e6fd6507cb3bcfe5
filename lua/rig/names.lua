--- Names people mistype: how far two words are apart, which known word is nearest, and the
--- phrase that says so at the end of an error message.
--- Not for deciding what is valid: callers own their lists of words.
--- Neighbours: values, axes, params, scenario and sandbox all end their complaints with it.

local M = {}

-- Longer words are cut before they are compared: the table of distances grows with the product of the lengths, and a
-- megabyte given as a pool's name must not cost a minute.
local LONGEST = 64

-- Lists up to this length are shown whole when nothing comes close.
local SHOWN_WHOLE = 12

---Edit distance with transpositions of neighbours (Damerau-Levenshtein, optimal string alignment).
---@param a string
---@param b string
---@return integer edits
function M.distance(a, b)
    a, b = a:sub(1, LONGEST), b:sub(1, LONGEST)
    local before, last = nil, {}
    for j = 0, #b do last[j] = j end
    for i = 1, #a do
        local row = { [0] = i }
        for j = 1, #b do
            local same = a:byte(i) == b:byte(j)
            row[j] = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same and 0 or 1))
            if before and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
                row[j] = math.min(row[j], before[j - 2] + 1)
            end
        end
        before, last = last, row
    end
    return last[#b]
end

-- Case and the kind of dash are never what somebody meant to tell apart.
local function plain(word)
    return (word:lower():gsub("-", "_"))
end

local function is_prefix(short, long)
    return #short >= 3 and long:sub(1, #short) == short
end

---The candidate nearest to a word. Ties go to the one that comes first.
---@param word string
---@param candidates string[]
---@return string? nearest nil only when there are no candidates
---@return boolean close whether it is near enough to be what was meant
function M.nearest(word, candidates)
    word = plain(word)
    local best, best_distance, prefix
    for _, candidate in ipairs(candidates) do
        local other = plain(candidate)
        -- no two words are less far apart than their lengths
        local least = math.abs(math.min(#word, LONGEST) - math.min(#other, LONGEST))
        if not best or least < best_distance then
            local distance = M.distance(word, other)
            if not best or distance < best_distance then best, best_distance = candidate, distance end
        end
        if not prefix and (is_prefix(word, other) or is_prefix(other, word)) then prefix = candidate end
    end
    if not best then return nil, false end
    local allowed = math.max(1, math.min(3, math.min(#word, LONGEST) // 3))
    if best_distance <= allowed and best_distance < #word then return best, true end
    if prefix then return prefix, true end
    return best, false
end

---Joins words for a sentence: `a, b or c`.
---@param words any[]
---@param conjunction? string "or" unless given
---@return string
function M.join(words, conjunction)
    local shown = {}
    for i, word in ipairs(words) do shown[i] = tostring(word) end
    if #shown < 2 then return shown[1] or "" end
    local last = table.remove(shown)
    return table.concat(shown, ", ") .. " " .. (conjunction or "or") .. " " .. last
end

---What to do about an unknown word, for the end of a message.
---@param word any
---@param candidates string[]
---@return string remedy
function M.suggest(word, candidates)
    if #candidates == 0 then return "there is none to choose from" end
    local nearest, close = M.nearest(tostring(word), candidates)
    if close then return ("did you mean %s?"):format(nearest) end
    if #candidates <= SHOWN_WHOLE then return "use " .. M.join(candidates) end
    return ("the nearest is %s"):format(nearest)
end

---The string keys of a table in alphabetical order.
---@param t table
---@return string[]
function M.keys(t)
    local keys = {}
    for key in pairs(t) do
        if type(key) == "string" then keys[#keys + 1] = key end
    end
    table.sort(keys)
    return keys
end

return M
