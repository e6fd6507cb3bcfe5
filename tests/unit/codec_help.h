/* For the tests of the codec: a Lua state with rig.core in it, whose memory can be made to run out, and
 * values from Lua expressions. */
#ifndef RIG_TESTS_CODEC_HELP_H
#define RIG_TESTS_CODEC_HELP_H

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "bind/array.h"
#include "bind/codec.h"
#include "bind/open.h"
#include "bind/state.h"
#include "clean.h"

static struct sys sys;

/* Lua's memory: how much is taken, and when it runs out. */
static struct {
    size_t taken, peak;
    long left; /* allocations until they fail; negative: never */
} heap;

static inline void *heap_alloc(void *ud, void *p, size_t old, size_t n) {
    (void)ud;
    size_t had = p == NULL ? 0 : old;
    if (n == 0) {
        heap.taken -= had;
        free(p);
        return NULL;
    }
    if (n > had && heap.left >= 0 && heap.left-- == 0) {
        heap.left = 0;
        return NULL;
    }
    void *more = realloc(p, n);
    if (more != NULL) {
        heap.taken += n - had;
        if (heap.taken > heap.peak)
            heap.peak = heap.taken;
    }
    return more;
}

static inline lua_State *state_open(void) {
    heap.left = -1;
    lua_State *L = lua_newstate(heap_alloc, NULL);
    assert_non_null(L);
    luaL_openlibs(L);
    luaL_requiref(L, "rig.core", luaopen_rig_core, 0);
    lua_setglobal(L, "core");
    return L;
}

/* Pushes what the Lua expression gives. */
static inline void push(lua_State *L, const char *expression) {
    lua_pushfstring(L, "return (%s)", expression);
    if (luaL_dostring(L, lua_tostring(L, -1)) != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
    lua_remove(L, -2);
}

/* Is the Lua expression, over the value on the top as `v`, true? */
static inline bool holds(lua_State *L, const char *expression) {
    lua_pushvalue(L, -1);
    lua_setglobal(L, "v");
    push(L, expression);
    bool yes = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return yes;
}

static inline void encode(lua_State *L, int idx, struct buf *out) {
    struct codec_error err;
    int code = codec_encode(L, idx, out, &err);
    if (code < 0)
        fail_msg("%d %s %s", code, err.path, err.what);
}

#endif
