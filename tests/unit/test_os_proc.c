/* Child processes from start to reaping: what a child has and has not, how its end is learnt, and that it never
 * outlives us. Commands are in test_os_exec.c. */
#include "os/proc.h"

#include <sys/eventfd.h>
#include <sys/mman.h>

#include "os/pipe.h"
#include "os_help.h"

static _Noreturn void spin(void) {
    for (volatile unsigned n = 0;; n++)
        ;
}

static void leave_with(void *code) {
    sys_exit(*(int *)code);
}

static void killed_by(void *sig) {
    raise(*(int *)sig);
}

static void for_ever(void *arg) {
    (void)arg;
    spin();
}

static void asleep(void *arg) {
    (void)arg;
    for (;;)
        pause();
}

static void an_exit_code_comes_back(void **state) {
    (void)state;
    for (int code = 0; code < 256; code += 51) {
        struct proc p;
        start(&p, leave_with, &code, NULL, 0);
        struct proc_end end = reap(&p);
        assert_int_equal(end.exit_code, code);
        assert_int_equal(end.signal, 0);
    }
}

static void a_signal_comes_back(void **state) {
    (void)state;
    const int signals[] = {SIGKILL, SIGTERM, SIGUSR1, SIGALRM};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct proc p;
        start(&p, killed_by, (void *)(uintptr_t)&signals[i], NULL, 0);
        struct proc_end end = reap(&p);
        assert_int_equal(end.exit_code, -1);
        assert_int_equal(end.signal, signals[i]);
    }
}

static void use_some(void *arg) {
    (void)arg;
    size_t n = (size_t)16 << 20;
    char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHILD_CHECK(p != MAP_FAILED);
    memset(p, 1, n);
    clock_spin(30000000);
}

static void what_it_used_comes_back(void **state) {
    (void)state;
    struct proc p;
    start(&p, use_some, NULL, NULL, 0);
    struct proc_end end = reap(&p);
    assert_int_equal(end.exit_code, 0);
    assert_true(end.user_ns + end.sys_ns > 0);
    assert_true(end.minor_faults > 0);
    assert_true(end.peak_rss_bytes >= 16 << 20);
    assert_true(end.voluntary_switches >= 0 && end.involuntary_switches >= 0);
}

static void waiting_ends_at_the_deadline_and_can_go_on(void **state) {
    (void)state;
    struct proc p;
    start(&p, asleep, NULL, NULL, 0);
    int64_t deadline = clock_now_ns() + 30000000;
    assert_int_equal(proc_reap(&sys, &p, deadline, NULL), 0);
    assert_true(clock_now_ns() >= deadline);
    assert_true(p.pid > 0);
    assert_int_equal(proc_signal(&sys, &p, SIGKILL), 0);
    assert_int_equal(reap(&p).signal, SIGKILL);
    assert_int_equal(proc_signal(&sys, &p, SIGKILL), -ESRCH);
    assert_int_equal(proc_reap(&sys, &p, hang(), NULL), -ECHILD);
}

static struct { int kept[2], other[2]; } ends;

static void check_inside(void *arg) {
    struct proc *p = arg;
    struct sigaction act;
    sigset_t mask;
    CHILD_CHECK(sys.pid == getpid());
    CHILD_CHECK(sys.stop == NULL);
    CHILD_CHECK(getpgid(0) == getpid());
    CHILD_CHECK(p->pid == -1 && p->pidfd == -1 && p->lifeline >= 0);
    CHILD_CHECK(fcntl(ends.kept[1], F_GETFD) >= 0);
    CHILD_CHECK(fcntl(ends.kept[0], F_GETFD) < 0);
    CHILD_CHECK(fcntl(ends.other[0], F_GETFD) < 0 && fcntl(ends.other[1], F_GETFD) < 0);
    CHILD_CHECK(fds_count() == 2);
    CHILD_CHECK(sigaction(SIGUSR1, NULL, &act) == 0 && act.sa_handler == SIG_DFL);
    CHILD_CHECK(sigaction(SIGUSR2, NULL, &act) == 0 && act.sa_handler == SIG_IGN);
    CHILD_CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    CHILD_CHECK(sigismember(&mask, SIGHUP) && !sigismember(&mask, SIGTERM));
}

