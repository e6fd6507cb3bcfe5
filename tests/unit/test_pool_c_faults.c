/* The pool used from C when something goes wrong: every task still ends exactly once, the others are not harmed, and
 * what cannot start leaves nothing. */
#include <sys/eventfd.h>

#include "pool/inside.h"
#include "pool_help.h"

static void check_deaths(const char *channel, const char *delivery) {
    const struct {
        enum op op;
        int arg, signal, code;
    } deaths[] = {
        {RAISE, SIGKILL, SIGKILL, -1},
        {RAISE, SIGSEGV, SIGSEGV, -1},
        {RAISE, SIGABRT, SIGABRT, -1},
        {EXIT, 0, 0, 0},
        {EXIT, 3, 0, 3},
    };
    const uint64_t at[] = {0, 31, 32, 60, 99};
    struct rig_pool r = opened(channel, delivery, 3, 7);
    map_begin(100);
    for (size_t i = 0; i < 5; i++)
        map.items[at[i]] = (struct item){.op = deaths[i].op, .arg = deaths[i].arg, .n = at[i]};
    assert_int_equal(map_run(&r, true), 0);
    map_check(&r);
    for (size_t i = 0; i < 5; i++) {
        const struct outcome *o = &map.seen[at[i]].outcome;
        assert_int_equal(o->kind, OUTCOME_DIED);
        assert_int_equal(o->signal, deaths[i].signal);
        assert_int_equal(o->exit_code, deaths[i].code);
        assert_true(o->pid > 0 && o->worker >= 1 && o->worker <= 3);
    }
    assert_int_equal(counters_of(&r).replaced, 5);
    assert_int_equal(pool_close(r.pool), 0);
    size_t n;
    struct worker_report *w = pool_reports(r.pool, &n);
    assert_int_equal(n, 8);
    unsigned died = 0;
    for (size_t i = 0; i < n; i++)
        died += w[i].fate == FATE_DIED;
    assert_int_equal(died, 5);
    release(&r);
}

static void a_death_costs_the_task_it_happened_in(void **state) {
    (void)state;
    signal(SIGSEGV, SIG_DFL); /* a sanitizer would report what is meant to happen */
    signal(SIGABRT, SIG_DFL);
    each_pair(check_deaths);
}

static pid_t pid_of(struct rig_pool *r, unsigned id) {
    size_t n;
    struct worker_report *w = pool_reports(r->pool, &n);
    for (size_t i = 0; i < n; i++)
        if (w[i].id == id && w[i].fate == FATE_RUNNING)
            return w[i].pid;
    fail_msg("there is no worker %u", id);
    return -1;
}

/* One that has worked: those that end before their first task count as failing initializers. */
static pid_t pid_of_one_that_worked(struct rig_pool *r) {
    size_t n;
    struct worker_report *w = pool_reports(r->pool, &n);
    for (size_t i = 0; i < n; i++)
        if (w[i].tasks > 0 && w[i].fate == FATE_RUNNING)
            return w[i].pid;
    fail_msg("no worker has run a task");
    return -1;
}

static void an_idle_worker_that_is_killed_is_replaced(void **state) {
    (void)state;
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++) {
        struct rig_pool r = opened((*c)->name, "queue", 2, 1);
        map_begin(50);
        assert_int_equal(map_run(&r, true), 0);
        for (unsigned killed = 1; killed <= 3; killed++) {
            kill(pid_of_one_that_worked(&r), SIGKILL);
            /* with a shared channel the others may be done before anybody notices */
            for (int64_t end = hang(); counters_of(&r).replaced < killed;) {
                map_begin(50);
                assert_int_equal(map_run(&r, true), 0);
                map_check(&r);
                assert_true(clock_now_ns() < end);
            }
        }
        assert_int_equal(pool_close(r.pool), 0);
        release(&r);
    }
}

static void limit_to(struct rig_pool *r, int64_t ns) {
    r->config.timeout_ns = ns;
    open_pool(r);
}

static void check_limit(const char *channel, const char *delivery) {
    struct rig_pool r = prepared(channel, delivery, 3, 1);
    limit_to(&r, NS_PER_S);
    map_begin(60);
    map.items[10].op = SPIN;
    map.items[40] = (struct item){.op = RAISE, .arg = SIGSTOP, .n = 40};
    assert_int_equal(map_run(&r, true), 0);
    map_check(&r);
    assert_int_equal(map.seen[10].outcome.kind, OUTCOME_TIMEOUT);
    assert_int_equal(map.seen[40].outcome.kind, OUTCOME_TIMEOUT);
    assert_int_equal(map.seen[10].outcome.signal, SIGTERM);
    assert_int_equal(counters_of(&r).replaced, 2);
    assert_int_equal(pool_close(r.pool), 0);
    release(&r);
}

