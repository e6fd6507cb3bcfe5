/* The codec from C: what is referred to and what is copied, that failures leave nothing behind, and where
 * arrays lie afterwards. What values come back as is tested in lua/test_codec.lua, damaged bytes in
 * test_codec_bytes.c. */
#include "codec_help.h"

/* A block that holds what `out` holds, `shift` bytes in. */
static struct block *block_from(const struct buf *out, size_t shift) {
    struct block *b;
    assert_int_equal(block_new(&sys, BLOCK_PRIVATE, buf_size(out) + shift, &b), 0);
    buf_copy(out, b->data + shift);
    return b;
}

static void decode(lua_State *L, const uint8_t *bytes, size_t len, struct block *owner) {
    size_t used = 0;
    assert_int_equal(codec_decode(L, bytes, len, owner, &used), 0);
    assert_int_equal(used, len);
}

static void large_arrays_are_referred_to_until_they_are_sent(void **state) {
    (void)state;
    lua_State *L = state_open();
    struct buf out;
    buf_init(&out, &sys);
    assert_int_equal(buf_add(&out, "0123456789", 10), 0); /* a message may have more in it */
    push(L, "{ name = 'x', a = core.array('i64', 10000, 5), b = core.array('u8', 100, 6) }");
    encode(L, -1, &out);
    assert_int_equal(out.n_pieces, 1);
    assert_int_equal(out.pieces_len, 80000);
    lua_getfield(L, -1, "a");
    struct array *a = array_check(L, -1);
    assert_ptr_equal(out.pieces[0].ptr, a->data);
    assert_int_equal(out.pieces[0].at % BUF_ALIGN, 0);
    assert_non_null(array_write_bar(a));
    buf_clear(&out);
    assert_null(array_write_bar(a));
    buf_free(&out);
    lua_close(L);
}

static void received_arrays_are_views_into_their_message(void **state) {
    (void)state;
    lua_State *L = state_open();
    struct buf out;
    buf_init(&out, &sys);
    push(L,
         "{ core.array('i64', 10000, 5), core.array('f32', 20000, 1.5), core.array('i8', 10, 7) }");
    encode(L, -1, &out);
    struct block *owner = block_from(&out, 0);
    buf_free(&out);
    decode(L, owner->data, owner->size, owner);
    assert_int_equal(owner->refs, 3);
    lua_rawgeti(L, -1, 1);
    struct array *a = array_check(L, -1);
    assert_true(a->data >= owner->data && a->data + 80000 <= owner->data + owner->size);
    assert_int_equal((uintptr_t)a->data % BUF_ALIGN, (uintptr_t)owner->data % BUF_ALIGN);
    lua_pop(L, 1);
    assert_true(
        holds(L, "v[1] == core.array('i64', 10000, 5) and v[2] == core.array('f32', 20000, 1.5) "
                 "and v[3] == core.array('i8', 10, 7)"));
    assert_true(holds(L, "(function() v[1][1] = 6; return v[1]:sum() == 50001 end)()"));
    lua_pushnil(L);
    lua_setglobal(L, "v");
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT);
    assert_int_equal(owner->refs, 1);
    block_unref(owner);
    lua_close(L);
}

static void misaligned_arrays_are_copied(void **state) {
    (void)state;
    lua_State *L = state_open();
    struct buf out;
    buf_init(&out, &sys);
    push(L, "{ core.array('i64', 10000, 5), core.array('u8', 70000, 9) }");
    encode(L, -1, &out);
    struct block *owner = block_from(&out, 1);
    decode(L, owner->data + 1, owner->size - 1, owner);
    assert_int_equal(owner->refs, 2); /* bytes are aligned anywhere */
    assert_true(
        holds(L, "v[1] == core.array('i64', 10000, 5) and v[2] == core.array('u8', 70000, 9)"));
    decode(L, owner->data + 1, owner->size - 1, NULL);
    assert_int_equal(owner->refs, 2);
    assert_true(holds(L, "v[1]:sum() + v[2]:sum() == 680000"));
    buf_free(&out);
    block_unref(owner);
    lua_close(L);
}

static void views_into_sealed_memory_are_read_only(void **state) {
    (void)state;
    lua_State *L = state_open();
    struct block *owner;
    struct buf out;
    void *addr;
    int fd;
    buf_init(&out, &sys);
    push(L, "core.array('i64', 10000, 5)");
    encode(L, -1, &out);
    size_t len = buf_size(&out);
    assert_int_equal(shm_open_sealable(&sys, "test", len, &fd, &addr), 0);
    buf_copy(&out, addr);
    assert_int_equal(shm_seal(&sys, &fd, len, &addr), 0);
    assert_int_equal(block_adopt_sealed(&sys, addr, len, &owner), 0);
    decode(L, owner->data, len, owner);
    assert_true(holds(L, "v:sum() == 50000"));
    assert_true(holds(L, "select(2, pcall(function() v[1] = 2 end)):find('read-only', 1, true)"));
    assert_true(holds(L, "select(2, pcall(v.fill, v, 2)):find('read-only', 1, true)"));
    assert_true(
        holds(L, "(function() local c = v:copy(); c[1] = 0; return c:sum() == 49995 end)()"));
    buf_free(&out);
    block_unref(owner);
    lua_close(L);
}