static void a_child_holds_what_it_was_given_and_handles_no_signal(void **state) {
    (void)state;
    struct proc p;
    struct sys_stop stop = {.signo = 0, .fd = -1};
    struct sigaction handled = {.sa_handler = on_alarm}, ignored = {.sa_handler = SIG_IGN}, old[2];
    sigset_t hup, mask;
    sigemptyset(&hup);
    sigaddset(&hup, SIGHUP);
    assert_int_equal(pipe_open(&sys, ends.kept, 0), 0);
    assert_int_equal(pipe_open(&sys, ends.other, 0), 0);
    sigaction(SIGUSR1, &handled, &old[0]);
    sigaction(SIGUSR2, &ignored, &old[1]);
    pthread_sigmask(SIG_BLOCK, &hup, &mask);
    sys.stop = &stop;
    start(&p, check_inside, &p, &ends.kept[1], 1);
    sys.stop = NULL;
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    sigaction(SIGUSR1, &old[0], NULL);
    sigaction(SIGUSR2, &old[1], NULL);
    for (int i = 0; i < 2; i++) {
        fds_close(&sys, &ends.kept[i]);
        fds_close(&sys, &ends.other[i]);
    }
    assert_int_equal(reap(&p).exit_code, 0);
}

static void our_own_signal_mask_is_as_before(void **state) {
    (void)state;
    struct proc p;
    sigset_t before, after;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    start(&p, asleep, NULL, NULL, 0);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    assert_memory_equal(&before, &after, sizeof before / 16); /* the signals there are */
    assert_int_equal(proc_stop(&sys, &p, 0, NULL), 1);
}

static void many_descriptors_can_be_kept(void **state) {
    (void)state;
    struct proc p;
    int fds[512], too_many[513];
    for (int i = 0; i < 512; i++)
        fds[i] = fds_own(&sys, open("/dev/null", O_RDONLY | O_CLOEXEC));
    memset(too_many, -1, sizeof too_many);
    assert_int_equal(proc_fork(&sys, &p, too_many, 513), -EINVAL);
    assert_int_equal(p.pid, -1);
    pid_t pid = proc_fork(&sys, &p, fds, 512);
    if (pid == 0)
        sys_exit(fds_count() == 513 && fcntl(fds[511], F_GETFD) >= 0 ? 0 : 1);
    for (int i = 0; i < 512; i++)
        fds_close(&sys, &fds[i]);
    assert_true(pid > 0);
    assert_int_equal(reap(&p).exit_code, 0);
}

static void ignore_term(void *arg) {
    struct sigaction ignored = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &ignored, NULL);
    CHILD_CHECK(write(*(int *)arg, "x", 1) == 1);
    spin();
}

static void stopping_asks_first_and_insists_then(void **state) {
    (void)state;
    struct proc p;
    struct proc_end end;
    int said[2];
    char c;
    start(&p, asleep, NULL, NULL, 0);
    assert_int_equal(proc_stop(&sys, &p, HANG_NS, &end), 1);
    assert_int_equal(end.signal, SIGTERM);

    assert_int_equal(pipe_open(&sys, said, 0), 0);
    start(&p, ignore_term, &said[1], &said[1], 1);
    assert_int_equal(fd_read_full(&sys, said[0], &c, 1, hang(), NULL), 0);
    assert_int_equal(proc_stop(&sys, &p, 20000000, &end), 1);
    assert_int_equal(end.signal, SIGKILL);
    fds_close(&sys, &said[0]);
    fds_close(&sys, &said[1]);
}

static void a_process_that_stands_still_can_be_stopped(void **state) {
    (void)state;
    struct proc p;
    struct proc_end end;
    start(&p, asleep, NULL, NULL, 0);
    assert_int_equal(proc_signal(&sys, &p, SIGSTOP), 0);
    assert_int_equal(proc_stop(&sys, &p, HANG_NS, &end), 1);
    assert_int_equal(end.signal, SIGTERM);
    start(&p, asleep, NULL, NULL, 0);
    assert_int_equal(proc_signal(&sys, &p, SIGSTOP), 0);
    assert_int_equal(proc_stop(&sys, &p, 0, &end), 1);
    assert_int_equal(end.signal, SIGKILL);
}