static void a_task_that_takes_too_long_is_ended(void **state) {
    (void)state;
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++)
        check_limit((*c)->name, "inherit");
}

static void workers_that_stand_still_before_their_task_are_replaced(void **state) {
    (void)state;
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++) {
        struct rig_pool r = prepared((*c)->name, "inherit", 2, 1);
        limit_to(&r, NS_PER_S);
        assert_int_equal(pool_wait_ready(r.pool, hang()), 0);
        stop_process(pid_of(&r, 1));
        stop_process(pid_of(&r, 2));
        map_begin(40);
        assert_int_equal(map_run(&r, true), 0);
        map_check(&r); /* nobody had begun any: all are ok */
        /* From a shared queue the first replacement may do it all before the other is missed. */
        assert_in_range(counters_of(&r).replaced, (*c)->shared ? 1 : 2, 2);
        assert_int_equal(pool_close(r.pool), 0);
        release(&r);
    }
}

static void initializers_that_fail_end_the_run_after_three(void **state) {
    (void)state;
    for (int waits = 0; waits < 2; waits++) {
        struct rig_pool r = prepared("socket", "send", 4, 1);
        r.context->init_fails = 100;
        open_pool(&r);
        map_begin(10);
        int err = waits ? pool_wait_ready(r.pool, hang()) : map_run(&r, true);
        assert_int_equal(err, -ECHILD);
        assert_non_null(strstr(pool_why(r.pool), "the initializer failed"));
        assert_in_range(counters_of(&r).forks, 3, 6);
        for (uint64_t i = 0; !waits && i < pool_account(r.pool)->n; i++)
            assert_int_equal(map.seen[i].outcome.kind, OUTCOME_CANCELLED);
        release(&r);
    }
}

static void an_initializer_that_fails_once_is_survived(void **state) {
    (void)state;
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++) {
        struct rig_pool r = prepared((*c)->name, "queue", 3, 1);
        r.context->init_fails = 2;
        open_pool(&r);
        assert_int_equal(pool_wait_ready(r.pool, hang()), 0);
        map_begin(100);
        assert_int_equal(map_run(&r, true), 0);
        map_check(&r);
        assert_int_equal(counters_of(&r).replaced, 2);
        assert_int_equal(pool_ready(r.pool), 3);
        assert_true(pool_close(r.pool) >= 0);
        release(&r);
    }
}

static void what_the_finish_says_comes_back_from_close(void **state) {
    (void)state;
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++) {
        struct rig_pool r = prepared((*c)->name, "inherit", 2, 1);
        r.context->finish_fails = true;
        open_pool(&r);
        map_begin(10);
        assert_int_equal(map_run(&r, true), 0);
        assert_int_equal(pool_wait_ready(r.pool, hang()), 0);
        assert_int_equal(pool_close(r.pool), 1);
        assert_string_equal(pool_why(r.pool), "could not finish");
        assert_int_equal(r.context->finishes, 2);
        release(&r);
    }
}

/* Nothing goes out before the first wait, so those that are stopped now have received nothing. */
static void what_was_not_delivered_is_counted_and_nobody_died_of_it(void **state) {
    (void)state;
    const char *const pairs[][2] = {{"socket", "send"},
                                    {"pipe", "send"},
                                    {"ring", "send"},
                                    {"queue", "queue"}};
    for (size_t i = 0; i < 4; i++) {
        struct rig_pool r = opened(pairs[i][0], pairs[i][1], 3, 1);
        size_t n;
        stop_process(pid_of(&r, 2));
        stop_process(pid_of(&r, 3));
        map_begin(20);
        assert_int_equal(map_run(&r, true), 0);
        map_check(&r);
        assert_int_equal(pool_ready(r.pool), 1);
        assert_int_equal(pool_account(r.pool)->by_worker[0], 20);
        assert_int_equal(pool_close(r.pool), 0);
        assert_int_equal(counters_of(&r).undelivered_workers, 2);
        assert_int_equal(counters_of(&r).replaced, 0);
        struct worker_report *w = pool_reports(r.pool, &n);
        unsigned stopped = 0;
        for (size_t k = 0; k < n; k++)
            stopped += w[k].fate == FATE_STOPPED && w[k].ready_ns == 0;
        assert_int_equal(stopped, 2);
        release(&r);
    }
}

/* What it wrote is no message: it is not to be trusted further. What it finished then, and what it began after that,
 * may be lost, but is not run again. */