/* Places of shared tables count from the message's own beginning, and not what is by reference. */
static void shared_tables_are_found_behind_large_arrays_and_other_bytes(void **state) {
    (void)state;
    lua_State *L = state_open();
    struct buf out;
    buf_init(&out, &sys);
    assert_int_equal(buf_add(&out, "some bytes before", 17), 0);
    push(L, "(function() local t, a = { 1 }, core.array('u16', 50000, 3) "
            "return { a, t, a, { t, core.array('u16', 40000, 4), t }, core.array('u8', 0 + 70000, "
            "1), t } end)()");
    encode(L, -1, &out);
    assert_int_equal(out.n_pieces, 3);
    struct block *owner = block_from(&out, 0);
    for (int views = 0; views < 2; views++) {
        decode(L, owner->data + 17, owner->size - 17, views ? owner : NULL);
        assert_true(
            holds(L,
                  "rawequal(v[1], v[3]) and v[2] == v[4][1] and v[2] == v[4][3] and v[2] == v[6]"));
        assert_true(holds(L, "v[2][1] == 1 and v[1]:sum() == 150000 and v[4][2]:sum() == 160000"));
    }
    buf_free(&out);
    block_unref(owner);
    lua_close(L);
}

static void values_follow_each_other(void **state) {
    (void)state;
    lua_State *L = state_open();
    struct buf out;
    size_t used, at = 0;
    buf_init(&out, &sys);
    for (int i = 0; i < 3; i++) {
        push(L, "{ 'key', key = 'key', { 'key', 1, 2, 3, 4, 5 } }");
        encode(L, -1, &out);
    }
    for (int i = 0; i < 3; i++, at += used) {
        assert_int_equal(codec_decode(L, out.data + at, out.len - at, NULL, &used), 0);
        assert_true(holds(L, "v.key == 'key' and v[2][1] == 'key' and #v[2] == 6"));
    }
    assert_int_equal(at, out.len);
    buf_free(&out);
    lua_close(L);
}

static void what_cannot_cross_is_named_and_leaves_the_buf_as_it_was(void **state) {
    (void)state;
    const char *cases[][2] = {
        {"print", "items: a function cannot cross processes; send data, and define the function "
                  "where it is used"},
        {"{ 1, 2, { callback = print } }", "items[3].callback: a function cannot cross processes; "
                                           "send data, and define the function where it is used"},
        {"{ core.array('i64', 10000), { [true] = { [1.5] = { ['odd key'] = coroutine.create(print) "
         "} } } }",
         "items[2][true][1.5][\"odd key\"]: a coroutine cannot cross processes; send what it "
         "yields"},
        {"{ a = setmetatable({}, {}) }",
         "items.a: a table with a metatable cannot cross processes; send a plain table"},
        {"{ [print] = 1 }", "items[a function]: a function cannot cross processes; send data, and "
                            "define the function where it is used"},
        {"{ io.stdout }",
         "items[1]: a FILE* cannot cross processes; send what it holds as plain values"},
    };
    lua_State *L = state_open();
    struct codec_error err;
    struct buf out;
    char text[512];
    buf_init(&out, &sys);
    push(L, "{ 'before', core.array('u8', 70000) }");
    encode(L, -1, &out);
    size_t size = buf_size(&out), pieces = out.n_pieces;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        push(L, cases[i][0]);
        int top = lua_gettop(L);
        assert_int_equal(codec_encode(L, -1, &out, &err), -EINVAL);
        assert_int_equal(lua_gettop(L), top);
        codec_error_text(&err, "items", text, sizeof text);
        assert_string_equal(text, cases[i][1]);
        assert_int_equal(buf_size(&out), size);
        assert_int_equal(out.n_pieces, pieces);
    }
    buf_free(&out);
    lua_close(L);
}

static void a_long_path_keeps_both_ends(void **state) {
    (void)state;
    lua_State *L = state_open();
    struct codec_error err;
    struct buf out;
    buf_init(&out, &sys);
    push(L, "(function() local t = { last = print } for i = 1, 98 do t = { ['key_number_' .. i] = "
            "t } end "
            "return { first = t } end)()");
    assert_int_equal(codec_encode(L, -1, &out, &err), -EINVAL);
    assert_non_null(strstr(err.path, ".first.key_number_98."));
    assert_ptr_equal(strstr(err.path, ".first"), err.path);
    assert_string_equal(err.path + strlen(err.path) - 5, ".last");
    assert_non_null(strstr(err.path, "..."));
    buf_free(&out);
    lua_close(L);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(large_arrays_are_referred_to_until_they_are_sent),
        CLEAN_TEST(received_arrays_are_views_into_their_message),
        CLEAN_TEST(misaligned_arrays_are_copied),
        CLEAN_TEST(views_into_sealed_memory_are_read_only),
        CLEAN_TEST(shared_tables_are_found_behind_large_arrays_and_other_bytes),
        CLEAN_TEST(values_follow_each_other),
        CLEAN_TEST(what_cannot_cross_is_named_and_leaves_the_buf_as_it_was),
        CLEAN_TEST(a_long_path_keeps_both_ends),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
