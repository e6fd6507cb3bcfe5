/* Blocks and bufs: what they count, where referenced pieces stand, and that nothing is lost without
 * memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "clean.h"
#include "pool/buf.h"

static struct sys sys;

/* A table whose memory runs out: each call takes one from `left`. */
static int left;

static void *scarce_malloc(size_t n) {
    return left-- > 0 ? sys_kernel.malloc(n) : NULL;
}

static void *scarce_realloc(void *p, size_t n) {
    return left-- > 0 ? sys_kernel.realloc(p, n) : NULL;
}

static int scarce_map(void **addr, size_t n, int prot, int flags, int fd) {
    return left-- > 0 ? sys_kernel.map(addr, n, prot, flags, fd) : -ENOMEM;
}

static struct sys_table scarce_table(void) {
    struct sys_table t = sys_kernel;
    t.malloc = scarce_malloc;
    t.realloc = scarce_realloc;
    t.map = scarce_map;
    return t;
}

static struct block *block_of(size_t n) {
    struct block *b;
    assert_int_equal(block_new(&sys, BLOCK_PRIVATE, n, &b), 0);
    for (size_t i = 0; i < n; i++)
        b->data[i] = (uint8_t)(i * 7);
    return b;
}

static uint8_t *bytes_of(const struct buf *b) {
    uint8_t *p = malloc(buf_size(b) + 1);
    assert_non_null(p);
    buf_copy(b, p);
    return p;
}

static void a_block_lives_as_long_as_its_references(void **state) {
    (void)state;
    struct block *b = block_of(100);
    assert_ptr_equal(block_ref(b), b);
    assert_int_equal(b->refs, 2);
    block_unref(b);
    assert_int_equal(b->data[3], 21);
    block_unref(b);
    block_unref(NULL);
}

static void blocks_of_any_size_and_kind_can_be_written(void **state) {
    (void)state;
    const size_t sizes[] = {0, 1, 4095, 262143, 262144, 5000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int kind = BLOCK_PRIVATE; kind <= BLOCK_SHARED; kind++) {
            struct block *b;
            assert_int_equal(block_new(&sys, (enum block_kind)kind, sizes[i], &b), 0);
            assert_int_equal(b->size, sizes[i]);
            assert_int_equal(b->frozen, 0);
            if (b->mapped && sizes[i] > 0)
                assert_int_equal(b->data[sizes[i] - 1], 0);
            memset(b->data, 0xff, sizes[i]);
            block_unref(b);
        }
    }
}

static void a_sealed_block_takes_over_its_mapping(void **state) {
    (void)state;
    struct block *b;
    void *addr;
    int fd;
    assert_int_equal(shm_open_sealable(&sys, "test", 10000, &fd, &addr), 0);
    memset(addr, 5, 10000);
    assert_int_equal(shm_seal(&sys, &fd, 10000, &addr), 0);
    assert_int_equal(block_adopt_sealed(&sys, addr, 10000, &b), 0);
    assert_int_equal(b->kind, BLOCK_SEALED);
    assert_int_equal(b->data[9999], 5);
    block_unref(b);
}

static void a_block_without_memory_is_an_error_and_leaves_nothing(void **state) {
    (void)state;
    struct sys_table table = scarce_table();
    struct sys poor;
    sys_init(&poor, &table);
    for (int calls = 0; calls < 2; calls++) {
        struct block *b = NULL;
        left = calls;
        assert_int_equal(block_new(&poor, BLOCK_PRIVATE, 1000, &b), -ENOMEM);
        left = calls;
        assert_int_equal(block_new(&poor, BLOCK_SHARED, 1000, &b), -ENOMEM);
        assert_null(b);
    }
    struct block *b;
    assert_int_equal(block_new(&sys, BLOCK_PRIVATE, SIZE_MAX - 10, &b), -ENOMEM);
}

static void bytes_come_out_as_they_went_in(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, &sys);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(buf_add_u8(&b, (uint8_t)(i * 3)), 0);
    assert_int_equal(buf_add(&b, "end", 3), 0);
    assert_int_equal(buf_add(&b, NULL, 0), 0);
    assert_int_equal(buf_size(&b), 100003);
    uint8_t *p = bytes_of(&b);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(p[i], (uint8_t)(i * 3));
    assert_memory_equal(p + 100000, "end", 3);
    free(p);
    buf_clear(&b);
    assert_int_equal(buf_size(&b), 0);
    buf_free(&b);
}

static void reserving_more_than_there_can_be_is_an_error(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, &sys);
    assert_int_equal(buf_add(&b, "abc", 3), 0);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOMEM);
    assert_int_equal(buf_size(&b), 3);
    assert_memory_equal(b.data, "abc", 3);
    buf_free(&b);
}