static void a_raised_stop_does_not_cut_stopping_short(void **state) {
    (void)state;
    struct proc p;
    struct sys_stop stop = {.signo = SIGINT, .fd = eventfd(1, EFD_NONBLOCK)};
    start(&p, asleep, NULL, NULL, 0);
    sys.stop = &stop;
    int waited = proc_reap(&sys, &p, hang(), NULL);
    int stopped = proc_stop(&sys, &p, HANG_NS, NULL);
    bool kept = sys.stop == &stop;
    sys.stop = NULL;
    close(stop.fd);
    assert_int_equal(waited, -ECANCELED);
    assert_int_equal(stopped, 1);
    assert_true(kept);
}

/* The child starts another in its group, says its pid and goes or stays. */
static void with_grandchild(void *arg) {
    int *how = arg; /* the pipe's end; whether to stay */
    pid_t pid = fork();
    if (pid == 0)
        spin();
    CHILD_CHECK(write(how[0], &pid, sizeof pid) == sizeof pid);
    if (how[1])
        spin();
}

static pid_t start_family(struct proc *p, bool stays) {
    int said[2];
    pid_t grandchild = 0;
    assert_int_equal(pipe_open(&sys, said, 0), 0);
    int how[2] = {said[1], stays};
    start(p, with_grandchild, how, said + 1, 1);
    fds_close(&sys, &said[1]);
    assert_int_equal(fd_read_full(&sys, said[0], &grandchild, sizeof grandchild, hang(), NULL), 0);
    fds_close(&sys, &said[0]);
    return grandchild;
}

static void what_a_child_leaves_in_its_group_goes_when_it_is_reaped(void **state) {
    (void)state;
    struct proc p;
    pid_t grandchild = start_family(&p, false);
    assert_int_equal(reap(&p).exit_code, 0);
    assert_true(vanishes(grandchild));
}

static void cutting_the_lifeline_kills_a_stuck_child_and_its_children(void **state) {
    (void)state;
    struct proc p;
    pid_t grandchild = start_family(&p, true);
    fds_close(&sys, &p.lifeline);
    assert_int_equal(reap(&p).signal, SIGKILL);
    assert_true(vanishes(grandchild));
}

static void a_sibling_does_not_hold_the_lifeline(void **state) {
    (void)state;
    struct proc first, second;
    start(&first, for_ever, NULL, NULL, 0);
    start(&second, asleep, NULL, NULL, 0);
    fds_close(&sys, &first.lifeline);
    assert_int_equal(reap(&first).signal, SIGKILL);
    assert_int_equal(proc_reap(&sys, &second, clock_now_ns(), NULL), 0);
    assert_int_equal(proc_stop(&sys, &second, 0, NULL), 1);
}

/* Its parent is killed before it can do anything about its child. */
static void start_and_die(void *arg) {
    struct proc p;
    pid_t pid = proc_fork(&sys, &p, NULL, 0);
    if (pid == 0)
        spin();
    CHILD_CHECK(write(*(int *)arg, &pid, sizeof pid) == sizeof pid);
    raise(SIGKILL);
}

static void a_stuck_child_dies_with_its_parent(void **state) {
    (void)state;
    int said[2];
    pid_t orphan;
    struct proc p;
    assert_int_equal(pipe_open(&sys, said, 0), 0);
    start(&p, start_and_die, &said[1], said + 1, 1);
    assert_int_equal(fd_read_full(&sys, said[0], &orphan, sizeof orphan, hang(), NULL), 0);
    fds_close(&sys, &said[0]);
    fds_close(&sys, &said[1]);
    assert_int_equal(reap(&p).signal, SIGKILL);
    assert_true(vanishes(orphan));
}

static pid_t no_fork(unsigned flags) {
    (void)flags;
    return -EAGAIN;
}

static int no_pidfd(pid_t pid) {
    (void)pid;
    return -EMFILE;
}

