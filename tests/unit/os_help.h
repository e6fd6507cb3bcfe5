/* For the tests of core/os and core/pool: the kernel's table with a call or two replaced, code that runs in a
 * child, and waiting for what another process does. Checks in a child go by CHILD_CHECK: an assertion of cmocka's
 * would jump into the parent's test. */
#ifndef RIG_TESTS_OS_HELP_H
#define RIG_TESTS_OS_HELP_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clean.h"
#include "os/clock.h"
#include "os/fds.h"
#include "os/proc.h"
#include "os/sys.h"

/* Far more than anything here takes, even a hundred times slower: what is not there by then has hung. */
#define HANG_NS (60 * NS_PER_S)

static struct sys sys;

static inline int64_t hang(void) {
    return clock_now_ns() + HANG_NS;
}

#define CHILD_CHECK(what)                                                          \
    do {                                                                           \
        if (!(what)) {                                                             \
            fprintf(stderr, "%s:%d: in a child: %s\n", __FILE__, __LINE__, #what); \
            _exit(99);                                                             \
        }                                                                          \
    } while (0)

/* How a child of ours ended: its exit code, or 128 + signal. */
static inline int ended(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Runs f(arg) in a plain fork, where it may fail or crash; gives how that ended. */
static inline int in_child(void (*f)(void *), void *arg) {
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        sys_refresh_pid(&sys);
        f(arg);
        _exit(0);
    }
    return ended(pid);
}

/* Forks as the core does; the child runs f(arg) and leaves by 0, or by what f exits with. */
static inline void start(struct proc *p, void (*f)(void *), void *arg, const int *keep, size_t n) {
    pid_t pid = proc_fork(&sys, p, keep, n);
    assert_true(pid >= 0);
    if (pid == 0) {
        f(arg);
        sys_exit(0);
    }
    assert_int_equal(pid, p->pid);
}

static inline struct proc_end reap(struct proc *p) {
    struct proc_end end = {.exit_code = 77};
    assert_int_equal(proc_reap(&sys, p, hang(), &end), 1);
    assert_int_equal(p->pid, -1);
    assert_int_equal(p->pidfd, -1);
    assert_int_equal(p->lifeline, -1);
    return end;
}

static inline void nap_ms(int ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

/* The state letter of a process and its parent; 0 when it is gone. */
static inline char state_of(pid_t pid, int *parent) {
    char path[64], line[512] = "", state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    char *shut = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    fclose(file);
    return (char)(shut != NULL && sscanf(shut + 1, " %c %d", &state, parent) == 2 ? state : 0);
}

/* Whether the process goes within the hang limit. One that has ended and waits for us to take notice counts as
 * gone, or for an init that may never do so; an orphan, which the harness takes in, must really be gone. */
static inline int vanishes(pid_t pid) {
    for (int64_t end = hang(); clock_now_ns() < end; nap_ms(5)) {
        int parent;
        char state = state_of(pid, &parent);
        if (state == 0 || (state == 'Z' && (parent == getpid() || parent == 1)))
            return 1;
    }
    return 0;
}

/* Waits until a process that is sent SIGSTOP, by us or by itself, stands still. */
static inline void await_stopped(pid_t pid) {
    int parent;
    for (int64_t end = hang(); state_of(pid, &parent) != 'T'; nap_ms(1))
        assert_true(clock_now_ns() < end);
}

/* Stops a process, and returns when it stands still: until then it may take one more message. */
static inline void stop_process(pid_t pid) {
    assert_int_equal(kill(pid, SIGSTOP), 0);
    await_stopped(pid);
}

/* The kernel's table, to be changed by the test, and a struct sys over it. */
static struct sys_table faulty_table;
static struct sys faulty;

static inline struct sys_table *faulty_begin(void) {
    faulty_table = sys_kernel;
    sys_init(&faulty, &faulty_table);
    return &faulty_table;
}

static volatile sig_atomic_t alarms;

static inline void on_alarm(int sig) {
    (void)sig;
    alarms++;
}

/* Signals at 1 kHz, which interrupt every call that waits; 0 ends them. Under valgrind, which would do nothing but
 * deliver them, at 50 Hz. The handler stays: valgrind may deliver the last one late. */
static inline void alarm_storm(int on) {
    struct sigaction act = {.sa_handler = on_alarm};
    int every_us = on ? many(1000, 20000) : 0;
    struct itimerval timer = {.it_interval = {0, every_us}, .it_value = {0, every_us}};
    sigaction(SIGALRM, &act, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

#endif
