/* pool: opening, closing and replacing workers. What happens in between is in map.c and step.c. */
#include "pool/pool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "os/cpus.h"
#include "os/fds.h"
#include "pool/inside.h"

#define EARLY_DEATHS_MAX 3
/* How long the workers may take to finish before they are made to. */
#define FINISH_NS (30 * NS_PER_S)

void pool_say(struct pool *p, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(p->why, sizeof p->why, fmt, args);
    va_end(args);
}

int pool_told(struct pool *p, int err) {
    if (err < 0 && p->why[0] == '\0')
        pool_say(p, "the pool failed: %s", strerror(-err));
    return err;
}

const char *pool_why(const struct pool *p) {
    return p->why;
}
unsigned pool_ready(const struct pool *p) {
    return p->ready_at_last;
}

static struct slot *slot_of(struct pool *p, unsigned i) {
    return (struct slot *)((char *)p->slots + (size_t)i * SLOT_EACH);
}

static _Atomic int64_t *own_board; /* in a worker: of the pool that it belongs to */
static size_t own_board_size;

static _Atomic int64_t *board_of(const struct pool *p) {
    return (_Atomic int64_t *)((char *)p->slots + SLOT_EACH * p->config.workers);
}

void pool_show_board(const struct pool *p) {
    own_board_size = p->config.board;
    own_board = own_board_size > 0 ? board_of(p) : NULL;
}

_Atomic int64_t *pool_board(const struct pool *p, size_t *words) {
    *words = p != NULL ? p->config.board : own_board_size;
    return p == NULL ? own_board : *words > 0 ? board_of(p) : NULL;
}

static void close_worker_ends(struct pool *p, struct worker *w) {
    const bool common = p->config.channel->common_ends;
    if (!common && w->ends[1] != w->ends[0])
        fds_close(p->sys, &w->ends[1]);
    if (!common)
        fds_close(p->sys, &w->ends[0]);
    w->ends[0] = w->ends[1] = w->ends[2] = -1;
}

static int connect_worker(struct pool *p, struct worker *w) {
    w->ends[0] = w->ends[1] = w->ends[2] = -1;
    stream_init(&w->stream, p->sys, -1, -1, FD_SOCKET);
    int err = p->config.channel->connect(p, w, w->ends);
    if (err == 0)
        err = p->config.deliver->connect(p, w, &w->ends[2]);
    return err;
}

/* For another worker. What the one before was not to begin may wait in the queue of all. */
static void clear_slot(struct slot *slot) {
    uint64_t skip[SLOT_SKIPS];
    uint32_t skips = atomic_load(&slot->skips);
    for (int i = 0; i < SLOT_SKIPS; i++)
        skip[i] = atomic_load(&slot->skip[i]);
    memset(slot, 0, offsetof(struct slot, results));
    for (int i = 0; i < SLOT_SKIPS; i++)
        atomic_store(&slot->skip[i], skip[i]);
    atomic_store(&slot->skips, skips);
}

int worker_begin(struct pool *p, struct worker *w) {
    unsigned id = w->id;
    struct slot *slot = w->slot;
    /* What those before it did in this map counts: the differences that are made of these wrap around. */
    uint64_t before_ns = w->busy_before_ns - atomic_load(&slot->busy_ns);
    uint64_t longest_ns = atomic_load(&slot->longest_ns);
    *w = (struct worker){.id = id,
                         .slot = slot,
                         .proc = PROC_NONE,
                         .rss_bytes = -1,
                         .unique_bytes = -1,
                         .busy_before_ns = before_ns};
    clear_slot(slot);
    atomic_store(&slot->longest_ns, longest_ns);
    int err = connect_worker(p, w);
    if (err == 0)
        err = p->config.start->start(p, w, w->ends, 3);
    close_worker_ends(p, w);
    if (err == 0) {
        p->count.forks++;
        err = p->config.deliver->offer(p, w);
    }
    if (err < 0)
        p->config.channel->disconnect(p, w);
    return err;
}

static void fill_report(const struct pool *p, const struct worker *w, const struct proc_end *end,
                        struct worker_report *r) {
    struct slot *s = w->slot;
    int64_t started = atomic_load(&s->started_ns), ready = atomic_load(&s->ready_ns);
    *r = (struct worker_report){
        .id = w->id,
        .pid = w->proc.pid,
        .started_ns = started ? started - p->opened_ns : 0,
        .ready_ns = ready ? ready - p->opened_ns : 0,
        .tasks = atomic_load(&s->tasks),
        .bytes_in = atomic_load(&s->bytes_in),
        .bytes_out = atomic_load(&s->bytes_out),
        .messages_in = atomic_load(&s->messages_in),
        .messages_out = atomic_load(&s->messages_out),
        .busy_ns = atomic_load(&s->busy_ns),
        .rss_bytes = w->rss_bytes,
        .unique_bytes = w->unique_bytes,
        .fate = w->fate,
    };
    if (end != NULL)
        r->end = *end;
    else
        r->end.exit_code = -1;
}