static void a_worker_that_babbles_is_killed_and_no_task_runs_twice(void **state) {
    (void)state;
    const char *const channels[] = {"socket", "pipe"};
    for (size_t i = 0; i < 2; i++) {
        struct rig_pool r = opened(channels[i], "inherit", 2, 1);
        map_begin(50);
        map.items[20].op = BABBLE;
        assert_int_equal(map_run(&r, true), 0);
        const struct account *a = pool_account(r.pool);
        assert_true(account_balanced(a));
        assert_int_equal(a->n, 50);
        assert_in_range(a->ended[OUTCOME_DIED], 0, 30); /* it may have held all that was left */
        assert_int_equal(a->ended[OUTCOME_OK], 50 - a->ended[OUTCOME_DIED]);
        assert_int_equal(r.context->runs, 50);
        assert_int_equal(counters_of(&r).replaced, 1);
        assert_int_equal(pool_close(r.pool), 0);
        release(&r);
    }
}

/* Their ends are not descriptors: what a wild worker would damage is the memory itself. */
static void claim_what_cannot_be(void *memory) {
    struct ring_shared *up = memory;
    atomic_store(&up->written, UINT64_MAX / 2);
}

static void show_what_is_no_message(void *memory) {
    struct ring_shared *up = memory;
    memset(up->data, 'x', 4096);
    atomic_fetch_add(&up->written, 200);
}

static void a_worker_that_scribbles_over_its_rings_is_killed(void **state) {
    (void)state;
    void (*const damages[])(void *) = {claim_what_cannot_be, show_what_is_no_message};
    for (size_t i = 0; i < 2; i++) {
        struct rig_pool r = opened("ring", "inherit", 1, 1);
        r.context->scribble = damages[i];
        r.context->rings = r.pool->workers[0].lane.in.shared;
        map_begin(20);
        map.items[5].op = map.items[15].op = SCRIBBLE;
        assert_int_equal(map_run(&r, true), 0);
        const struct account *a = pool_account(r.pool);
        assert_true(account_balanced(a));
        assert_int_equal(map.seen[5].outcome.kind, OUTCOME_DIED);
        assert_int_equal(map.seen[15].outcome.signal, SIGKILL);
        assert_in_range(a->ended[OUTCOME_DIED], 2, 20); /* with what it had been sent ahead */
        assert_int_equal(a->ended[OUTCOME_OK], 20 - a->ended[OUTCOME_DIED]);
        assert_int_equal(r.context->runs, 20);
        assert_int_equal(counters_of(&r).replaced, 2);
        assert_int_equal(pool_close(r.pool), 0);
        release(&r);
    }
}

/* The frame that it leaves torn is dropped: the results of the others are whole. */
static void a_worker_may_be_killed_while_it_writes_a_large_result(void **state) {
    (void)state;
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++) {
        struct rig_pool r = opened((*c)->name, "inherit", 2, 1);
        map_begin(30);
        for (uint64_t i = 0; i < map.n; i++)
            if (i % 3 == 2)
                map.items[i] = (struct item){.op = LARGE_RESULT, .n = 300000 + i};
        for (int i = 0; i < 4; i++)
            map.items[5 + 7 * i] =
                (struct item){.op = CUT_RESULT, .arg = 100 + 300 * i, .n = 24000000};
        assert_int_equal(map_run(&r, true), 0);
        map_check(&r);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(map.seen[5 + 7 * i].outcome.kind, OUTCOME_DIED);
            assert_int_equal(map.seen[5 + 7 * i].outcome.signal, SIGALRM);
        }
        assert_int_equal(pool_close(r.pool), 0);
        assert_int_equal(counters_of(&r).replaced, 4);
        release(&r);
    }
}

static void babble_in_a_shared_queue_ends_the_map(void **state) {
    (void)state;
    struct rig_pool r = opened("queue", "inherit", 2, 1);
    map_begin(50);
    map.items[20].op = BABBLE;
    assert_int_equal(map_run(&r, true), -EBADMSG);
    const struct account *a = pool_account(r.pool);
    assert_true(account_balanced(a));
    for (uint64_t i = 0; i < a->n; i++)
        assert_int_equal(map.seen[i].ends, 1);
    release(&r);
}

/* The result of a task whose forerunner in the same message has none: sealed, and yet it cannot be. */
static void skip_a_result(void *pool) {
    struct pool *p = pool;
    uint8_t record[RECORD_MAX];
    struct message *m = message_new(p->sys, FRAME_RESULTS);
    buf_add(&m->body, record, frame_put_record(record, 1, RESULT_OK, 0));
    m->head = (struct frame_head){.type = FRAME_RESULTS,
                                  .worker = 1,
                                  .count = 1,
                                  .epoch = p->workers[0].slot->epoch,
                                  .first = 0};
    queue_put(p->results, m);
    queue_flush_all(p->results, DEADLINE_NEVER);
    for (;;)
        pause();
}

