/* sys: the one table of everything the core asks of the kernel and of malloc. Each call goes through
 * `struct sys`, which counts it by kind and can be handed another table (tests make calls fail).
 * Convention: a result, or -errno; never errno itself. Not for policy: retries, deadlines and
 * ownership live in the files beside this one. */
#ifndef RIG_OS_SYS_H
#define RIG_OS_SYS_H

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

/* X(name, result, parameters, arguments). `fork` takes flags that must be 0. `map` and `remap`
 * leave the address in *addr (for `map` it is also the wish). A futex's word is 32 bits of memory that
 * processes share; `t` is how long to wait at most (NULL: for ever). */
#define SYS_CALLS(X)                                                                              \
    X(read, ssize_t, (int fd, void *buf, size_t n), (fd, buf, n))                                 \
    X(write, ssize_t, (int fd, const void *buf, size_t n), (fd, buf, n))                          \
    X(writev_quiet, ssize_t, (int fd, const struct iovec *iov, int n), (fd, iov, n))              \
    X(sendmsg, ssize_t, (int fd, const struct msghdr *m, int flags), (fd, m, flags))              \
    X(recvmsg, ssize_t, (int fd, struct msghdr *m, int flags), (fd, m, flags))                    \
    X(pipe, int, (int fds[2], int flags), (fds, flags))                                           \
    X(socketpair, int, (int type, int fds[2]), (type, fds))                                       \
    X(close, int, (int fd), (fd))                                                                 \
    X(close_range, int, (unsigned lo, unsigned hi), (lo, hi))                                     \
    X(dup_to, int, (int from, int to), (from, to))                                                \
    X(fcntl, int, (int fd, int cmd, long arg), (fd, cmd, arg))                                    \
    X(set_owner_group, int, (int fd, pid_t pgid), (fd, pgid))                                     \
    X(setsockopt, int, (int fd, int name, int value), (fd, name, value))                          \
    X(poll, int, (struct pollfd * p, nfds_t n, const struct timespec *t), (p, n, t))              \
    X(eventfd, int, (int flags), (flags))                                                         \
    X(futex_wait, int, (void *word, uint32_t value, const struct timespec *t), (word, value, t))  \
    X(futex_wake, int, (void *word, int n), (word, n))                                            \
    X(open, int, (const char *path, int flags, mode_t mode), (path, flags, mode))                 \
    X(mode, int, (const char *path, bool follow, mode_t *mode), (path, follow, mode))             \
    X(readlink, ssize_t, (const char *path, char *to, size_t n), (path, to, n))                   \
    X(ioctl, int, (int fd, unsigned long what, void *arg), (fd, what, arg))                       \
    X(fsync, int, (int fd), (fd))                                                                 \
    X(rename, int, (const char *from, const char *to), (from, to))                                \
    X(unlink, int, (const char *path), (path))                                                    \
    X(chdir, int, (const char *path), (path))                                                     \
    X(fork, pid_t, (unsigned flags), (flags))                                                     \
    X(exec, int, (const char *file, char *const argv[], char *const envp[]), (file, argv, envp))  \
    X(pidfd_open, int, (pid_t pid), (pid))                                                        \
    X(kill, int, (pid_t pid, int sig), (pid, sig))                                                \
    X(wait, pid_t, (pid_t pid, int *status, int flags, struct rusage *use),                       \
      (pid, status, flags, use))                                                                  \
    X(ended, int, (pid_t pid), (pid))                                                             \
    X(setpgid, int, (pid_t pid, pid_t pgid), (pid, pgid))                                         \
    X(threads, int, (pid_t pid), (pid))                                                           \
    X(sigaction, int, (int sig, const struct sigaction *now, struct sigaction *old),              \
      (sig, now, old))                                                                            \
    X(mask_signals, int, (int how, const sigset_t *set, sigset_t *old), (how, set, old))          \
    X(setaffinity, int, (const cpu_set_t *set), (set))                                            \
    X(getaffinity, int, (cpu_set_t * set), (set))                                                 \
    X(cores, int, (pid_t pid), (pid))                                                             \
    X(nanosleep, int, (int64_t until_ns), (until_ns))                                             \
    X(timer, int, (const struct itimerval *t), (t))                                               \
    X(continue_after, int, (int64_t ns), (ns))                                                    \
    X(map, int, (void **addr, size_t n, int prot, int flags, int fd), (addr, n, prot, flags, fd)) \
    X(unmap, int, (void *addr, size_t n), (addr, n))                                              \
    X(remap, int, (void **addr, size_t old, size_t n, int flags, void *to),                       \
      (addr, old, n, flags, to))                                                                  \
    X(madvise, int, (void *addr, size_t n, int advice), (addr, n, advice))                        \
    X(memfd, int, (const char *name), (name))                                                     \
    X(fallocate, int, (int fd, off_t n), (fd, n))                                                 \
    X(malloc, void *, (size_t n), (n))                                                            \
    X(realloc, void *, (void *p, size_t n), (p, n))

struct sys_table {
#define X(name, result, params, args) result(*name) params;
    SYS_CALLS(X)
#undef X
};

enum sys_kind {
#define X(name, result, params, args) SYS_##name,
    SYS_CALLS(X)
#undef X
        SYS_KINDS
};

/* A wish to stop, raised from a signal handler: `signo` is 0 until then, `fd` becomes readable. */
struct sys_stop {
    volatile sig_atomic_t signo;
    int fd;
};

/* One rig's view of the kernel. Not shared between threads. */
struct sys {
    const struct sys_table *table;
    uint64_t count[SYS_KINDS];
    pid_t pid;              /* of the process that is running; kept right across proc_fork */
    struct sys_stop *stop;  /* NULL: cannot be interrupted */
    bool fork_with_threads; /* see proc_fork */
};

extern const struct sys_table sys_kernel;
extern const char *const sys_names[SYS_KINDS];

void sys_init(struct sys *s, const struct sys_table *table);
void sys_refresh_pid(struct sys *s);

/* Frees what sys_malloc or sys_realloc gave; NULL is allowed. Cannot fail, so it is not counted. */
void sys_free(void *p);

/* Ends this process at once: no exit handlers, no flushing. */
_Noreturn void sys_exit(int code);

#define SYS_STRIP(...) __VA_ARGS__
#define X(name, result, params, args)                                  \
    static inline result sys_##name(struct sys *s, SYS_STRIP params) { \
        s->count[SYS_##name]++;                                        \
        return s->table->name args;                                    \
    }
SYS_CALLS(X)
#undef X

#endif
