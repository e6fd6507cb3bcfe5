/* The pool used from C alone, bytes in and bytes out, over every channel, delivery and chunk: exactly once, in order,
 * whole, accounted for. What happens when something goes wrong is in test_pool_c_faults.c. */
#include "pool_help.h"

static const uint32_t chunks[] = {0, 1, 7};
#define CHUNKS (sizeof chunks / sizeof *chunks)

static void check_end(struct rig_pool *r, uint64_t tasks) {
    size_t n;
    uint64_t sum = 0;
    assert_int_equal(pool_close(r->pool), 0);
    struct worker_report *w = pool_reports(r->pool, &n);
    assert_int_equal(n, r->config.workers);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(w[i].fate, FATE_EXITED);
        assert_int_equal(w[i].end.exit_code, 0);
        assert_true(w[i].ready_ns > 0 && w[i].started_ns > 0 && w[i].ready_ns >= w[i].started_ns);
        sum += w[i].tasks;
    }
    assert_int_equal(sum, tasks);
    struct pool_counters c = counters_of(r);
    assert_int_equal(c.tasks, tasks);
    assert_int_equal(c.forks, r->config.workers);
    assert_int_equal(c.replaced + c.undelivered_workers + c.undelivered_bytes, 0);
    assert_int_equal(r->context->inits, r->config.workers);
    assert_int_equal(r->context->finishes, r->config.workers);
}

static void check_maps(const char *channel, const char *delivery) {
    for (size_t k = 0; k < CHUNKS; k++) {
        struct rig_pool r = opened(channel, delivery, 3, chunks[k]);
        const uint64_t counts[] = {0, 1, 3, 500};
        uint64_t all = 0;
        assert_int_equal(pool_wait_ready(r.pool, hang()), 0);
        for (size_t i = 0; i < 4; i++) {
            map_begin(counts[i]);
            assert_int_equal(map_run(&r, i % 2), 0);
            map_check(&r);
            assert_int_equal(pool_ready(r.pool), 3);
            all += counts[i];
        }
        check_end(&r, all);
        release(&r);
    }
}

static void every_combination_maps_exactly_once(void **state) {
    (void)state;
    each_pair(check_maps);
}

static void check_without_barrier(const char *channel, const char *delivery) {
    struct rig_pool r = opened(channel, delivery, 2, 0);
    map_begin(100);
    assert_int_equal(map_run(&r, true), 0);
    map_check(&r);
    assert_in_range(pool_ready(r.pool), 1, 2);
    assert_int_equal(pool_close(r.pool), 0);
    assert_int_equal(pool_close(r.pool), 0); /* again is allowed */
    release(&r);
}

static void nobody_needs_to_wait_until_all_are_ready(void **state) {
    (void)state;
    each_pair(check_without_barrier);
}

/* Both ways at once: neither side may wait for the other to read first. */
static void check_large(const char *channel, const char *delivery) {
    for (size_t k = 0; k < CHUNKS; k++) {
        struct rig_pool r = opened(channel, delivery, 3, chunks[k]);
        map_begin(30);
        for (uint64_t i = 0; i < map.n; i++)
            map.items[i] = (struct item){.op = i % 3 ? LARGE_RESULT : TRIPLE,
                                         .n = i % 3 ? (i % 5) * 700001 : i,
                                         .ballast = i % 4 ? 0 : 3000000 + i};
        assert_int_equal(map_run(&r, true), 0);
        map_check(&r);
        assert_int_equal(pool_close(r.pool), 0);
        release(&r);
    }
}

static void large_items_and_results_pass_each_other(void **state) {
    (void)state;
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++)
        check_large((*c)->name, "inherit");
}

static void results_around_the_size_of_the_shared_slot_are_whole(void **state) {
    (void)state;
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++) {
        struct rig_pool r = opened((*c)->name, "inherit", 2, 7);
        map_begin(400);
        for (uint64_t i = 0; i < map.n; i++)
            map.items[i] = (struct item){.op = LARGE_RESULT, .n = 32600 + i};
        assert_int_equal(map_run(&r, true), 0);
        map_check(&r);
        assert_int_equal(pool_close(r.pool), 0);
        release(&r);
    }
}

static void a_failed_task_has_its_message(void **state) {
    (void)state;
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++) {
        struct rig_pool r = opened((*c)->name, "inherit", 2, 7);
        map_begin(50);
        map.items[0].op = map.items[20].op = map.items[49].op = FAIL;
        assert_int_equal(map_run(&r, true), 0);
        map_check(&r);
        assert_int_equal(map.seen[20].outcome.kind, OUTCOME_ERROR);
        assert_string_equal(map.seen[20].message, "as it was told to");
        assert_in_range(map.seen[20].outcome.worker, 1, 2);
        assert_int_equal(pool_account(r.pool)->ended[OUTCOME_ERROR], 3);
        assert_int_equal(pool_close(r.pool), 0);
        assert_int_equal(counters_of(&r).replaced, 0);
        release(&r);
    }
}

static void an_item_that_cannot_be_sent_is_that_tasks_error(void **state) {
    (void)state;
    for (size_t k = 0; k < CHUNKS; k++) {
        for (const struct channel_ops *const *c = channel_list; *c != NULL; c++) {
            struct rig_pool r = opened((*c)->name, "inherit", 2, chunks[k]);
            map_begin(40);
            const uint64_t refused[] = {0, 1, 10, 12, 39};
            for (size_t i = 0; i < 5; i++)
                map.items[refused[i]].op = REFUSED;
            assert_int_equal(map_run(&r, true), 0);
            map_check(&r);
            for (size_t i = 0; i < 5; i++) {
                assert_int_equal(map.seen[refused[i]].outcome.kind, OUTCOME_ERROR);
                assert_int_equal(map.seen[refused[i]].outcome.worker, 0);
                assert_string_equal(map.seen[refused[i]].message, "cannot be sent");
            }
            assert_int_equal(pool_close(r.pool), 0);
            release(&r);
        }
    }
}

