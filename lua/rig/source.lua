--- Where the keys of a scenario stand in its source: Lua keeps neither the line nor the order of a table's
--- entries, and errors need the one, the plan the other.
--- Not a parser: it reads tokens, and finds nothing where the table is not written inside the call.
--- Neighbours: scenario is its only user.

local M = {}

-- Scenarios are a few kilobytes; a file of data is not worth the tokens.
local LARGEST = 1 << 20

---@class rig.SourceKey
---@field name string
---@field line integer
---@field keys rig.SourceKey[]?  of a table written right there
---@field lines integer[]?       of that table's entries without a name

-- Past a long bracket (`[==[ … ]==]`) that opens here, or nil.
local function past_long(text, at)
    local equals = text:match("^%[(=*)%[", at)
    if not equals then return nil end
    local _, last = text:find("]" .. equals .. "]", at, true)
    return (last or #text) + 1
end

local function past_quoted(text, at)
    local quote, i = text:sub(at, at), at + 1
    while i <= #text do
        local c = text:sub(i, i)
        if c == quote then return i + 1 end
        i = i + (c == "\\" and 2 or 1)
    end
    return i
end

local function past_comment(text, at)
    return past_long(text, at + 2) or (text:find("\n", at, true) or #text + 1)
end

local OPERATORS = { "...", "..", "==", "~=", "<=", ">=", "//", "::", "<<", ">>" }

-- Kind, and where the token ends; comments have no kind.
local function token_at(text, at)
    local c = text:sub(at, at)
    if text:find("^%-%-", at) then return nil, past_comment(text, at) end
    if text:find("^[%a_]", at) then return "name", text:match("^[%w_]+()", at) end
    if text:find("^%.?%d", at) then return "number", text:match("^[%w_.]+()", at) end
    if c == '"' or c == "'" then return "string", past_quoted(text, at) end
    local long = c == "[" and past_long(text, at)
    if long then return "string", long end
    for _, operator in ipairs(OPERATORS) do
        if text:sub(at, at + #operator - 1) == operator then return "symbol", at + #operator end
    end
    return "symbol", at + 1
end

---@param text string
---@return {kind:string, text:string, line:integer}[]
local function tokens_of(text)
    local tokens, line, at = {}, 1, 1
    while true do
        local from = text:find("%S", at)
        local _, lines = text:sub(at, (from or #text + 1) - 1):gsub("\n", "")
        line = line + lines
        if not from then return tokens end
        local kind, past = token_at(text, from)
        local word = text:sub(from, past - 1)
        if kind then tokens[#tokens + 1] = { kind = kind, text = word, line = line } end
        _, lines = word:gsub("\n", "")
        line, at = line + lines, past
    end
end

local OPENS = { ["{"] = true, ["("] = true, ["["] = true, ["function"] = true, ["do"] = true, ["if"] = true,
    ["repeat"] = true }
local CLOSES = { ["}"] = true, [")"] = true, ["]"] = true, ["end"] = true, ["until"] = true }

local function depth_change(token)
    if token.kind == "string" then return 0 end
    return OPENS[token.text] and 1 or CLOSES[token.text] and -1 or 0
end

-- The key that starts at a token, as `name =` or `["name"] =`, and the token after its `=`.
local function key_at(tokens, i)
    local token, after, last, equals = tokens[i], tokens[i + 1], tokens[i + 2], tokens[i + 3]
    if token.kind == "name" and after and after.text == "=" then return token.text, i + 2 end
    if token.text == "[" and equals and after.kind == "string" and last.text == "]" and equals.text == "=" then
        return after.text:match("^[\"'](.*)[\"']$"), i + 4
    end
end

-- The entries of the table constructor whose `{` is the token at `open`.
local function entries_of(tokens, open, nested)
    local keys, lines, depth, i = {}, {}, 1, open + 1
    while tokens[i] and depth > 0 do
        local before = tokens[i - 1]
        local starts = depth == 1 and (i == open + 1 or before.text == "," or before.text == ";")
        local name, value = nil, nil
        if starts then name, value = key_at(tokens, i) end
        if name then
            local key = { name = name, line = tokens[i].line }
            local inside = nested and tokens[value] and tokens[value].text == "{"
            if inside then key.keys, key.lines = entries_of(tokens, value, false) end
            keys[#keys + 1], i = key, value
        else
            if starts and tokens[i].text ~= "}" then lines[#lines + 1] = tokens[i].line end
            depth = depth + depth_change(tokens[i])
            i = i + 1
        end
    end
    return keys, lines
end

---The entries of the last `….scenario { … }` in a source, in the order in which they are written.
---@param text string?
---@return rig.SourceKey[]? keys nil where there is none to be seen
---@return integer? line of the call
function M.scenario_keys(text)
    if not text or #text > LARGEST then return nil end
    local tokens = tokens_of(text)
    for i = #tokens, 2, -1 do
        if tokens[i].text == "scenario" and tokens[i].kind == "name" and tokens[i - 1].text == "." then
            local open = i + 1
            if tokens[open] and tokens[open].text == "(" then open = open + 1 end
            if tokens[open] and tokens[open].text == "{" then
                local keys = entries_of(tokens, open, true)
                return keys, tokens[i].line
            end
        end
    end
end

---@param keys rig.SourceKey[]?
---@param name string
---@param index integer
---@return integer? line of the index-th entry without a name in a key's table
function M.line_of_entry(keys, name, index)
    local line
    for _, key in ipairs(keys or {}) do
        if key.name == name then line = key.lines and key.lines[index] end
    end
    return line
end

---@param keys rig.SourceKey[]?
---@param ... string a key, and a key inside its table
---@return integer? line of the innermost of them that was found
function M.line_of(keys, ...)
    local line
    for _, wanted in ipairs { ... } do
        local found
        for _, key in ipairs(keys or {}) do
            if key.name == wanted then found = key end
        end
        if not found then return line end
        line, keys = found.line, found.keys
    end
    return line
end

return M
