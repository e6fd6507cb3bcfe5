/* Tasks that one worker has been given and another gets, because it has nothing to do (core/pool/steal.c): over every
 * channel on which that happens, each is run once. The orders of the two sides' steps are in test_steal_model.c; what
 * deaths make of it is in tests/chaos. */
#include "pool/inside.h"
#include "pool_help.h"

#define PAUSE_US 200 /* so long that any number of tasks is worth a message */

static void pauses(uint64_t n, int us) {
    map_begin(n);
    for (uint64_t i = 0; i < n; i++)
        map.items[i] = (struct item){.op = PAUSE, .arg = us, .n = i};
}

/* What it would learn from tasks: so long that several go out at once, however slow the machine is. */
static void learn(struct rig_pool *r) {
    assert_int_equal(pool_wait_ready(r->pool, hang()), 0);
    r->pool->task_ns = PAUSE_US * 1e3;
}

static void each_channel(void (*check)(struct rig_pool *r), unsigned workers) {
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++) {
        if ((*c)->shared)
            continue;
        struct rig_pool r = opened((*c)->name, "inherit", workers, 0);
        learn(&r);
        check(&r);
        assert_int_equal(pool_close(r.pool), 0);
        release(&r);
    }
}

/* The first task ends when all the others have begun; those behind it in its message, too. */
static void check_idle(struct rig_pool *r) {
    pauses(20, PAUSE_US);
    map.items[0] = (struct item){.op = LINGER, .n = r->context->runs + map.n};
    assert_int_equal(map_run(r, true), 0);
    map_check(r);
    struct chunk_stats chunks = pool_chunks(r->pool);
    assert_true(chunks.most > 1); /* there was something behind it */
    assert_in_range(chunks.stolen, 1, 19);
    for (uint64_t i = 1; i < map.n; i++)
        assert_int_not_equal(map.seen[i].outcome.worker, map.seen[0].outcome.worker);
}

static void an_idle_worker_gets_all_that_another_has_not_begun(void **state) {
    (void)state;
    each_channel(check_idle, 2);
}

/* As many as fit a processor each have messages ahead, so there are several to take from. */
static void check_both_held(struct rig_pool *r) {
    pauses(400, PAUSE_US);
    map.items[0] = (struct item){.op = LINGER, .n = r->context->runs + map.n};
    assert_int_equal(map_run(r, true), 0);
    map_check(r);
}

static void one_that_lingers_keeps_nothing_of_a_longer_map_either(void **state) {
    (void)state;
    each_channel(check_both_held, 2);
    each_channel(check_both_held, 4);
}

static unsigned random_of(unsigned n) {
    static unsigned drawn = 1;
    drawn = drawn * 1664525 + 1013904223;
    return (drawn >> 8) % n;
}

static void run_once(struct rig_pool *r, bool hint) {
    memset(r->context->begun, 0, sizeof r->context->begun);
    assert_int_equal(map_run(r, hint), 0);
    map_check(r);
    for (uint64_t i = 0; i < map.n; i++)
        assert_int_equal(r->context->begun[i], 1);
}

static void check_once(struct rig_pool *r) {
    int64_t stolen = 0;
    for (int round = 0; round < 60; round++) {
        pauses(1 + random_of(80), 0);
        for (uint64_t i = 0; i < map.n; i++)
            map.items[i].arg = (int)(random_of(10) == 0 ? random_of(2000) : random_of(60));
        learn(r);
        run_once(r, round % 2);
        stolen += pool_chunks(r->pool).stolen;
    }
    assert_true(stolen > 0);
}

static void every_task_begins_once(void **state) {
    (void)state;
    each_channel(check_once, 2);
    each_channel(check_once, 5);
}

/* In a worker: what the coordinator does when it then sees that it came too late. */
static void leave_here(void *called, unsigned worker) {
    struct pool *p = called;
    struct slot *slot = p->workers[worker - 1].slot;
    uint64_t number = atomic_load(&slot->progress) >> 32;
    atomic_store(&slot->cut[number % SLOT_CUTS], number << 32 | 1);
}