/* It has run as many tasks as it was to. */
static bool has_retired(const struct worker *w) {
    return atomic_load(&w->slot->retired) != 0;
}

static int remember(struct pool *p, struct worker *w, const struct proc_end *end) {
    size_t n = p->n_past + 1;
    struct worker_report *more = sys_realloc(p->sys, p->past, n * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    p->past = more;
    bool was_to = w->leaving || has_retired(w);
    w->fate = !was_to                           ? FATE_DIED
              : w->stopped                      ? FATE_STOPPED
              : end != NULL && end->signal == 0 ? FATE_EXITED
                                                : FATE_DIED;
    fill_report(p, w, end, &p->past[p->n_past]);
    p->n_past = n;
    return 0;
}

void worker_say_end(const struct worker *w, const struct proc_end *end, char *text, size_t size) {
    if (end == NULL)
        snprintf(text, size, "how worker %u ended is not known: something else reaped it", w->id);
    else if (end->signal > 0 && w->doomed)
        snprintf(text, size, "worker %u took longer than the time limit", w->id);
    else if (w->oom_killed)
        snprintf(
            text, size,
            "worker %u was ended by signal 9, by the kernel's OOM killer: memory had run out; use "
            "less data, or fewer workers",
            w->id);
    else if (end->signal > 0)
        snprintf(text, size, "worker %u was ended by signal %d", w->id, end->signal);
    else
        snprintf(text, size, "worker %u ended with exit status %d", w->id, end->exit_code);
}

static int give_up(struct pool *p) {
    pool_say(p, "%d workers in a row ended before their first task; %s%.180s", EARLY_DEATHS_MAX,
             p->failure ? "the last one said: " : "", p->failure ? p->failure : p->last_end);
    return -ECHILD;
}

/* A worker that was told to finish and ended in another way has not finished. */
static int note_bad_end(struct pool *p, const struct worker *w, const struct proc_end *end) {
    char text[128];
    bool fine = end == NULL || (end->signal == 0 && end->exit_code == 0);
    if (atomic_load(&w->slot->finish_ns) == 0 || w->stopped || fine || p->failure != NULL)
        return 0;
    worker_say_end(w, end, text, sizeof text);
    p->failure = sys_malloc(p->sys, sizeof text + 16);
    if (p->failure == NULL)
        return -ENOMEM;
    snprintf(p->failure, sizeof text + 16, "finish: %s", text);
    return 0;
}

/* Its cgroup counts those whom the kernel killed before it kills them. Of several deaths, as many as it counted. */
static bool was_oom_killed(struct pool *p, const struct worker *w, const struct proc_end *end) {
    bool by_others = end != NULL && end->signal == SIGKILL && !w->doomed && !w->stopped;
    if (!by_others || p->oom_kills < 0 || memory_oom_kills(p->sys) <= p->oom_kills)
        return false;
    p->oom_kills++;
    return true;
}

static int tell_one_to_stop(struct pool *p, struct worker *w) {
    struct message *m = message_new(p->sys, FRAME_STOP);
    if (m == NULL)
        return -ENOMEM;
    p->config.channel->send(p, w, m);
    return 0;
}

int worker_ended(struct pool *p, struct worker *w, const struct proc_end *end) {
    bool had_task = false;
    w->oom_killed = was_oom_killed(p, w, end);
    int err = p->config.channel->drain(p, w); /* what it sent before it ended counts */
    bool fresh = atomic_load(&w->slot->tasks) == 0;
    p->config.channel->disconnect(p, w); /* before the chunks that it was to be sent */
    if (err == 0)
        err = map_worker_ended(p, w, end, &had_task);
    if (err == 0)
        err = remember(p, w, end);
    if (err == 0)
        err = note_bad_end(p, w, end);
    w->proc.pid = -1;
    if (err == 0 && p->finishing && p->config.channel->shared)
        err = tell_one_to_stop(p, w); /* it may have taken the word that was for another */
    if (err < 0 || w->leaving)
        return err;
    p->early_deaths = fresh && !had_task ? p->early_deaths + 1 : 0;
    worker_say_end(w, end, p->last_end, sizeof p->last_end);
    if (p->early_deaths >= EARLY_DEATHS_MAX)
        return give_up(p);
    if (has_retired(w))
        p->count.renewed++;
    else
        p->count.replaced++;
    p->why[0] = '\0';
    err = worker_begin(p, w);
    if (err < 0 && p->why[0] == '\0')
        pool_say(p, "a worker that had ended could not be replaced: %s", strerror(-err));
    return err;
}

static int open_parts(struct pool *p) {
    const struct pool_config *c = &p->config;
    p->slots_size = SLOT_EACH * c->workers + c->board * sizeof(int64_t);
    int err = c->start->open(p);
    if (err < 0)
        return err;
    p->workers = sys_malloc(p->sys, c->workers * sizeof *p->workers);
    if (p->workers == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < c->workers; i++)
        p->workers[i] = (struct worker){.id = i + 1, .slot = slot_of(p, i), .proc = PROC_NONE};
    int cpus[CPUS_MAX];
    int n = cpus_allowed(p->sys, cpus);
    p->crowded = n > 0 && (unsigned)n < c->workers;
    for (unsigned i = 0; i < c->workers; i++) {
        stream_init(&p->workers[i].stream, p->sys, -1, -1, FD_SOCKET);
    }
    if (c->deliver->by_bytes && c->fixed == NULL) {
        pool_say(p, "delivery=%s needs the fixed data as bytes", c->deliver->name);
        err = -EINVAL;
    }
    if (err == 0 && c->fixed != NULL)
        err = buf_add_buf(&p->fixed, c->fixed);
    if (err == 0)
        err = c->channel->open(p);
    return err < 0 ? err : c->deliver->open(p);
}

int pool_open(struct sys *s, const struct pool_config *c, struct pool **out, char *why,
              size_t size) {
    if (c->workers == 0 || c->workers > POOL_WORKERS_MAX) {
        snprintf(why, size, "%u workers: a pool has 1 to %d", c->workers, POOL_WORKERS_MAX);
        return -EINVAL;
    }
    struct pool *p = sys_malloc(s, sizeof *p);
    if (p == NULL) {
        snprintf(why, size, "the pool itself: %s", strerror(ENOMEM));
        return -ENOMEM;
    }
    *p = (struct pool){.sys = s, .owner = s->pid, .config = *c, .opened_ns = clock_now_ns()};
    p->oom_kills = memory_oom_kills(s);
    buf_init(&p->fixed, s);
    if (c->placed != NULL)
        block_ref(c->placed);
    int err = open_parts(p);
    snprintf(why, size, "%s%s",
             p->why[0] ? p->why : "its channels: ", p->why[0] ? "" : strerror(-err));
    for (unsigned i = 0; i < c->workers && err == 0; i++) {
        err = worker_begin(p, &p->workers[i]);
        snprintf(why, size, "worker %u of %u: %s", i + 1, c->workers,
                 p->why[0] ? p->why : strerror(-err));
    }
    if (err < 0)
        pool_free(p);
    else
        *out = p;
    return err;
}

/* A callback left one of our calls by a jump: what it belongs to may be gone. */
static void give_up_batches(struct pool *p) {
    for (struct batch *b = p->batches; b != NULL; b = b->next)
        b->gone = true;
}

static bool all_ready(const struct pool *p) {
    for (unsigned i = 0; i < p->config.workers; i++)
        if (!p->workers[i].ready)
            return false;
    return true;
}

int pool_wait_ready(struct pool *p, int64_t deadline) {
    const bool broken_off = p->inside;
    int err = 0;
    if (p->broken)
        return pool_told(p, -EINVAL);
    p->why[0] = '\0';
    if (broken_off)
        give_up_batches(p);
    p->inside = true; /* what other tasks end in may give batches up */
    while (err == 0 && !all_ready(p)) {
        err = pool_step(p, deadline);
        if (err == 0 && deadline != DEADLINE_NEVER && clock_now_ns() >= deadline && !all_ready(p))
            err = -ETIMEDOUT;
    }
    p->inside = broken_off;
    if (err < 0 && err != -ETIMEDOUT && err != -ECANCELED)
        p->broken = true;
    return pool_told(p, err);
}

void pool_sample(struct pool *p) {
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct worker *w = &p->workers[i];
        if (w->proc.pid > 0)
            proc_memory(p->sys, w->proc.pid, &w->rss_bytes, &w->unique_bytes);
    }
}

