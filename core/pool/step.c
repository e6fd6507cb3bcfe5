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

static int take_frame(struct pool *p, unsigned id, const struct received *r) {
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

/* A worker that sends what is no message is not to be trusted further: it dies, with its task. */
static int distrust(struct pool *p, struct worker *w, int err) {
    if (err != -EBADMSG)
        return err;
    proc_signal(p->sys, &w->proc, SIGKILL);
    return 0;
}

static int drain_stream(struct pool *p, struct worker *w) {
    struct received r;
    int got = 0;
    if (w->stream.in < 0)
        return 0;
    stream_ready(&w->stream);
    while ((got = stream_receive(&w->stream, &r)) == 1) {
        int err = take_frame(p, w->id, &r);
        if (err < 0)
            return distrust(p, w, err);
    }
    /* The end of the stream says nothing certain: the pidfd will. Until then it must not be waited for:
     * it is always ready, and asking again and again keeps a processor that the worker may need to end. */
    w->heard_all = got == -EPIPE;
    return got == 0 || got == -EPIPE ? 0 : distrust(p, w, got);
}

static int drain_queue(struct pool *p) {
    struct received r;
    int got;
    while ((got = queue_poll(p->results, &r)) == 1) {
        struct worker *w = pool_worker(p, r.head.worker);
        int err = take_frame(p, r.head.worker, &r);
        if (err < 0 && w != NULL)
            err = distrust(p, w, err);
        if (err < 0 && err != -EBADMSG)
            return err;
    }
    return got; /* -EBADMSG: results are lost, and whose is not known */
}

int step_drain(struct pool *p, struct worker *w) {
    return p->config.channel->shared ? drain_queue(p) : drain_stream(p, w);
}

static int flush_all(struct pool *p) {
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct stream *st = &p->workers[i].stream;
        int got = st->outbox.first != NULL ? stream_flush(st) : 0;
        if (got < 0 && got != -EPIPE) /* a dead reader: its pidfd will say so */
            return got;
        if (got == -EPIPE)
            outbox_free(&st->outbox);
    }
    struct queue *queues[] = {p->tasks, p->fixed_queue};
    for (int k = 0; k < 2; k++) {
        int got = queues[k] != NULL ? queue_flush(queues[k]) : 0;
        if (got < 0 && got != -EPIPE)
            return got;
    }
    return 0;
}

static int watch(struct pool *p, size_t *n, int fd, short events) {
    if (fd < 0)
        return -1;
    p->polls[*n] = (struct pollfd){.fd = fd, .events = events};
    return (int)(*n)++;
}

static int watch_out(struct pool *p, size_t *n, const struct stream *st) {
    return st->outbox.first != NULL ? watch(p, n, st->out, POLLOUT) : -1;
}

#define PARTS_MAX 256

static int make_room(struct pool *p) {
    size_t need = (size_t)p->config.workers * 3 + PARTS_MAX + 3;
    if (need <= p->cap_polls)
        return 0;
    struct pollfd *more = sys_realloc(p->sys, p->polls, need * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    p->polls = more;
    p->cap_polls = need;
    return 0;
}

/* Fills p->polls; returns how many; *at_results is where the result queue's begin, -1 without one. */
static size_t watch_all(struct pool *p, int *at_results) {
    size_t n = 0;
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct worker *w = &p->workers[i];
        w->at_pidfd = watch(p, &n, w->proc.pidfd, POLLIN);
        w->at_in = w->heard_all ? -1 : watch(p, &n, w->stream.in, POLLIN);
        w->at_out = watch_out(p, &n, &w->stream);
    }
    if (p->tasks != NULL)
        watch(p, &n, queue_waits(p->tasks), POLLOUT);
    if (p->fixed_queue != NULL)
        watch(p, &n, queue_waits(p->fixed_queue), POLLOUT);
    *at_results = p->results ? watch(p, &n, p->results->in, POLLIN) : -1;
    if (p->results != NULL)
        n += queue_part_fds(p->results, p->polls + n, PARTS_MAX);
    return n;
}

static bool came(const struct pool *p, int at) {
    return at >= 0 && p->polls[at].revents != 0;
}

static int take_in(struct pool *p, int at_results, size_t n) {
    bool queued = false;
    for (size_t at = at_results < 0 ? n : (size_t)at_results; at < n; at++)
        queued |= p->polls[at].revents != 0;
    int err = queued ? drain_queue(p) : 0;
    for (unsigned i = 0; i < p->config.workers && err == 0; i++) {
        struct worker *w = &p->workers[i];
        if (came(p, w->at_in))
            err = drain_stream(p, w);
    }
    return err;
}

static int reap_ended(struct pool *p) {
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct worker *w = &p->workers[i];
        struct proc_end end;
        if (!came(p, w->at_pidfd))
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

int pool_step(struct pool *p, int64_t deadline) {
    int at_results;
    int err = make_room(p);
    if (err == 0)
        err = flush_all(p);
    if (err < 0)
        return err;
    int64_t limit = map_limits(p);
    size_t n = watch_all(p, &at_results);
    err = ready_wait(p->sys, p->polls, n, limit < deadline ? limit : deadline);
    if (err <= 0)
        return err;
    err = take_in(p, at_results, n);
    return err < 0 ? err : reap_ended(p);
}
