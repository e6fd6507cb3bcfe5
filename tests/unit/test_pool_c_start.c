/* Starting a pool from C: what cannot be is refused with the reason, and when something fails half way, whatever and
 * whenever it is, nothing stays behind. */
#include "pool_help.h"

static int refused(struct rig_pool *r) {
    r->pool = NULL;
    r->why[0] = '\0';
    int err = pool_open(&sys, &r->config, &r->pool, r->why, sizeof r->why);
    assert_true(err < 0);
    assert_null(r->pool);
    assert_true(r->why[0] != '\0');
    return err;
}

static void a_number_of_workers_that_cannot_be_is_refused(void **state) {
    (void)state;
    struct rig_pool r = prepared("socket", "inherit", 0, 1);
    assert_int_equal(refused(&r), -EINVAL);
    assert_string_equal(r.why, "0 workers: a pool has 1 to 4096");
    r.config.workers = 4097;
    assert_int_equal(refused(&r), -EINVAL);
    assert_string_equal(r.why, "4097 workers: a pool has 1 to 4096");
    release(&r);
}

static void a_delivery_without_its_data_is_refused(void **state) {
    (void)state;
    struct rig_pool r = prepared("socket", "send", 2, 1); /* config.fixed is not set yet */
    assert_int_equal(refused(&r), -EINVAL);
    r.config.deliver = deliver_find("queue");
    assert_int_equal(refused(&r), -EINVAL);
    r.config.deliver = deliver_find("shm");
    r.config.placed = NULL;
    assert_int_equal(refused(&r), -EINVAL);
    release(&r);
}

static void sending_over_a_shared_channel_is_refused(void **state) {
    (void)state;
    struct rig_pool r = prepared("queue", "send", 2, 1);
    r.config.fixed = &r.fixed;
    assert_int_equal(refused(&r), -EINVAL);
    assert_non_null(strstr(r.why, "channel=queue"));
    release(&r);
}

static void names_are_looked_up_in_the_lists(void **state) {
    (void)state;
    assert_null(start_find("teleport"));
    assert_null(channel_find(""));
    assert_null(deliver_find("QUEUE"));
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++)
        assert_ptr_equal(channel_find((*c)->name), *c);
    for (const struct deliver_ops *const *d = deliver_list; *d != NULL; d++)
        assert_ptr_equal(deliver_find((*d)->name), *d);
    for (const struct start_ops *const *s = start_list; *s != NULL; s++)
        assert_true((*s)->name[0] != '\0' && (*s)->help[0] != '\0');
}

/* ---- the k-th call of one kind fails, once or from then on --------------------------------------------- */

static int calls_left;
static bool for_good;

static bool fails(void) {
    if (calls_left > 0) {
        calls_left--;
        return false;
    }
    bool now = calls_left == 0;
    calls_left = for_good ? 0 : -1;
    return now;
}

static pid_t bad_fork(unsigned flags) {
    return fails() ? -EAGAIN : sys_kernel.fork(flags);
}

static int bad_pidfd(pid_t pid) {
    return fails() ? -EMFILE : sys_kernel.pidfd_open(pid);
}

static int bad_pipe(int fds[2], int flags) {
    return fails() ? -EMFILE : sys_kernel.pipe(fds, flags);
}

static int bad_pair(int type, int fds[2]) {
    return fails() ? -ENFILE : sys_kernel.socketpair(type, fds);
}

static int bad_eventfd(int flags) {
    return fails() ? -EMFILE : sys_kernel.eventfd(flags);
}

static int bad_map(void **addr, size_t n, int prot, int flags, int fd) {
    return fails() ? -ENOMEM : sys_kernel.map(addr, n, prot, flags, fd);
}

static void *bad_malloc(size_t n) {
    return fails() ? NULL : sys_kernel.malloc(n);
}

static void *bad_realloc(void *p, size_t n) {
    return fails() ? NULL : sys_kernel.realloc(p, n);
}

static void set_fork(struct sys_table *t) {
    t->fork = bad_fork;
}

static void set_pidfd(struct sys_table *t) {
    t->pidfd_open = bad_pidfd;
}

static void set_pipe(struct sys_table *t) {
    t->pipe = bad_pipe;
}

static void set_pair(struct sys_table *t) {
    t->socketpair = bad_pair;
}

static void set_eventfd(struct sys_table *t) {
    t->eventfd = bad_eventfd;
}

static void set_map(struct sys_table *t) {
    t->map = bad_map;
}

static void set_malloc(struct sys_table *t) {
    t->malloc = bad_malloc;
}

static void set_realloc(struct sys_table *t) {
    t->realloc = bad_realloc;
}

/* Opens with the k-th call failing; false when there were not so many. */
static bool open_fails(struct rig_pool *r, int k, void (*set)(struct sys_table *), int wanted) {
    struct names before = {0}, after = {0}, more = {0};
    names_of_all(&before);
    set(faulty_begin());
    calls_left = k;
    r->pool = NULL;
    r->why[0] = '\0';
    int err = pool_open(&faulty, &r->config, &r->pool, r->why, sizeof r->why);
    calls_left = -1;
    if (err == 0) {
        pool_free(r->pool);
        r->pool = NULL;
    } else {
        assert_int_equal(err, wanted);
        assert_true(r->why[0] != '\0');
    }
    names_of_all(&after);
    names_minus(&more, &after, &before);
    for (size_t i = 0; i < more.n; i++)
        fail_msg("left behind when call %d failed: %s", k, more.at[i]);
    names_free(&before);
    names_free(&after);
    return err < 0;
}

static void check_failing(const char *channel, const char *delivery) {
    const struct {
        void (*set)(struct sys_table *);
        int err;
    } kinds[] = {
        {set_fork, -EAGAIN}, {set_pidfd, -EMFILE},  {set_pipe, -EMFILE},    {set_pair, -ENFILE},
        {set_map, -ENOMEM},  {set_malloc, -ENOMEM}, {set_realloc, -ENOMEM}, {set_eventfd, -EMFILE},
    };
    struct rig_pool r = prepared(channel, delivery, 3, 1);
    r.config.fixed = &r.fixed;
    for (int good = 0; good < 2; good++) {
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            int k = 0;
            for_good = good;
            while (open_fails(&r, k, kinds[i].set, kinds[i].err))
                k++;
            assert_true(k < 200);
        }
    }
    release(&r);
}

static void whatever_fails_at_the_start_nothing_is_left(void **state) {
    (void)state;
    each_pair(check_failing);
}

static void the_error_says_which_worker_could_not_start(void **state) {
    (void)state;
    struct rig_pool r = prepared("socket", "inherit", 5, 1);
    for_good = false;
    assert_true(open_fails(&r, 3, set_fork, -EAGAIN));
    assert_non_null(strstr(r.why, "worker 4 of 5"));
    assert_non_null(strstr(r.why, strerror(EAGAIN)));
    release(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(a_number_of_workers_that_cannot_be_is_refused),
        CLEAN_TEST(a_delivery_without_its_data_is_refused),
        CLEAN_TEST(sending_over_a_shared_channel_is_refused),
        CLEAN_TEST(names_are_looked_up_in_the_lists),
        CLEAN_TEST(whatever_fails_at_the_start_nothing_is_left),
        CLEAN_TEST(the_error_says_which_worker_could_not_start),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
