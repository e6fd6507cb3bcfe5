/* Workers that are fresh processes, from C: this very program, run anew, which main notices. What they compute is what
 * forked ones do; nothing of the coordinator is in them; whatever they are started from wrongly is told, and left. */
#include <dirent.h>

#include "os/spawn.h"
#include "pool_help.h"

#define BUILD "the one of these tests"

/* ---- the jobs that a worker can be handed, by name ---------------------------------------------------- */

static int changed_after_the_start = 1;

static int run_look_at_memory(void *ctx, uint64_t task, const uint8_t *item, size_t len,
                              struct block *owner, struct buf *out) {
    (void)ctx, (void)task, (void)item, (void)len, (void)owner;
    uint64_t value = (uint64_t)changed_after_the_start;
    return buf_add(out, &value, sizeof value);
}

/* How many descriptors there are beside 0, 1 and 2, and those that valgrind keeps far above. */
static int run_count_descriptors(void *ctx, uint64_t task, const uint8_t *item, size_t len,
                                 struct block *owner, struct buf *out) {
    (void)ctx, (void)task, (void)item, (void)len, (void)owner;
    uint64_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;)
        n += atoi(e->d_name) > 2 && atoi(e->d_name) < 64 && atoi(e->d_name) != dirfd(dir);
    closedir(dir);
    return buf_add(out, &n, sizeof n);
}

static void make(const uint8_t *bytes, size_t size, void *ctx, struct pool_job *job) {
    static struct job_context own;
    (void)ctx;
    *job = (struct pool_job){.ctx = &own, .init = job_init, .run = job_run, .finish = job_finish};
    if (size == 6 && memcmp(bytes, "memory", size) == 0)
        job->run = run_look_at_memory;
    else if (size == 11 && memcmp(bytes, "descriptors", size) == 0)
        job->run = run_count_descriptors;
    else if (size == 10 && memcmp(bytes, "init fails", size) == 0)
        own.init_fails = 1;
}

static struct rig_pool spawning(const char *channel, const char *delivery, unsigned workers,
                                uint32_t chunk, const char *job) {
    struct rig_pool r = prepared(channel, delivery, workers, chunk);
    r.config.start = start_find("spawn");
    r.config.job = (struct pool_job){0};
    r.config.spawn = (struct pool_spawn){.program = SPAWN_SELF,
                                         .build = BUILD,
                                         .job = job,
                                         .job_size = strlen(job)};
    return r;
}

/* Calls f for every channel and delivery that go together and with a fresh process. */
static void each_fresh_pair(void (*f)(const char *channel, const char *delivery)) {
    for (const struct channel_ops *const *c = channel_list; *c != NULL; c++)
        for (const struct deliver_ops *const *d = deliver_list; *d != NULL; d++)
            if (*d != &deliver_inherit && !((*c)->shared && *d == &deliver_send))
                f((*c)->name, (*d)->name);
}

/* ---- what they compute ---------------------------------------------------------------------------------- */

static void check_map(const char *channel, const char *delivery) {
    struct rig_pool r = spawning(channel, delivery, 3, 7, "");
    open_pool(&r);
    assert_int_equal(pool_wait_ready(r.pool, hang()), 0);
    for (int i = 0; i < 2; i++) {
        map_begin(200);
        map.items[11] = (struct item){.op = LARGE_RESULT, .n = 500000};
        map.items[50].ballast = 300000;
        map.items[199] = (struct item){.op = FAIL};
        assert_int_equal(map_run(&r, true), 0);
        map_check(&r);
        assert_int_equal(map.seen[199].outcome.kind, OUTCOME_ERROR);
        assert_string_equal(map.seen[199].message, "as it was told to");
    }
    assert_int_equal(pool_close(r.pool), 0);
    assert_int_equal(counters_of(&r).forks, 3);
    size_t n;
    struct worker_report *w = pool_reports(r.pool, &n);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(w[i].fate, FATE_EXITED);
        assert_true(w[i].started_ns > 0 && w[i].ready_ns >= w[i].started_ns);
    }
    release(&r);
}

static void a_map_gives_what_forked_workers_give(void **state) {
    (void)state;
    each_fresh_pair(check_map);
}

static void sixty_four_workers_start_and_work(void **state) {
    (void)state;
    struct rig_pool r = spawning("socket", "send", 64, 1, "");
    open_pool(&r);
    assert_int_equal(pool_wait_ready(r.pool, hang()), 0);
    map_begin(500);
    assert_int_equal(map_run(&r, true), 0);
    map_check(&r);
    assert_int_equal(pool_close(r.pool), 0);
    release(&r);
}

