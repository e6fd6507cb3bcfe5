/* The codec and damaged bytes, and the codec without memory: anything at all can be decoded, and a failure
 * anywhere leaves nothing behind. */
#include "codec_help.h"

#define MUTATIONS 200000

static const char *const corpus[] = {
    "{ 1, 2, 3, 1000, -5, 2^53, 'text', true, false, { x = 1, y = -2.5 } }",
    "{ 1, 2, 3, 4, 5, 6, 7, -8 }",
    "{ 100000, 200000, 300000, -400000, math.maxinteger, math.mininteger, 1 }",
    "{ 1.5, 2.5, 3.5, 0/0, 1/0 }",
    "(function() local t = {} for i = 1, 40 do t[i] = { id = i, name = 'n' .. i % 4, deep = { { i "
    "} } } end return t end)()",
    "(function() local t = { name = 'cycle' } t.self = t; t[1] = { t, t }; t[t] = t[1]; return t "
    "end)()",
    "(function() local t = {} for i = 1, 300 do t['key' .. i] = i end return t end)()",
    "{ core.array('i64', 5, 9), core.array('u8', { 1, 2, 3 }), core.array('f64', { 0.5 }) }",
    "{ core.array('i64', { }), string.rep('long', 100), { nil, nil, 3, [1e9] = 1 } }",
    "(function() local a = core.array('i16', { 1, 2 }) return { a, a, { [a] = 'k' } } end)()",
    "(function() local t = {} for i = 1, 99 do t = { t } end return t end)()",
    "'just a string'",
    "12345",
    "(function() local a = core.array('u32', 17000, 77) return { a, 'after', a, { 1 } } end)()",
};

#define CORPUS (sizeof corpus / sizeof *corpus)
#define LARGE  (CORPUS - 1) /* the one with 64 KiB in it */

static uint64_t random_state;

static uint64_t random_below(uint64_t n) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

static void random_seed(void) {
    const char *seed = getenv("RIG_TEST_SEED");
    random_state = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    print_message("RIG_TEST_SEED=%llu\n", (unsigned long long)random_state);
    random_state = random_state * 2 + 1;
}

struct attempt {
    const uint8_t *bytes;
    size_t len;
    struct block *owner;
    int code;
};

/* Decodes, and encodes again what came out, so that all of it is looked at. */
static int attempt_decode(lua_State *L) {
    struct attempt *a = lua_touserdata(L, 1);
    size_t used = 0;
    a->code = codec_decode(L, a->bytes, a->len, a->owner, &used);
    assert_int_equal(lua_gettop(L), a->code == 0 ? 2 : 1);
    if (a->code < 0)
        return 0;
    assert_true(used <= a->len);
    struct buf out;
    struct codec_error err;
    buf_init(&out, &sys);
    assert_int_equal(codec_encode(L, 2, &out, &err), 0);
    buf_free(&out);
    return 0;
}

static int attempt(lua_State *L, const uint8_t *bytes, size_t len, struct block *owner) {
    struct attempt a = {.bytes = bytes, .len = len, .owner = owner};
    lua_pushcfunction(L, attempt_decode);
    lua_pushlightuserdata(L, &a);
    int status = lua_pcall(L, 1, 0, 0);
    if (status != LUA_OK)
        fail_msg("decoding raised %s", lua_tostring(L, -1));
    return a.code;
}

static void encode_corpus(lua_State *L, struct buf all[CORPUS]) {
    for (size_t i = 0; i < CORPUS; i++) {
        buf_init(&all[i], &sys);
        push(L, corpus[i]);
        encode(L, -1, &all[i]);
        lua_settop(L, 0);
    }
}

static void free_corpus(struct buf all[CORPUS]) {
    for (size_t i = 0; i < CORPUS; i++)
        buf_free(&all[i]);
}

/* In memory of exactly its size, so that a sanitizer sees a read beyond it. */
static void every_truncated_message_is_refused(void **state) {
    (void)state;
    lua_State *L = state_open();
    struct buf all[CORPUS];
    encode_corpus(L, all);
    for (size_t i = 0; i < CORPUS; i++) {
        uint8_t *whole = malloc(buf_size(&all[i]));
        buf_copy(&all[i], whole);
        size_t step = i == LARGE ? 997 : 1;
        for (size_t len = 0; len < buf_size(&all[i]); len += step) {
            uint8_t *part = malloc(len);
            memcpy(part, whole, len);
            assert_int_equal(attempt(L, part, len, NULL), -EBADMSG);
            free(part);
        }
        free(whole);
    }
    free_corpus(all);
    lua_close(L);
}

