-- The command line parser on any words: bytes between NULs are words.
-- Promised: a table of settings that hold together, or one mistake whose message names no code of rig's own; the words
-- stay as they are; help for whatever command was understood.
-- Not for what the settings lead to: scenario.lua beside this has them applied. Not for argparse, which is not ours:
-- its lines, five of six, are not counted.

local _, unwatched = ...
local mistake = require "rig.mistake"
local options = require "rig.options"

-- What rig calls of argparse: the parser's methods, those of what it makes, and the call that makes it.
do
    local argparse = require "argparse"
    local parser = argparse "any"
    local function leave(object, names)
        local class = getmetatable(object)
        for _, name in ipairs(names) do class[name] = unwatched(class[name]) end
    end
    leave(parser:argument "word", { "args", "argname" })
    leave(parser:option "--word", { "args", "argname", "choices", "count", "overwrite" })
    leave(parser, { "add_help", "argument", "description", "flag", "get_help", "option", "pparse" })
    local callable = getmetatable(argparse)
    callable.__call = unwatched(callable.__call)
end

local function words_of(bytes)
    local words = {}
    for word in (bytes .. "\0"):gmatch "([^\0]*)\0" do words[#words + 1] = word end
    return words
end

local function check_mistake(problem, words)
    assert(mistake.is(problem), "refused with what is no mistake")
    assert(problem.kind == "usage" and #problem.message > 0)
    local own = problem.message:match "[%w_/]*%.lua:%d+"
    assert(not own or table.concat(words, "\0"):find(own, 1, true), problem.message)
end

local function is_setting(one)
    return type(one.name) == "string" and one.name:find "^[%a_][%w_]*$" and type(one.text) == "string"
end

local function check_options(opts)
    assert(type(opts.command) == "string")
    if opts.command == "help" or opts.command == "version" then return end
    assert(opts.help or opts.settings and opts.only)
    for _, name in ipairs { "settings", "only" } do
        for _, one in ipairs(opts[name] or {}) do assert(is_setting(one), name) end
    end
    for _, name in ipairs { "timeout", "budget_s" } do
        local seconds = opts[name]
        assert(seconds == nil or seconds > 0 and seconds < math.huge, name)
    end
    assert(opts.seed == nil or math.type(opts.seed) == "integer" and opts.seed >= 0, "seed")
    assert(opts.help or opts.min_effect > 0 and opts.min_effect < 1, "min_effect")
    assert(opts.ab == nil or is_setting(opts.ab), "ab")
    assert(#options.help(opts.command) > 0)
end

return function(bytes)
    local words = words_of(bytes)
    local kept = table.move(words, 1, #words, 1, {})
    local opts, problem = options.parse(words)
    for i = 1, math.max(#words, #kept) do assert(words[i] == kept[i], "the words were changed") end
    if opts then check_options(opts) else check_mistake(problem, words) end
end