static void a_map_of_nothing_but_refused_items_ends(void **state) {
    (void)state;
    struct rig_pool r = opened("socket", "inherit", 2, 7);
    map_begin(20);
    for (uint64_t i = 0; i < map.n; i++)
        map.items[i].op = REFUSED;
    assert_int_equal(map_run(&r, true), 0);
    map_check(&r);
    assert_int_equal(pool_close(r.pool), 0);
    release(&r);
}

static void when_a_callback_fails_the_rest_is_cancelled(void **state) {
    (void)state;
    for (int taking = 0; taking < 2; taking++) {
        for (const struct channel_ops *const *c = channel_list; *c != NULL; c++) {
            struct rig_pool r = opened((*c)->name, "inherit", 2, 1);
            map_begin(300);
            map.next_fails_at = taking ? 0 : 100;
            map.take_fails_at = taking ? 100 : 0;
            assert_int_equal(map_run(&r, true), taking ? -EPERM : -EIO);
            const struct account *a = pool_account(r.pool);
            assert_true(account_balanced(a));
            assert_int_equal(a->ended[OUTCOME_OK] + a->ended[OUTCOME_CANCELLED], a->n);
            for (uint64_t i = 0; i < a->n; i++)
                assert_int_equal(map.seen[i].ends, 1);
            release(&r);
        }
    }
}

static void two_pools_at_once_know_nothing_of_each_other(void **state) {
    (void)state;
    struct rig_pool a = opened("socket", "send", 2, 1), b = opened("queue", "queue", 3, 7);
    for (int i = 0; i < 3; i++) {
        struct rig_pool *r = i == 1 ? &b : &a;
        map_begin(200);
        assert_int_equal(map_run(r, true), 0);
        map_check(r);
    }
    assert_int_equal(pool_close(a.pool), 0);
    map_begin(100);
    assert_int_equal(map_run(&b, true), 0);
    map_check(&b);
    assert_int_equal(pool_close(b.pool), 0);
    release(&b);
    release(&a);
}

static void workers_are_measured(void **state) {
    (void)state;
    struct rig_pool r = opened("socket", "send", 2, 1);
    size_t n;
    assert_int_equal(pool_wait_ready(r.pool, hang()), 0);
    map_begin(200);
    assert_int_equal(map_run(&r, true), 0);
    struct worker_report *w = pool_reports(r.pool, &n);
    assert_int_equal(n, 2);
    assert_int_equal(w[0].fate, FATE_RUNNING);
    assert_int_equal(w[0].unique_bytes, -1);
    pool_sample(r.pool);
    w = pool_reports(r.pool, &n);
    for (size_t i = 0; i < n; i++) {
        assert_true(w[i].rss_bytes > 0 && w[i].unique_bytes > 0);
        assert_true(w[i].bytes_in >= FIXED_SIZE);
        assert_true(w[i].messages_in > 0 && w[i].messages_out > 0);
    }
    struct pool_counters c = counters_of(&r);
    assert_true(c.payload_bytes >= 2 * FIXED_SIZE);
    assert_true(c.messages >= 400);
    assert_int_equal(pool_close(r.pool), 0);
    release(&r);
}

static void a_closed_pool_maps_no_more(void **state) {
    (void)state;
    struct rig_pool r = opened("pipe", "inherit", 2, 1);
    assert_int_equal(pool_close(r.pool), 0);
    map_begin(5);
    assert_int_equal(map_run(&r, true), -EINVAL);
    assert_string_equal(pool_why(r.pool), "the pool is closed");
    release(&r);
}

static void free_it(void *pool) {
    pool_free(pool);
}

static void a_forked_child_cannot_end_it(void **state) {
    (void)state;
    struct rig_pool r = opened("socket", "inherit", 2, 1);
    assert_int_equal(in_child(free_it, r.pool), 0);
    map_begin(50);
    assert_int_equal(map_run(&r, true), 0);
    map_check(&r);
    assert_int_equal(pool_close(r.pool), 0);
    release(&r);
}

static void without_initializer_and_finish_it_maps_as_well(void **state) {
    (void)state;
    struct rig_pool r = prepared("socket", "inherit", 2, 1);
    r.config.job.init = NULL;
    r.config.job.finish = NULL;
    open_pool(&r);
    map_begin(10);
    assert_int_equal(map_run(&r, true), 0);
    assert_int_equal(map.seen[9].value, 27);
    assert_int_equal(pool_close(r.pool), 0);
    release(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(every_combination_maps_exactly_once),
        CLEAN_TEST(nobody_needs_to_wait_until_all_are_ready),
        CLEAN_TEST(large_items_and_results_pass_each_other),
        CLEAN_TEST(results_around_the_size_of_the_shared_slot_are_whole),
        CLEAN_TEST(a_failed_task_has_its_message),
        CLEAN_TEST(an_item_that_cannot_be_sent_is_that_tasks_error),
        CLEAN_TEST(a_map_of_nothing_but_refused_items_ends),
        CLEAN_TEST(when_a_callback_fails_the_rest_is_cancelled),
        CLEAN_TEST(two_pools_at_once_know_nothing_of_each_other),
        CLEAN_TEST(workers_are_measured),
        CLEAN_TEST(a_closed_pool_maps_no_more),
        CLEAN_TEST(a_forked_child_cannot_end_it),
        CLEAN_TEST(without_initializer_and_finish_it_maps_as_well),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
