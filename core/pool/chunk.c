/* chunk: messages of tasks, from the source of items to the account of their end. Decides how many
 * items go into one. */
#include <errno.h>
#include <string.h>

#include "pool/inside.h"

/* What a message costs both sides together with the switches between them, many times over: some 20 us
 * of processor time here. */
#define CHUNK_LEAST_NS 300e3
#define CHUNK_NS       4e6 /* and no longer work than this: results come when a message has ended */
#define CHUNK_MAX      65536
#define CHUNK_BYTES    ((size_t)1 << 20)
/* Chunks kept for later ones, and how much memory one of them may keep. */
#define SPARE_MAX   256
#define SPARE_BYTES ((size_t)64 << 10)

/* Towards the end smaller ones, so that the last worker is not left alone with a large one. Where tasks can be taken
 * back (steal.c) that is no danger: there everybody gets an equal part of what is left, and messages are few. */
static double last_ones(struct batch *b) {
    const struct pool *p = b->pool;
    double left = (double)(b->hint - b->account.n);
    if (!pool_steals(p))
        return left / (2.0 * p->config.workers);
    if (b->parts == 0) {
        b->parts = p->config.workers;
        b->part = (left + p->config.workers - 1) / p->config.workers;
    }
    b->parts--;
    return b->part;
}

static uint32_t chunk_size(struct batch *b) {
    const struct pool *p = b->pool;
    if (b->eager) /* somebody may wait for each of them alone */
        return 1;
    if (p->config.chunk > 0)
        return p->config.chunk;
    if (p->task_ns <= 0)
        return 1;
    double n = CHUNK_NS / p->task_ns, least = CHUNK_LEAST_NS / p->task_ns;
    if (b->hint > b->account.n) {
        double last = last_ones(b);
        n = n < last ? n : last > least ? last : least;
    }
    double bound = b->window / (2.0 * p->config.workers);
    if (b->window > 0 && n > bound)
        n = bound;
    return n < 1 ? 1 : n > CHUNK_MAX ? CHUNK_MAX : (uint32_t)n;
}

static struct chunk *chunk_new(struct batch *b, uint64_t first) {
    struct pool *p = b->pool;
    struct chunk *c = chunk_pop(&p->spare);
    if (c == NULL) {
        c = sys_malloc(p->sys, sizeof *c);
        if (c == NULL)
            return NULL;
        buf_init(&c->message.body, p->sys);
    }
    struct buf body = c->message.body;
    *c = (struct chunk){.batch = b,
                        .epoch = b->epoch,
                        .first = first,
                        .attempt = 1,
                        .message = {.head.type = FRAME_TASKS, .kept = true, .body = body}};
    return c;
}

static void chunk_free(struct chunk *c) {
    buf_free(&c->message.body);
    sys_free(c);
}

void chunk_release(struct pool *p, struct chunk *c) {
    buf_clear(&c->message.body);
    if (p->spare.n < SPARE_MAX && c->message.body.cap <= SPARE_BYTES)
        chunk_append(&p->spare, c);
    else
        chunk_free(c);
}

void chunk_append(struct chunk_list *l, struct chunk *c) {
    c->next = NULL;
    if (l->last != NULL)
        l->last->next = c;
    else
        l->first = c;
    l->last = c;
    l->n++;
    l->bytes += buf_size(&c->message.body);
}

struct chunk *chunk_pop(struct chunk_list *l) {
    struct chunk *c = l->first;
    if (c != NULL)
        chunk_remove(l, c);
    return c;
}

struct chunk *chunk_open(const struct chunk_list *l, uint32_t epoch, uint64_t task) {
    struct chunk *c = l->first;
    while (c != NULL &&
           !(c->epoch == epoch && task >= c->first + c->ended && task - c->first < c->count))
        c = c->next;
    return c;
}

struct chunk *chunk_of(const struct chunk_list *l, const struct frame_head *head) {
    struct chunk *c = l->first;
    while (c != NULL &&
           !(c->epoch == head->epoch && c->first == head->first && c->count == head->count))
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
    l->bytes -= buf_size(&c->message.body);
}

void chunk_free_all(struct chunk_list *l) {
    for (struct chunk *c; (c = chunk_pop(l)) != NULL;)
        chunk_free(c);
}

