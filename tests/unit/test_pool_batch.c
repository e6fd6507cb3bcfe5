/* Several batches in one pool, and what a host does to them half way: gives them up in their own callbacks, cancels
 * tasks, goes on after a failure. How one map ends is in test_pool_c.c and test_pool_c_faults.c. */
#include <stdatomic.h>

#include "pool_help.h"

/* ---- a job that the test holds back ------------------------------------------------------------------- */

enum what { PLAIN, WAITS, IGNORES_TERM, KILLS_ITSELF };

static struct control {
    _Atomic unsigned running, runs;
    _Atomic bool go, init_go;
    bool second_waits; /* worker 2, in its initializer */
} * control;           /* shared with the workers */

static void wait_for(_Atomic bool *flag) {
    while (!atomic_load(flag))
        sys_nanosleep(&sys, clock_now_ns() + 1000000);
}

static int held_init(void *ctx, unsigned worker, const uint8_t *fixed, size_t len,
                     struct block *owner, struct buf *out) {
    (void)ctx, (void)fixed, (void)len, (void)owner, (void)out;
    if (control->second_waits && worker == 2)
        wait_for(&control->init_go);
    return 0;
}

static int held_run(void *ctx, uint64_t task, const uint8_t *item, size_t len, struct block *owner,
                    struct buf *out) {
    (void)ctx, (void)task, (void)len, (void)owner;
    atomic_fetch_add(&control->runs, 1);
    if (*item == KILLS_ITSELF)
        raise(SIGKILL);
    if (*item == IGNORES_TERM)
        signal(SIGTERM, SIG_IGN);
    if (*item != PLAIN) {
        atomic_fetch_add(&control->running, 1);
        wait_for(&control->go);
    }
    return buf_add_u8(out, *item);
}

static struct rig_pool held(const char *channel, unsigned workers, uint32_t chunk) {
    struct rig_pool r = prepared(channel, "inherit", workers, chunk);
    void *shared;
    assert_int_equal(map_open(&sys, MAP_KIND_SHARED, sizeof *control, &shared), 0);
    control = shared;
    r.config.job = (struct pool_job){.init = held_init, .run = held_run};
    return r;
}

static void let_go(struct rig_pool *r) {
    release(r);
    map_close(&sys, control, sizeof *control);
}

/* ---- batches ------------------------------------------------------------------------------------------ */

struct tasks_of {
    struct batch *batch;
    const uint8_t *items;
    unsigned n, asked, ends, ended[OUTCOME_KINDS];
    unsigned ends_itself_at; /* in `next`: plus 1 */
    bool ends_in_take;
    int take_fails;
};

static int give_item(void *ctx, struct buf *out) {
    struct tasks_of *t = ctx;
    if (t->asked == t->n)
        return POOL_NO_ITEM;
    if (++t->asked == t->ends_itself_at)
        pool_end(t->batch);
    return buf_add_u8(out, t->items[t->asked - 1]) < 0 ? -ENOMEM : POOL_ITEM;
}

static int take_end(void *ctx, const struct outcome *o, const uint8_t *value, size_t len,
                    struct block *owner) {
    struct tasks_of *t = ctx;
    (void)value, (void)len, (void)owner;
    t->ends++;
    t->ended[o->kind]++;
    if (t->ends_in_take) {
        atomic_store(&control->init_go, true);
        pool_end(t->batch);
    }
    return t->take_fails;
}

static void begin(struct rig_pool *r, struct tasks_of *t) {
    struct pool_io io = {.ctx = t, .next = give_item, .take = take_end};
    assert_int_equal(pool_begin(r->pool, &io, 0, false, &t->batch), 0);
}

static void finish(struct tasks_of *t) {
    int got;
    while ((got = pool_turn(t->batch, hang())) == 0)
        ;
    assert_int_equal(got, 1);
}

static void turn_until_running(struct tasks_of *t, unsigned n) {
    while (atomic_load(&control->running) < n)
        assert_int_equal(pool_turn(t->batch, clock_now_ns() + 1000000), 0);
}

static const uint8_t plain[10];