static void pieces_stand_aligned_and_keep_their_block_frozen(void **state) {
    (void)state;
    struct block *block = block_of(1000);
    struct buf b;
    buf_init(&b, &sys);
    assert_int_equal(buf_add(&b, "head", 4), 0);
    assert_int_equal(buf_add_ref(&b, block, block->data + 8, 300), 0);
    assert_int_equal(buf_add(&b, "middle", 6), 0);
    assert_int_equal(buf_add_ref(&b, block, block->data, 1000), 0);
    assert_int_equal(block->refs, 3);
    assert_int_equal(block->frozen, 2);
    assert_int_equal(buf_size(&b), 384 + 1000);
    uint8_t *p = bytes_of(&b);
    assert_memory_equal(p, "head", 4);
    for (int i = 4; i < 64; i++)
        assert_int_equal(p[i], 0);
    assert_memory_equal(p + 64, block->data + 8, 300);
    assert_memory_equal(p + 364, "middle", 6);
    assert_memory_equal(p + 384, block->data, 1000);
    free(p);
    buf_clear(&b);
    assert_int_equal(block->refs, 1);
    assert_int_equal(block->frozen, 0);
    buf_free(&b);
    block_unref(block);
}

static void a_piece_may_come_first_and_alone(void **state) {
    (void)state;
    struct block *block = block_of(200);
    struct buf b;
    buf_init(&b, &sys);
    assert_int_equal(buf_add_ref(&b, block, block->data, 200), 0);
    block_unref(block); /* the buf's reference is enough */
    uint8_t *p = bytes_of(&b);
    assert_int_equal(p[199], (uint8_t)(199 * 7));
    free(p);
    buf_free(&b);
}

/* The bytes from `from` on, through as few entries as `max`. */
static void check_iov(const struct buf *b, const uint8_t *all, size_t from, int max) {
    struct iovec iov[8];
    size_t at = from;
    for (int n; (n = buf_iov(b, at, iov, max)) > 0;) {
        assert_true(n <= max);
        for (int i = 0; i < n; i++) {
            assert_true(iov[i].iov_len > 0);
            assert_memory_equal(iov[i].iov_base, all + at, iov[i].iov_len);
            at += iov[i].iov_len;
        }
    }
    assert_int_equal(at, buf_size(b));
}

static void reading_can_start_at_any_byte(void **state) {
    (void)state;
    struct block *block = block_of(100);
    struct buf b;
    buf_init(&b, &sys);
    assert_int_equal(buf_add(&b, "0123456789", 10), 0);
    assert_int_equal(buf_add_ref(&b, block, block->data, 100), 0);
    assert_int_equal(buf_add_ref(&b, block, block->data + 50, 50), 0);
    assert_int_equal(buf_add(&b, "tail", 4), 0);
    uint8_t *all = bytes_of(&b);
    for (size_t from = 0; from <= buf_size(&b); from++) {
        check_iov(&b, all, from, 1);
        check_iov(&b, all, from, 8);
    }
    uint8_t part[120];
    buf_read(&b, 60, part, sizeof part);
    assert_memory_equal(part, all + 60, sizeof part);
    free(all);
    buf_free(&b);
    block_unref(block);
}

static void truncating_gives_later_pieces_back(void **state) {
    (void)state;
    struct block *block = block_of(100);
    struct buf b;
    buf_init(&b, &sys);
    assert_int_equal(buf_add(&b, "keep", 4), 0);
    assert_int_equal(buf_add_ref(&b, block, block->data, 100), 0);
    size_t len = b.len, pieces = b.n_pieces, size = buf_size(&b);
    assert_int_equal(buf_add(&b, "drop", 4), 0);
    assert_int_equal(buf_add_ref(&b, block, block->data, 100), 0);
    buf_truncate(&b, len, pieces);
    assert_int_equal(buf_size(&b), size);
    assert_int_equal(block->frozen, 1);
    buf_free(&b);
    assert_int_equal(block->refs, 1);
    block_unref(block);
}

static void moving_and_appending_carry_pieces_along(void **state) {
    (void)state;
    struct block *block = block_of(100);
    struct buf a, b, c;
    buf_init(&a, &sys);
    buf_init(&b, &sys);
    buf_init(&c, &sys);
    assert_int_equal(buf_add(&a, "x", 1), 0);
    assert_int_equal(buf_add_ref(&a, block, block->data, 100), 0);
    assert_int_equal(buf_add(&b, "old", 3), 0);
    buf_move(&b, &a);
    assert_int_equal(buf_size(&a), 0);
    assert_int_equal(buf_size(&b), 164);
    assert_int_equal(block->frozen, 1);
    assert_int_equal(buf_add_buf(&c, &b), 0);
    assert_int_equal(block->frozen, 2);
    uint8_t *p = bytes_of(&b), *q = bytes_of(&c);
    assert_memory_equal(p, q, 164);
    free(p);
    free(q);
    buf_free(&a);
    buf_free(&b);
    buf_free(&c);
    assert_int_equal(block->refs, 1);
    assert_int_equal(block->frozen, 0);
    block_unref(block);
}