/* Changes some bytes, moves some, cuts or repeats the end. Returns the new length, at most `room`. */
static size_t mutate(uint8_t *p, size_t len, size_t room) {
    for (uint64_t n = 1 + random_below(4); n > 0; n--) {
        size_t at = (size_t)random_below(len), to = (size_t)random_below(len);
        size_t some = (size_t)random_below(16);
        switch (random_below(8)) {
        case 0: p[at] ^= (uint8_t)(1u << random_below(8)); break;
        case 1: p[at] = (uint8_t)(0xe0 + random_below(32)); break;
        case 2: p[at] = (uint8_t)random_below(256); break;
        case 3: p[at] = 0xff; break;
        case 4:
            if (at + some <= len && to + some <= len)
                memmove(p + to, p + at, some);
            break;
        case 5: len = at + 1; break;
        case 6:
            for (; some > 0 && len < room; some--)
                p[len++] = (uint8_t)random_below(256);
            break;
        default: p[at] = (uint8_t)(p[at] + 1); break;
        }
    }
    return len;
}

static void mutated_messages_never_crash_the_reader(void **state) {
    (void)state;
    lua_State *L = state_open();
    struct buf all[CORPUS];
    unsigned read = 0;
    random_seed();
    encode_corpus(L, all);
    for (unsigned i = 0; i < MUTATIONS; i++) {
        size_t which = (size_t)random_below(i % 100 == 0 ? CORPUS : LARGE);
        size_t len = buf_size(&all[which]), room = len + 64;
        uint8_t *longer = malloc(room);
        buf_copy(&all[which], longer);
        len = mutate(longer, len, room);
        struct block *owner;
        assert_int_equal(block_new(&sys, BLOCK_PRIVATE, len, &owner), 0);
        memcpy(owner->data, longer, len);
        free(longer);
        read += attempt(L, owner->data, len, i % 2 ? owner : NULL) == 0;
        block_unref(owner);
    }
    print_message("%u of %u mutated messages were values all the same\n", read, MUTATIONS);
    free_corpus(all);
    lua_close(L);
}

static void random_bytes_never_crash_the_reader(void **state) {
    (void)state;
    lua_State *L = state_open();
    random_seed();
    for (unsigned i = 0; i < MUTATIONS; i++) {
        size_t len = (size_t)random_below(40);
        uint8_t *p = malloc(len);
        for (size_t at = 0; at < len; at++)
            p[at] = (uint8_t)(random_below(3) ? 0xe0 + random_below(32) : random_below(256));
        if (len > 0 && random_below(2))
            p[0] = 0xf0;
        attempt(L, p, len, NULL);
        free(p);
    }
    lua_close(L);
}

/* Nothing is allocated for lengths that the bytes cannot hold, however they are nested. */
static void false_lengths_take_no_memory(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
#define BYTES(s) {s, sizeof(s) - 1}
        BYTES("\xf0\xff\xff\xff\xff\x0f\x00"),                     /* a list of 2^32 */
        BYTES("\xf0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"), /* of 2^64 - 1 */
        BYTES("\xf0\x00\xfe"),                                     /* 2^30 pairs */
        BYTES("\xf0\x00\xdf"),                                     /* 223 pairs */
        BYTES("\xe8\xff\xff\xff\xff\xff\xff\xff\x7f"),             /* a string of 2^56 */
        BYTES("\xf0\x01\x00\xf0\x40\x00"), /* more than is left for the inner list */
        BYTES("\xf0\x04\x00\xeb\xff\xff\xff\xff\x0f....."),        /* a run longer than its list */
        BYTES("\xf2\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* an array of 2^64 - 1 */
        BYTES("\xf2\x03\x80\x80\x80\x80\x80\x80\x80\x80\x20"),     /* whose bytes are 2^64 */
        BYTES("\xf2\x0a\x00"),                                     /* of no type */
        BYTES("\xf3\x03\x00"), /* to be remembered, outside any table */
        BYTES("\xf4\x00"),     /* a table of before, before any */
        BYTES("\xc0"),         /* a marked string, before any */
        BYTES("\xe9\x81x"),
        BYTES("\xf0\x00\x01\xe0\x01"),                     /* nil as a key */
        BYTES("\xf0\x00\x01\xe7\0\0\0\0\0\0\xf8\x7f\x01"), /* NaN as a key */
        BYTES("\xf5"),
        BYTES("\xff"),
        BYTES(""),
#undef BYTES
    };
    lua_State *L = state_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *exact = malloc(cases[i].len);
        memcpy(exact, cases[i].bytes, cases[i].len);
        lua_gc(L, LUA_GCCOLLECT);
        heap.peak = heap.taken;
        size_t before = heap.taken;
        assert_int_equal(attempt(L, exact, cases[i].len, NULL), -EBADMSG);
        assert_in_range(heap.peak - before, 0, 4096);
        free(exact);
    }
    lua_close(L);
}

