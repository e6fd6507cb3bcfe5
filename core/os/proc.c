/* proc: see proc.h. */
#include "os/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "os/fds.h"
#include "os/pipe.h"
#include "os/ready.h"

/* A handler of ours or of the host's must not run in the child: it would act on the parent's data. */
static void reset_handlers(struct sys *s) {
    struct sigaction old, plain = {.sa_handler = SIG_DFL};
    for (int sig = 1; sig < 32; sig++) {
        if (sys_sigaction(s, sig, NULL, &old) < 0)
            continue;
        if ((old.sa_flags & SA_SIGINFO) != 0 ||
            (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN))
            sys_sigaction(s, sig, &plain, NULL);
    }
}

/* The kernel sends SIGKILL to our group when the other end of the lifeline closes. The order
 * matters: first whom and what, then the switch, then a look, in case it closed before. */
static void hold_lifeline(struct sys *s, int fd) {
    bool held = sys_set_owner_group(s, fd, s->pid) >= 0 &&
                sys_fcntl(s, fd, F_SETSIG, SIGKILL) >= 0 &&
                sys_fcntl(s, fd, F_SETFL, O_ASYNC | O_NONBLOCK) >= 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct timespec now = {0, 0};
    if (!held)
        sys_exit(125);
    if (sys_poll(s, &p, 1, &now) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0)
        sys_kill(s, s->pid, SIGKILL); /* as it would have been a moment later */
}

static void become_child(struct sys *s, int lifeline, const int *keep, size_t n_keep) {
    int all[PROC_KEEP_MAX + 1];
    if (n_keep > 0)
        memcpy(all, keep, n_keep * sizeof *keep);
    all[n_keep] = lifeline;
    sys_refresh_pid(s);
    s->stop = NULL;
    sys_setpgid(s, 0, 0);
    fds_close_others(s, all, n_keep + 1);
    hold_lifeline(s, lifeline);
    reset_handlers(s);
}

/* Signals stay blocked over the fork, so that no handler runs in a half-made child. */
static pid_t fork_quietly(struct sys *s, bool copy, sigset_t *old) {
    sigset_t all;
    sigfillset(&all);
    /* What sits in stdio's buffers would be written twice, once by each process. Now, while a signal
     * still reaches us: it may take as long as whoever reads our output likes. A child that is no
     * copy writes none of it: there it is for the order of what people see, and not worth waiting
     * for a thread that holds a stream because it is reading from it. */
    if (copy || sys_threads(s, 0) <= 1)
        fflush(NULL);
    fds_hold();
    sys_mask_signals(s, SIG_BLOCK, &all, old);
    pid_t pid = sys_fork(s, 0);
    fds_release();
    return pid;
}

static pid_t fork_child(struct sys *s, struct proc *p, bool copy, const int *keep, size_t n_keep) {
    int line[2];
    sigset_t old;
    *p = PROC_NONE;
    if (n_keep > PROC_KEEP_MAX)
        return -EINVAL;
    int err = pipe_open(s, line, 0);
    if (err < 0)
        return err;
    pid_t pid = fork_quietly(s, copy, &old);
    if (pid == 0) {
        become_child(s, line[0], keep, n_keep);
        p->lifeline = line[0];
        sys_mask_signals(s, SIG_SETMASK, &old, NULL);
        return 0;
    }
    sys_mask_signals(s, SIG_SETMASK, &old, NULL);
    fds_close(s, &line[0]);
    if (pid < 0) {
        fds_close(s, &line[1]);
        return pid;
    }
    sys_setpgid(s, pid, pid); /* both do it: whoever comes first, nobody signals a wrong group */
    *p = (struct proc){.pid = pid, .pidfd = -1, .lifeline = line[1]};
    p->pidfd = fds_own(s, sys_pidfd_open(s, pid));
    if (p->pidfd >= 0)
        return pid;
    err = p->pidfd;
    p->pidfd = -1;
    proc_signal(s, p, SIGKILL);
    while (sys_wait(s, pid, NULL, 0, NULL) == -EINTR)
        ;
    fds_close(s, &p->lifeline);
    *p = PROC_NONE;
    return err;
}