static unsigned running(const struct pool *p) {
    unsigned n = 0;
    for (unsigned i = 0; i < p->config.workers; i++)
        n += p->workers[i].proc.pid > 0;
    return n;
}

/* Workers without the fixed data: they would only get it to leave. */
static int abandon_delivery(struct pool *p) {
    p->count.undelivered_bytes = p->config.deliver->left(p);
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct worker *w = &p->workers[i];
        w->leaving = true;
        if (w->proc.pid <= 0 || atomic_load(&w->slot->ready_ns) != 0)
            continue;
        w->stopped = true;
        p->count.undelivered_workers += p->config.deliver->by_bytes;
        proc_signal(p->sys, &w->proc, SIGKILL);
    }
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct worker *w = &p->workers[i];
        struct proc_end end;
        if (!w->stopped)
            continue;
        int32_t pid = w->proc.pid;
        int got = proc_stop(p->sys, &w->proc, 0, &end);
        w->proc.pid = pid;
        int err = worker_ended(p, w, got == 1 ? &end : NULL);
        if (err < 0)
            return err;
    }
    return 0;
}

static int tell_to_stop(struct pool *p) {
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct worker *w = &p->workers[i];
        int err = w->proc.pid > 0 ? tell_one_to_stop(p, w) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

static void kill_all(struct pool *p) {
    for (unsigned i = 0; i < p->config.workers; i++)
        if (p->workers[i].proc.pid > 0)
            proc_signal(p->sys, &p->workers[i].proc, SIGKILL);
}

int pool_close(struct pool *p) {
    if (p->closed)
        return 0;
    p->closed = true;
    give_up_batches(p);
    int err = abandon_delivery(p);
    if (err == 0)
        err = pool_step(p, clock_now_ns()); /* those that ended idle */
    p->finishing = true;
    if (err == 0)
        err = tell_to_stop(p);
    int64_t limit = p->config.timeout_ns > 0 ? p->config.timeout_ns : FINISH_NS;
    int64_t deadline = clock_now_ns() + limit;
    while (err == 0 && running(p) > 0) {
        err = pool_step(p, deadline);
        if (err == 0 && running(p) > 0 && clock_now_ns() >= deadline) {
            pool_say(p, "%u workers had not finished after %.1f s", running(p),
                     (double)limit / 1e9);
            kill_all(p);
            deadline = DEADLINE_NEVER;
        }
    }
    buf_free(&p->fixed); /* nobody will get it any more: thaws what it refers to */
    p->config.deliver->close(p);
    if (err == 0 && p->failure != NULL)
        pool_say(p, "%.250s", p->failure);
    return err < 0 ? pool_told(p, err) : p->failure != NULL;
}

void pool_free(struct pool *p) {
    if (p == NULL || p->owner != p->sys->pid)
        return; /* a child's copy: its descriptors are closed, their numbers may be others' by now */
    if (p->workers != NULL) {
        kill_all(p);
        for (unsigned i = 0; i < p->config.workers; i++)
            if (p->workers[i].proc.pid > 0)
                proc_stop(p->sys, &p->workers[i].proc, 0, NULL);
    }
    for (unsigned i = 0; i < p->config.workers && p->workers != NULL; i++) {
        p->config.channel->disconnect(p, &p->workers[i]);
        chunk_free_all(&p->workers[i].chunks);
    }
    p->config.channel->close(p);
    p->config.deliver->close(p);
    chunk_free_all(&p->in_queue);
    chunk_free_all(&p->spare);
    batch_free_all(p);
    buf_free(&p->fixed);
    block_unref(p->config.placed);
    p->config.start->close(p);
    sys_free(p->workers);
    sys_free(p->past);
    sys_free(p->reports);
    sys_free(p->polls);
    sys_free(p->failure);
    sys_free(p);
}

struct worker_report *pool_reports(struct pool *p, size_t *n) {
    size_t most = p->n_past + p->config.workers;
    struct worker_report *all = sys_realloc(p->sys, p->reports, most * sizeof *all);
    *n = 0;
    if (all == NULL)
        return NULL;
    p->reports = all;
    if (p->n_past > 0)
        memcpy(all, p->past, p->n_past * sizeof *all);
    *n = p->n_past;
    for (unsigned i = 0; i < p->config.workers; i++)
        if (p->workers[i].proc.pid > 0)
            fill_report(p, &p->workers[i], NULL, &all[(*n)++]);
    return all;
}

void pool_count(struct pool *p, struct pool_counters *c) {
    size_t n;
    struct worker_report *r = pool_reports(p, &n);
    *c = p->count;
    for (size_t i = 0; i < n; i++) {
        c->messages += r[i].messages_in + r[i].messages_out;
        c->payload_bytes += r[i].bytes_in + r[i].bytes_out;
    }
}