/* An item that is not sent ends here and has no part in any message. */
static int end_item(struct batch *b, struct buf *body, size_t at, enum outcome_kind kind) {
    int err = account_add(&b->account, 1);
    if (err < 0)
        return err;
    struct outcome o = {.task = b->account.n - 1, .kind = kind, .attempt = 1, .exit_code = -1};
    if (kind == OUTCOME_ERROR) {
        o.message = (const char *)body->data + at;
        o.message_len = body->len - at;
    }
    account_finish(&b->account, o.task, o.kind, 0);
    batch_tell(b, &o, NULL, 0, NULL);
    body->len = at;
    return b->error;
}

/* The length of the item that begins at `at` is known now. Nearly always it takes the four bytes that
 * were left for it. */
static int set_length(struct buf *body, size_t at, uint64_t len) {
    uint8_t field[RECORD_MAX];
    size_t n = frame_put_len(field, len), more = n - sizeof(uint32_t);
    if (more > 0) {
        if (buf_reserve(body, more) < 0)
            return -ENOMEM;
        memmove(body->data + at + n, body->data + at + n - more, body->len - at - (n - more));
        body->len += more;
        for (size_t i = body->n_pieces; i > 0 && body->pieces[i - 1].at > at; i--)
            body->pieces[i - 1].at += more;
    }
    memcpy(body->data + at, field, n);
    return 0;
}

/* Adds the next item. As `next` of pool_io, and -errno. */
static int add_item(struct batch *b, struct chunk *c) {
    struct buf *body = &c->message.body;
    size_t at = body->len, before = buf_size(body);
    if (body->cap - at < sizeof(uint32_t) && buf_reserve(body, sizeof(uint32_t)) < 0)
        return -ENOMEM;
    body->len += sizeof(uint32_t);
    int got = b->io.next(b->io.ctx, body);
    if (got == POOL_REFUSED || got == POOL_CANCELLED) {
        memmove(body->data + at, body->data + at + sizeof(uint32_t),
                body->len - at - sizeof(uint32_t));
        body->len -= sizeof(uint32_t);
        int err = end_item(b, body, at, got == POOL_REFUSED ? OUTCOME_ERROR : OUTCOME_CANCELLED);
        return err < 0 ? err : POOL_REFUSED;
    }
    if (got != POOL_ITEM) {
        body->len = at;
        return got;
    }
    int err = set_length(body, at, buf_size(body) - before - sizeof(uint32_t));
    if (err == 0)
        err = account_add(&b->account, 1);
    c->count++;
    return err < 0 ? err : POOL_ITEM;
}

/* Items that cannot be sent, in one turn: a source of nothing else must not keep us from the workers. */
#define REFUSED_MAX 256

static int chunk_fill(struct batch *b, struct chunk *c, uint32_t want) {
    unsigned refused = 0;
    while (c->count < want && buf_size(&c->message.body) < CHUNK_BYTES) {
        int got = add_item(b, c);
        if (got < 0)
            return got;
        if (got == POOL_NO_ITEM)
            b->exhausted = true;
        if (got == POOL_NO_ITEM || got == POOL_LATER ||
            (got == POOL_REFUSED && (c->count > 0 || ++refused == REFUSED_MAX)))
            break;
        if (got == POOL_REFUSED)
            c->first = b->account.n;
    }
    c->message.head.first = c->first;
    c->message.head.count = c->count;
    c->message.head.epoch = c->epoch;
    return c->count > 0;
}

void chunk_note(struct batch *b, uint32_t n) {
    struct chunk_stats *s = &b->chunks;
    s->messages++;
    s->least = s->least == 0 || n < s->least ? n : s->least;
    s->most = n > s->most ? n : s->most;
}

/* The open tasks of c, in chunks of at most `most`. */
static int cut(const struct chunk *c, uint32_t most);

int chunk_again(struct batch *b, uint32_t most, struct chunk **out) {
    struct chunk *c;
    while ((c = chunk_pop(&b->retry)) != NULL) {
        uint32_t open = 0;
        for (uint32_t i = 0; i < c->count; i++)
            open += account_is_open(&b->account, c->first + i);
        *out = c;
        if (open == c->count && open <= most)
            return 1;
        int err = cut(c, most);
        chunk_release(b->pool, c);
        if (err < 0)
            return err;
    }
    return 0;
}

