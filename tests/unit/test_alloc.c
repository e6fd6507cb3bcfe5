/* The allocator of Lua states: contents survive every change of size and of kind, and nothing is
 * left when a block is freed. */
#include "clean.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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
    if (under_valgrind()) /* its own mappings come and go, and neighbours become one */
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

/* ---- a machine that has so much left, as the kernel's file says it ---- */

static unsigned long left_kb;

static int open_meminfo(const char *path, int flags, mode_t mode) {
    char text[64];
    (void)flags, (void)mode;
    if (strcmp(path, "/proc/meminfo") != 0)
        return -ENOENT;
    int fd = memfd_create("meminfo", MFD_CLOEXEC);
    int n = snprintf(text, sizeof text, "MemAvailable: %lu kB\n", left_kb);
    if (write(fd, text, (size_t)n) != n || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    return fd;
}

static struct sys_table small_machine;

static void begin_small(struct alloc *a, size_t left, size_t reserve) {
    small_machine = sys_kernel;
    small_machine.open = open_meminfo;
    left_kb = left >> 10;
    alloc_init(a, &small_machine, true);
    a->reserve = reserve;
}

#define MIB ((size_t)1 << 20)

/* None of these blocks is ever touched, so they are addresses and no memory. */
static void a_block_for_which_nothing_is_left_is_refused(void **state) {
    (void)state;
    struct alloc a;
    char why[300];
    begin_small(&a, 200 * MIB, 100 * MIB);
    void *first = alloc_lua(&a, NULL, 0, 60 * MIB);
    assert_non_null(first);
    assert_null(alloc_lua(&a, NULL, 0, 101 * MIB));
    void *second = alloc_lua(&a, NULL, 0, 90 * MIB);
    assert_non_null(second);
    left_kb = 99 << 10;
    second = alloc_lua(&a, second, 90 * MIB, 92 * MIB) ? NULL : second; /* it still stands */
    assert_non_null(second);
    alloc_why(&a, why, sizeof why);
    assert_non_null(strstr(why, "not enough memory: Lua holds 0.16 GB"));
    assert_non_null(strstr(why, "asked for 2.1 MB more"));
    assert_non_null(strstr(why, "0.10 GB are available"));
    assert_non_null(strstr(why, "fewer workers"));
    /* smaller ones go on until the next look, and not beyond it */
    void *small = alloc_lua(&a, NULL, 0, 600 << 10);
    assert_non_null(small);
    assert_null(alloc_lua(&a, NULL, 0, 600 << 10));
    alloc_lua(&a, small, 600 << 10, 0);
    assert_non_null(second = alloc_lua(&a, second, 90 * MIB, 1000));
    left_kb = 300 << 10;
    void *third = alloc_lua(&a, NULL, 0, 90 * MIB);
    assert_non_null(third);
    alloc_lua(&a, first, 60 * MIB, 0);
    alloc_lua(&a, second, 1000, 0);
    alloc_lua(&a, third, 90 * MIB, 0);
    assert_int_equal(a.held, 0);
}

static void what_the_system_refuses_is_told_apart(void **state) {
    (void)state;
    struct alloc a;
    char why[300];
    alloc_init(&a, &sys_kernel, true);
    assert_null(alloc_lua(&a, NULL, 0, SIZE_MAX / 2 + 1));
    alloc_why(&a, why, sizeof why);
    assert_non_null(strstr(why, "not enough memory: "));
    assert_int_equal(a.held, 0);
}

static void making_a_block_smaller_is_never_refused(void **state) {
    (void)state;
    struct alloc a;
    begin_small(&a, 1000 * MIB, 100 * MIB);
    void *p = alloc_lua(&a, NULL, 0, 500 * MIB);
    assert_non_null(p);
    left_kb = 0;
    const size_t down[] = {500 * MIB, 300 * MIB, 70 * MIB, ALLOC_BIG - 5, 1000, 100, 10};
    for (size_t i = 1; i < sizeof down / sizeof *down; i++) {
        p = alloc_lua(&a, p, down[i - 1], down[i]);
        assert_non_null(p);
    }
    alloc_lua(&a, p, 10, 0);
    alloc_clear(&a);
}

static void it_looks_seldom_and_not_at_all_while_little_is_held(void **state) {
    (void)state;
    struct alloc a;
    void *blocks[160];
    begin_small(&a, 30000 * MIB, 100 * MIB);
    for (size_t i = 0; i < 160; i++) {
        assert_non_null(blocks[i] = alloc_lua(&a, NULL, 0, 8 * MIB));
        if (i == 7)
            assert_int_equal(a.sys.count[SYS_open], 0);
    }
    /* 1,280 MiB: a look for each 64 MiB, of two files each */
    assert_in_range(a.sys.count[SYS_open], 2, 2 * 20);
    for (size_t i = 0; i < 160; i++)
        alloc_lua(&a, blocks[i], 8 * MIB, 0);
    assert_int_equal(a.held, 0);
}

/* Before memory has run out, as others may grow at the same time. */
static void it_looks_more_often_where_little_is_left(void **state) {
    (void)state;
    struct alloc a;
    void *blocks[64];
    begin_small(&a, 400 * MIB, 100 * MIB);
    for (size_t i = 0; i < 64; i++)
        assert_non_null(blocks[i] = alloc_lua(&a, NULL, 0, 8 * MIB));
    assert_in_range(a.sys.count[SYS_open], 2 * 50, 2 * 60);
    for (size_t i = 0; i < 64; i++)
        alloc_lua(&a, blocks[i], 8 * MIB, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(contents_survive_every_change_of_size),
        CLEAN_TEST(it_can_do_without_huge_pages),
        CLEAN_TEST(small_blocks_are_handed_out_again),
        CLEAN_TEST(big_blocks_go_back_to_the_system),
        CLEAN_TEST(what_cannot_be_had_is_null_and_changes_nothing),
        CLEAN_TEST(a_block_for_which_nothing_is_left_is_refused),
        CLEAN_TEST(what_the_system_refuses_is_told_apart),
        CLEAN_TEST(making_a_block_smaller_is_never_refused),
        CLEAN_TEST(it_looks_seldom_and_not_at_all_while_little_is_held),
        CLEAN_TEST(it_looks_more_often_where_little_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
