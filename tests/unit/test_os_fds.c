/* The registry of descriptors: what is in it, what a child keeps of it, and that it survives a fork whatever other
 * threads do to it meanwhile. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "os/pipe.h"
#include "os/proc.h"
#include "os_help.h"
#include "patience.h"

#define MANY 200

static int is_open(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

/* A descriptor of the registry's at the lowest number from `from` on. */
static int own_at(int from) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int at = fcntl(fd, F_DUPFD_CLOEXEC, from);
    close(fd);
    assert_true(at >= from);
    return fds_own(&sys, at);
}

static void *no_realloc(void *p, size_t n) {
    (void)p, (void)n;
    return NULL;
}

static void without_memory_the_descriptor_is_closed(void **state) {
    (void)state;
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    faulty_begin()->realloc = no_realloc;
    /* the highest there is: nobody has made room for it before */
    int fd = fcntl(0, F_DUPFD_CLOEXEC, (int)(most.rlim_cur < 60000 ? most.rlim_cur : 60000) - 1);
    assert_true(fd > 0);
    size_t before = fds_count();
    assert_int_equal(fds_own(&faulty, fd), -ENOMEM);
    assert_false(is_open(fd));
    assert_int_equal(fds_count(), before);
}

static void what_is_owned_is_counted_until_closed(void **state) {
    (void)state;
    size_t before = fds_count();
    int fd = own_at(3), high = own_at(700);
    assert_int_equal(fds_count(), before + 2);
    int copy = fd;
    fds_close(&sys, &fd);
    assert_int_equal(fd, -1);
    assert_false(is_open(copy));
    fds_close(&sys, &fd); /* -1 is allowed */
    assert_int_equal(fds_count(), before + 1);
    fds_close(&sys, &high);
    assert_int_equal(fds_count(), before);
}

static void an_error_passes_through(void **state) {
    (void)state;
    size_t before = fds_count();
    assert_int_equal(fds_own(&sys, -EMFILE), -EMFILE);
    assert_int_equal(fds_own(&sys, -1), -1);
    assert_int_equal(fds_count(), before);
}

struct family {
    int owned[MANY];
    int keep[3];
    int hosts;
};

static void check_in_child(void *arg) {
    struct family *f = arg;
    fds_close_others(&sys, f->keep, 3);
    for (int i = 0; i < MANY; i++) {
        int kept = f->owned[i] == f->keep[0] || f->owned[i] == f->keep[2];
        CHILD_CHECK(is_open(f->owned[i]) == kept);
    }
    CHILD_CHECK(is_open(f->hosts) && is_open(0) && is_open(1) && is_open(2));
    CHILD_CHECK(fds_count() == 2);
    fds_close(&sys, &f->keep[0]);
    CHILD_CHECK(fds_count() == 1);
}

/* In runs and with gaps, over several words of the registry. */
static void check_family(void) {
    struct family f = {.hosts = dup(0)};
    for (int i = 0; i < MANY; i++)
        f.owned[i] = own_at(i % 3 == 0 ? 3 : 300 + 2 * i);
    f.keep[0] = f.owned[1];
    f.keep[1] = -1;
    f.keep[2] = f.owned[MANY - 1];
    assert_int_equal(in_child(check_in_child, &f), 0);
    for (int i = 0; i < MANY; i++) {
        assert_true(is_open(f.owned[i])); /* the child closed its own copies */
        fds_close(&sys, &f.owned[i]);
    }
    close(f.hosts);
}

static void a_child_closes_all_but_what_it_keeps(void **state) {
    (void)state;
    check_family();
}

static int no_close_range(unsigned lo, unsigned hi) {
    (void)lo, (void)hi;
    return -ENOSYS;
}

static void a_kernel_without_close_range_does_as_well(void **state) {
    (void)state;
    struct sys old = sys;
    faulty_begin()->close_range = no_close_range;
    sys.table = &faulty_table;
    check_family();
    sys = old;
}

/* A descriptor of the host's that a child is given stays the host's: a child of that child still has it. */
static void keep_foreign(void *arg) {
    int fd = *(int *)arg;
    size_t mine = fds_count();
    fds_close_others(&sys, &fd, 1);
    CHILD_CHECK(mine == 1 && fds_count() == 0);
    CHILD_CHECK(is_open(fd));
    fds_close_others(&sys, NULL, 0);
    CHILD_CHECK(is_open(fd));
}

static void a_kept_descriptor_of_the_host_is_not_taken_over(void **state) {
    (void)state;
    int own = own_at(3);
    for (int at = 3; at < 15000; at = at * 5) {
        int foreign = fcntl(0, F_DUPFD_CLOEXEC, at);
        assert_true(foreign >= at);
        assert_int_equal(in_child(keep_foreign, &foreign), 0);
        close(foreign);
    }
    fds_close(&sys, &own);
}

static void *open_and_close(void *arg) {
    struct sys own;
    sys_init(&own, &sys_kernel);
    while (!atomic_load((atomic_int *)arg)) {
        int fds[2];
        if (pipe_open(&own, fds, 0) == 0) {
            fds_close(&own, &fds[0]);
            fds_close(&own, &fds[1]);
        }
    }
    return NULL;
}

static size_t open_here(void) {
    size_t n = 0;
    for (int fd = 0; fd < 1000; fd++)
        n += is_open(fd) ? 1 : 0;
    return n;
}

/* The lock is free, only the lifeline is left, and nothing is open that nobody knows of. */
static bool is_whole(size_t open_before) {
    return fds_count() == 1 && open_here() == open_before + 1;
}

static void a_fork_finds_the_registry_whole_whatever_other_threads_do(void **state) {
    (void)state;
    pthread_t thread;
    atomic_int done = 0;
    size_t open_before = open_here();
    assert_int_equal(pthread_create(&thread, NULL, open_and_close, &done), 0);
    int wrong = 0;
    sys.fork_with_threads = true;
    for (int i = 0; i < many(300, 20); i++) {
        struct proc p;
        struct proc_end end = {.exit_code = 99};
        pid_t pid = proc_fork(&sys, &p, NULL, 0);
        if (pid == 0)
            sys_exit(is_whole(open_before) ? 0 : 1);
        wrong += pid < 0 || proc_reap(&sys, &p, hang(), &end) != 1 || end.exit_code != 0;
    }
    atomic_store(&done, 1);
    pthread_join(thread, NULL);
    sys.fork_with_threads = false;
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(without_memory_the_descriptor_is_closed),
        CLEAN_TEST(what_is_owned_is_counted_until_closed),
        CLEAN_TEST(an_error_passes_through),
        CLEAN_TEST(a_child_closes_all_but_what_it_keeps),
        CLEAN_TEST(a_kernel_without_close_range_does_as_well),
        CLEAN_TEST(a_kept_descriptor_of_the_host_is_not_taken_over),
        CLEAN_TEST(a_fork_finds_the_registry_whole_whatever_other_threads_do),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
