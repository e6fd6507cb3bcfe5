/* proc: a child process from its start to its reaping. A child leads a process group of its own (a
 * Ctrl-C goes to the coordinator first), holds no descriptor of ours but those it was given, and is
 * tied to us by a lifeline: when we end, however we end, the kernel kills its group, even if it is
 * stuck in a loop. Death is learnt from a pidfd, never from the end of a stream. Not for what a
 * child does: see pool. */
#ifndef RIG_OS_PROC_H
#define RIG_OS_PROC_H

#include "os/clock.h"
#include "os/sys.h"

struct proc {
    pid_t pid;    /* -1: none */
    int pidfd;    /* readable once it has ended */
    int lifeline; /* closing it kills the child's group */
};

#define PROC_NONE ((struct proc){.pid = -1, .pidfd = -1, .lifeline = -1})

struct proc_end {
    int exit_code; /* -1 when a signal ended it */
    int signal;    /* 0 when it exited */
    int64_t user_ns, sys_ns;
    int64_t minor_faults, major_faults, voluntary_switches, involuntary_switches;
    int64_t peak_rss_bytes; /* counts pages shared with us at the fork */
};

#define PROC_KEEP_MAX 512

/* Forks a copy of this process. In the parent: the pid, *p filled in. In the child: 0, *p has no pid and
 * the child's end of the lifeline, signal handlers are back to their defaults, and of our registered
 * descriptors only `keep` (at most PROC_KEEP_MAX) is open; it must leave by sys_exit. -errno: nothing was
 * started. -EDEADLK: this process has other threads, and s->fork_with_threads does not say that it may be
 * copied all the same; proc_say_threads has the words. A copy has the calling thread only: a lock that
 * another one held at that moment is held in it for ever. */
pid_t proc_fork(struct sys *s, struct proc *p, const int *keep, size_t n_keep);

/* The same for a child that executes a program at once and takes no lock before: whatever threads there are. */
pid_t proc_fork_fresh(struct sys *s, struct proc *p, const int *keep, size_t n_keep);

/* Why proc_fork said -EDEADLK, and what to do. */
void proc_say_threads(struct sys *s, char *text, size_t size);

struct proc_command {
    char *const *argv; /* argv[0] is looked up in PATH */
    char *const *envp; /* NULL: ours */
    const char *cwd;   /* NULL: ours */
    int stdio[3];      /* what becomes its 0, 1 and 2; ours stay open here */
};

/* Starts a command; the failure to execute it comes back as its -errno. */
int proc_exec(struct sys *s, struct proc *p, const struct proc_command *c);

/* Signals the whole group. 0 or -errno (-ESRCH: it has ended). */
int proc_signal(struct sys *s, const struct proc *p, int sig);

/* Waits until the deadline for the end and reaps. 1 and *end (may be NULL), 0 at the deadline,
 * -errno (-ECHILD: the host reaped it, its end is not known). After 1 or -ECHILD *p is PROC_NONE. */
int proc_reap(struct sys *s, struct proc *p, int64_t deadline, struct proc_end *end);

/* SIGTERM, up to grace_ns, SIGKILL; reaps. Like proc_reap, but never 0. grace_ns 0: SIGKILL at once. */
int proc_stop(struct sys *s, struct proc *p, int64_t grace_ns, struct proc_end *end);

/* Was it stopped (SIGSTOP and the like), and not continued since? One that a debugger stopped is not meant. */
bool proc_stands_still(struct sys *s, pid_t pid);

/* Bytes in memory, and those of them that no other process shares. 0 or -errno. */
int proc_memory(struct sys *s, pid_t pid, int64_t *rss, int64_t *unique);

#endif
