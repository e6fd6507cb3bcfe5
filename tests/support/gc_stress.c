/* An aggressive collector, for builds with tests: with RIG_GC_STRESS=K[,SEED] in the environment every Lua state collects
 * everything at randomly chosen allocations, some right behind each other, the others at first one in K, in C functions
 * too: its allocator says once that there is no memory, whereupon Lua collects and asks again. What was freed is overwritten.
 * A value that stands on no stack then, although somebody goes on using it, is found by that. Linked into rig and
 * rig-lua in the place of lua_newstate; forked and fresh workers have it too. Without the variable nothing changes. */
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* After so many collections, and with so much in use, they are half as frequent. */
#define CALMS_DOWN 20
#define MUCH       ((size_t)4 << 20)

struct stress {
    lua_Alloc alloc;
    void *ud;
    size_t live; /* bytes; none: the state is closed, and so is this */
    uint64_t random;
    unsigned mean, left, collected;
    bool ready; /* the state is made: from now on it can collect */
    bool again; /* this is Lua's second try */
};

lua_State *__real_lua_newstate(lua_Alloc alloc, void *ud);
lua_State *__wrap_lua_newstate(lua_Alloc alloc, void *ud);
lua_Alloc __real_lua_getallocf(lua_State *L, void **ud);
lua_Alloc __wrap_lua_getallocf(lua_State *L, void **ud);

/* xorshift64: Marsaglia, Xorshift RNGs, 2003 */
static unsigned draw(struct stress *s, unsigned below) {
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return (unsigned)((s->random >> 32) % below);
}

/* Every other time one of the next few allocations: what one of them leaves open, the next one meets. Less and less
 * often in one life, so that a test which allocates a hundred million times, or holds a lot, has an end, too. */
static unsigned next_gap(struct stress *s) {
    uint64_t wide =
        4 * (uint64_t)s->mean * (1 + s->collected++ / CALMS_DOWN) * (1 + s->live / MUCH);
    return 1 + draw(s, draw(s, 2) == 0 ? 8 : wide < UINT32_MAX ? (unsigned)wide : UINT32_MAX);
}

static bool is_due(struct stress *s) {
    if (!s->ready || s->again || --s->left > 0) {
        s->again = false;
        return false;
    }
    s->left = next_gap(s);
    s->again = true;
    return true;
}

static void *stressed(void *ud, void *ptr, size_t osize, size_t nsize) {
    struct stress *s = ud;
    size_t old = ptr != NULL ? osize : 0;
    if (nsize > old && is_due(s))
        return NULL;
    if (nsize == 0 && ptr != NULL)
        memset(ptr, 0xdb, osize);
    void *got = s->alloc(s->ud, ptr, osize, nsize);
    if (got != NULL || nsize == 0)
        s->live += nsize - old;
    if (s->live == 0)
        free(s);
    return got;
}

/* Lua's own buffers (luaL_Buffer) ask past Lua, and do not ask again. */
lua_Alloc __wrap_lua_getallocf(lua_State *L, void **ud) {
    void *own;
    lua_Alloc alloc = __real_lua_getallocf(L, &own);
    const struct stress *s = alloc == stressed ? own : NULL;
    if (ud != NULL)
        *ud = s != NULL ? s->ud : own;
    return s != NULL ? s->alloc : alloc;
}

/* "K" or "K,SEED"; a seed that nobody gave is drawn, told, and handed to the processes that we start. */
static bool wanted(unsigned *mean, uint64_t *seed) {
    const char *said = getenv("RIG_GC_STRESS");
    char *end;
    *mean = said != NULL ? (unsigned)strtoul(said, &end, 10) : 0;
    if (*mean == 0)
        return false;
    if (*end == ',') {
        *seed = strtoull(end + 1, NULL, 10);
        return true;
    }
    struct timespec t;
    char text[64];
    clock_gettime(CLOCK_REALTIME, &t);
    *seed = (uint64_t)t.tv_nsec / 1000 + 1;
    snprintf(text, sizeof text, "%u,%llu", *mean, (unsigned long long)*seed);
    setenv("RIG_GC_STRESS", text, 1);
    fprintf(stderr, "RIG_GC_STRESS=%s\n", text);
    return true;
}

lua_State *__wrap_lua_newstate(lua_Alloc alloc, void *ud) {
    unsigned mean;
    uint64_t seed;
    if (!wanted(&mean, &seed))
        return __real_lua_newstate(alloc, ud);
    struct stress *s = malloc(sizeof *s);
    if (s == NULL)
        return NULL;
    *s = (struct stress){.alloc = alloc,
                         .ud = ud,
                         .mean = mean,
                         .random = seed * 2654435761u + 88172645463325252u};
    s->left = next_gap(s);
    lua_State *L = __real_lua_newstate(stressed, s);
    if (L != NULL)
        s->ready = true;
    return L;
}