/* A large result goes out alone, so nothing but the word that it leaves is left to be sent. */
static void check_left(struct rig_pool *r) {
    const uint64_t sizes[] = {0, SLOT_RESULTS + 1};
    r->context->call = leave_here;
    r->context->called = r->pool; /* a worker has its copy there */
    for (size_t k = 0; k < 2; k++) {
        pauses(40, 0);
        map.items[2] = map.items[30] = (struct item){.op = CALL, .n = sizes[k]};
        learn(r);
        run_once(r, true);
    }
}

static void what_a_worker_leaves_in_doubt_comes_back(void **state) {
    (void)state;
    each_channel(check_left, 1);
    each_channel(check_left, 3);
}

/* With fewer tasks than workers nobody who is idle takes what another was given only now. */
static void check_few(struct rig_pool *r) {
    for (uint64_t n = 1; n < 5; n++) {
        pauses(n, 3000);
        assert_int_equal(map_run(r, true), 0);
        map_check(r);
        assert_int_equal(pool_chunks(r->pool).messages, n);
        assert_int_equal(pool_chunks(r->pool).stolen, 0);
    }
}

static void few_tasks_do_not_go_round_among_many_workers(void **state) {
    (void)state;
    each_channel(check_few, 5);
}

/* What came back from a worker counts no more towards what it may run in its life: else it would get nothing more, and
 * not leave either. */
static void what_a_worker_left_is_not_counted_as_its_own(void **state) {
    (void)state;
    struct rig_pool r = prepared("socket", "inherit", 1, 0);
    r.config.max_tasks = 200;
    open_pool(&r);
    learn(&r);
    check_left(&r);
    for (int i = 0; i < 10; i++) {
        pauses(40, 0);
        assert_int_equal(map_run(&r, true), 0);
        map_check(&r);
    }
    assert_int_equal(counters_of(&r).renewed, (80 + 400) / 200);
    assert_int_equal(pool_close(r.pool), 0);
    release(&r);
}

/* One message each, and then a fresh worker. */
static void a_worker_of_one_message_never_finds_it_empty(void **state) {
    (void)state;
    struct rig_pool r = prepared("socket", "inherit", 6, 0);
    r.config.max_messages = 1;
    open_pool(&r);
    learn(&r);
    for (int i = 0; i < 20; i++) {
        pauses(1 + (uint64_t)i % 8, 1000);
        learn(&r);
        assert_int_equal(map_run(&r, true), 0);
        map_check(&r);
    }
    assert_int_equal(pool_close(r.pool), 0);
    release(&r);
}

static void check_none_moved(const char *channel, uint32_t chunk, uint64_t messages) {
    struct rig_pool r = opened(channel, "inherit", 2, chunk);
    pauses(20, PAUSE_US);
    assert_int_equal(map_run(&r, true), 0);
    map_check(&r);
    assert_int_equal(pool_chunks(r.pool).stolen, -1);
    if (messages > 0)
        assert_int_equal(pool_chunks(r.pool).messages, messages);
    assert_int_equal(pool_close(r.pool), 0);
    release(&r);
}

/* Their number is exact, and a common queue has no message that is one worker's before it takes it. */
static void messages_of_a_size_that_was_asked_for_stay_as_they_are(void **state) {
    (void)state;
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++)
        check_none_moved((*c)->name, 5, 4);
    check_none_moved("queue", 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(an_idle_worker_gets_all_that_another_has_not_begun),
        CLEAN_TEST(one_that_lingers_keeps_nothing_of_a_longer_map_either),
        CLEAN_TEST(every_task_begins_once),
        CLEAN_TEST(what_a_worker_leaves_in_doubt_comes_back),
        CLEAN_TEST(few_tasks_do_not_go_round_among_many_workers),
        CLEAN_TEST(what_a_worker_left_is_not_counted_as_its_own),
        CLEAN_TEST(a_worker_of_one_message_never_finds_it_empty),
        CLEAN_TEST(messages_of_a_size_that_was_asked_for_stay_as_they_are),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