static void check_given_up_by_source(const char *channel) {
    struct rig_pool r = held(channel, 2, 7);
    struct tasks_of one = {.items = plain, .n = 10, .ends_itself_at = 3};
    struct tasks_of other = {.items = plain, .n = 10};
    open_pool(&r);
    assert_int_equal(pool_wait_ready(r.pool, hang()), 0);
    begin(&r, &one);
    assert_int_equal(pool_turn(one.batch, hang()), -ECANCELED);
    begin(&r, &other);
    finish(&other);
    assert_int_equal(other.ended[OUTCOME_OK], 10);
    assert_int_equal(one.ends, 0);
    assert_int_equal(atomic_load(&control->runs), 10);
    pool_end(other.batch);
    assert_int_equal(pool_close(r.pool), 0);
    let_go(&r);
}

static void a_source_may_give_up_its_batch(void **state) {
    (void)state;
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++)
        check_given_up_by_source((*c)->name);
}

static void an_outcome_may_give_up_its_batch_while_workers_are_waited_for(void **state) {
    (void)state;
    struct rig_pool r = held("socket", 2, 1);
    static const uint8_t items[] = {WAITS};
    struct tasks_of one = {.items = items, .n = 1, .ends_in_take = true, .take_fails = -EPERM};
    control->second_waits = true;
    open_pool(&r);
    begin(&r, &one);
    turn_until_running(&one, 1);
    atomic_store(&control->go, true);
    assert_int_equal(pool_wait_ready(r.pool, hang()), 0);
    assert_int_equal(one.ended[OUTCOME_OK], 1);
    map_begin(0);
    assert_int_equal(map_run(&r, true), 0);
    assert_int_equal(pool_close(r.pool), 0);
    let_go(&r);
}

static void a_batch_that_failed_in_anothers_turn_says_so_in_its_own(void **state) {
    (void)state;
    struct rig_pool r = held("socket", 1, 2);
    static const uint8_t items[] = {WAITS};
    struct tasks_of one = {.items = items, .n = 1, .take_fails = -EPERM};
    struct tasks_of other = {.items = plain, .n = 10};
    open_pool(&r);
    begin(&r, &one);
    turn_until_running(&one, 1);
    atomic_store(&control->go, true);
    begin(&r, &other);
    finish(&other);
    assert_int_equal(pool_turn(one.batch, hang()), -EPERM);
    pool_end(one.batch);
    pool_end(other.batch);
    assert_int_equal(pool_close(r.pool), 0);
    let_go(&r);
}

static void items_are_asked_for_in_the_batchs_own_turns_only(void **state) {
    (void)state;
    struct rig_pool r = held("socket", 1, 3);
    static const uint8_t items[9] = {KILLS_ITSELF};
    struct tasks_of one = {.items = items, .n = 9};
    struct tasks_of other = {.items = plain, .n = 10};
    open_pool(&r);
    begin(&r, &one);
    while (one.ends == 0)
        assert_int_equal(pool_turn(one.batch, hang()), 0);
    assert_int_equal(one.asked, 3);
    assert_int_equal(pool_cancel(one.batch, 1), 1);
    assert_int_equal(pool_cancel(one.batch, 2), 1);
    begin(&r, &other);
    finish(&other);
    assert_int_equal(one.asked, 3);
    finish(&one);
    assert_int_equal(one.ended[OUTCOME_DIED], 1);
    assert_int_equal(one.ended[OUTCOME_CANCELLED], 2);
    assert_int_equal(one.ended[OUTCOME_OK], 6);
    pool_end(one.batch);
    pool_end(other.batch);
    assert_int_equal(pool_close(r.pool), 0);
    let_go(&r);
}

static pid_t pid_that_waits(struct rig_pool *r) {
    size_t n;
    struct worker_report *w = pool_reports(r->pool, &n);
    for (size_t i = 0; i < n; i++)
        if (w[i].fate == FATE_RUNNING && w[i].tasks == 0)
            return w[i].pid;
    fail_msg("no worker waits");
    return -1;
}

