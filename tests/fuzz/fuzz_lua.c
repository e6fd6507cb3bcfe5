/* fuzz_lua: see fuzz_lua.h. */
#include "fuzz_lua.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "bind/open.h"

#define MEMORY_MAX        ((size_t)16 << 20)
#define LINES_MAX         400000L
#define LINES_OF_A_SCRIPT 40000L

/* libFuzzer takes this section for counters of edges, beside its own. */
#define COUNTERS (1u << 16)
__attribute__((used, section("__libfuzzer_extra_counters"))) static uint8_t counters[COUNTERS];

static lua_State *L;
static size_t taken;
static long lines_left;
static bool memory_was_out, lines_were_out;
static unsigned previous;

/* ---- memory: Lua itself is not built with the sanitizers, so nothing is lost by keeping its blocks apart from their
 * slow malloc; large ones go there ---- */

#define SMALL ((size_t)4096)
#define STEP  ((size_t)16)

struct unused {
    struct unused *next;
};

static _Alignas(16) uint8_t arena[MEMORY_MAX];
static size_t arena_used;
static struct unused *unused[SMALL / STEP + 1];

static void *block_take(size_t n) {
    if (n > SMALL)
        return malloc(n);
    size_t class = (n + STEP - 1) / STEP;
    struct unused *u = unused[class];
    if (u != NULL) {
        unused[class] = u->next;
        return u;
    }
    if (arena_used + class * STEP > sizeof arena)
        return malloc(class * STEP); /* never given back to malloc, but to the lists */
    void *fresh = arena + arena_used;
    arena_used += class * STEP;
    return fresh;
}

static void block_give(void *p, size_t n) {
    if (n > SMALL) {
        free(p);
        return;
    }
    struct unused *u = p;
    u->next = unused[(n + STEP - 1) / STEP];
    unused[(n + STEP - 1) / STEP] = u;
}

static void *block_change(void *p, size_t old, size_t n) {
    if (old > SMALL && n > SMALL)
        return realloc(p, n);
    if (old <= SMALL && (old + STEP - 1) / STEP == (n + STEP - 1) / STEP)
        return p;
    void *more = block_take(n);
    if (more != NULL) {
        memcpy(more, p, old < n ? old : n);
        block_give(p, old);
    }
    return more;
}

static void *limited_alloc(void *ud, void *p, size_t old, size_t n) {
    (void)ud;
    size_t had = p == NULL ? 0 : old;
    if (n == 0) {
        taken -= had;
        if (p != NULL)
            block_give(p, had);
        return NULL;
    }
    if (n > had && taken + (n - had) > MEMORY_MAX) {
        memory_was_out = true;
        return NULL;
    }
    void *more = p == NULL ? block_take(n) : block_change(p, had, n);
    if (more != NULL)
        taken += n - had;
    return more;
}

/* ---- lines ---- */

/* Where the lines of a chunk begin among the counters; those of scripts and targets have no place (0). */
static unsigned place_of(const char *source) {
    unsigned h = 5381;
    if (source[0] != '@' || !embed_owns(source))
        return 0;
    for (; *source != '\0'; source++)
        h = h * 33 + (unsigned char)*source;
    return h | 1;
}

/* The function that runs, for every line: asking Lua takes longer than the line. A call begins with the place of its
 * function, which begins with the function, in all of Lua 5.4; that it does is tried at the start (check_running). */
static const void *running(const lua_Debug *ar) {
    const void *const *const *call = (const void *const *const *)(const void *)ar->i_ci;
    return **call;
}

static void check_running(lua_State *state, lua_Debug *ar) {
    lua_getinfo(state, "f", ar);
    PROMISE(lua_topointer(state, -1) == running(ar));
    lua_pop(state, 1);
}