static void a_fork_that_fails_leaves_nothing(void **state) {
    (void)state;
    struct proc p;
    size_t before = fds_count();
    faulty_begin()->fork = no_fork;
    assert_int_equal(proc_fork(&faulty, &p, NULL, 0), -EAGAIN);
    assert_int_equal(p.pid, -1);
    faulty_begin()->pidfd_open = no_pidfd;
    pid_t pid = proc_fork(&faulty, &p, NULL, 0);
    if (pid == 0)
        spin();
    assert_int_equal(pid, -EMFILE);
    assert_int_equal(p.pid, -1);
    assert_int_equal(fds_count(), before);
}

static void leave_when_told(void *arg) {
    char byte;
    CHILD_CHECK(fd_read_full(&sys, *(int *)arg, &byte, 1, hang(), NULL) == 0);
    sys_exit(3);
}

static void an_end_that_the_host_took_is_not_guessed(void **state) {
    (void)state;
    struct sigaction ignored = {.sa_handler = SIG_IGN}, old;
    struct proc p;
    struct proc_end end = {.exit_code = 77};
    int line[2];
    assert_int_equal(pipe_open(&sys, line, 0), 0);
    sigaction(SIGCHLD, &ignored, &old); /* the kernel reaps by itself now */
    start(&p, leave_when_told, &line[0], &line[0], 1);
    /* only now: one that ended before it had a pidfd would be no child at all */
    assert_int_equal(write(line[1], "x", 1), 1);
    int got = proc_reap(&sys, &p, hang(), &end);
    fds_close(&sys, &line[0]);
    fds_close(&sys, &line[1]);
    sigaction(SIGCHLD, &old, NULL);
    assert_int_equal(got, -ECHILD);
    assert_int_equal(end.exit_code, 77);
    assert_int_equal(p.pid, -1);
}

static void touch_and_wait(void *arg) {
    size_t n = (size_t)16 << 20;
    char *own = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHILD_CHECK(own != MAP_FAILED);
    memset(own, 1, n);
    CHILD_CHECK(write(*(int *)arg, "x", 1) == 1);
    asleep(NULL);
}

static void memory_of_its_own_is_told_from_what_is_shared(void **state) {
    (void)state;
    struct proc p;
    int said[2];
    char c;
    int64_t rss = 0, unique = 0;
    size_t n = (size_t)32 << 20;
    char *ours = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(ours != MAP_FAILED);
    memset(ours, 1, n);
    assert_int_equal(pipe_open(&sys, said, 0), 0);
    start(&p, touch_and_wait, &said[1], &said[1], 1);
    assert_int_equal(fd_read_full(&sys, said[0], &c, 1, hang(), NULL), 0);
    assert_int_equal(proc_memory(&sys, p.pid, &rss, &unique), 0);
    assert_true(rss >= 48 << 20); /* ours, inherited, and its own */
    assert_true(unique >= 16 << 20 && unique < 48 << 20);
    pid_t pid = p.pid;
    assert_int_equal(proc_stop(&sys, &p, 0, NULL), 1);
    assert_true(proc_memory(&sys, pid, &rss, &unique) < 0);
    munmap(ours, n);
    fds_close(&sys, &said[0]);
    fds_close(&sys, &said[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(an_exit_code_comes_back),
        CLEAN_TEST(a_signal_comes_back),
        CLEAN_TEST(what_it_used_comes_back),
        CLEAN_TEST(waiting_ends_at_the_deadline_and_can_go_on),
        CLEAN_TEST(a_child_holds_what_it_was_given_and_handles_no_signal),
        CLEAN_TEST(our_own_signal_mask_is_as_before),
        CLEAN_TEST(many_descriptors_can_be_kept),
        CLEAN_TEST(stopping_asks_first_and_insists_then),
        CLEAN_TEST(a_process_that_stands_still_can_be_stopped),
        CLEAN_TEST(a_raised_stop_does_not_cut_stopping_short),
        CLEAN_TEST(what_a_child_leaves_in_its_group_goes_when_it_is_reaped),
        CLEAN_TEST(cutting_the_lifeline_kills_a_stuck_child_and_its_children),
        CLEAN_TEST(a_sibling_does_not_hold_the_lifeline),
        CLEAN_TEST(a_stuck_child_dies_with_its_parent),
        CLEAN_TEST(a_fork_that_fails_leaves_nothing),
        CLEAN_TEST(an_end_that_the_host_took_is_not_guessed),
        CLEAN_TEST(memory_of_its_own_is_told_from_what_is_shared),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
