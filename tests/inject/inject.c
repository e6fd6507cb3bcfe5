/* inject: see inject.h. This file stands in for `sys_kernel` and `sys_free` of core/os/sys.c, which is compiled with these
 * two under other names; so nothing in the core knows of it, and every process of a run comes by here. */
#include "inject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct inject_plan *inject_plan;
static unsigned role;
static _Atomic long live;

void sys_free_behind(void *p);

void inject_use(const char *path) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *got = fd < 0 ? MAP_FAILED
                       : mmap(NULL, sizeof *inject_plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (got == MAP_FAILED) {
        perror(path);
        _exit(2);
    }
    close(fd);
    setenv(INJECT_PLAN, path, 1);
    inject_plan = got;
}

static __attribute__((constructor)) void find_plan(void) {
    const char *path = getenv(INJECT_PLAN), *as = getenv(INJECT_ROLE);
    if (path != NULL)
        inject_use(path);
    if (path != NULL && as != NULL)
        role = (unsigned)atoi(as) % ROLES;
}

void inject_violated(const char *fmt, ...) {
    va_list args;
    if (inject_plan == NULL || atomic_exchange(&inject_plan->violated, 1))
        return;
    va_start(args, fmt);
    vsnprintf(inject_plan->violation, sizeof inject_plan->violation, fmt, args);
    va_end(args);
}

long inject_live(void) {
    return atomic_load(&live);
}

/* ---- is it now? --------------------------------------------------------------------------------------- */

/* Counts the call; true when it is the one that is to fail. */
static bool is_due(enum sys_kind kind) {
    struct inject_plan *p = inject_plan;
    if (p == NULL || !atomic_load(&p->armed))
        return false;
    uint64_t n = 1 + atomic_fetch_add(&p->count[role][kind], 1);
    if (p->mode == INJECT_NOTHING || p->kind != (int)kind || p->role != role)
        return false;
    return p->mode == INJECT_FROM ? n >= p->at : n == p->at;
}

/* What the call is to give instead: an errno or one of INJECT_…; 0: what the kernel gives. */
static int due(enum sys_kind kind, bool fits) {
    if (!is_due(kind))
        return 0;
    struct inject_plan *p = inject_plan;
    if (p->mode == INJECT_KILL) {
        atomic_fetch_add(&p->hits, 1);
        kill(getpid(), SIGKILL);
    }
    atomic_fetch_add(fits ? &p->hits : &p->unfit, 1);
    return fits ? p->err : 0;
}

static int planned(void) {
    return inject_plan != NULL && inject_plan->mode != INJECT_KILL ? inject_plan->err : 0;
}

/* ---- most calls: they fail, or do what they do ------------------------------------------------------------ */