/* Places by function. One that has taken the place of a collected function may be counted as that one. */
static unsigned place_of_running(lua_State *state, lua_Debug *ar) {
    static struct {
        const void *function;
        unsigned place;
    } known[4096];
    const void *function = running(ar);
    size_t i = ((uintptr_t)function >> 4) % (sizeof known / sizeof *known);
    if (known[i].function != function) {
        lua_getinfo(state, "S", ar);
        known[i].function = function;
        known[i].place = place_of(ar->source);
    }
    return known[i].place;
}

static void on_line(lua_State *state, lua_Debug *ar) {
    unsigned place = place_of_running(state, ar);
    if (place != 0) {
        unsigned here = (place + (unsigned)ar->currentline * 40503u) & (COUNTERS - 1);
        counters[here ^ previous]++;
        previous = here >> 1;
    }
    if (--lines_left < 0) {
        lines_were_out = true;
        luaL_error(state, "more lines than an input may take");
    }
}

static void hook(lua_State *state, lua_Hook with) {
    lua_sethook(state, with, with != NULL ? LUA_MASKLINE : 0, 0);
}

/* unwatched(f): a function that does what f does, and whose lines are not counted. */
static int call_unwatched(lua_State *state) {
    lua_Hook before = lua_gethook(state);
    lua_pushvalue(state, lua_upvalueindex(1));
    lua_insert(state, 1);
    hook(state, NULL);
    int status = lua_pcall(state, lua_gettop(state) - 1, LUA_MULTRET, 0);
    hook(state, before);
    return status == LUA_OK ? lua_gettop(state) : lua_error(state);
}

static int unwatched(lua_State *state) {
    luaL_checktype(state, 1, LUA_TFUNCTION);
    lua_settop(state, 1);
    lua_pushcclosure(state, call_unwatched, 1);
    return 1;
}

static int traceback(lua_State *state) {
    luaL_traceback(state, state, luaL_tolstring(state, 1, NULL), 1);
    return 1;
}

static void must(int status) {
    if (status == LUA_OK)
        return;
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    exit(2);
}

void fuzz_lua_open(const char *name) {
    L = lua_newstate(limited_alloc, NULL);
    if (L == NULL)
        exit(2);
    luaL_openlibs(L);
    rig_embed_preload(L);
    lua_pushcfunction(L, traceback);
    lua_pushfstring(L, "%s/%s.lua", RIG_FUZZ_SOURCE, name);
    must(luaL_loadfile(L, lua_tostring(L, -1)));
    lua_remove(L, -2);
    lua_pushliteral(L, RIG_FUZZ_SOURCE);
    lua_pushcfunction(L, unwatched);
    hook(L, check_running);
    must(lua_pcall(L, 2, 2, 1));
    hook(L, NULL);
    if (!lua_isfunction(L, -2)) {
        fprintf(stderr, "%s.lua returns no function\n", name);
        exit(2);
    }
    lua_gc(L, LUA_GCGEN, 0, 0);
}

/* Stack: traceback, the function, and what it wants to have called afterwards (or nil). */
void fuzz_lua_take(const uint8_t *data, size_t size, bool is_script) {
    memory_was_out = lines_were_out = false;
    lines_left = is_script ? LINES_OF_A_SCRIPT : LINES_MAX;
    previous = 0;
    lua_pushvalue(L, 2);
    lua_pushlstring(L, (const char *)data, size);
    hook(L, on_line);
    int status = lua_pcall(L, 1, 0, 1);
    hook(L, NULL);
    if (!lua_isnil(L, 3)) {
        lua_pushvalue(L, 3);
        must(lua_pcall(L, 0, 0, 1));
    }
    bool limit = memory_was_out || lines_were_out;
    if (limit && !is_script)
        FINDING("more %s than %zu bytes of input account for", memory_was_out ? "memory" : "lines",
                size);
    if (status != LUA_OK && !limit)
        FINDING("%s", lua_tostring(L, -1));
    lua_settop(L, 3);
    if (limit)
        lua_gc(L, LUA_GCCOLLECT);
}
