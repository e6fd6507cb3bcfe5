-- What a case and a run came to, as words and exit statuses. The statuses are part of the interface: scripts
-- and CI depend on them. Not for deciding whether a result is right: the case already says so.
-- Neighbours: results.lua puts status and exit into the document, cli.lua leaves with it.

local M = {}

--- Exit statuses by what happened. A signal n is 128 + n.
M.EXIT = {
    passed = 0,
    failed = 1, -- a check failed
    error = 2, -- usage or scenario error, refused case
    regressed = 3,
    faulted = 4, -- a task did not end ok
    unreadable = 5, -- a file could not be read or written
    inconclusive = 6, -- with --strict only
}

-- Which one to leave with where several hold.
local PRECEDENCE = { 5, 2, 4, 1, 3, 6, 0 }
local rank = {}
for i, exit in ipairs(PRECEDENCE) do rank[exit] = i end

local WORD = {
    [0] = "passed", [1] = "failed", [2] = "error", [3] = "regressed", [4] = "faulted", [5] = "error",
    [6] = "inconclusive",
}

-- A case that was skipped says nothing against the run.
local CASE_EXIT = { ok = 0, skipped = 0, failed = 1, error = 2, faulted = 4 }

--- The exit status to leave with when several hold; one of a signal (above 128) goes before all others.
---@param ... integer
---@return integer exit  0 when none is given
function M.worst(...)
    local worst = 0
    for _, exit in ipairs({ ... }) do
        local by_signal = exit > 128
        if worst <= 128 and (by_signal or (rank[exit] or 1) < rank[worst]) then worst = exit end
    end
    return worst
end

---@param exit integer
---@return string word  such as "passed"; "interrupted" for a signal's
function M.word(exit)
    if exit > 128 then return "interrupted" end
    return WORD[exit] or "error"
end

--- What a case came to, from what was counted in it.
---@param case table  outcomes, iterations, verified, expected
---@return string status  "faulted", "failed" or "ok"
function M.of_case(case)
    local outcomes = case.outcomes or {}
    for _, kind in ipairs({ "error", "timeout", "died", "cancelled" }) do
        if (outcomes[kind] or 0) > 0 then return "faulted" end
    end
    for _, iteration in ipairs(case.iterations or {}) do
        if iteration.right == false then return "failed" end
    end
    return "ok"
end

--- What a run came to.
---@param doc table  a results document: cases with their status; signal where one ended the run
---@return string status
---@return integer exit
function M.of(doc)
    local exit = 0
    local interrupted, measured = false, false
    for _, case in ipairs(doc.cases or {}) do
        measured = measured or case.status == "ok"
        interrupted = interrupted or case.status == "interrupted"
        exit = M.worst(exit, CASE_EXIT[case.status] or 0)
    end
    if doc.signal then exit = 128 + doc.signal end
    -- without the signal's number: SIGINT is what interrupts people's runs
    if interrupted and exit <= 128 then exit = 130 end
    -- nothing went wrong, because nothing was done: that is no success either
    if exit == 0 and not measured then return M.word(M.EXIT.inconclusive), 0 end
    return M.word(exit), exit
end

return M
