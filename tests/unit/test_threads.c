/* A host with more than one thread: it is not copied unless it says that it may be, and is told why; what executes a
 * program at once goes on. */
#include <pthread.h>

#include "os_help.h"
#include "rig.h"

/* ---- a second thread ---- */

struct second {
    pthread_t thread;
    int line[2]; /* it ends when this is closed */
};

static void *wait_for_end(void *arg) {
    char byte;
    while (read(*(int *)arg, &byte, 1) < 0)
        ;
    return NULL;
}

static void second_begin(struct second *s) {
    assert_int_equal(pipe2(s->line, O_CLOEXEC), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, wait_for_end, &s->line[0]), 0);
}

static void second_join(struct second *s) {
    close(s->line[1]);
    pthread_join(s->thread, NULL);
    close(s->line[0]);
}

/* The next case is to find one thread, and not one that the kernel is about to forget. */
static void second_end(struct second *s) {
    second_join(s);
    for (int64_t end = hang(); sys_threads(&sys, 0) > 1 && clock_now_ns() < end;)
        nap_ms(1);
}

/* ---- the core ---- */

static void one_thread_is_counted_as_one(void **state) {
    (void)state;
    struct second other;
    assert_int_equal(sys_threads(&sys, 0), 1);
    assert_int_equal(sys_threads(&sys, getpid()), 1);
    second_begin(&other);
    assert_int_equal(sys_threads(&sys, 0), 2);
    second_end(&other);
}

static void a_copy_is_refused_with_the_number_the_reason_and_the_remedy(void **state) {
    (void)state;
    struct second other;
    struct proc p;
    char why[256];
    second_begin(&other);
    assert_int_equal(proc_fork(&sys, &p, NULL, 0), -EDEADLK);
    assert_int_equal(p.pid, -1);
    proc_say_threads(&sys, why, sizeof why);
    assert_non_null(strstr(why, "this process has 2 threads"));
    assert_non_null(strstr(why, "would stay held"));
    assert_non_null(strstr(why, "start=spawn"));
    assert_non_null(strstr(why, "rig.fork_with_threads(true)"));
    second_end(&other);
}

static void nothing(void *arg) {
    (void)arg;
}

static void a_thread_that_was_joined_does_not_count(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct second other;
        struct proc p;
        second_begin(&other);
        second_join(&other);
        start(&p, nothing, NULL, NULL, 0);
        assert_int_equal(reap(&p).exit_code, 0);
    }
}

static int looks;

static int three_threads(pid_t pid) {
    (void)pid;
    looks++;
    return 3;
}

static int nobody_knows(pid_t pid) {
    (void)pid;
    looks++;
    return -ENOENT;
}

static void who_allows_it_is_not_counted(void **state) {
    (void)state;
    struct proc p;
    faulty_begin()->threads = three_threads;
    looks = 0;
    faulty.fork_with_threads = true;
    pid_t pid = proc_fork(&faulty, &p, NULL, 0);
    if (pid == 0)
        sys_exit(0);
    assert_true(pid > 0);
    reap(&p);
    assert_int_equal(looks, 0);
    faulty.fork_with_threads = false;
    assert_int_equal(proc_fork(&faulty, &p, NULL, 0), -EDEADLK);
    assert_true(looks > 0);
}

static void where_threads_cannot_be_counted_nothing_is_refused(void **state) {
    (void)state;
    struct proc p;
    faulty_begin()->threads = nobody_knows;
    looks = 0;
    pid_t pid = proc_fork(&faulty, &p, NULL, 0);
    if (pid == 0)
        sys_exit(0);
    assert_true(pid > 0);
    reap(&p);
    assert_int_equal(looks, 1);
}

/* ---- a host ---- */

static const char doubles[] =
    "local rig = require 'rig'\n"
    "return rig.scenario { name = 'doubles', about = 'twice each item', workers = 2,\n"
    "    iterations = 2, items = 10, map = function(item) return 2 * item end,\n"
    "    reduce = rig.sum, expect = 110 }\n";