static void an_initializer_that_fails_ends_the_pool_with_its_message(void **state) {
    (void)state;
    struct rig_pool r = spawning("socket", "send", 2, 1, "init fails");
    open_pool(&r);
    assert_int_equal(pool_wait_ready(r.pool, hang()), -ECHILD);
    assert_non_null(strstr(pool_why(r.pool), "the initializer failed"));
    release(&r);
}

/* ---- what is not in them -------------------------------------------------------------------------------- */

static uint64_t first_value(struct rig_pool *r) {
    map_begin(1);
    assert_int_equal(map_run(r, true), 0);
    assert_int_equal(map.seen[0].outcome.kind, OUTCOME_OK);
    return map.seen[0].value;
}

static void nothing_of_the_coordinators_memory_is_in_them(void **state) {
    (void)state;
    struct rig_pool r = spawning("pipe", "send", 1, 1, "memory");
    changed_after_the_start = 2;
    open_pool(&r);
    assert_int_equal(first_value(&r), 1);
    changed_after_the_start = 1;
    assert_int_equal(pool_close(r.pool), 0);
    release(&r);
}

static void only_what_they_need_is_open_in_them(void **state) {
    (void)state;
    const struct {
        const char *channel, *delivery;
        uint64_t n;
    } cases[] = {
        {"socket", "send", 1}, {"socket", "shm", 1}, {"pipe", "send", 2},
        {"queue", "shm", 2},   {"pipe", "queue", 3},
    };
    int open_for_all = dup(0); /* the host's, without close-on-exec */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        /* more than one, so that there are ends of others to be left open */
        struct rig_pool r = spawning(cases[i].channel, cases[i].delivery, 3, 1, "descriptors");
        open_pool(&r);
        assert_int_equal(first_value(&r), cases[i].n + 1); /* and the lifeline */
        assert_int_equal(pool_close(r.pool), 0);
        release(&r);
    }
    close(open_for_all);
}

/* ---- what may happen to them -------------------------------------------------------------------------------- */

static void check_deaths(const char *channel, const char *delivery) {
    struct rig_pool r = spawning(channel, delivery, 2, 7, "");
    open_pool(&r);
    map_begin(60);
    map.items[0] = (struct item){.op = RAISE, .arg = SIGKILL};
    map.items[30] = (struct item){.op = EXIT, .arg = 3};
    assert_int_equal(map_run(&r, true), 0);
    map_check(&r);
    assert_int_equal(map.seen[0].outcome.kind, OUTCOME_DIED);
    assert_int_equal(map.seen[0].outcome.signal, SIGKILL);
    assert_int_equal(map.seen[30].outcome.kind, OUTCOME_DIED);
    assert_int_equal(map.seen[30].outcome.exit_code, 3);
    assert_int_equal(counters_of(&r).replaced, 2);
    assert_int_equal(counters_of(&r).forks, 4);
    assert_int_equal(pool_close(r.pool), 0);
    release(&r);
}

static void a_death_costs_its_task_and_another_takes_its_place(void **state) {
    (void)state;
    each_fresh_pair(check_deaths);
}

static void a_task_that_takes_too_long_is_ended(void **state) {
    (void)state;
    struct rig_pool r = spawning("socket", "send", 2, 1, "");
    r.config.timeout_ns = NS_PER_S / 5;
    open_pool(&r);
    map_begin(6);
    map.items[2].op = SPIN;
    assert_int_equal(map_run(&r, true), 0);
    assert_int_equal(map.seen[2].outcome.kind, OUTCOME_TIMEOUT);
    assert_int_equal(map.seen[5].outcome.kind, OUTCOME_OK);
    assert_int_equal(pool_close(r.pool), 0);
    release(&r);
}

/* Coordinates a worker that spins, and says which it is; is killed in the middle. */
static void coordinate(void *arg) {
    struct rig_pool r = spawning("socket", "send", 1, 1, "");
    r.config.fixed = &r.fixed;
    CHILD_CHECK(pool_open(&sys, &r.config, &r.pool, r.why, sizeof r.why) == 0);
    CHILD_CHECK(pool_wait_ready(r.pool, hang()) == 0);
    size_t n;
    int32_t pid = pool_reports(r.pool, &n)[0].pid;
    map_begin(1);
    map.items[0].op = SPIN;
    CHILD_CHECK(write(*(int *)arg, &pid, sizeof pid) == sizeof pid);
    map_run(&r, true);
}

static void they_end_with_the_coordinator_in_an_endless_loop_too(void **state) {
    (void)state;
    int line[2];
    int32_t worker = 0;
    struct proc p;
    assert_int_equal(pipe2(line, O_CLOEXEC), 0);
    start(&p, coordinate, &line[1], &line[1], 1);
    assert_int_equal(read(line[0], &worker, sizeof worker), sizeof worker);
    nap_ms(20);
    assert_int_equal(proc_signal(&sys, &p, SIGKILL), 0);
    reap(&p);
    assert_true(vanishes(worker));
    close(line[0]);
    close(line[1]);
}