static void tasks_that_come_back_count_for_max_tasks(void **state) {
    (void)state;
    struct rig_pool r = held("socket", 2, 3);
    static const uint8_t items[6] = {WAITS};
    struct tasks_of one = {.items = items, .n = 6};
    size_t n;
    r.config.max_tasks = 4;
    open_pool(&r);
    assert_int_equal(pool_wait_ready(r.pool, hang()), 0);
    begin(&r, &one);
    while (one.ends < 3)
        assert_int_equal(pool_turn(one.batch, hang()), 0);
    turn_until_running(&one, 1);
    kill(pid_that_waits(&r), SIGKILL);
    finish(&one);
    assert_int_equal(one.ended[OUTCOME_OK], 5);
    pool_end(one.batch);
    assert_int_equal(pool_close(r.pool), 0);
    struct worker_report *w = pool_reports(r.pool, &n);
    for (size_t i = 0; i < n; i++)
        assert_in_range(w[i].tasks, 0, 4);
    let_go(&r);
}

static void check_renewed(const char *channel) {
    struct rig_pool r = prepared(channel, "inherit", 2, 7);
    size_t n;
    r.config.max_tasks = 3;
    open_pool(&r);
    map_begin(40);
    assert_int_equal(map_run(&r, true), 0);
    map_check(&r);
    assert_int_equal(r.context->runs, 40);
    assert_int_equal(pool_close(r.pool), 0);
    struct worker_report *w = pool_reports(r.pool, &n);
    for (size_t i = 0; i < n; i++)
        assert_in_range(w[i].tasks, 0, 3);
    assert_int_equal(counters_of(&r).replaced, 0);
    release(&r);
}

static void no_worker_runs_more_than_max_tasks_whatever_the_channel(void **state) {
    (void)state;
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++)
        check_renewed((*c)->name);
}

/* ---- cancelling ---------------------------------------------------------------------------------------- */

static void check_cancelled_stays_so(const char *channel) {
    struct rig_pool r = held(channel, 1, 1);
    static const uint8_t items[] = {IGNORES_TERM, PLAIN};
    struct tasks_of one = {.items = items, .n = 2};
    open_pool(&r);
    begin(&r, &one);
    turn_until_running(&one, 1);
    assert_int_equal(pool_cancel(one.batch, 0), 1);
    atomic_store(&control->go, true); /* it finishes what it was told to give up */
    finish(&one);
    assert_int_equal(one.ends, 2);
    assert_int_equal(one.ended[OUTCOME_CANCELLED], 1);
    assert_int_equal(one.ended[OUTCOME_OK], 1);
    pool_end(one.batch);
    assert_int_equal(pool_close(r.pool), 0);
    let_go(&r);
}

static void what_was_cancelled_stays_so_though_its_worker_finishes_it(void **state) {
    (void)state;
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++)
        check_cancelled_stays_so((*c)->name);
}

static void closing_does_not_wait_for_a_cancelled_task(void **state) {
    (void)state;
    struct rig_pool r = held("socket", 1, 1);
    static const uint8_t items[] = {IGNORES_TERM};
    struct tasks_of one = {.items = items, .n = 1};
    size_t n;
    open_pool(&r);
    begin(&r, &one);
    turn_until_running(&one, 1);
    assert_int_equal(pool_cancel(one.batch, 0), 1);
    pool_end(one.batch);
    assert_int_equal(pool_close(r.pool), 0);
    assert_string_equal(pool_why(r.pool), "");
    assert_int_equal(pool_reports(r.pool, &n)->end.signal, SIGKILL);
    let_go(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(a_source_may_give_up_its_batch),
        CLEAN_TEST(an_outcome_may_give_up_its_batch_while_workers_are_waited_for),
        CLEAN_TEST(a_batch_that_failed_in_anothers_turn_says_so_in_its_own),
        CLEAN_TEST(items_are_asked_for_in_the_batchs_own_turns_only),
        CLEAN_TEST(tasks_that_come_back_count_for_max_tasks),
        CLEAN_TEST(no_worker_runs_more_than_max_tasks_whatever_the_channel),
        CLEAN_TEST(what_was_cancelled_stays_so_though_its_worker_finishes_it),
        CLEAN_TEST(closing_does_not_wait_for_a_cancelled_task),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
