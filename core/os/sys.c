/* sys: the kernel behind the table of sys.h, one thin function a call. The only file that names
 * system calls; no policy here. */
#include "os/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL \
    0x00000100 /* Linux 6.18: a write to a pipe without readers raises no SIGPIPE */
#endif

#define OR_ERRNO(type, call)                   \
    do {                                       \
        type got_ = (call);                    \
        return got_ < 0 ? (type)-errno : got_; \
    } while (0)

static ssize_t k_read(int fd, void *buf, size_t n) {
    OR_ERRNO(ssize_t, read(fd, buf, n));
}
static ssize_t k_write(int fd, const void *buf, size_t n) {
    OR_ERRNO(ssize_t, write(fd, buf, n));
}

/* Older kernels know no RWF_NOSIGNAL: there the thread's mask keeps SIGPIPE away, and one that this
 * write raised is taken back, so that the host's own disposition and pending signals stay as they are. */
static ssize_t writev_masked(int fd, const struct iovec *iov, int n) {
    sigset_t quiet, old, pending;
    sigemptyset(&quiet);
    sigaddset(&quiet, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &quiet, &old);
    ssize_t got = writev(fd, iov, n);
    int err = errno;
    if (got < 0 && err == EPIPE && !sigismember(&pending, SIGPIPE)) {
        struct timespec none = {0, 0};
        sigtimedwait(&quiet, NULL, &none);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return got < 0 ? -err : got;
}

static ssize_t k_writev_quiet(int fd, const struct iovec *iov, int n) {
    static volatile sig_atomic_t unknown_flag;
    if (!unknown_flag) {
        ssize_t got = pwritev2(fd, iov, n, -1, RWF_NOSIGNAL);
        if (got >= 0)
            return got;
        if (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS)
            return -errno;
        unknown_flag = 1;
    }
    return writev_masked(fd, iov, n);
}

static ssize_t k_sendmsg(int fd, const struct msghdr *m, int flags) {
    OR_ERRNO(ssize_t, sendmsg(fd, m, flags | MSG_NOSIGNAL));
}
static ssize_t k_recvmsg(int fd, struct msghdr *m, int flags) {
    OR_ERRNO(ssize_t, recvmsg(fd, m, flags | MSG_CMSG_CLOEXEC));
}
static int k_pipe(int fds[2], int flags) {
    OR_ERRNO(int, pipe2(fds, flags | O_CLOEXEC));
}
static int k_socketpair(int type, int fds[2]) {
    OR_ERRNO(int, socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds));
}
static int k_close(int fd) {
    OR_ERRNO(int, close(fd));
}
static int k_close_range(unsigned lo, unsigned hi) {
    OR_ERRNO(int, (int)syscall(SYS_close_range, lo, hi, 0));
}
static int k_dup_to(int from, int to) {
    OR_ERRNO(int, dup2(from, to));
}
static int k_fcntl(int fd, int cmd, long arg) {
    OR_ERRNO(int, fcntl(fd, cmd, arg));
}
static int k_set_owner_group(int fd, pid_t pgid) {
    struct f_owner_ex owner = {.type = F_OWNER_PGRP, .pid = pgid};
    OR_ERRNO(int, fcntl(fd, F_SETOWN_EX, &owner));
}
static int k_setsockopt(int fd, int name, int value) {
    OR_ERRNO(int, setsockopt(fd, SOL_SOCKET, name, &value, sizeof value));
}
static int k_poll(struct pollfd *p, nfds_t n, const struct timespec *t) {
    OR_ERRNO(int, ppoll(p, n, t, NULL));
}
static int k_eventfd(int flags) {
    OR_ERRNO(int, eventfd(0, flags | EFD_CLOEXEC));
}
static int k_futex_wait(void *word, uint32_t value, const struct timespec *t) {
    OR_ERRNO(int, (int)syscall(SYS_futex, word, FUTEX_WAIT, value, t, NULL, 0));
}
static int k_futex_wake(void *word, int n) {
    OR_ERRNO(int, (int)syscall(SYS_futex, word, FUTEX_WAKE, n, NULL, NULL, 0));
}
static int k_open(const char *path, int flags, mode_t mode) {
    OR_ERRNO(int, open(path, flags | O_CLOEXEC, mode));
}
static int k_mode(const char *path, bool follow, mode_t *mode) {
    struct stat st;
    if ((follow ? stat(path, &st) : lstat(path, &st)) < 0)
        return -errno;
    *mode = st.st_mode;
    return 0;
}
static ssize_t k_readlink(const char *path, char *to, size_t n) {
    OR_ERRNO(ssize_t, readlink(path, to, n));
}
static int k_ioctl(int fd, unsigned long what, void *arg) {
    OR_ERRNO(int, ioctl(fd, what, arg));
}
static int k_fsync(int fd) {
    OR_ERRNO(int, fsync(fd));
}
static int k_rename(const char *from, const char *to) {
    OR_ERRNO(int, rename(from, to));
}
static int k_unlink(const char *path) {
    OR_ERRNO(int, unlink(path));
}
static int k_chdir(const char *path) {
    OR_ERRNO(int, chdir(path));
}