/* ---- what cannot be started ------------------------------------------------------------------------------- */

static int refused(struct rig_pool *r) {
    r->config.fixed = &r->fixed;
    r->pool = NULL;
    r->why[0] = '\0';
    int err = pool_open(&sys, &r->config, &r->pool, r->why, sizeof r->why);
    assert_true(err < 0);
    assert_null(r->pool);
    return err;
}

static void assert_says(const struct rig_pool *r, const char *text) {
    if (strstr(r->why, text) == NULL)
        fail_msg("no '%s' in '%s'", text, r->why);
}

static void a_program_that_cannot_be_executed_is_named_with_the_reason(void **state) {
    (void)state;
    struct rig_pool r = spawning("socket", "send", 2, 1, "");
    r.config.spawn.program = "/nowhere/rig";
    assert_int_equal(refused(&r), -ENOENT);
    assert_says(&r, "worker 1 of 2: start '/nowhere/rig': No such file");
    r.config.spawn.program = "/etc/passwd";
    assert_int_equal(refused(&r), -EACCES);
    assert_says(&r, "/etc/passwd");
    r.config.spawn.program = "sh"; /* a path, not looked up */
    assert_int_equal(refused(&r), -ENOENT);
    r.config.spawn.program = NULL;
    assert_int_equal(refused(&r), -EINVAL);
    release(&r);
}

static void a_program_that_knows_nothing_of_workers_is_told(void **state) {
    (void)state;
    struct rig_pool r = spawning("socket", "send", 2, 1, "");
    r.config.spawn.program = "/bin/true";
    assert_int_equal(refused(&r), -ENOEXEC);
    assert_says(&r, "'/bin/true' ended without calling rig_worker_main");
    r.config.spawn.program = SPAWN_SELF;
    r.config.spawn.patience_ns = NS_PER_S / 4;
    setenv("RIG_TEST_DEAF", "1", 1);
    assert_int_equal(refused(&r), -ETIMEDOUT);
    unsetenv("RIG_TEST_DEAF");
    assert_says(&r, "has not called rig_worker_main in time");
    release(&r);
}

static void a_program_of_another_build_is_refused_by_both_names(void **state) {
    (void)state;
    struct rig_pool r = spawning("socket", "send", 2, 1, "");
    r.config.spawn.build = "of yesterday";
    assert_int_equal(refused(&r), -EPROTO);
    assert_says(&r, "it is rig " BUILD ", and this is rig of yesterday");
    release(&r);
}

static void what_needs_the_coordinators_memory_is_refused(void **state) {
    (void)state;
    struct rig_pool r = spawning("socket", "inherit", 2, 1, "");
    assert_int_equal(refused(&r), -EINVAL);
    assert_says(&r, "start=spawn cannot go with delivery=inherit");
    r.config.deliver = deliver_find("shm");
    int fd = r.placed->fd;
    r.placed->fd = -1;
    assert_int_equal(refused(&r), -EINVAL);
    assert_says(&r, "needs the descriptor");
    r.placed->fd = fd;
    release(&r);
}

static void arguments_that_are_not_a_workers_are_left_alone_or_refused(void **state) {
    (void)state;
    char program[] = "x", flag[] = "--rig-worker", numbers[] = "1,2,3,4,5,6,7,8,9,10";
    char *none[] = {program, NULL}, *other[] = {program, numbers, NULL};
    char *bare[] = {program, flag, NULL}, *words[] = {program, flag, program, NULL};
    char *forged[] = {program, flag, numbers, NULL};
    assert_int_equal(pool_worker_main(1, none, BUILD, make, NULL), -1);
    assert_int_equal(pool_worker_main(0, none + 1, BUILD, make, NULL), -1);
    assert_int_equal(pool_worker_main(2, other, BUILD, make, NULL), -1);
    assert_int_equal(pool_worker_main(2, bare, BUILD, make, NULL), 2);
    assert_int_equal(pool_worker_main(3, words, BUILD, make, NULL), 2);
    assert_int_equal(pool_worker_main(3, forged, BUILD, make, NULL), 2);
}

/* ---- the k-th call of one kind fails ----------------------------------------------------------------------- */

static int calls_left;

static bool fails(void) {
    return calls_left-- == 0;
}