/* Which other messages its writer has taken and finished, nobody knows: whoever waited for them would wait for ever. */
static void a_result_out_of_turn_in_a_shared_queue_ends_the_map(void **state) {
    (void)state;
    struct rig_pool r = opened("queue", "inherit", 1, 2);
    r.context->scribble = skip_a_result;
    r.context->rings = r.pool;
    map_begin(4);
    map.items[0].op = SCRIBBLE;
    assert_int_equal(map_run(&r, true), -EBADMSG);
    assert_string_not_equal(pool_why(r.pool), "");
    const struct account *a = pool_account(r.pool);
    assert_true(account_balanced(a));
    for (uint64_t i = 0; i < a->n; i++)
        assert_int_equal(map.seen[i].ends, 1);
    release(&r);
}

static void where_the_host_reaps_a_death_is_known_but_not_its_cause(void **state) {
    (void)state;
    struct sigaction ignored = {.sa_handler = SIG_IGN}, old;
    sigaction(SIGCHLD, &ignored, &old);
    struct rig_pool r = opened("socket", "inherit", 2, 1);
    map_begin(50);
    map.items[20] = (struct item){.op = RAISE, .arg = SIGKILL, .n = 20};
    int err = map_run(&r, true), closed = pool_close(r.pool);
    sigaction(SIGCHLD, &old, NULL);
    assert_int_equal(err, 0);
    assert_int_equal(closed, 0);
    map_check(&r);
    assert_int_equal(map.seen[20].outcome.kind, OUTCOME_DIED);
    assert_int_equal(map.seen[20].outcome.signal, 0);
    assert_int_equal(map.seen[20].outcome.exit_code, -1);
    release(&r);
}

static struct sys_stop raised;

static void raise_stop(int sig) {
    uint64_t one = 1;
    raised.signo = sig;
    if (write(raised.fd, &one, sizeof one) < 0)
        abort();
}

static void a_wish_to_stop_ends_a_map(void **state) {
    (void)state;
    struct sigaction act = {.sa_handler = raise_stop}, old;
    struct itimerval soon = {.it_value = {0, 50000}};
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++) {
        raised = (struct sys_stop){.signo = 0, .fd = eventfd(0, EFD_NONBLOCK)};
        struct rig_pool r = opened((*c)->name, "inherit", 2, 1);
        map_begin(10);
        map.items[5].op = SPIN;
        sys.stop = &raised;
        sigaction(SIGALRM, &act, &old);
        setitimer(ITIMER_REAL, &soon, NULL);
        int err = map_run(&r, true);
        sigaction(SIGALRM, &old, NULL);
        assert_int_equal(err, -ECANCELED);
        const struct account *a = pool_account(r.pool);
        assert_true(account_balanced(a));
        assert_int_equal(a->ended[OUTCOME_OK] + a->ended[OUTCOME_CANCELLED], a->n);
        if (a->n > 5) /* it came so far */
            assert_int_equal(map.seen[5].outcome.kind, OUTCOME_CANCELLED);
        release(&r); /* the stop is still raised */
        sys.stop = NULL;
        close(raised.fd);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(a_death_costs_the_task_it_happened_in),
        CLEAN_TEST(an_idle_worker_that_is_killed_is_replaced),
        CLEAN_TEST(a_task_that_takes_too_long_is_ended),
        CLEAN_TEST(workers_that_stand_still_before_their_task_are_replaced),
        CLEAN_TEST(initializers_that_fail_end_the_run_after_three),
        CLEAN_TEST(an_initializer_that_fails_once_is_survived),
        CLEAN_TEST(what_the_finish_says_comes_back_from_close),
        CLEAN_TEST(what_was_not_delivered_is_counted_and_nobody_died_of_it),
        CLEAN_TEST(a_worker_that_babbles_is_killed_and_no_task_runs_twice),
        CLEAN_TEST(a_worker_that_scribbles_over_its_rings_is_killed),
        CLEAN_TEST(a_worker_may_be_killed_while_it_writes_a_large_result),
        CLEAN_TEST(babble_in_a_shared_queue_ends_the_map),
        CLEAN_TEST(a_result_out_of_turn_in_a_shared_queue_ends_the_map),
        CLEAN_TEST(where_the_host_reaps_a_death_is_known_but_not_its_cause),
        CLEAN_TEST(a_wish_to_stop_ends_a_map),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
