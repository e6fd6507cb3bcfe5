/* A worker that the kernel kills because memory has run out: said where the control group counted it, and only then. The
 * kernel's files are what the test says; nothing is exhausted. */
#include <sys/mman.h>

#include "pool_help.h"

static long kills;        /* that the control group has counted */
static bool has_no_group; /* cgroup v1, or none at all */

static int file_with(const char *text) {
    int fd = memfd_create("test", MFD_CLOEXEC);
    size_t n = strlen(text);
    if (write(fd, text, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    return fd;
}

static int open_events(const char *path, int flags, mode_t mode) {
    char text[128];
    if (strcmp(path, "/proc/self/cgroup") == 0)
        return file_with(has_no_group ? "4:memory:/here\n" : "0::/here\n");
    if (strcmp(path, "/sys/fs/cgroup/here/memory.events") != 0)
        return sys_kernel.open(path, flags, mode);
    snprintf(text, sizeof text, "low 0\nhigh 0\nmax 7\noom 9\noom_kill %ld\noom_group_kill 3\n",
             kills);
    return file_with(text);
}

static void the_number_is_read_from_the_group(void **state) {
    (void)state;
    faulty_begin()->open = open_events;
    has_no_group = false;
    kills = 5;
    assert_int_equal(memory_oom_kills(&faulty), 5);
    kills = 0;
    assert_int_equal(memory_oom_kills(&faulty), 0);
    has_no_group = true;
    assert_int_equal(memory_oom_kills(&faulty), -1);
    faulty_begin()->open = sys_kernel.open;
    assert_true(memory_oom_kills(&faulty) >= -1);
}

/* Workers die by these signals at items 2, 4 and 6, while the group counts `counted` more: how many of them are said to have
 * been killed for want of memory. */
static unsigned blamed(const int signals[3], long counted) {
    struct sys real = sys;
    faulty_begin()->open = open_events;
    sys.table = &faulty_table;
    kills = 17; /* before our time */
    struct rig_pool r = opened("socket", "inherit", 2, 1);
    kills += counted;
    map_begin(20);
    unsigned said = 0;
    for (int i = 0; i < 3; i++)
        map.items[2 * i + 2] = (struct item){.op = RAISE, .arg = signals[i], .n = 1};
    assert_int_equal(map_run(&r, true), 0);
    map_check(&r);
    for (int i = 0; i < 3; i++) {
        const struct seen *s = &map.seen[2 * i + 2];
        assert_int_equal(s->outcome.kind, OUTCOME_DIED);
        assert_int_equal(s->outcome.signal, signals[i]);
        bool is = strstr(s->message, "by the kernel's OOM killer") != NULL;
        assert_true(is || s->message[0] == '\0');
        said += is;
    }
    assert_int_equal(pool_close(r.pool), 0);
    release(&r);
    sys = real;
    return said;
}

#define KILLED \
    { SIGKILL, SIGKILL, SIGKILL }

static void it_is_said_of_as_many_as_the_group_counted(void **state) {
    (void)state;
    has_no_group = false;
    assert_int_equal(blamed((const int[3])KILLED, 0), 0);
    assert_int_equal(blamed((const int[3])KILLED, 1), 1);
    assert_int_equal(blamed((const int[3])KILLED, 3), 3);
    assert_int_equal(blamed((const int[3])KILLED, 9), 3);
}

static void other_signals_are_never_the_kernels(void **state) {
    (void)state;
    has_no_group = false;
    assert_int_equal(blamed((const int[3]){SIGTERM, SIGKILL, SIGUSR1}, 3), 1);
}

static void without_a_count_nobody_is_blamed(void **state) {
    (void)state;
    has_no_group = true;
    assert_int_equal(blamed((const int[3])KILLED, 3), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(the_number_is_read_from_the_group),
        CLEAN_TEST(it_is_said_of_as_many_as_the_group_counted),
        CLEAN_TEST(other_signals_are_never_the_kernels),
        CLEAN_TEST(without_a_count_nobody_is_blamed),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