static pid_t bad_fork(unsigned flags) {
    return fails() ? -EAGAIN : sys_kernel.fork(flags);
}
static int bad_pipe(int fds[2], int flags) {
    return fails() ? -EMFILE : sys_kernel.pipe(fds, flags);
}
static int bad_memfd(const char *name) {
    return fails() ? -EMFILE : sys_kernel.memfd(name);
}
static int bad_fallocate(int fd, off_t n) {
    return fails() ? -ENOSPC : sys_kernel.fallocate(fd, n);
}
static int bad_map(void **addr, size_t n, int prot, int flags, int fd) {
    return fails() ? -ENOMEM : sys_kernel.map(addr, n, prot, flags, fd);
}
static int bad_fcntl(int fd, int cmd, long arg) {
    return fails() ? -EPERM : sys_kernel.fcntl(fd, cmd, arg);
}
static void *bad_malloc(size_t n) {
    return fails() ? NULL : sys_kernel.malloc(n);
}
static int bad_exec(const char *file, char *const argv[], char *const envp[]) {
    return fails() ? -ENOMEM : sys_kernel.exec(file, argv, envp);
}

static void set_fork(struct sys_table *t) {
    t->fork = bad_fork;
}
static void set_pipe(struct sys_table *t) {
    t->pipe = bad_pipe;
}
static void set_memfd(struct sys_table *t) {
    t->memfd = bad_memfd;
}
static void set_fallocate(struct sys_table *t) {
    t->fallocate = bad_fallocate;
}
static void set_map(struct sys_table *t) {
    t->map = bad_map;
}
static void set_fcntl(struct sys_table *t) {
    t->fcntl = bad_fcntl;
}
static void set_malloc(struct sys_table *t) {
    t->malloc = bad_malloc;
}
static void set_exec(struct sys_table *t) {
    t->exec = bad_exec;
}

/* Whether it started all the same; either way nothing stays behind. */
static bool starts(struct rig_pool *r, int k, void (*set)(struct sys_table *)) {
    struct names before = {0}, after = {0}, more = {0};
    names_of_all(&before);
    set(faulty_begin());
    calls_left = k;
    r->config.fixed = &r->fixed;
    r->pool = NULL;
    r->why[0] = '\0';
    int err = pool_open(&faulty, &r->config, &r->pool, r->why, sizeof r->why);
    calls_left = -1;
    if (err == 0)
        pool_free(r->pool);
    else
        assert_true(r->pool == NULL && r->why[0] != '\0');
    r->pool = NULL;
    names_of_all(&after);
    names_minus(&more, &after, &before);
    for (size_t i = 0; i < more.n; i++)
        fail_msg("left behind when call %d failed: %s", k, more.at[i]);
    names_free(&before);
    names_free(&after);
    return err == 0;
}

static void whatever_fails_at_the_start_nothing_is_left(void **state) {
    (void)state;
    const struct {
        void (*set)(struct sys_table *);
        int most; /* how many calls are tried: setting up pipes makes some whose failure is no harm */
    } kinds[] = {{set_fork, 2}, {set_pipe, 6},  {set_memfd, 2},   {set_fallocate, 2},
                 {set_map, 3},  {set_fcntl, 8}, {set_malloc, 12}, {set_exec, 1}};
    struct rig_pool r = spawning("pipe", "queue", 2, 1, "");
    unsigned failed = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        assert_true(starts(&r, 1000, kinds[i].set));
        for (int k = 0; k < kinds[i].most; k++)
            failed += !starts(&r, k, kinds[i].set);
    }
    assert_true(failed >= 20);
    release(&r);
}

int main(int argc, char **argv) {
    if (getenv("RIG_TEST_DEAF") != NULL)
        pause();
    int worker = pool_worker_main(argc, argv, BUILD, make, NULL);
    if (worker >= 0)
        return worker;
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(a_map_gives_what_forked_workers_give),
        CLEAN_TEST(sixty_four_workers_start_and_work),
        CLEAN_TEST(an_initializer_that_fails_ends_the_pool_with_its_message),
        CLEAN_TEST(nothing_of_the_coordinators_memory_is_in_them),
        CLEAN_TEST(only_what_they_need_is_open_in_them),
        CLEAN_TEST(a_death_costs_its_task_and_another_takes_its_place),
        CLEAN_TEST(a_task_that_takes_too_long_is_ended),
        CLEAN_TEST(they_end_with_the_coordinator_in_an_endless_loop_too),
        CLEAN_TEST(a_program_that_cannot_be_executed_is_named_with_the_reason),
        CLEAN_TEST(a_program_that_knows_nothing_of_workers_is_told),
        CLEAN_TEST(a_program_of_another_build_is_refused_by_both_names),
        CLEAN_TEST(what_needs_the_coordinators_memory_is_refused),
        CLEAN_TEST(arguments_that_are_not_a_workers_are_left_alone_or_refused),
        CLEAN_TEST(whatever_fails_at_the_start_nothing_is_left),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
