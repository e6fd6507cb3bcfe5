/* The account of a map: every task ends once, in one of five ways, and what does not add up is seen. */
#include "pool/outcome.h"

#include <errno.h>
#include <string.h>

#include "clean.h"

static struct sys sys;

static struct account account_of(unsigned workers, uint64_t tasks) {
    struct account a;
    assert_int_equal(account_init(&a, &sys, workers), 0);
    assert_int_equal(account_add(&a, tasks), 0);
    return a;
}

static void a_map_without_tasks_is_balanced(void **state) {
    (void)state;
    struct account a = account_of(3, 0);
    assert_true(account_balanced(&a));
    assert_int_equal(a.n, 0);
    account_free(&a);
}

static void every_kind_of_end_is_counted_once(void **state) {
    (void)state;
    struct account a = account_of(2, OUTCOME_KINDS);
    for (int kind = 0; kind < OUTCOME_KINDS; kind++) {
        assert_false(account_balanced(&a));
        assert_true(account_is_open(&a, (uint64_t)kind));
        assert_int_equal(account_finish(&a, (uint64_t)kind, (enum outcome_kind)kind, 1), 0);
        assert_false(account_is_open(&a, (uint64_t)kind));
        assert_int_equal(a.ended[kind], 1);
        assert_non_null(outcome_names[kind]);
    }
    assert_true(account_balanced(&a));
    assert_int_equal(a.open, 0);
    account_free(&a);
}

static void a_second_end_does_not_count(void **state) {
    (void)state;
    struct account a = account_of(2, 3);
    assert_int_equal(account_finish(&a, 1, OUTCOME_OK, 1), 0);
    for (int kind = 0; kind < OUTCOME_KINDS; kind++)
        assert_int_equal(account_finish(&a, 1, (enum outcome_kind)kind, 2), -EALREADY);
    assert_int_equal(a.ended[OUTCOME_OK], 1);
    assert_int_equal(a.ended[OUTCOME_DIED], 0);
    assert_int_equal(a.by_worker[1], 0);
    assert_int_equal(a.open, 2);
    account_free(&a);
}

static void what_does_not_exist_is_refused(void **state) {
    (void)state;
    struct account a = account_of(2, 3);
    assert_int_equal(account_finish(&a, 3, OUTCOME_OK, 1), -ENOENT);
    assert_int_equal(account_finish(&a, UINT64_MAX, OUTCOME_OK, 1), -ENOENT);
    assert_int_equal(account_finish(&a, 0, OUTCOME_OK, 3), -ENOENT);
    assert_int_equal(account_finish(&a, 0, OUTCOME_KINDS, 1), -ENOENT);
    assert_int_equal(account_assign(&a, 3, 1), -ENOENT);
    assert_int_equal(account_assign(&a, 0, 0), -ENOENT);
    assert_int_equal(account_assign(&a, 0, 3), -ENOENT);
    assert_false(account_is_open(&a, 3));
    assert_int_equal(a.open, 3);
    account_free(&a);
}

static void a_task_can_be_assigned_again_until_it_ends(void **state) {
    (void)state;
    struct account a = account_of(2, 1);
    assert_int_equal(account_assign(&a, 0, 1), 0);
    assert_int_equal(account_assign(&a, 0, 2), 0); /* the first one died before it began */
    assert_true(account_is_open(&a, 0));
    assert_int_equal(account_finish(&a, 0, OUTCOME_OK, 2), 0);
    assert_int_equal(account_assign(&a, 0, 1), -EALREADY);
    account_free(&a);
}