/* One that was joined may still be counted, until the kernel is done with it. */
#define LOOKS   20
#define LOOK_NS (NS_PER_S / 1000)

/* Where the kernel does not tell (no /proc), nothing is refused. */
static bool has_threads(struct sys *s) {
    for (int i = 0; sys_threads(s, 0) > 1; i++) {
        if (i == LOOKS)
            return true;
        sys_nanosleep(s, clock_now_ns() + LOOK_NS);
    }
    return false;
}

void proc_say_threads(struct sys *s, char *text, size_t size) {
    snprintf(
        text, size,
        "this process has %d threads, and a lock that another one holds would stay held in a copy "
        "of it; use fresh processes (start=spawn, rig.exec), or allow copies: "
        "rig.fork_with_threads(true)",
        sys_threads(s, 0));
}

pid_t proc_fork(struct sys *s, struct proc *p, const int *keep, size_t n_keep) {
    *p = PROC_NONE;
    if (!s->fork_with_threads && has_threads(s))
        return -EDEADLK;
    return fork_child(s, p, true, keep, n_keep);
}

pid_t proc_fork_fresh(struct sys *s, struct proc *p, const int *keep, size_t n_keep) {
    return fork_child(s, p, false, keep, n_keep);
}

/* The lifeline survives the exec: its owner and signal belong to the open file, not to us. */
static void keep_over_exec(struct sys *s, int lifeline, const int stdio[3]) {
    sys_fcntl(s, lifeline, F_SETFD, 0);
    for (int i = 0; i < 3; i++)
        if (stdio[i] == i)
            sys_fcntl(s, i, F_SETFD, 0);
}

static int move_stdio(struct sys *s, const int stdio[3]) {
    int from[3];
    for (int i = 0; i < 3; i++) {
        /* out of the way first: a wanted end may itself sit on 0, 1 or 2 */
        from[i] = stdio[i] == i ? i : sys_fcntl(s, stdio[i], F_DUPFD_CLOEXEC, 3);
        if (from[i] < 0)
            return from[i];
    }
    for (int i = 0; i < 3; i++) {
        int got = from[i] == i ? 0 : sys_dup_to(s, from[i], i);
        if (got < 0)
            return got;
    }
    return 0;
}

extern char **environ;

static _Noreturn void exec_child(struct sys *s, int lifeline, const struct proc_command *c,
                                 int report) {
    int err = move_stdio(s, c->stdio);
    keep_over_exec(s, lifeline, c->stdio);
    if (err >= 0 && c->cwd != NULL)
        err = sys_chdir(s, c->cwd);
    if (err >= 0)
        err = sys_exec(s, c->argv[0], c->argv, c->envp ? c->envp : environ);
    sys_write(s, report, &err, sizeof err);
    sys_exit(127);
}

int proc_exec(struct sys *s, struct proc *p, const struct proc_command *c) {
    int report[2], why = 0;
    int err = pipe_open(s, report, 0);
    if (err < 0)
        return err;
    int keep[4] = {report[1], c->stdio[0], c->stdio[1], c->stdio[2]};
    pid_t pid = proc_fork_fresh(s, p, keep, 4);
    if (pid == 0)
        exec_child(s, p->lifeline, c, report[1]);
    fds_close(s, &report[1]);
    /* The end of the stream comes when exec closes the other end: it worked. */
    bool failed =
        pid > 0 && fd_read_full(s, report[0], &why, sizeof why, DEADLINE_NEVER, NULL) == 0;
    fds_close(s, &report[0]);
    if (!failed)
        return pid < 0 ? pid : 0;
    /* It exits by itself; a wish to stop must not keep us from reaping it. */
    proc_stop(s, p, 0, NULL);
    return why;
}

int proc_signal(struct sys *s, const struct proc *p, int sig) {
    if (p->pid <= 0)
        return -ESRCH;
    int err = sys_kill(s, -p->pid, sig);
    return err == -ESRCH ? sys_kill(s, p->pid, sig) : err;
}

