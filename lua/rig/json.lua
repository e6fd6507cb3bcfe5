-- JSON for results: what lua-cjson does well (strings and their escapes) inside a layer of ours for what
-- it does not: empty lists, exact 64-bit integers, floats of up to 17 digits, NaN, invalid UTF-8, and
-- limits, because cjson crashes on huge strings and exits when memory is out.
-- Not for messages between processes: that is core/bind/codec, which is faster and exact for any value.
-- Neighbours: results.lua (the document and its order of keys), report/json.lua (writes it).

local cjson = require("cjson")

local M = {}

--- What stands for JSON's null inside lists; in objects a null is simply an absent field.
M.null = cjson.null

--- Deepest nesting of lists and objects, both ways.
M.MAX_DEPTH = 100
--- Longest document, both ways, in bytes: what was written can always be read again.
M.MAX_BYTES = 256 * 1024 * 1024
--- Longest single string, in bytes: far below the length at which lua-cjson crashes.
M.MAX_STRING = 64 * 1024 * 1024

local PRETTY_WIDTH = 100
local PRETTY_STEP = 2
local REPLACEMENT = "\u{FFFD}"

local list_mt = { __name = "json.list" }

--- Marks a table as a list, so that it is written as [] when it is empty.
---@param t table|nil  a sequence; a new one when nil
---@return table t  the same table
function M.list(t)
    return setmetatable(t or {}, list_mt)
end

---@param t any
---@return boolean marked  whether json.list marked it (lists that json.decode read are marked)
function M.is_list(t)
    return type(t) == "table" and getmetatable(t) == list_mt
end

-- Failures travel as tables, so that pcall can tell them from mistakes in this file.
local function refuse(message)
    error({ refusal = message }, 0)
end

local function guarded(fn, ...)
    local ok, value = pcall(fn, ...)
    if ok then return value end
    if type(value) == "table" and value.refusal then return nil, value.refusal end
    error(value, 0)
end