static pid_t k_fork(unsigned flags) {
    if (flags != 0)
        return -EINVAL;
    OR_ERRNO(pid_t, fork());
}
static int k_exec(const char *file, char *const argv[], char *const envp[]) {
    OR_ERRNO(int, execvpe(file, argv, envp));
}
static int k_pidfd_open(pid_t pid) {
    OR_ERRNO(int, (int)syscall(SYS_pidfd_open, pid, 0));
}
static int k_kill(pid_t pid, int sig) {
    OR_ERRNO(int, kill(pid, sig));
}
static pid_t k_wait(pid_t pid, int *status, int flags, struct rusage *use) {
    OR_ERRNO(pid_t, wait4(pid, status, flags, use));
}
/* 0: our child has ended and waits to be reaped; its number is not free yet. */
static int k_ended(pid_t pid) {
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) < 0)
        return -errno;
    return info.si_pid == pid ? 0 : -EAGAIN;
}
static int k_setpgid(pid_t pid, pid_t pgid) {
    OR_ERRNO(int, setpgid(pid, pgid));
}
/* ThreadSanitizer has a thread of its own from the first one on; it sees to its forks itself. */
#if defined(__SANITIZE_THREAD__)
#define SANITIZERS_OWN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SANITIZERS_OWN 1
#endif
#endif
#ifndef SANITIZERS_OWN
#define SANITIZERS_OWN 0
#endif

/* The folder of a process's threads has a link for each, and the two of every folder. 0: the process itself. */
static int k_threads(pid_t pid) {
    char path[32] = "/proc/self/task";
    struct stat st;
    if (pid != 0)
        snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    if (stat(path, &st) < 0)
        return -errno;
    int n = (int)st.st_nlink - 2;
    return n <= 0 ? -ENOSYS : n > 1 ? n - SANITIZERS_OWN : n;
}
static int k_sigaction(int sig, const struct sigaction *now, struct sigaction *old) {
    OR_ERRNO(int, sigaction(sig, now, old));
}
static int k_mask_signals(int how, const sigset_t *set, sigset_t *old) {
    return -pthread_sigmask(how, set, old);
}
static int k_setaffinity(const cpu_set_t *set) {
    OR_ERRNO(int, sched_setaffinity(0, sizeof *set, set));
}
static int k_getaffinity(cpu_set_t *set) {
    OR_ERRNO(int, sched_getaffinity(0, sizeof *set, set));
}
static int k_cores(pid_t pid) {
    cpu_set_t set;
    if (sched_getaffinity(pid, sizeof set, &set) < 0)
        return -errno;
    return CPU_COUNT(&set);
}
static int k_nanosleep(int64_t until_ns) {
    struct timespec t = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    return -clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}
/* SIGCONT to ourselves, then, even if we are stopped: a timer runs on, and no other process is needed. */
static int k_continue_after(int64_t ns) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGCONT};
    struct itimerspec t = {.it_value = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
        return -errno;
    OR_ERRNO(int, timer_settime(timer, 0, &t, NULL));
}
static int k_timer(const struct itimerval *t) {
    OR_ERRNO(int, setitimer(ITIMER_REAL, t, NULL));
}
static int k_map(void **addr, size_t n, int prot, int flags, int fd) {
    void *got = mmap(*addr, n, prot, flags, fd, 0);
    if (got == MAP_FAILED)
        return -errno;
    *addr = got;
    return 0;
}
static int k_unmap(void *addr, size_t n) {
    OR_ERRNO(int, munmap(addr, n));
}
static int k_remap(void **addr, size_t old, size_t n, int flags, void *to) {
    void *got = mremap(*addr, old, n, flags, to);
    if (got == MAP_FAILED)
        return -errno;
    *addr = got;
    return 0;
}
static int k_madvise(void *addr, size_t n, int advice) {
    OR_ERRNO(int, madvise(addr, n, advice));
}
static int k_memfd(const char *name) {
    OR_ERRNO(int, memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
}
static int k_fallocate(int fd, off_t n) {
    return -posix_fallocate(fd, 0, n);
}
static void *k_malloc(size_t n) {
    return malloc(n ? n : 1);
}
static void *k_realloc(void *p, size_t n) {
    return realloc(p, n ? n : 1);
}

const struct sys_table sys_kernel = {
#define X(name, result, params, args) .name = k_##name,
    SYS_CALLS(X)
#undef X
};

const char *const sys_names[SYS_KINDS] = {
#define X(name, result, params, args) #name,
    SYS_CALLS(X)
#undef X
};

void sys_init(struct sys *s, const struct sys_table *table) {
    *s = (struct sys){.table = table};
    sys_refresh_pid(s);
}

void sys_refresh_pid(struct sys *s) {
    s->pid = getpid();
}
void sys_free(void *p) {
    free(p);
}

#ifdef RIG_COVERAGE
void __gcov_dump(void);
#endif

_Noreturn void sys_exit(int code) {
#ifdef RIG_COVERAGE
    __gcov_dump(); /* what a child executed is written at exit, which this is not */
#endif
    _exit(code);
}
