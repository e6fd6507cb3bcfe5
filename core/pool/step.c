/* step: the coordinator's loop: what there is to wait for, and what to do when it comes. Nothing here
 * blocks on one worker. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/ready.h"
#include "pool/inside.h"

struct worker *pool_worker(struct pool *p, unsigned id) {
    return id >= 1 && id <= p->config.workers ? &p->workers[id - 1] : NULL;
}

static int keep_failure(struct pool *p, const struct received *r) {
    char *text = sys_realloc(p->sys, p->failure, r->len + 1);
    if (text == NULL)
        return -ENOMEM;
    memcpy(text, r->body, r->len);
    text[r->len] = '\0';
    p->failure = text;
    return 0;
}

int step_take(struct pool *p, unsigned id, const struct received *r) {
    struct worker *w = pool_worker(p, id);
    if (w == NULL)
        return -EBADMSG;
    switch (r->head.type) {
    case FRAME_READY: w->ready = true; return 0;
    case FRAME_RESULTS: return map_results(p, id, r);
    case FRAME_FAILED: return keep_failure(p, r);
    default: return -EBADMSG;
    }
}

int step_distrust(struct pool *p, struct worker *w, int err) {
    if (err != -EBADMSG)
        return err;
    if (w->proc.pidfd >= 0) /* once it is reaped, its number may be another's */
        proc_signal(p->sys, &w->proc, SIGKILL);
    return 0;
}

static int make_room(struct pool *p) {
    size_t need = (size_t)p->config.workers * 3 + STEP_PARTS_MAX + 3;
    if (need <= p->cap_polls)
        return 0;
    struct pollfd *more = sys_realloc(p->sys, p->polls, need * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    p->polls = more;
    p->cap_polls = need;
    return 0;
}

int step_watch(struct pool *p, int fd, short events) {
    if (fd < 0)
        return -1;
    p->polls[p->n_polls] = (struct pollfd){.fd = fd, .events = events};
    return (int)p->n_polls++;
}

bool step_came(const struct pool *p, int at) {
    return at >= 0 && (size_t)at < p->n_polls && p->polls[at].revents != 0;
}

static int watch_all(struct pool *p) {
    int err = make_room(p);
    if (err < 0)
        return err;
    for (unsigned i = 0; i < p->config.workers; i++)
        p->workers[i].at_pidfd = step_watch(p, p->workers[i].proc.pidfd, POLLIN);
    if (p->fixed_queue != NULL)
        step_watch(p, queue_waits(p->fixed_queue), POLLOUT);
    p->config.channel->watch(p);
    return 0;
}

static int flush_all(struct pool *p) {
    int got = p->fixed_queue != NULL ? queue_flush(p->fixed_queue) : 0;
    return got < 0 && got != -EPIPE ? got : p->config.channel->flush(p);
}

static int reap_ended(struct pool *p) {
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct worker *w = &p->workers[i];
        struct proc_end end;
        if (!step_came(p, w->at_pidfd))
            continue;
        int32_t pid = w->proc.pid;
        int got = proc_reap(p->sys, &w->proc, DEADLINE_NEVER, &end);
        if (got < 0 && got != -ECHILD)
            return got;
        w->proc.pid = pid; /* for the reports; worker_ended forgets it */
        got = worker_ended(p, w, got == 1 ? &end : NULL);
        if (got < 0)
            return got;
    }
    return 0;
}

/* A channel whose workers keep us busy without a descriptor must not keep us from seeing that another has
 * ended, or that we are to stop. */
#define LOOK_TURNS 16
#define LOOK_NS    INT64_C(1000000)

static bool time_to_look(struct pool *p) {
    if (++p->turns % LOOK_TURNS != 0)
        return false;
    int64_t now = clock_now_ns();
    bool due = now - p->looked_ns >= LOOK_NS;
    if (due)
        p->looked_ns = now;
    return due;
}

static void note_attended(struct pool *p) {
    if (p->config.timeout_ns > 0)
        p->attended_ns = clock_now_ns();
}

int pool_step(struct pool *p, int64_t deadline) {
    int err = flush_all(p);
    if (err < 0)
        return err;
    int64_t limit = map_limits(p);
    limit = limit < deadline ? limit : deadline;
    bool came = p->config.channel->came(p, limit);
    p->n_polls = 0;
    if (came && !time_to_look(p)) {
        note_attended(p);
        return p->config.channel->take_in(p);
    }
    err = watch_all(p);
    if (err == 0)
        err = ready_wait(p->sys, p->polls, p->n_polls, came ? 0 : limit);
    note_attended(p);
    if (err < 0 || (err == 0 && !came))
        return err;
    err = p->config.channel->take_in(p);
    return err < 0 ? err : reap_ended(p);
}
