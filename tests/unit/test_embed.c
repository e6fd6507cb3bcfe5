/* The Lua modules that are built in: each as text and precompiled, and the text where the other cannot be taken. */
#include "bind/embed.h"

#include <lauxlib.h>
#include <string.h>

#include "bind/open.h"
#include "clean.h"

static int add_part(lua_State *L, const void *part, size_t size, void *to) {
    (void)L;
    luaL_addlstring(to, part, size);
    return 0;
}

/* What text is precompiled is not left to chance: the same bytes as from this Lua. */
static void every_module_is_there_precompiled(void **state) {
    (void)state;
    if (rig_embedded[0].code == NULL)
        skip(); /* built for another machine than this one is */
    lua_State *L = luaL_newstate();
    assert_true(rig_embedded_count > 100);
    for (size_t i = 0; i < rig_embedded_count; i++) {
        const struct rig_embedded *m = &rig_embedded[i];
        luaL_Buffer b;
        size_t size;
        assert_int_equal(luaL_loadbufferx(L, (const char *)m->text, m->text_size, m->chunk, "t"),
                         LUA_OK);
        lua_State *other = luaL_newstate();
        luaL_buffinit(other, &b);
        assert_int_equal(lua_dump(L, add_part, &b, 0), 0);
        luaL_pushresult(&b);
        const char *code = lua_tolstring(other, -1, &size);
        if (size != m->code_size || memcmp(code, m->code, size) != 0)
            fail_msg("%s is precompiled from something else", m->name);
        lua_close(other);
        lua_settop(L, 0);
    }
    lua_close(L);
}

static const unsigned char text[] = "return 'the text'";

static int load_entry(lua_State *L) {
    embed_load_entry(L, lua_touserdata(L, 1));
    return 2;
}

/* Loads and runs it: what it returned, or the error. */
static const char *outcome(lua_State *L, const struct rig_embedded *m) {
    lua_settop(L, 0);
    lua_pushcfunction(L, load_entry);
    lua_pushlightuserdata(L, (void *)m);
    if (lua_pcall(L, 1, 2, 0) == LUA_OK) {
        assert_string_equal(lua_tostring(L, 2), "rig/one.lua");
        lua_settop(L, 1);
        lua_pcall(L, 0, 1, 0);
    }
    assert_int_equal(lua_gettop(L), 1);
    return lua_tostring(L, 1);
}

static void code_that_this_lua_refuses_is_replaced_by_the_text(void **state) {
    (void)state;
    lua_State *L = luaL_newstate();
    struct rig_embedded m = rig_embedded[0];
    unsigned char code[8] = "\x1bLua\x53";
    m.chunk = "@rig/one.lua";
    m.text = text;
    m.text_size = sizeof text - 1;
    m.code = code; /* of another version */
    m.code_size = sizeof code;
    assert_string_equal(outcome(L, &m), "the text");
    m.code = text; /* no code at all */
    m.code_size = 3;
    assert_string_equal(outcome(L, &m), "the text");
    m.code = NULL;
    assert_string_equal(outcome(L, &m), "the text");
    m.text_size = 9;
    assert_non_null(strstr(outcome(L, &m), "cannot be loaded: rig/one.lua:1:"));
    lua_close(L);
}

static void code_comes_before_text(void **state) {
    (void)state;
    lua_State *L = luaL_newstate();
    struct rig_embedded m = rig_embedded[0];
    luaL_Buffer b;
    size_t size;
    lua_State *other = luaL_newstate();
    assert_int_equal(luaL_loadstring(L, "return 'the code'"), LUA_OK);
    luaL_buffinit(other, &b);
    assert_int_equal(lua_dump(L, add_part, &b, 0), 0);
    luaL_pushresult(&b);
    m.chunk = "@rig/one.lua";
    m.text = text;
    m.text_size = sizeof text - 1;
    m.code = (const unsigned char *)lua_tolstring(other, -1, &size);
    m.code_size = size;
    assert_string_equal(outcome(L, &m), "the code");
    lua_close(other);
    lua_close(L);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(every_module_is_there_precompiled),
        CLEAN_TEST(code_that_this_lua_refuses_is_replaced_by_the_text),
        CLEAN_TEST(code_comes_before_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
