/* A machine for models of protocols on shared memory: threads with the store buffers that processors have (TSO: a store
 * becomes visible some time later, in order; a load looks into the thread's own buffer first), and a walk through every
 * order of their steps. A model is a function that takes one step of one thread; what its fields mean is the model's. */
#ifndef RIG_TESTS_TSO_MODEL_H
#define RIG_TESTS_TSO_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"

enum { VARS = 8, THREADS = 3, BUFFERED = 4, DONE = 100, STOPPED = 101 };

struct thread {
    uint8_t pc, a, n, seen[2], turn;
    uint8_t asleep; /* on its futex */
    uint8_t buffered;
    uint8_t var[BUFFERED], value[BUFFERED];
};

struct state { /* bytes only: compared and hashed as they lie */
    uint8_t mem[VARS];
    struct thread t[THREADS];
};

/* ---- the machine ---------------------------------------------------------------------------------------- */

static inline bool store(struct thread *t, int var, int value) {
    if (t->buffered == BUFFERED)
        return false;
    t->var[t->buffered] = (uint8_t)var;
    t->value[t->buffered++] = (uint8_t)value;
    return true;
}

static inline void drain_one(struct state *s, struct thread *t) {
    s->mem[t->var[0]] = t->value[0];
    t->buffered--;
    memmove(t->var, t->var + 1, t->buffered);
    memmove(t->value, t->value + 1, t->buffered);
    t->var[t->buffered] = t->value[t->buffered] = 0;
}

static inline int load(const struct state *s, const struct thread *t, int var) {
    for (int i = t->buffered; i-- > 0;)
        if (t->var[i] == var)
            return t->value[i];
    return s->mem[var];
}

/* A fence, a locked instruction or a system call goes on only when all earlier stores are visible. */
static inline bool fenced(const struct thread *t) {
    return t->buffered == 0;
}

static inline bool go(struct thread *t, int pc) {
    t->pc = (uint8_t)pc;
    return true;
}

/* ---- all orders ------------------------------------------------------------------------------------------- */

struct model {
    bool (*step)(struct state *s, int thread);
    bool (*fine)(const struct state *s); /* of a state in which nobody can go on */
    bool stops; /* the first thread may be stopped for ever at any moment */
};

#define SEEN_MAX ((size_t)1 << 20)
static struct state *seen;
static uint8_t *taken;
static size_t n_seen;

static inline bool is_new(const struct state *s) {
    uint64_t h = UINT64_C(1469598103934665603);
    const uint8_t *bytes = (const uint8_t *)s;
    for (size_t i = 0; i < sizeof *s; i++)
        h = (h ^ bytes[i]) * UINT64_C(1099511628211);
    size_t at = (size_t)(h ^ h >> 29) % SEEN_MAX;
    while (taken[at]) {
        if (memcmp(&seen[at], s, sizeof *s) == 0)
            return false;
        at = (at + 1) % SEEN_MAX;
    }
    assert_true(n_seen < SEEN_MAX / 2);
    n_seen++;
    taken[at] = 1;
    seen[at] = *s;
    return true;
}

/* Each thread's next step, and the next store that its buffer lets out. Returns whether nobody ever gets stuck. */
static inline bool explore(const struct model *m, const struct state *from) {
    bool sound = true, stuck = true;
    if (!is_new(from))
        return true;
    for (int i = 0; i < THREADS && sound; i++) {
        struct state s = *from;
        if (s.t[i].pc < DONE && m->step(&s, i)) {
            stuck = false;
            sound = explore(m, &s);
        }
        s = *from;
        if (sound && s.t[i].buffered > 0) {
            stuck = false;
            drain_one(&s, &s.t[i]);
            sound = explore(m, &s);
        }
    }
    if (sound && m->stops && from->t[0].pc < DONE) {
        struct state s = *from;
        s.t[0].pc = STOPPED;
        sound = explore(m, &s);
    }
    return sound && (!stuck || m->fine(from));
}

/* Whether no order of steps from there ends badly. */
static inline bool is_sound_from(const struct model *m, const struct state *first) {
    n_seen = 0;
    seen = malloc(SEEN_MAX * sizeof *seen);
    taken = calloc(SEEN_MAX, 1);
    assert_true(seen != NULL && taken != NULL);
    bool sound = explore(m, first);
    free(seen);
    free(taken);
    return sound;
}

#endif
