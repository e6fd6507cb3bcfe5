/* steal: gives an idle worker tasks that another has been given and has not begun: towards the end of a map somebody
 * may hold many of them, or be waiting for a processor, while another processor has none. Not for tasks of workers that
 * ended (map.c), nor where the user chose the size of messages: there their number is exact.
 *
 * The coordinator does it alone, so a worker that is stopped or waits for a processor loses what it has not begun like
 * any other. */
#include "pool/inside.h"

/* Less work than this is not worth a message; see CHUNK_LEAST_NS. */
#define STEAL_LEAST_NS 40e3

/* How many tasks of c its worker has begun; all of them, if it is at a later message. */
static uint32_t begun_of(const struct worker *w, const struct chunk *c) {
    uint64_t progress = atomic_load(&w->slot->progress);
    int32_t later = (int32_t)((uint32_t)(progress >> 32) - c->number);
    uint32_t begun = later < 0 ? 0 : later > 0 ? c->count : (uint32_t)progress;
    begun = begun > c->ended ? begun : c->ended;
    return begun < c->count ? begun : c->count;
}

/* Each of its messages has a place of its own for a cut. */
static bool has_places(const struct worker *w) {
    const struct chunk *oldest = w->chunks.first;
    return oldest != NULL && (uint32_t)w->given_messages - oldest->number < SLOT_CUTS;
}

struct loot {
    struct worker *from;
    struct chunk *chunk;
    uint32_t left; /* tasks of it that may be taken */
};

/* Tasks of c that may be taken. Not of what was given only now: whoever has it has not had the time to begin. One task
 * stays with a worker that has nothing before it, or it would go round among those who are idle; so a worker's first
 * message is never found empty. (A cut of message 0, after four thousand million others, would look like none.) */
static uint32_t left_of(const struct pool *p, const struct worker *w, const struct chunk *c) {
    if (c->pass == p->passes || c->number == 0)
        return 0;
    uint32_t begun = begun_of(w, c), stays = c == w->chunks.first && begun == 0;
    return c->count > begun + stays ? c->count - begun - stays : 0;
}

static struct loot find_most(struct pool *p, const struct batch *b) {
    struct loot most = {.left = 0};
    for (unsigned i = 0; i < p->config.workers; i++) {
        struct worker *w = &p->workers[i];
        struct chunk *c = !w->doomed && has_places(w) ? w->chunks.first : NULL;
        for (; c != NULL; c = c->next) {
            uint32_t left = c->batch == b ? left_of(p, w, c) : 0;
            if (left > most.left)
                most = (struct loot){w, c, left};
        }
    }
    return most;
}

/* Tells w to begin `keep` tasks of c at most. True: it will not begin another, whatever it does now. False: it may
 * have; then it leaves the message as soon as it sees this, and says so (FRAME_CUT), and the rest comes back.
 *
 * A worker notes its progress, stores `current`, and then looks at `cut`; here it is the other way round. All but the
 * progress is sequentially consistent, so either it sees the cut or we see what it began. */
static bool cut_short(struct worker *w, const struct chunk *c, uint32_t keep) {
    atomic_store(&w->slot->cut[c->number % SLOT_CUTS], (uint64_t)c->number << 32 | keep);
    (void)atomic_load(&w->slot->current);
    return begun_of(w, c) <= keep;
}

bool steal_tasks(struct pool *p, struct batch *b) {
    if (!pool_steals(p) || !b->exhausted || p->task_ns <= 0)
        return false;
    struct loot loot = find_most(p, b);
    struct chunk *c = loot.chunk;
    if (c == NULL)
        return false;
    uint32_t n = loot.left - loot.left / 2, keep = c->count - n;
    if (n * p->task_ns < STEAL_LEAST_NS || chunk_split(c, keep) < 0)
        return false;
    if (!cut_short(loot.from, c, keep)) {
        chunk_unsplit(c);
        return false;
    }
    c->count = keep; /* it stays, even if it is empty now, until the worker has come to it */
    loot.from->given -= n;
    b->chunks.stolen += n;
    chunk_note(b, n);
    return true;
}