---The same text, with a mark in place of every byte that is no UTF-8.
---@param s string
---@return string
function M.valid_utf8(s)
    local _, bad = utf8.len(s)
    if not bad then return s end
    local parts, from = {}, 1
    while bad do
        parts[#parts + 1] = s:sub(from, bad - 1)
        parts[#parts + 1] = REPLACEMENT
        from = bad + 1
        _, bad = utf8.len(s, from)
    end
    parts[#parts + 1] = s:sub(from)
    return table.concat(parts)
end

local function encode_string(s, path)
    if #s > M.MAX_STRING then
        refuse(("%s: a string of %d bytes, more than the limit of %d"):format(path, #s, M.MAX_STRING))
    end
    -- cjson escapes every slash, which is legal and makes paths hard to read; a slash in its output is
    -- always preceded by the backslash that it added.
    return (cjson.encode(M.valid_utf8(s)):gsub("\\/", "/"))
end

local function encode_number(n)
    if math.type(n) == "integer" then return ("%d"):format(n) end
    if n ~= n or n == math.huge or n == -math.huge then return "null" end
    -- Below the smallest normal number 15 digits are more than there are.
    for digits = math.abs(n) < 0x1p-1022 and 1 or 15, 17 do
        local text = ("%." .. digits .. "g"):format(n)
        if tonumber(text) == n then
            text = text:gsub(",", ".") -- a host may have set a locale with a decimal comma
            -- ".0" keeps it a float for the reader: 3.0 and 3 differ in Lua.
            return text:find("[.e]") and text or text .. ".0"
        end
    end
end

local function is_sequence(t, path)
    local count = 0
    for key in pairs(t) do
        if math.type(key) ~= "integer" then
            if count > 0 or M.is_list(t) then
                refuse(path .. ": a table with both positions and names cannot be written")
            end
            return false
        end
        count = count + 1
    end
    if count ~= #t then refuse(path .. ": a list with holes cannot be written") end
    return count > 0 or M.is_list(t)
end

local function sorted_keys(t, rank, path)
    local keys = {}
    for key in pairs(t) do
        if type(key) ~= "string" then
            refuse(("%s: a key that is a %s cannot be written"):format(path, type(key)))
        end
        keys[#keys + 1] = key
    end
    table.sort(keys, function(a, b)
        local ra, rb = rank[a] or math.huge, rank[b] or math.huge
        if ra ~= rb then return ra < rb end
        return a < b
    end)
    return keys
end

local function fits(parts, room)
    local length = 4
    for _, part in ipairs(parts) do
        if part:find("\n", 1, true) then return false end
        length = length + #part + 2
        if length > room then return false end
    end
    return true
end

-- Fills lines with scalars, as words fill a paragraph: a list of 900 numbers must not take 900 lines.
local function fill(parts, indent)
    local pad = "\n" .. (" "):rep(indent + PRETTY_STEP)
    local lines, line = {}, ""
    for i, part in ipairs(parts) do
        local piece = part .. (i < #parts and "," or "")
        if line ~= "" and indent + PRETTY_STEP + #line + 1 + #piece > PRETTY_WIDTH then
            lines[#lines + 1] = line
            line = piece
        else
            line = line == "" and piece or line .. " " .. piece
        end
    end
    lines[#lines + 1] = line
    return pad .. table.concat(lines, pad) .. "\n" .. (" "):rep(indent)
end

local encode_value

local function encode_list(t, ctx, path, depth, indent, room)
    local parts, scalars = {}, true
    for i, value in ipairs(t) do
        scalars = scalars and type(value) ~= "table"
        parts[i] = encode_value(value, ctx, ("%s[%d]"):format(path, i), depth + 1, indent + PRETTY_STEP,
            PRETTY_WIDTH - indent - PRETTY_STEP)
    end
    if #parts == 0 then return "[]" end
    if not ctx.pretty then return "[" .. table.concat(parts, ",") .. "]" end
    if fits(parts, room) then return "[" .. table.concat(parts, ", ") .. "]" end
    if scalars then return "[" .. fill(parts, indent) .. "]" end
    local pad = "\n" .. (" "):rep(indent + PRETTY_STEP)
    return "[" .. pad .. table.concat(parts, "," .. pad) .. "\n" .. (" "):rep(indent) .. "]"
end

local function encode_object(t, ctx, path, depth, indent, room)
    local parts = {}
    for i, key in ipairs(sorted_keys(t, ctx.rank, path)) do
        local name = encode_string(key, path) .. (ctx.pretty and ": " or ":")
        local value = encode_value(t[key], ctx, path == "" and key or path .. "." .. key, depth + 1,
            indent + PRETTY_STEP, PRETTY_WIDTH - indent - PRETTY_STEP - #name)
        parts[i] = name .. value
    end
    if #parts == 0 then return "{}" end
    if not ctx.pretty then return "{" .. table.concat(parts, ",") .. "}" end
    if fits(parts, room) then return "{ " .. table.concat(parts, ", ") .. " }" end
    local pad = "\n" .. (" "):rep(indent + PRETTY_STEP)
    return "{" .. pad .. table.concat(parts, "," .. pad) .. "\n" .. (" "):rep(indent) .. "}"
end

function encode_value(value, ctx, path, depth, indent, room)
    local kind = type(value)
    local text
    if kind == "table" then
        if depth > M.MAX_DEPTH then refuse(("nested deeper than %d levels, or in itself"):format(M.MAX_DEPTH)) end
        local encode = is_sequence(value, path) and encode_list or encode_object
        return encode(value, ctx, path, depth, indent, room)
    elseif kind == "string" then
        text = encode_string(value, path)
    elseif kind == "number" then
        text = encode_number(value)
    elseif kind == "boolean" then
        text = tostring(value)
    elseif value == nil or value == M.null then
        text = "null"
    else
        refuse(("%s: a %s cannot be written"):format(path == "" and "value" or path, kind))
    end
    ctx.bytes = ctx.bytes + #text
    if ctx.bytes > M.MAX_BYTES then refuse(("longer than the limit of %d bytes"):format(M.MAX_BYTES)) end
    return text
end

--- Writes a value as JSON. Floats read back as the same floats; NaN and infinities become null; bytes
--- that are no UTF-8 become U+FFFD. A table is a list when json.list marked it or it has 1..n only.
---@param value any  nil, json.null, booleans, numbers, strings, tables of these
---@param opts { pretty: boolean?, order: string[]? }|nil  order: keys that come first, in this order, in
---        whatever object they are; the others follow in alphabetical order
---@return string|nil text
---@return string|nil message  names the place that cannot be written (functions, holes, cycles, too long)
function M.encode(value, opts)
    opts = opts or {}
    local rank = {}
    for i, key in ipairs(opts.order or {}) do rank[key] = rank[key] or i end
    local ctx = { pretty = opts.pretty, rank = rank, bytes = 0 }
    return guarded(encode_value, value, ctx, "", 1, 0, PRETTY_WIDTH)
end

local function place(text, at)
    local line, last = 1, 0
    for newline in text:sub(1, at - 1):gmatch("()\n") do
        line, last = line + 1, newline
    end
    return ("line %d, column %d"):format(line, at - last)
end

local function refuse_at(text, at, message)
    refuse(("%s: %s"):format(place(text, at), message))
end

local function refuse_expected(text, at, expected)
    if at > #text then refuse_at(text, at, "the text ends where " .. expected .. " should be") end
    local found = text:match("^[%w_.+-]+", at) or text:match("^" .. utf8.charpattern, at) or "?"
    if #found > 20 then found = found:sub(1, 20) .. "..." end
    refuse_at(text, at, ("found '%s' where %s should be"):format(found:gsub("%c", "?"), expected))
end

local function skip_space(text, at)
    return text:find("[^ \t\r\n]", at) or #text + 1
end

local function decode_string(text, at)
    -- Most strings have no escape: their bytes are their value.
    local stop = text:match('^[^"\\\0-\31]*()"', at + 1)
    if stop then return text:sub(at + 1, stop - 1), stop + 1 end
    stop = at + 1
    while true do
        stop = text:find('["\\\0-\31]', stop)
        if not stop then refuse_at(text, at, "a string that does not end") end
        local byte = text:sub(stop, stop)
        if byte == '"' then break end
        if byte ~= "\\" then refuse_at(text, stop, "a control character inside a string") end
        stop = stop + 2
    end
    if stop - at > M.MAX_STRING then
        refuse_at(text, at, ("a string of more than %d bytes"):format(M.MAX_STRING))
    end
    local ok, value = pcall(cjson.decode, text:sub(at, stop))
    if not ok then refuse_at(text, at, "a string with an escape that is not JSON's") end
    return value, stop + 1
end

local function decode_number(text, at)
    local digits, stop = text:match("^(-?%d+%.?%d*[eE]?[+-]?%d*)()", at)
    if not digits then refuse_expected(text, at, "a value") end
    local value = tonumber(digits)
    -- Lua reads more than JSON allows: leading zeros and a point without digits.
    if not value or digits:find("^-?0%d") or digits:find("%.%D") or digits:find("%.$") then
        refuse_at(text, at, ("'%s' is not a JSON number"):format(digits:sub(1, 40)))
    end
    if value == math.huge or value == -math.huge then
        refuse_at(text, at, ("the number %s is out of range"):format(digits:sub(1, 40)))
    end
    return value, stop
end

local decode_value

local function decode_list(text, at, depth)
    local list = M.list()
    at = skip_space(text, at + 1)
    if text:sub(at, at) == "]" then return list, at + 1 end
    while true do
        list[#list + 1], at = decode_value(text, at, depth)
        at = skip_space(text, at)
        local byte = text:sub(at, at)
        if byte == "]" then return list, at + 1 end
        if byte ~= "," then refuse_expected(text, at, "',' or ']'") end
        at = skip_space(text, at + 1)
    end
end

local function decode_object(text, at, depth)
    local object = {}
    at = skip_space(text, at + 1)
    if text:sub(at, at) == "}" then return object, at + 1 end
    while true do
        if text:sub(at, at) ~= '"' then refuse_expected(text, at, "a name in quotes") end
        local name, value
        name, at = decode_string(text, at)
        at = skip_space(text, at)
        if text:sub(at, at) ~= ":" then refuse_expected(text, at, "':'") end
        value, at = decode_value(text, skip_space(text, at + 1), depth)
        if value == M.null then value = nil end
        object[name] = value
        at = skip_space(text, at)
        local byte = text:sub(at, at)
        if byte == "}" then return object, at + 1 end
        if byte ~= "," then refuse_expected(text, at, "',' or '}'") end
        at = skip_space(text, at + 1)
    end
end

local LITERALS = { ["true"] = true, ["false"] = false, ["null"] = M.null }

function decode_value(text, at, depth)
    local byte = text:sub(at, at)
    if byte == "{" or byte == "[" then
        if depth >= M.MAX_DEPTH then refuse_at(text, at, ("nested deeper than %d levels"):format(M.MAX_DEPTH)) end
        return (byte == "{" and decode_object or decode_list)(text, at, depth + 1)
    elseif byte == '"' then
        return decode_string(text, at)
    end
    local word, stop = text:match("^(%a+)()", at)
    if word and LITERALS[word] ~= nil then return LITERALS[word], stop end
    return decode_number(text, at)
end

local function decode_text(text)
    if #text > M.MAX_BYTES then refuse(("longer than the limit of %d bytes"):format(M.MAX_BYTES)) end
    local value, at = decode_value(text, skip_space(text, 1), 0)
    at = skip_space(text, at)
    if at <= #text then refuse_expected(text, at, "the end") end
    return value
end

--- Reads one JSON value, strictly: no NaN, no hexadecimal numbers, nothing after the value. Integers
--- within 64 bits come back as integers, larger ones as floats. Nulls in objects become absent fields,
--- nulls in lists json.null.
---@param text string
---@return any value  nil when it could not be read (a lone null comes back as json.null)
---@return string|nil message  with line and column
function M.decode(text)
    if type(text) ~= "string" then error("json.decode: a string expected, got " .. type(text), 2) end
    return guarded(decode_text, text)
end

return M