static void expect_run(const char *source, const char *pool, int fork_with_threads, int exit,
                       const char *words) {
    rig_t *rig;
    rig_options_t options = {.size = sizeof options, .fork_with_threads = fork_with_threads};
    const char *const overrides[] = {pool, NULL};
    assert_int_equal(rig_open(&rig, &options), RIG_OK);
    if (rig_run_string(rig, "host", source, pool ? overrides : NULL) != RIG_OK)
        fail_msg("%s: %s", pool, rig_error(rig));
    const char *json = rig_results_json(rig, NULL);
    if (rig_exit_status(rig) != exit || strstr(json, words) == NULL)
        fail_msg("%s: exit status %d, and no '%s' in %s", pool, rig_exit_status(rig), words, json);
    rig_close(rig);
}

#define REFUSED "this process has 2 threads"

static void forked_pools_are_refused(void **state) {
    (void)state;
    const char *const pools[] = {"pool=builtin", "pool=custom", "pool=shm", "pool=per_task"};
    struct second other;
    second_begin(&other);
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++)
        expect_run(doubles, pools[i], 0, 4, REFUSED);
    second_end(&other);
}

static void pools_that_copy_nothing_work(void **state) {
    (void)state;
    struct second other;
    second_begin(&other);
    expect_run(doubles, "pool=spawn", 0, 0, "\"start\": \"spawn\"");
    expect_run(doubles, "pool=serial", 0, 0, "\"result\": 110");
    second_end(&other);
}

static void *read_a_stream(void *stream) {
    getc(stream); /* holds it all the time */
    return NULL;
}

static void a_thread_that_reads_a_stream_holds_up_no_fresh_process(void **state) {
    (void)state;
    pthread_t thread;
    int line[2];
    assert_int_equal(pipe2(line, O_CLOEXEC), 0);
    FILE *stream = fdopen(line[0], "r");
    assert_int_equal(pthread_create(&thread, NULL, read_a_stream, stream), 0);
    nap_ms(50); /* it is there by then, or this shows less */
    expect_run(doubles, "pool=spawn", 0, 0, "\"start\": \"spawn\"");
    close(line[1]);
    pthread_join(thread, NULL);
    fclose(stream);
}

static void a_host_that_allows_copies_has_all_pools(void **state) {
    (void)state;
    const char *const pools[] = {"pool=builtin", "pool=custom", "pool=shm", "pool=per_task"};
    struct second other;
    second_begin(&other);
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++)
        expect_run(doubles, pools[i], 1, 0, "\"result\": 110");
    second_end(&other);
}

static void the_environment_allows_copies_where_the_host_says_nothing(void **state) {
    (void)state;
    struct second other;
    setenv("RIG_FORK_WITH_THREADS", "1", 1);
    second_begin(&other);
    expect_run(doubles, "pool=builtin", 0, 0, "\"result\": 110");
    expect_run(doubles, "pool=builtin", 2, 4, REFUSED);
    second_end(&other);
    unsetenv("RIG_FORK_WITH_THREADS");
}

/* What a scenario can ask for itself: a child that copies, one that does not, and the switch. */
static const char primitives[] =
    "local rig = require 'rig'\n"
    "return rig.scenario { name = 'primitives', about = 'what is refused', workers = 1, iterations "
    "= 1,\n"
    "    body = function()\n"
    "        assert(rig.fork_with_threads() == false)\n"
    "        local child, message, code = rig.fork(function() end)\n"
    "        assert(not child and code == 'EDEADLK', code)\n"
    "        assert(message:find 'this process has 2 threads' and message:find 'rig.exec', "
    "message)\n"
    "        assert(rig.exec { 'true' }.status == 0)\n"
    "        assert(not pcall(rig.fork_with_threads, 1))\n"
    "        assert(rig.fork_with_threads(true) == true)\n"
    "        assert(assert(rig.fork(function() os.exit(7) end)):wait().exit == 7)\n"
    "        assert(rig.fork_with_threads(false) == false)\n"
    "        assert(not rig.fork(function() end))\n"
    "    end }\n";

static void a_scenario_is_told_and_may_allow_it(void **state) {
    (void)state;
    struct second other;
    second_begin(&other);
    expect_run(primitives, NULL, 0, 0, "\"status\": \"passed\"");
    second_end(&other);
}

/* A pool of a script's own: its fork says the same. */
static const char own_type[] = "local rig = require 'rig'\n"
                               "local mine = rig.pool_type { name = 'mine',\n"
                               "    start = function(pool)\n"
                               "        local proc, message, code = pool:fork(1, function() end)\n"
                               "        if not proc then return nil, message, code end\n"
                               "        return {}\n"
                               "    end,\n"
                               "    map = function() end, close = function() end }\n"
                               "return rig.scenario { name = 'own', about = 'a pool type', workers "
                               "= 1, iterations = 1, pool = mine,\n"
                               "    items = 1, map = function(item) return item end }\n";