static void without_memory_the_contents_stay(void **state) {
    (void)state;
    struct sys_table table = scarce_table();
    struct sys poor;
    struct buf b;
    sys_init(&poor, &table);
    buf_init(&b, &poor);
    struct block *block = block_of(100);
    left = 1;
    assert_int_equal(buf_add(&b, "abc", 3), 0);
    assert_int_equal(buf_add_ref(&b, block, block->data, 100), -ENOMEM);
    uint8_t many[1000] = {0};
    assert_int_equal(buf_add(&b, many, sizeof many), -ENOMEM);
    assert_int_equal(buf_size(&b), 3);
    assert_memory_equal(b.data, "abc", 3);
    assert_int_equal(block->frozen, 0);
    buf_free(&b);
    block_unref(block);
}

static void a_large_buf_grows_and_shrinks(void **state) {
    (void)state;
    struct buf b;
    uint8_t chunk[4096];
    buf_init(&b, &sys);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 8192; i++) {
            memset(chunk, (int)(i & 255), sizeof chunk);
            assert_int_equal(buf_add(&b, chunk, sizeof chunk), 0);
        }
        for (unsigned i = 0; i < 8192; i++)
            assert_int_equal(b.data[i * sizeof chunk + 4095], i & 255);
        buf_clear(&b);
        assert_true(b.cap <= (size_t)64 << 20);
    }
    buf_free(&b);
}

static void varints_of_every_length_come_back(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, &sys);
    for (int shift = 0; shift < 64; shift++) {
        for (int less = 0; less < 2; less++) {
            uint64_t v = (UINT64_C(1) << shift) - (uint64_t)less, got = ~v;
            buf_clear(&b);
            assert_int_equal(buf_add_varint(&b, v), 0);
            const uint8_t *at = b.data;
            assert_int_equal(bytes_varint(&at, b.data + b.len, &got), 0);
            assert_true(got == v);
            assert_ptr_equal(at, b.data + b.len);
            at = b.data;
            assert_int_equal(bytes_varint(&at, b.data + b.len - 1, &got), -EBADMSG);
        }
    }
    buf_free(&b);
}

static void a_varint_over_64_bits_is_refused(void **state) {
    (void)state;
    const uint8_t most[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 1};
    const uint8_t over[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 2};
    const uint8_t endless[] = {128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 0};
    uint64_t v;
    const uint8_t *at = most;
    assert_int_equal(bytes_varint(&at, most + sizeof most, &v), 0);
    assert_true(v == UINT64_MAX);
    at = over;
    assert_int_equal(bytes_varint(&at, over + sizeof over, &v), -EBADMSG);
    at = endless;
    assert_int_equal(bytes_varint(&at, endless + sizeof endless, &v), -EBADMSG);
}

/* Large ones are mappings, small ones malloc's: both ways, and cleared in between. */
static void bytes_stay_while_a_buf_grows_to_many_megabytes(void **state) {
    (void)state;
    static uint8_t part[100003];
    struct buf b;
    buf_init(&b, &sys);
    for (int round = 0; round < 2; round++) {
        size_t n = 0;
        for (; n < 200; n++) {
            memset(part, (int)n, sizeof part);
            assert_int_equal(buf_add(&b, part, sizeof part), 0);
        }
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(b.data[i * sizeof part], (uint8_t)i);
            assert_int_equal(b.data[(i + 1) * sizeof part - 1], (uint8_t)i);
        }
        assert_int_equal(buf_reserve(&b, SIZE_MAX / 2), -ENOMEM);
        assert_int_equal(buf_size(&b), n * sizeof part);
        buf_clear(&b);
        assert_int_equal(buf_add(&b, "small", 5), 0);
        buf_clear(&b);
    }
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(bytes_stay_while_a_buf_grows_to_many_megabytes),
        CLEAN_TEST(a_block_lives_as_long_as_its_references),
        CLEAN_TEST(blocks_of_any_size_and_kind_can_be_written),
        CLEAN_TEST(a_sealed_block_takes_over_its_mapping),
        CLEAN_TEST(a_block_without_memory_is_an_error_and_leaves_nothing),
        CLEAN_TEST(bytes_come_out_as_they_went_in),
        CLEAN_TEST(reserving_more_than_there_can_be_is_an_error),
        CLEAN_TEST(pieces_stand_aligned_and_keep_their_block_frozen),
        CLEAN_TEST(a_piece_may_come_first_and_alone),
        CLEAN_TEST(reading_can_start_at_any_byte),
        CLEAN_TEST(truncating_gives_later_pieces_back),
        CLEAN_TEST(moving_and_appending_carry_pieces_along),
        CLEAN_TEST(without_memory_the_contents_stay),
        CLEAN_TEST(a_large_buf_grows_and_shrinks),
        CLEAN_TEST(varints_of_every_length_come_back),
        CLEAN_TEST(a_varint_over_64_bits_is_refused),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
