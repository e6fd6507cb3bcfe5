/* The allocator of Lua states: contents survive every change of size and of kind, and nothing is
 * left when a block is freed. */
#include "clean.h"

#include <stdlib.h>
#include <string.h>

#include "bind/alloc.h"

static void fill(unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i += 509)
        p[i] = (unsigned char)(i / 509 * 7 + 1);
}

static void assert_filled(const unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i += 509)
        assert_int_equal(p[i], (unsigned char)(i / 509 * 7 + 1));
}

static const size_t sizes[] = {
    1,
    16,
    17,
    ALLOC_SMALL,
    ALLOC_SMALL + 1,
    100,
    ALLOC_BIG - 1,
    ALLOC_BIG,
    ALLOC_BIG + 1,
    ALLOC_BIG * 2,
    ALLOC_BIG,
    ALLOC_BIG * 9,
    ALLOC_BIG * 5 + 100,
    ALLOC_BIG * 8 + 3,
    4096,
};
#define SIZES (sizeof sizes / sizeof *sizes)

static void resize_between_all(bool huge) {
    struct alloc a;
    alloc_init(&a, &sys_kernel, huge);
    for (size_t i = 0; i < SIZES; i++) {
        for (size_t j = 0; j < SIZES; j++) {
            size_t from = sizes[i], to = sizes[j];
            unsigned char *p = alloc_lua(&a, NULL, 5, from);
            assert_non_null(p);
            fill(p, from);
            p = alloc_lua(&a, p, from, to);
            assert_non_null(p);
            assert_filled(p, from < to ? from : to);
            fill(p, to);
            assert_null(alloc_lua(&a, p, to, 0));
        }
    }
    alloc_clear(&a);
}

static void contents_survive_every_change_of_size(void **state) {
    (void)state;
    resize_between_all(true);
}

static void it_can_do_without_huge_pages(void **state) {
    (void)state;
    resize_between_all(false);
    struct alloc a;
    alloc_init(&a, &sys_kernel, false);
    void *p = alloc_lua(&a, NULL, 0, ALLOC_BIG * 4);
    assert_int_equal(a.sys.count[SYS_map], 0);
    alloc_lua(&a, p, ALLOC_BIG * 4, 0);
    alloc_clear(&a);
}

static void big_blocks_go_back_to_the_system(void **state) {
    (void)state;
    struct alloc a;
    size_t bytes_before, bytes_after, mappings = mappings_count(&bytes_before);
    alloc_init(&a, &sys_kernel, true);
    for (int i = 0; i < 20; i++) {
        void *p = alloc_lua(&a, NULL, 0, ALLOC_BIG);
        for (size_t n = ALLOC_BIG; n < ALLOC_BIG * 16; n *= 2)
            p = alloc_lua(&a, p, n, n * 2);
        p = alloc_lua(&a, p, ALLOC_BIG * 16, ALLOC_BIG + 5);
        alloc_lua(&a, p, ALLOC_BIG + 5, 0);
    }
    size_t left = mappings_count(&bytes_after);
    if (getenv("RIG_VALGRIND")) /* its own mappings come and go, and neighbours become one */
        return;
    assert_int_equal(left, mappings);
    assert_int_equal(bytes_after, bytes_before);
}

static void what_cannot_be_had_is_null_and_changes_nothing(void **state) {
    (void)state;
    struct alloc a;
    alloc_init(&a, &sys_kernel, true);
    assert_null(alloc_lua(&a, NULL, 0, SIZE_MAX / 2 + 1));
    unsigned char *small = alloc_lua(&a, NULL, 0, 1000), *big = alloc_lua(&a, NULL, 0, ALLOC_BIG);
    fill(small, 1000);
    fill(big, ALLOC_BIG);
    assert_null(alloc_lua(&a, small, 1000, SIZE_MAX / 2 + 1));
    assert_null(alloc_lua(&a, big, ALLOC_BIG, SIZE_MAX / 2 + 1));
    assert_filled(small, 1000);
    assert_filled(big, ALLOC_BIG);
    alloc_lua(&a, small, 1000, 0);
    alloc_lua(&a, big, ALLOC_BIG, 0);
    assert_null(alloc_lua(&a, NULL, 0, 0));
}

/* Not under a sanitizer, which wants to see each block freed: there, more is asked of malloc. */
static void small_blocks_are_handed_out_again(void **state) {
    (void)state;
    struct alloc a;
    void *blocks[100];
    alloc_init(&a, &sys_kernel, true);
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < 100; i++) {
            blocks[i] = alloc_lua(&a, NULL, 0, 49 + i % 16);
            memset(blocks[i], (int)i, 49 + i % 16);
        }
        for (size_t i = 0; i < 100; i++)
            alloc_lua(&a, blocks[i], 49 + i % 16, 0);
    }
    assert_in_range(a.sys.count[SYS_malloc], 100, getenv("RIG_SANITIZE")[0] ? 5000 : 100);
    alloc_clear(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(contents_survive_every_change_of_size),
        CLEAN_TEST(it_can_do_without_huge_pages),
        CLEAN_TEST(small_blocks_are_handed_out_again),
        CLEAN_TEST(big_blocks_go_back_to_the_system),
        CLEAN_TEST(what_cannot_be_had_is_null_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