static void workers_are_credited_with_what_they_finished(void **state) {
    (void)state;
    struct account a = account_of(3, 6);
    const enum outcome_kind kinds[] = {OUTCOME_OK,   OUTCOME_OK,      OUTCOME_ERROR,
                                       OUTCOME_DIED, OUTCOME_TIMEOUT, OUTCOME_CANCELLED};
    const unsigned workers[] = {1, 3, 3, 2, 2, 0};
    for (uint64_t i = 0; i < 6; i++)
        assert_int_equal(account_finish(&a, i, kinds[i], workers[i]), 0);
    assert_int_equal(a.by_worker[0], 1);
    assert_int_equal(a.by_worker[1], 0);
    assert_int_equal(a.by_worker[2], 2);
    assert_true(account_balanced(&a));
    account_free(&a);
}

static void a_new_map_starts_at_nothing(void **state) {
    (void)state;
    struct account a = account_of(2, 100);
    for (uint64_t i = 0; i < 50; i++)
        account_finish(&a, i, OUTCOME_OK, 1);
    account_begin(&a);
    assert_int_equal(a.n, 0);
    assert_int_equal(a.open, 0);
    assert_int_equal(a.ended[OUTCOME_OK], 0);
    assert_int_equal(a.by_worker[0], 0);
    assert_int_equal(account_add(&a, 60), 0);
    for (uint64_t i = 0; i < 60; i++)
        assert_true(account_is_open(&a, i));
    account_free(&a);
}

static void tasks_can_be_added_one_by_one(void **state) {
    (void)state;
    struct account a = account_of(1, 0);
    for (uint64_t i = 0; i < 100000; i++) {
        assert_int_equal(account_add(&a, 1), 0);
        assert_int_equal(a.n, i + 1);
        if (i % 2 == 0)
            assert_int_equal(account_finish(&a, i, OUTCOME_OK, 1), 0);
    }
    assert_int_equal(a.open, 50000);
    assert_false(account_balanced(&a));
    for (uint64_t i = 1; i < 100000; i += 2)
        assert_int_equal(account_finish(&a, i, OUTCOME_CANCELLED, 0), 0);
    assert_true(account_balanced(&a));
    account_free(&a);
}

static void sums_that_disagree_are_seen(void **state) {
    (void)state;
    struct account a = account_of(1, 2);
    account_finish(&a, 0, OUTCOME_OK, 1);
    account_finish(&a, 1, OUTCOME_OK, 1);
    assert_true(account_balanced(&a));
    a.ended[OUTCOME_OK]++;
    assert_false(account_balanced(&a));
    account_free(&a);
}

static void *no_malloc(size_t n) {
    (void)n;
    return NULL;
}

static void *no_realloc(void *p, size_t n) {
    (void)p, (void)n;
    return NULL;
}

static void without_memory_the_account_is_as_before(void **state) {
    (void)state;
    struct sys_table table = sys_kernel;
    struct sys poor;
    struct account a;
    sys_init(&poor, &table);
    table.malloc = no_malloc;
    assert_int_equal(account_init(&a, &poor, 4), -ENOMEM);
    table.malloc = sys_kernel.malloc;
    assert_int_equal(account_init(&a, &poor, 4), 0);
    assert_int_equal(account_add(&a, 5), 0);
    table.realloc = no_realloc;
    assert_int_equal(account_add(&a, 1000), -ENOMEM);
    assert_int_equal(account_add(&a, UINT64_MAX), -ENOMEM);
    assert_int_equal(a.n, 5);
    assert_int_equal(a.open, 5);
    account_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(a_map_without_tasks_is_balanced),
        CLEAN_TEST(every_kind_of_end_is_counted_once),
        CLEAN_TEST(a_second_end_does_not_count),
        CLEAN_TEST(what_does_not_exist_is_refused),
        CLEAN_TEST(a_task_can_be_assigned_again_until_it_ends),
        CLEAN_TEST(workers_are_credited_with_what_they_finished),
        CLEAN_TEST(a_new_map_starts_at_nothing),
        CLEAN_TEST(tasks_can_be_added_one_by_one),
        CLEAN_TEST(sums_that_disagree_are_seen),
        CLEAN_TEST(without_memory_the_account_is_as_before),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