#define FAILED(result, kind, err) ((result)((kind) >= SYS_malloc ? 0 : -(intptr_t)(err)))
#define X(name, result, params, args)                                            \
    static result plain_##name params {                                          \
        int err = due(SYS_##name, true);                                         \
        return err > 0 ? FAILED(result, SYS_##name, err) : sys_behind.name args; \
    }
SYS_CALLS(X)
#undef X

/* ---- those for which it matters what they are given ---------------------------------------------------------- */

enum { FIFO = 1, STREAM = 2, PACKETS = 4, FILE_ = 8, DEVICE = 16, OTHER = 32 };

static int class_of(int fd) {
    struct stat st;
    int type = 0;
    socklen_t n = sizeof type;
    if (fstat(fd, &st) < 0)
        return OTHER;
    if (S_ISSOCK(st.st_mode) && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0)
        return type == SOCK_STREAM ? STREAM : PACKETS;
    return S_ISFIFO(st.st_mode)  ? FIFO
           : S_ISREG(st.st_mode) ? FILE_
           : S_ISCHR(st.st_mode) ? DEVICE
                                 : OTHER;
}

/* What such a descriptor cannot say is not said; n are the bytes that it is to move. */
static bool fits_fd(int fd, size_t n, bool out) {
    int class = class_of(fd);
    if (class == OTHER) /* an eventfd: it only ever counts */
        return false;
    switch (planned()) {
    case EAGAIN: /* of a stream that holds bytes it cannot be, and yet nobody may wait for ever because of it */
        return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
    case EIO: return (class & (FILE_ | DEVICE)) != 0;
    case ENOSPC: return class == FILE_ && out;
    /* not of packets: of a queue's both ends are held by all */
    case EPIPE: return class == FIFO || (class == STREAM && !inject_plan->hands_over);
    case ECONNRESET: return class == STREAM && !inject_plan->hands_over;
    case INJECT_SHORT: /* a pipe takes up to 4 KiB whole or not at all */
        return n > 1 && (class & (STREAM | FILE_) || (class == FIFO && (!out || n > 4096)));
    default: return true;
    }
}

/* Short counts: one byte, but where it is for good at least 1,000, so that it comes to an end. */
static size_t shorter(size_t n) {
    size_t to = inject_plan->mode == INJECT_FROM ? 1000 : 1;
    return to < n ? to : n;
}

static ssize_t i_read(int fd, void *buf, size_t n) {
    int err = due(SYS_read, fits_fd(fd, n, false));
    return err == INJECT_SHORT ? sys_behind.read(fd, buf, shorter(n))
           : err > 0           ? -err
                               : sys_behind.read(fd, buf, n);
}

static ssize_t i_write(int fd, const void *buf, size_t n) {
    int err = due(SYS_write, fits_fd(fd, n, true));
    return err == INJECT_SHORT ? sys_behind.write(fd, buf, shorter(n))
           : err > 0           ? -err
                               : sys_behind.write(fd, buf, n);
}

static size_t sum_of(const struct iovec *iov, size_t n) {
    size_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += iov[i].iov_len;
    return sum;
}

/* The first piece that has bytes, cut. */
static struct iovec cut(const struct iovec *iov, size_t n) {
    struct iovec one = {0};
    for (size_t i = 0; i < n && one.iov_len == 0; i++)
        one = iov[i];
    one.iov_len = shorter(one.iov_len);
    return one;
}

static ssize_t i_writev_quiet(int fd, const struct iovec *iov, int n) {
    int err = due(SYS_writev_quiet, fits_fd(fd, sum_of(iov, (size_t)n), true));
    if (err != INJECT_SHORT)
        return err > 0 ? -err : sys_behind.writev_quiet(fd, iov, n);
    struct iovec one = cut(iov, (size_t)n);
    return sys_behind.writev_quiet(fd, &one, 1);
}

static ssize_t i_sendmsg(int fd, const struct msghdr *m, int flags) {
    int err = due(SYS_sendmsg, fits_fd(fd, sum_of(m->msg_iov, m->msg_iovlen), true));
    if (err != INJECT_SHORT)
        return err > 0 ? -err : sys_behind.sendmsg(fd, m, flags);
    struct iovec one = cut(m->msg_iov, m->msg_iovlen);
    struct msghdr less = *m;
    less.msg_iov = &one;
    less.msg_iovlen = 1;
    return sys_behind.sendmsg(fd, &less, flags);
}

static ssize_t i_recvmsg(int fd, struct msghdr *m, int flags) {
    int err = due(SYS_recvmsg, fits_fd(fd, sum_of(m->msg_iov, m->msg_iovlen), false));
    if (err != INJECT_SHORT)
        return err > 0 ? -err : sys_behind.recvmsg(fd, m, flags);
    struct iovec one = cut(m->msg_iov, m->msg_iovlen), *all = m->msg_iov;
    size_t n = m->msg_iovlen;
    m->msg_iov = &one;
    m->msg_iovlen = 1;
    ssize_t got = sys_behind.recvmsg(fd, m, flags);
    m->msg_iov = all;
    m->msg_iovlen = n;
    return got;
}

/* Linux closes in any case. */
static int i_close(int fd) {
    int err = due(SYS_close, true), got = sys_behind.close(fd);
    return err > 0 ? -err : got;
}

static int i_fcntl(int fd, int cmd, long arg) {
    int want = planned();
    bool fits = (cmd == F_SETPIPE_SZ && (want == EPERM || want == ENOMEM)) ||
                (cmd == F_DUPFD_CLOEXEC && want == EMFILE) ||
                (cmd == F_ADD_SEALS && want == EBUSY) ||
                (cmd == F_SETFL && (arg & O_ASYNC) && want == ENOMEM);
    int err = due(SYS_fcntl, fits);
    return err > 0 ? -err : sys_behind.fcntl(fd, cmd, arg);
}

static int i_open(const char *path, int flags, mode_t mode) {
    int want = planned();
    int err = due(SYS_open, (want != ENOSPC && want != EROFS) ||
                                (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0);
    return err > 0 ? -err : sys_behind.open(path, flags, mode);
}

/* Something else reaps all that ends: it is gone, and nobody knows how it ended. */
static pid_t i_wait(pid_t pid, int *status, int flags, struct rusage *use) {
    int err = due(SYS_wait, true);
    if (err != INJECT_LOST)
        return err > 0 ? -err : sys_behind.wait(pid, status, flags, use);
    pid_t got = sys_behind.wait(pid, NULL, flags, NULL);
    return got > 0 ? -ECHILD : got;
}

/* The parent's call comes too late when the child has executed its program. */
static int i_setpgid(pid_t pid, pid_t pgid) {
    int err = due(SYS_setpgid, pid != 0);
    return err > 0 ? -err : sys_behind.setpgid(pid, pgid);
}

static int i_futex_wait(void *word, uint32_t value, const struct timespec *t) {
    int err = due(SYS_futex_wait, true);
    return err == INJECT_SPURIOUS ? 0 : err > 0 ? -err : sys_behind.futex_wait(word, value, t);
}

static pid_t i_fork(unsigned flags) {
    int err = due(SYS_fork, true);
    if (err > 0)
        return -err;
    unsigned next = ROLE_OTHER;
    if (role == 0 && inject_plan != NULL && atomic_load(&inject_plan->armed)) {
        unsigned n = 1 + atomic_fetch_add(&inject_plan->forks, 1);
        next = n < ROLE_OTHER ? n : ROLE_OTHER;
    }
    pid_t pid = sys_behind.fork(flags);
    if (pid == 0) {
        char text[16];
        role = next;
        snprintf(text, sizeof text, "%u", role);
        setenv(INJECT_ROLE, text, 1);
    }
    return pid;
}

static void *i_malloc(size_t n) {
    void *got = due(SYS_malloc, true) > 0 ? NULL : sys_behind.malloc(n);
    live += got != NULL;
    return got;
}

static void *i_realloc(void *p, size_t n) {
    void *got = due(SYS_realloc, true) > 0 ? NULL : sys_behind.realloc(p, n);
    live += p == NULL && got != NULL;
    return got;
}

void sys_free(void *p) {
    live -= p != NULL;
    sys_free_behind(p);
}

/* ---- the table ---------------------------------------------------------------------------------------------- */

static struct sys_table through;

static __attribute__((constructor)) void fill(void) {
#define X(name, result, params, args) through.name = plain_##name;
    SYS_CALLS(X)
#undef X
    through.read = i_read;
    through.write = i_write;
    through.writev_quiet = i_writev_quiet;
    through.sendmsg = i_sendmsg;
    through.recvmsg = i_recvmsg;
    through.close = i_close;
    through.fcntl = i_fcntl;
    through.open = i_open;
    through.wait = i_wait;
    through.setpgid = i_setpgid;
    through.futex_wait = i_futex_wait;
    through.fork = i_fork;
    through.malloc = i_malloc;
    through.realloc = i_realloc;
}

#define X(name, result, params, args) \
    static result t_##name params {   \
        return through.name args;     \
    }
SYS_CALLS(X)
#undef X

const struct sys_table sys_kernel = {
#define X(name, result, params, args) .name = t_##name,
    SYS_CALLS(X)
#undef X
};
