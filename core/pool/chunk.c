/* chunk: messages of tasks, from the source of items to the account of their end. Decides how many
 * items go into one. */
#include <errno.h>
#include <string.h>

#include "pool/inside.h"

/* What a message costs both sides together with the switches between them, many times over: some 50 us
 * of processor time here. */
#define CHUNK_LEAST_NS 600e3
#define CHUNK_NS       2e6 /* and no longer work than this, or the others wait for the last one */
#define CHUNK_MAX      65536
#define CHUNK_BYTES    ((size_t)1 << 20)

static uint32_t chunk_size(const struct pool *p) {
    if (p->config.chunk > 0)
        return p->config.chunk;
    if (p->task_ns <= 0)
        return 1;
    double n = CHUNK_NS / p->task_ns, least = CHUNK_LEAST_NS / p->task_ns;
    /* Towards the end smaller ones, so that the last worker is not left alone with a large one. */
    if (p->hint > p->account.n) {
        double fair = (double)(p->hint - p->account.n) / (2.0 * p->config.workers);
        n = n < fair ? n : fair > least ? fair : least;
    }
    return n < 1 ? 1 : n > CHUNK_MAX ? CHUNK_MAX : (uint32_t)n;
}

static struct chunk *chunk_new(struct pool *p, uint64_t first) {
    struct chunk *c = sys_malloc(p->sys, sizeof *c);
    if (c == NULL)
        return NULL;
    *c = (struct chunk){.first = first, .message = {.head.type = FRAME_TASKS, .kept = true}};
    buf_init(&c->message.body, p->sys);
    return c;
}

void chunk_free(struct chunk *c) {
    buf_free(&c->message.body);
    sys_free(c);
}

void chunk_append(struct chunk_list *l, struct chunk *c) {
    c->next = NULL;
    if (l->last != NULL)
        l->last->next = c;
    else
        l->first = c;
    l->last = c;
    l->n++;
}

struct chunk *chunk_pop(struct chunk_list *l) {
    struct chunk *c = l->first;
    if (c != NULL)
        chunk_remove(l, c);
    return c;
}

struct chunk *chunk_find(const struct chunk_list *l, uint64_t task) {
    struct chunk *c = l->first;
    while (c != NULL && !(task >= c->first && task - c->first < c->count))
        c = c->next;
    return c;
}

void chunk_remove(struct chunk_list *l, struct chunk *c) {
    struct chunk *before = NULL;
    for (struct chunk *at = l->first; at != c; at = at->next)
        before = at;
    if (before != NULL)
        before->next = c->next;
    else
        l->first = c->next;
    if (l->last == c)
        l->last = before;
    l->n--;
}

void chunk_free_all(struct chunk_list *l) {
    for (struct chunk *c; (c = chunk_pop(l)) != NULL;)
        chunk_free(c);
}

/* An item that cannot be sent ends here, in error, and has no part in any message. */
static int refuse_item(struct pool *p, struct buf *body, size_t at) {
    int err = account_add(&p->account, 1);
    if (err < 0)
        return err;
    struct outcome o = {.task = p->account.n - 1,
                        .kind = OUTCOME_ERROR,
                        .attempt = 1,
                        .exit_code = -1,
                        .message = (const char *)body->data + at,
                        .message_len = body->len - at};
    account_finish(&p->account, o.task, o.kind, 0);
    err = p->io->take(p->io->ctx, &o, NULL, 0, NULL);
    body->len = at;
    return err;
}

/* Adds the next item: 1; 0 none left; 2 the chunk must end here; -errno. */
static int add_item(struct pool *p, struct chunk *c) {
    struct buf *body = &c->message.body;
    size_t at = body->len, before = buf_size(body);
    uint64_t len = 0;
    int err = buf_add(body, &len, sizeof len);
    if (err < 0)
        return err;
    int got = p->io->next(p->io->ctx, body);
    if (got == 2) {
        memmove(body->data + at, body->data + at + sizeof len, body->len - at - sizeof len);
        body->len -= sizeof len;
        err = refuse_item(p, body, at);
        return err < 0 ? err : 2;
    }
    if (got != 1) {
        body->len = at;
        return got;
    }
    len = buf_size(body) - before - sizeof len;
    memcpy(body->data + at, &len, sizeof len);
    err = account_add(&p->account, 1);
    c->count++;
    return err < 0 ? err : 1;
}

static int chunk_fill(struct pool *p, struct chunk *c) {
    uint32_t want = chunk_size(p);
    while (c->count < want && buf_size(&c->message.body) < CHUNK_BYTES) {
        int got = add_item(p, c);
        if (got < 0)
            return got;
        if (got == 0)
            p->exhausted = true;
        if (got == 0 || (got == 2 && c->count > 0))
            break;
        if (got == 2)
            c->first = p->account.n;
    }
    c->message.head.first = c->first;
    c->message.head.count = c->count;
    c->message.head.epoch = p->epoch;
    return c->count > 0;
}

int chunk_next(struct pool *p, struct chunk **out) {
    *out = chunk_pop(&p->retry);
    if (*out != NULL)
        return 1;
    if (p->exhausted)
        return 0;
    struct chunk *c = chunk_new(p, p->account.n);
    if (c == NULL)
        return -ENOMEM;
    int got = chunk_fill(p, c);
    if (got <= 0)
        chunk_free(c);
    else
        *out = c;
    return got;
}

/* A new chunk of tasks [from, to) of c, whose items begin at byte `at` and end at `end`. */
static int retry_run(struct pool *p, const struct chunk *c, uint32_t from, uint32_t to, size_t at,
                     size_t end) {
    struct chunk *again = chunk_new(p, c->first + from);
    int err = again ? buf_reserve(&again->message.body, end - at) : -ENOMEM;
    if (err < 0) {
        if (again != NULL)
            chunk_free(again);
        return err;
    }
    buf_read(&c->message.body, at, again->message.body.data, end - at);
    again->message.body.len = end - at;
    again->count = to - from;
    again->message.head.first = again->first;
    again->message.head.count = again->count;
    again->message.head.epoch = p->epoch;
    chunk_append(&p->retry, again);
    return 0;
}

int chunk_retry(struct pool *p, const struct chunk *c) {
    size_t at = 0, run_at = 0;
    uint32_t run = UINT32_MAX; /* first task of the run of open ones, if there is one */
    int err = 0;
    for (uint32_t i = 0; i < c->count && err == 0; i++) {
        uint64_t len;
        bool open = account_is_open(&p->account, c->first + i);
        if (open && run == UINT32_MAX) {
            run = i;
            run_at = at;
        } else if (!open && run != UINT32_MAX) {
            err = retry_run(p, c, run, i, run_at, at);
            run = UINT32_MAX;
        }
        buf_read(&c->message.body, at, &len, sizeof len);
        at += sizeof len + len;
    }
    if (err == 0 && run != UINT32_MAX)
        err = retry_run(p, c, run, c->count, run_at, at);
    return err;
}