int chunk_next(struct batch *b, uint32_t most, struct chunk **out) {
    if (b->exhausted || b->gone || b->error < 0)
        return 0;
    struct chunk *c = chunk_new(b, b->account.n);
    if (c == NULL)
        return -ENOMEM;
    uint32_t want = chunk_size(b);
    int got = chunk_fill(b, c, want < most ? want : most);
    if (b->gone && got > 0)
        got = 0; /* its source gave it up: nobody may hold a chunk of it */
    if (got > 0) {
        chunk_note(b, c->count);
        *out = c;
    } else {
        chunk_release(b->pool, c);
    }
    return got;
}

/* A new chunk of tasks [from, to) of c, whose items begin at byte `at` and end at `end`. */
static int retry_run(struct batch *b, const struct chunk *c, uint32_t from, uint32_t to, size_t at,
                     size_t end, uint32_t attempt) {
    struct chunk *again = chunk_new(b, c->first + from);
    int err = again ? buf_reserve(&again->message.body, end - at) : -ENOMEM;
    if (err < 0) {
        if (again != NULL)
            chunk_release(b->pool, again);
        return err;
    }
    buf_read(&c->message.body, at, again->message.body.data, end - at);
    again->message.body.len = end - at;
    again->count = to - from;
    again->attempt = attempt;
    again->message.head.first = again->first;
    again->message.head.count = again->count;
    again->message.head.epoch = again->epoch;
    chunk_append(&b->retry, again);
    return 0;
}

/* Where the item after the one at `at` begins. */
static size_t item_after(const struct buf *body, size_t at) {
    uint8_t field[RECORD_MAX];
    const uint8_t *p = field;
    size_t left = buf_size(body) - at, n = left < sizeof field ? left : sizeof field;
    uint64_t len = 0;
    if (body->n_pieces == 0) { /* nearly always; much faster where many are passed */
        p = body->data + at;
        frame_get_len(&p, body->data + body->len, &len);
        return (size_t)(p - body->data) + len;
    }
    buf_read(body, at, field, n);
    frame_get_len(&p, field + n, &len); /* false: it goes on beyond the field */
    return at + (size_t)(p - field) + len;
}

static int cut(const struct chunk *c, uint32_t most) {
    size_t at = 0, run_at = 0;
    uint32_t run = UINT32_MAX; /* first task of the run of open ones, if there is one */
    struct batch *b = c->batch;
    int err = 0;
    if (b == NULL)
        return 0;
    for (uint32_t i = 0; i < c->count && err == 0; i++) {
        bool open = i >= c->ended && account_is_open(&b->account, c->first + i);
        if (open && run == UINT32_MAX) {
            run = i;
            run_at = at;
        } else if (run != UINT32_MAX && (!open || i - run == most)) {
            err = retry_run(b, c, run, i, run_at, at, c->attempt);
            run = open ? i : UINT32_MAX;
            run_at = at;
        }
        at = item_after(&c->message.body, at);
    }
    if (err == 0 && run != UINT32_MAX)
        err = retry_run(b, c, run, c->count, run_at, at, c->attempt);
    return err;
}

int chunk_retry(const struct chunk *c) {
    return cut(c, UINT32_MAX);
}

/* Where the i-th item of c begins. */
static size_t item_at(const struct chunk *c, uint32_t i) {
    size_t at = 0;
    for (uint32_t before = 0; before < i; before++)
        at = item_after(&c->message.body, at);
    return at;
}

int chunk_split(const struct chunk *c, uint32_t i) {
    size_t at = item_at(c, i), end = at;
    for (uint32_t k = i; k < c->count; k++)
        end = item_after(&c->message.body, end);
    return retry_run(c->batch, c, i, c->count, at, end, c->attempt);
}

void chunk_unsplit(const struct chunk *c) {
    struct chunk *last = c->batch->retry.last;
    chunk_remove(&c->batch->retry, last);
    chunk_release(c->batch->pool, last);
}

int chunk_try_again(const struct chunk *c, uint32_t i) {
    size_t at = item_at(c, i);
    return retry_run(c->batch, c, i, i + 1, at, item_after(&c->message.body, at), c->attempt + 1);
}
