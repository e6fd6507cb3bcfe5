/* spawned: a worker of start=spawn from its main on: checks that it belongs to a pool of the same build,
 * takes over the descriptors that it was started with, puts together what a fork would have found in
 * its memory, and lives the life of any worker. Neighbours: start_spawn.c, which starts it; worker.c. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/fds.h"
#include "os/pipe.h"
#include "os/spawn.h"
#include "pool/boot.h"
#include "pool/inside.h"

#define EXIT_NO_WORKER 2   /* the arguments were not a pool's */
#define EXIT_REFUSED   126 /* as worker.c says it */

/* "1,4,5,…": exactly as many numbers as there must be. */
static bool parse(const char *text, int numbers[BOOT_NUMBERS]) {
    for (int i = 0; i < BOOT_NUMBERS; i++) {
        char *end;
        long v = strtol(text, &end, 10);
        if (end == text || v < -1 || v > INT_MAX)
            return false;
        if (*end != (i < BOOT_NUMBERS - 1 ? ',' : '\0'))
            return false;
        numbers[i] = (int)v;
        text = end + 1;
    }
    return numbers[BOOT_AT_ID] > 0;
}

/* Tells the coordinator how the start went, if it waits for that. */
static void say_hello(struct sys *s, int *fd, const struct hello *hello) {
    if (*fd >= 0)
        fd_write_full(s, *fd, FD_PIPE, hello, sizeof *hello, DEADLINE_NEVER);
    fds_close(s, fd);
}

static int adopt_all(struct sys *s, const int numbers[BOOT_NUMBERS]) {
    for (int i = BOOT_AT_BOOT; i < BOOT_NUMBERS; i++) {
        int err = numbers[i] >= 0 ? spawn_adopt(s, numbers[i]) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

static int wrong_build(const struct boot *b, const char *build, struct hello *hello) {
    bool same = b->format == BOOT_FORMAT && b->size == sizeof *b &&
                memchr(b->build, '\0', sizeof b->build) != NULL && strcmp(b->build, build) == 0;
    if (same)
        return 0;
    snprintf(hello->text, sizeof hello->text, "it is rig %.80s, and this is rig %.80s", build,
             b->build);
    return -EPROTO;
}

/* Maps the boot bytes: one page first, which is always there, then all that its head says. */
static int read_boot(struct sys *s, int fd, const char *build, struct hello *hello,
                     const struct boot **out) {
    void *addr;
    int err = shm_map(s, fd, sizeof(struct boot), false, &addr);
    if (err < 0)
        return err;
    struct boot head;
    memcpy(&head, addr, sizeof head);
    map_close(s, addr, sizeof head);
    if (head.magic != BOOT_MAGIC)
        return -EBADMSG;
    err = wrong_build(&head, build, hello);
    if (err == 0)
        err = shm_map(s, fd, sizeof head + head.job_size, false, &addr);
    *out = addr;
    return err;
}

static int take_config(struct pool *p, const struct boot *b) {
    struct pool_config *c = &p->config;
    c->start = &start_spawn;
    c->channel = channel_find(b->channel);
    c->deliver = deliver_find(b->deliver);
    c->workers = b->workers;
    c->chunk = b->chunk;
    c->barrier = b->barrier != 0;
    c->timeout_ns = b->timeout_ns;
    c->max_tasks = b->max_tasks;
    c->max_messages = b->max_messages;
    c->board = b->board;
    p->slots_size = b->slots_size;
    return c->channel == NULL || c->deliver == NULL ? -EBADMSG : 0;
}

static int put_together(struct pool *p, struct worker *w, const struct boot *b,
                        int numbers[BOOT_NUMBERS]) {
    int err = take_config(p, b);
    if (err == 0)
        err = shm_map(p->sys, numbers[BOOT_AT_SLOTS], p->slots_size, true, &p->slots);
    if (err < 0)
        return err;
    fds_close(p->sys, &numbers[BOOT_AT_SLOTS]);
    w->id = (unsigned)numbers[BOOT_AT_ID];
    if (w->id > b->workers || p->slots_size != SLOT_EACH * b->workers + b->board * sizeof(int64_t))
        return -EBADMSG;
    w->slot = (struct slot *)((char *)p->slots + (w->id - 1) * SLOT_EACH);
    err = p->config.channel->enter(p, w, numbers + BOOT_AT_CHANNEL);
    return err < 0 ? err : p->config.deliver->enter(p, numbers[BOOT_AT_FIXED], b->placed_size);
}

int pool_worker_main(int argc, char *const argv[], const char *build,
                     void (*make)(const uint8_t *job, size_t size, void *ctx, struct pool_job *out),
                     void *ctx) {
    int numbers[BOOT_NUMBERS];
    const struct boot *boot = NULL;
    struct hello hello = {0};
    struct sys s;
    if (argc < 2 || strcmp(argv[1], BOOT_ARGUMENT) != 0)
        return -1;
    sys_init(&s, &sys_kernel);
    if (argc != 3 || !parse(argv[2], numbers) || !shm_is_sealed(&s, numbers[BOOT_AT_BOOT]))
        return EXIT_NO_WORKER;
    spawn_unmark();
    struct pool p = {.sys = &s, .owner = s.pid};
    struct worker w = {.proc = PROC_NONE};
    int err = adopt_all(&s, numbers);
    if (err == 0)
        err = read_boot(&s, numbers[BOOT_AT_BOOT], build, &hello, &boot);
    if (err == 0)
        err = put_together(&p, &w, boot, numbers);
    fds_close(&s, &numbers[BOOT_AT_BOOT]);
    hello.error = err;
    say_hello(&s, &numbers[BOOT_AT_HELLO], &hello);
    if (err != 0 || boot == NULL)
        sys_exit(EXIT_REFUSED);
    make((const uint8_t *)(boot + 1), boot->job_size, ctx, &p.config.job);
    worker_run(&p, &w);
}