static void a_pool_type_is_refused_too(void **state) {
    (void)state;
    struct second other;
    second_begin(&other);
    expect_run(own_type, NULL, 0, 4, REFUSED);
    second_end(&other);
}

/* ---- rigs in threads ---- */

#define RUNS 3

/* A sanitizer's allocator has locks of its own, which a fork copies as they are: a worker that was copied while another
 * thread allocated would wait for ever. So there these pools execute a program; glibc's allocator sees to its locks. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COPIES_MAY_HANG 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COPIES_MAY_HANG 1
#endif
#endif
#ifdef COPIES_MAY_HANG
static const char *const at_once[] = {"pool=serial", "pool=spawn", "pool=spawn", "pool=spawn"};
#else
static const char *const at_once[] = {"pool=serial", "pool=builtin", "pool=shm", "pool=custom"};
#endif
#define AT_ONCE (sizeof at_once / sizeof *at_once)

/* Runs scenarios one after the other in a rig of its own; what went wrong is in `problem`. */
struct of_one_thread {
    pthread_t thread;
    const char *pool;
    char problem[1024];
};

static void run_once(struct of_one_thread *t) {
    rig_t *rig;
    rig_options_t options = {.size = sizeof options, .fork_with_threads = 1};
    const char *const overrides[] = {t->pool, NULL};
    if (rig_open(&rig, &options) != RIG_OK ||
        rig_run_string(rig, "one", doubles, overrides) != RIG_OK) {
        snprintf(t->problem, sizeof t->problem, "%s: %s", t->pool, rig_error(rig));
    } else {
        const char *json = rig_results_json(rig, NULL), *errors = strstr(json, "\"errors\"");
        if (rig_exit_status(rig) != 0 || strstr(json, "\"result\": 110") == NULL)
            snprintf(t->problem, sizeof t->problem, "%s: exit status %d: %s", t->pool,
                     rig_exit_status(rig), errors ? errors : json);
    }
    rig_close(rig);
}

static void *run_some(void *arg) {
    struct of_one_thread *t = arg;
    for (int i = 0; i < RUNS && t->problem[0] == '\0'; i++)
        run_once(t);
    return NULL;
}

static void several_rigs_run_at_once_each_in_a_thread(void **state) {
    (void)state;
    struct of_one_thread threads[AT_ONCE] = {0};
    for (size_t i = 0; i < AT_ONCE; i++) {
        threads[i].pool = at_once[i];
        assert_int_equal(pthread_create(&threads[i].thread, NULL, run_some, &threads[i]), 0);
    }
    for (size_t i = 0; i < AT_ONCE; i++)
        pthread_join(threads[i].thread, NULL);
    for (size_t i = 0; i < AT_ONCE; i++)
        assert_string_equal(threads[i].problem, "");
    for (int64_t end = hang(); sys_threads(&sys, 0) > 1 && clock_now_ns() < end;)
        nap_ms(1);
}

int main(int argc, char **argv) {
    int worker = rig_worker_main(argc, argv);
    if (worker >= 0)
        return worker;
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(one_thread_is_counted_as_one),
        CLEAN_TEST(a_copy_is_refused_with_the_number_the_reason_and_the_remedy),
        CLEAN_TEST(a_thread_that_was_joined_does_not_count),
        CLEAN_TEST(who_allows_it_is_not_counted),
        CLEAN_TEST(where_threads_cannot_be_counted_nothing_is_refused),
        CLEAN_TEST(forked_pools_are_refused),
        CLEAN_TEST(pools_that_copy_nothing_work),
        CLEAN_TEST(a_thread_that_reads_a_stream_holds_up_no_fresh_process),
        CLEAN_TEST(a_host_that_allows_copies_has_all_pools),
        CLEAN_TEST(the_environment_allows_copies_where_the_host_says_nothing),
        CLEAN_TEST(a_scenario_is_told_and_may_allow_it),
        CLEAN_TEST(a_pool_type_is_refused_too),
        CLEAN_TEST(several_rigs_run_at_once_each_in_a_thread),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
