/* The aggressive collector of the tests finds what it is for: a value that nobody holds is overwritten at once, what is held
 * stays, and nothing that Lua promises is broken. */
#include "clean.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 200000

/* What is freed stays where it is until the end, so that looking at it is no mistake of this test's. */
static void *blocks[BLOCKS];
static size_t n_blocks;

static void *never_free(void *ud, void *ptr, size_t osize, size_t nsize) {
    (void)ud;
    if (nsize == 0 || n_blocks == BLOCKS)
        return NULL;
    void *got = malloc(nsize);
    if (got == NULL)
        return NULL;
    blocks[n_blocks++] = got;
    if (ptr != NULL)
        memcpy(got, ptr, osize < nsize ? osize : nsize);
    return got;
}

static lua_State *opened(const char *stress) {
    if (stress != NULL)
        setenv("RIG_GC_STRESS", stress, 1);
    n_blocks = 0;
    lua_State *L = lua_newstate(never_free, NULL);
    unsetenv("RIG_GC_STRESS");
    assert_non_null(L);
    return L;
}

static void close_all(lua_State *L) {
    lua_close(L);
    while (n_blocks > 0)
        free(blocks[--n_blocks]);
}

#define TEXT "a text that is longer than those which Lua keeps only once, number %d"

/* Of a hundred texts that were taken off the stack and then used, how many were something else by then. */
static int damaged(const char *stress, bool held) {
    lua_State *L = opened(stress);
    int count = 0;
    for (int i = 0; i < 100; i++) {
        char wanted[128];
        snprintf(wanted, sizeof wanted, TEXT, i);
        const char *text = lua_pushstring(L, wanted);
        if (!held)
            lua_pop(L, 1);
        for (int j = 0; j < 20; j++) {
            lua_createtable(L, 1, 0);
            lua_pop(L, 1);
        }
        count += memcmp(text, wanted, strlen(wanted)) != 0;
        lua_settop(L, 0);
    }
    close_all(L);
    return count;
}

static void what_nobody_holds_is_overwritten(void **state) {
    (void)state;
    assert_true(damaged("2,1", false) > 50);
    assert_true(damaged("2,2", false) > 50);
    assert_int_equal(damaged("2,1", true), 0);
    assert_int_equal(damaged(NULL, false), 0); /* Lua by itself has no reason to, so soon */
}

static void scripts_go_on_as_they_would(void **state) {
    (void)state;
    lua_State *L = opened("3,7");
    luaL_openlibs(L);
    if (luaL_dostring(
            L, "local closed, t = 0, {}\n"
               "for i = 1, 300 do\n"
               "    t[i] = { tostring(i):rep(20), i }\n"
               "    setmetatable({}, { __gc = function() closed = closed + 1 end })\n"
               "end\n"
               "for i = 1, 300 do assert(t[i][1] == tostring(i):rep(20) and t[i][2] == i) end\n"
               "local text = table.concat({ ('x'):rep(5000), ('y'):rep(5000) })\n"
               "assert(#text == 10000 and #text:gsub('x', 'zz') == 15000)\n"
               "collectgarbage()\n"
               "assert(closed == 300)\n"))
        fail_msg("%s", lua_tostring(L, -1));
    close_all(L);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(what_nobody_holds_is_overwritten),
        CLEAN_TEST(scripts_go_on_as_they_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
