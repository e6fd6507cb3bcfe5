/* start=spawn: a worker is a fresh process: a fork of the coordinator that at once executes a program
 * whose main calls pool_worker_main. It has no memory of ours and only the descriptors that it is
 * passed. What it does with them is in spawned.c. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "os/fds.h"
#include "os/pipe.h"
#include "os/spawn.h"
#include "pool/boot.h"
#include "pool/inside.h"

/* A program that was started and says nothing for so long is none of ours. */
#define PATIENCE_NS (20 * NS_PER_S)
/* What has closed its end of the pipe by dying is gone after this. */
#define LAST_MOMENT_NS (NS_PER_S / 5)

struct spawn {
    int boot, slots; /* memory files */
    bool proven;     /* a first worker has said what it is: the others need not be waited for */
    bool self;       /* this very program */
    char program[];  /* its path */
};

static int keep_program(struct pool *p) {
    char self[PATH_MAX];
    const char *path = p->config.spawn.program;
    if (path == NULL || path[0] == '\0') {
        pool_say(p, "start=spawn needs a program to start");
        return -EINVAL;
    }
    bool is_self = strcmp(path, SPAWN_SELF) == 0;
    ssize_t n = is_self ? sys_readlink(p->sys, path, self, sizeof self - 1) : -1;
    if (n > 0) {
        self[n] = '\0';
        path = self;
    }
    const char *here = strchr(path, '/') == NULL ? "./" : ""; /* a path, never looked up in PATH */
    size_t size = strlen(here) + strlen(path) + 1;
    p->spawn = sys_malloc(p->sys, sizeof *p->spawn + size);
    if (p->spawn == NULL)
        return -ENOMEM;
    *p->spawn = (struct spawn){.boot = -1, .slots = -1, .self = is_self};
    snprintf(p->spawn->program, size, "%s%s", here, path);
    return 0;
}

static struct boot boot_of(const struct pool *p) {
    const struct pool_config *c = &p->config;
    struct boot b = {.magic = BOOT_MAGIC,
                     .format = BOOT_FORMAT,
                     .size = sizeof b,
                     .workers = c->workers,
                     .chunk = c->chunk,
                     .barrier = c->barrier,
                     .timeout_ns = c->timeout_ns,
                     .max_tasks = c->max_tasks,
                     .max_messages = c->max_messages,
                     .slots_size = p->slots_size,
                     .board = c->board,
                     .placed_size = c->placed != NULL ? c->placed->size : 0,
                     .job_size = c->spawn.job_size};
    snprintf(b.build, sizeof b.build, "%s", c->spawn.build ? c->spawn.build : "");
    snprintf(b.channel, sizeof b.channel, "%s", c->channel->name);
    snprintf(b.deliver, sizeof b.deliver, "%s", c->deliver->name);
    return b;
}

static int write_boot(struct pool *p) {
    const struct pool_spawn *spawn = &p->config.spawn;
    struct boot head = boot_of(p);
    size_t size = sizeof head + spawn->job_size;
    void *addr;
    int err = shm_open_sealable(p->sys, "rig-boot", size, &p->spawn->boot, &addr);
    if (err < 0)
        return err;
    memcpy(addr, &head, sizeof head);
    if (spawn->job_size > 0)
        memcpy((char *)addr + sizeof head, spawn->job, spawn->job_size);
    err = shm_seal_open(p->sys, &p->spawn->boot, size, &addr);
    if (err == 0)
        map_close(p->sys, addr, size);
    return err;
}

static int refuse_axes(struct pool *p) {
    const struct pool_config *c = &p->config;
    if (c->deliver == &deliver_inherit) {
        pool_say(p,
                 "start=spawn cannot go with delivery=inherit: a fresh process inherits nothing");
        return -EINVAL;
    }
    if (c->placed != NULL && c->placed->fd < 0) {
        pool_say(p, "start=spawn needs the descriptor that the placed data lies in");
        return -EINVAL;
    }
    return 0;
}

static int spawn_open(struct pool *p) {
    int err = refuse_axes(p);
    if (err == 0)
        err = keep_program(p);
    if (err == 0)
        err = shm_open_shared(p->sys, "rig-slots", p->slots_size, &p->spawn->slots, &p->slots);
    return err < 0 ? err : write_boot(p);
}

static void spawn_close(struct pool *p) {
    map_close(p->sys, p->slots, p->slots_size);
    p->slots = NULL;
    if (p->spawn == NULL)
        return;
    fds_close(p->sys, &p->spawn->boot);
    fds_close(p->sys, &p->spawn->slots);
    sys_free(p->spawn);
    p->spawn = NULL;
}

static void list_numbers(struct pool *p, struct worker *w, int lifeline, int hello,
                         int numbers[BOOT_NUMBERS]) {
    int fds[CHANNEL_FDS];
    int n = p->config.channel->pass(p, w, fds);
    numbers[BOOT_AT_ID] = (int)w->id;
    numbers[BOOT_AT_BOOT] = p->spawn->boot;
    numbers[BOOT_AT_SLOTS] = p->spawn->slots;
    numbers[BOOT_AT_LIFELINE] = lifeline;
    numbers[BOOT_AT_HELLO] = hello;
    numbers[BOOT_AT_FIXED] = p->config.deliver->pass(p);
    for (int i = 0; i < CHANNEL_FDS; i++)
        numbers[BOOT_AT_CHANNEL + i] = i < n ? fds[i] : -1;
}