static void nesting_beyond_the_limit_is_refused(void **state) {
    (void)state;
    lua_State *L = state_open();
    uint8_t bytes[3 * 200];
    for (size_t depth = 99; depth < 200; depth++) {
        for (size_t i = 0; i < depth; i++)
            memcpy(bytes + 3 * i, i + 1 < depth ? "\xf0\x01\x00" : "\xf0\x00\x00", 3);
        assert_int_equal(attempt(L, bytes, 3 * depth, NULL),
                         depth <= CODEC_DEPTH_MAX ? 0 : -EBADMSG);
    }
    lua_close(L);
}

/* ---- without memory ---------------------------------------------------------------------------- */

static int left;

static void *scarce_malloc(size_t n) {
    return left-- > 0 ? sys_kernel.malloc(n) : NULL;
}

static void *scarce_realloc(void *p, size_t n) {
    return left-- > 0 ? sys_kernel.realloc(p, n) : NULL;
}

static void encoding_without_memory_leaves_the_buf_as_it_was(void **state) {
    (void)state;
    struct sys_table table = sys_kernel;
    table.malloc = scarce_malloc;
    table.realloc = scarce_realloc;
    lua_State *L = state_open();
    push(L, "(function() local t = { core.array('i64', 10000), 'x' } "
            "for i = 1, 500 do t[i + 2] = { id = i, s = ('%d'):rep(i) } end return t end)()");
    state_get(L)->sys.table = &table;
    struct sys poor;
    sys_init(&poor, &table);
    int failures = 0;
    for (int code = -ENOMEM, calls = 0; code < 0; calls++, failures += code < 0) {
        struct codec_error err;
        struct buf out;
        buf_init(&out, &poor);
        left = calls;
        code = codec_encode(L, -1, &out, &err);
        if (code < 0) {
            assert_int_equal(code, -ENOMEM);
            assert_int_equal(buf_size(&out), 0);
            assert_int_equal(lua_gettop(L), 1);
        }
        buf_free(&out);
    }
    assert_in_range(failures, 5, 100);
    state_get(L)->sys.table = &sys_kernel;
    lua_close(L);
}

static void decoding_without_memory_leaves_nothing(void **state) {
    (void)state;
    lua_State *L = state_open();
    struct buf out;
    buf_init(&out, &sys);
    push(L, "(function() local a = core.array('i64', 10000, 1) local t = { a, { x = a }, "
            "core.array('u8', { 1 }) } "
            "for i = 1, 50 do t[#t + 1] = { id = i, s = ('%d'):rep(i), t } end return t end)()");
    encode(L, -1, &out);
    struct block *owner;
    assert_int_equal(block_new(&sys, BLOCK_PRIVATE, buf_size(&out), &owner), 0);
    buf_copy(&out, owner->data);
    buf_free(&out);
    lua_settop(L, 0);
    int failures = 0;
    for (int status = LUA_ERRMEM; status != LUA_OK; failures += status != LUA_OK) {
        struct attempt a = {.bytes = owner->data, .len = owner->size, .owner = owner};
        lua_pushcfunction(L, attempt_decode);
        lua_pushlightuserdata(L, &a);
        heap.left = failures;
        status = lua_pcall(L, 1, 0, 0);
        heap.left = -1;
        lua_settop(L, 0);
        lua_gc(L, LUA_GCCOLLECT);
        assert_int_equal(owner->refs, 1);
    }
    assert_in_range(failures, 20, 1000);
    block_unref(owner);
    lua_close(L);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(every_truncated_message_is_refused),
        CLEAN_TEST(mutated_messages_never_crash_the_reader),
        CLEAN_TEST(random_bytes_never_crash_the_reader),
        CLEAN_TEST(false_lengths_take_no_memory),
        CLEAN_TEST(nesting_beyond_the_limit_is_refused),
        CLEAN_TEST(encoding_without_memory_leaves_the_buf_as_it_was),
        CLEAN_TEST(decoding_without_memory_leaves_nothing),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