static int64_t time_ns(struct timeval t) {
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_usec * 1000;
}

static void fill_end(struct proc_end *end, int status, const struct rusage *u) {
    *end = (struct proc_end){
        .exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .user_ns = time_ns(u->ru_utime),
        .sys_ns = time_ns(u->ru_stime),
        .minor_faults = u->ru_minflt,
        .major_faults = u->ru_majflt,
        .voluntary_switches = u->ru_nvcsw,
        .involuntary_switches = u->ru_nivcsw,
        .peak_rss_bytes = (int64_t)u->ru_maxrss * 1024,
    };
}

static void forget(struct sys *s, struct proc *p) {
    fds_close(s, &p->pidfd);
    fds_close(s, &p->lifeline);
    *p = PROC_NONE;
}

/* Reaps one that has ended, or is about to: waits, whatever asks us to stop. */
static int take_end(struct sys *s, struct proc *p, struct proc_end *end) {
    int status;
    struct rusage use;
    /* What it leaves in its group (a command it started) must not outlive it. Its number cannot be
     * anybody else's until we reap, but a host that reaps everything may have done that already. */
    if (sys_ended(s, p->pid) == 0)
        sys_kill(s, -p->pid, SIGKILL);
    pid_t pid;
    do {
        pid = sys_wait(s, p->pid, &status, 0, &use);
    } while (pid == -EINTR);
    if (pid < 0 && pid != -ECHILD)
        return pid;
    forget(s, p);
    if (pid < 0)
        return pid;
    if (end != NULL)
        fill_end(end, status, &use);
    return 1;
}

int proc_reap(struct sys *s, struct proc *p, int64_t deadline, struct proc_end *end) {
    if (p->pid <= 0)
        return -ECHILD;
    int got = ready_one(s, p->pidfd, POLLIN, deadline);
    return got <= 0 ? got : take_end(s, p, end);
}

int proc_stop(struct sys *s, struct proc *p, int64_t grace_ns, struct proc_end *end) {
    struct sys_stop *stop = s->stop;
    s->stop = NULL; /* stopping is what a raised stop asks for: it must not be cut short itself */
    int got = 0;
    if (grace_ns > 0) {
        proc_signal(s, p, SIGTERM);
        proc_signal(s, p, SIGCONT);
        got = proc_reap(s, p, clock_now_ns() + grace_ns, end);
    }
    if (p->pid > 0) { /* also when the wait failed: it must not be left behind for want of a poll */
        proc_signal(s, p, SIGKILL);
        got = take_end(s, p, end);
    } else if (got == 0) {
        got = -ECHILD;
    }
    s->stop = stop;
    return got;
}

static int64_t field_bytes(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at ? strtoll(at + strlen(name), NULL, 10) * 1024 : 0;
}

/* The text of a file of a process's; its length, or -errno. */
static ssize_t read_of(struct sys *s, pid_t pid, const char *name, char *text, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = sys_open(s, path, O_RDONLY, 0);
    if (fd < 0)
        return fd;
    ssize_t n = fd_read_some(s, fd, text, size - 1);
    sys_close(s, fd);
    if (n <= 0)
        return n < 0 ? n : -ESRCH;
    text[n] = '\0';
    return n;
}

/* "pid (name) state ...", and the name may have any characters. */
bool proc_stands_still(struct sys *s, pid_t pid) {
    char text[512];
    if (read_of(s, pid, "stat", text, sizeof text) < 0)
        return false;
    const char *shut = strrchr(text, ')');
    return shut != NULL && strncmp(shut, ") T", 3) == 0;
}

int proc_memory(struct sys *s, pid_t pid, int64_t *rss, int64_t *unique) {
    char text[2048];
    ssize_t n = read_of(s, pid, "smaps_rollup", text, sizeof text);
    if (n < 0)
        return (int)n;
    *rss = field_bytes(text, "Rss:");
    *unique = field_bytes(text, "Private_Clean:") + field_bytes(text, "Private_Dirty:");
    return 0;
}