/* This program by its path, as long as the file there is what runs here: by that name people see it. Else
 * by the link, which leads to it even when the file is gone, or is another by now. */
static int execute(struct pool *p, char *const argv[], const int *keep, size_t n, int until) {
    char now[PATH_MAX];
    const char *program = p->spawn->program;
    if (!p->spawn->self)
        return spawn_exec(p->sys, program, argv, keep, n, until);
    ssize_t len = sys_readlink(p->sys, SPAWN_SELF, now, sizeof now - 1);
    now[len > 0 ? len : 0] = '\0';
    if (strcmp(now, program) == 0)
        spawn_exec(p->sys, program, argv, keep, n, until);
    return spawn_exec(p->sys, SPAWN_SELF, argv, keep, n, until);
}

/* In the child. A worker that need not say hello has nothing of that pipe: our end is told by its
 * closing that the program runs. */
static _Noreturn void become(struct pool *p, struct worker *w, int report) {
    char name[] = BOOT_ARGUMENT, text[16 * BOOT_NUMBERS] = "";
    char *argv[] = {p->spawn->program, name, text, NULL};
    int numbers[BOOT_NUMBERS];
    size_t at = 0;
    list_numbers(p, w, w->proc.lifeline, p->spawn->proven ? -1 : report, numbers);
    for (int i = 0; i < BOOT_NUMBERS; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%d", i > 0 ? "," : "", numbers[i]);
    struct hello hello = {.error = execute(p, argv, numbers + 1, BOOT_NUMBERS - 1, report)};
    fd_write_full(p->sys, report, FD_PIPE, &hello, sizeof hello, DEADLINE_NEVER);
    sys_exit(127);
}

/* Its end of the pipe is closed, so it has ended, or will not say anything any more. */
static bool was_killed(struct pool *p, struct worker *w, int *signal) {
    struct proc_end end = {0};
    int got = proc_reap(p->sys, &w->proc, clock_now_ns() + LAST_MOMENT_NS, &end);
    *signal = end.signal;
    return got == 1 && end.signal != 0;
}

static int said_nothing(struct pool *p, struct worker *w, int err) {
    const char *how = "ended without calling rig_worker_main";
    int signal;
    if (err == -ECANCELED)
        return err;
    if (err == -EPIPE && was_killed(p, w, &signal)) {
        pool_say(p, "'%.100s' was ended by signal %d while it started", p->spawn->program, signal);
        return -ECHILD;
    }
    if (err == -ETIMEDOUT)
        how = "has not called rig_worker_main in time";
    pool_say(p,
             "'%.100s' %s: a program that embeds rig calls it first in main, or says in RIG_WORKER "
             "where the executable rig is",
             p->spawn->program, how);
    return err == -ETIMEDOUT ? err : -ENOEXEC;
}

/* Waits for the exec, and for a first worker's word. */
static int hear(struct pool *p, struct worker *w, int report) {
    struct hello hello;
    int64_t patience = p->config.spawn.patience_ns;
    int64_t deadline = clock_now_ns() + (patience > 0 ? patience : PATIENCE_NS);
    int err = fd_read_full(p->sys, report, &hello, sizeof hello, deadline, NULL);
    if (err == -EPIPE && p->spawn->proven)
        return 0;
    if (err < 0)
        return said_nothing(p, w, err);
    hello.text[sizeof hello.text - 1] = '\0';
    if (hello.error == 0) {
        p->spawn->proven = true;
        return 0;
    }
    pool_say(p, "start '%.100s': %s", p->spawn->program,
             hello.text[0] ? hello.text : strerror(-hello.error));
    return hello.error < 0 ? hello.error : -EPROTO;
}

static int spawn_start(struct pool *p, struct worker *w, const int *keep, size_t n) {
    int report[2], kept[BOOT_NUMBERS];
    (void)
        keep; /* a fork's; with more of the channel's, and without what is passed in a fork's memory */
    (void)n;
    int err = pipe_open(p->sys, report, 0);
    if (err < 0)
        return err;
    list_numbers(p, w, -1, report[1], kept);
    pid_t pid = proc_fork_fresh(p->sys, &w->proc, kept + 1, BOOT_NUMBERS - 1);
    if (pid == 0)
        become(p, w, report[1]);
    fds_close(p->sys, &report[1]);
    err = pid < 0 ? pid : hear(p, w, report[0]);
    fds_close(p->sys, &report[0]);
    if (w->proc.pid > 0 && err < 0)
        proc_stop(p->sys, &w->proc, 0, NULL);
    return err;
}

const struct start_ops start_spawn = {
    .name = "spawn",
    .help = "a fresh process, which has nothing of the coordinator's memory",
    .open = spawn_open,
    .close = spawn_close,
    .start = spawn_start,
};
