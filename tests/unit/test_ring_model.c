/* Parking and waking of rings (core/os/ring.c, core/pool/channel_ring.c), gone through in every order: a model of each
 * side's steps on shared memory (tso_model.h). Whoever sleeps while there is something for it to do has lost a wake-up.
 * Each rule of the protocol is then broken on purpose, and must be missed. */
#include "tso_model.h"

enum { WRITTEN, READ, WRITER_BELL, READER_BELL, FIRST, SECOND, BELL, EVENT };

/* What is left out or done wrong. */
struct broken {
    bool mover_fence, sleeper_fence, second_look; /* left out */
    bool bell_stays;                              /* a futex is woken with the bell still set */
    bool clears_first;    /* the doorbell's bell is cleared before the ring */
    bool clears_any_turn; /* and afterwards, whosever turn it is */
};

static struct broken broken;

/* ---- two sides of a ring that park on futexes -------------------------------------------------------------- */

#define ITEMS    3
#define CAPACITY 1

static bool can_move(bool writes, int mine, int theirs) {
    return writes ? mine - theirs < CAPACITY : theirs > mine;
}

/* ring_wait, then ring_show, until all items have passed; false when this thread cannot go on now. */
static bool side(struct state *s, int me, bool writes) {
    struct thread *t = &s->t[me], *other = &s->t[1 - me];
    const int mine = writes ? WRITTEN : READ, theirs = writes ? READ : WRITTEN;
    const int bell = writes ? WRITER_BELL : READER_BELL, wakes = writes ? READER_BELL : WRITER_BELL;
    switch (t->pc) {
    case 0:
        if (t->n == ITEMS)
            return go(t, DONE);
        return go(t, can_move(writes, t->n, load(s, t, theirs)) ? 1 : 5);
    case 1: /* ring_show */
        if (!store(t, mine, t->n + 1))
            return false;
        t->n++;
        return go(t, 2);
    case 2:
        if (!broken.mover_fence && !fenced(t))
            return false;
        return go(t, load(s, t, wakes) != 0 ? 4 : 0);
    case 4: { /* wake: exchange, then the system call */
        if (!fenced(t))
            return false;
        int was = s->mem[wakes];
        if (!broken.bell_stays)
            s->mem[wakes] = 0;
        return go(t, was != 0 ? 10 : 0);
    }
    case 10: other->asleep = 0; return go(t, 0);
    case 5: return store(t, bell, 1) && go(t, broken.second_look ? 8 : 7); /* ring_park */
    case 7:
        if (!broken.sleeper_fence && !fenced(t))
            return false;
        return go(t, can_move(writes, t->n, load(s, t, theirs)) ? 9 : 8);
    case 8: /* the kernel compares and puts to sleep in one step */
        if (!fenced(t))
            return false;
        t->asleep = s->mem[bell] == 1;
        return go(t, broken.second_look ? 9 : 5);
    case 9: return store(t, bell, 0) && go(t, 0); /* ring_unpark */
    default: return false;
    }
}

static bool two_sides(struct state *s, int me) {
    return me < 2 && !s->t[me].asleep && side(s, me, me == 0);
}

static bool all_passed(const struct state *s) {
    return s->t[0].pc == DONE && s->t[1].pc == DONE;
}

/* ---- a coordinator that polls, and two workers that ring its doorbell ------------------------------------- */

#define EACH 2 /* changes that each worker shows */

static bool worker(struct state *s, int me) {
    struct thread *t = &s->t[me];
    switch (t->pc) {
    case 0:
        if (t->n == EACH)
            return go(t, DONE);
        if (!store(t, FIRST + me, t->n + 1))
            return false;
        t->n++;
        return go(t, 1);
    case 1:
        if (!broken.mover_fence && !fenced(t))
            return false;
        t->a = (uint8_t)load(s, t, BELL);
        return go(t, t->a == 0 ? 0 : broken.clears_first ? 5 : 3);
    case 3:
        if (!fenced(t))
            return false;
        s->mem[EVENT] = 1;
        return go(t, broken.clears_first ? 6 : 4);
    case 4:
        if (!fenced(t))
            return false;
        if (s->mem[BELL] == t->a || broken.clears_any_turn)
            s->mem[BELL] = 0;
        t->a = 0;
        return go(t, 0);
    case 5:
        if (!fenced(t))
            return false;
        t->a = s->mem[BELL];
        s->mem[BELL] = 0;
        return go(t, t->a != 0 ? 3 : 6);
    case 6: t->a = 0; return go(t, 0);
    default: return false;
    }
}

static bool changed(const struct state *s, int which) {
    return load(s, &s->t[2], FIRST + which) != s->t[2].seen[which];
}

static bool look_at(struct state *s, int which, int next) {
    struct thread *t = &s->t[2];
    t->seen[which] = (uint8_t)load(s, t, FIRST + which);
    return go(t, next);
}

static bool coordinator(struct state *s) {
    struct thread *t = &s->t[2];
    switch (t->pc) {
    case 0: return go(t, changed(s, 0) ? 7 : 1);
    case 1: return go(t, changed(s, 1) ? 7 : 2);
    case 2: return store(t, BELL, t->turn + 1) && ++t->turn && go(t, broken.second_look ? 6 : 4);
    case 4:
        if (!broken.sleeper_fence && !fenced(t))
            return false;
        return go(t, changed(s, 0) ? 7 : 5);
    case 5: return go(t, changed(s, 1) ? 7 : 6);
    case 6: return fenced(t) && s->mem[EVENT] != 0 && go(t, 10); /* poll */
    case 7: return store(t, BELL, 0) && go(t, 8);
    case 8: return look_at(s, 0, 9);
    case 9: return look_at(s, 1, 0);
    case 10: return store(t, BELL, 0) && go(t, 11);
    case 11:
        if (!fenced(t))
            return false;
        s->mem[EVENT] = 0;
        return go(t, 8);
    default: return false;
    }
}

static bool doorbell(struct state *s, int me) {
    return me < 2 ? worker(s, me) : coordinator(s);
}

/* What a worker shows before it is stopped may wait; the other's may not. */
static bool all_seen(const struct state *s) {
    for (int i = 0; i < 2; i++)
        if (s->t[i].pc != STOPPED && s->t[2].seen[i] != EACH)
            return false;
    return true;
}

/* ---- all orders ------------------------------------------------------------------------------------------- */

static bool is_sound(const struct model *m, struct broken how) {
    struct state s = {0};
    broken = how;
    return is_sound_from(m, &s);
}

static const struct model futex = {.step = two_sides, .fine = all_passed};
static const struct model bell = {.step = doorbell, .fine = all_seen};
static const struct model stopping = {.step = doorbell, .fine = all_seen, .stops = true};

static void no_order_loses_a_wake_up_on_a_futex(void **state) {
    (void)state;
    assert_true(is_sound(&futex, (struct broken){.bell_stays = false}));
    assert_true(n_seen > 500); /* it went somewhere */
}

static void no_order_loses_a_ring_of_the_doorbell(void **state) {
    (void)state;
    assert_true(is_sound(&bell, (struct broken){.bell_stays = false}));
    assert_true(n_seen > 2000);
}

static void a_worker_that_is_stopped_half_way_delays_nobody_elses_ring(void **state) {
    (void)state;
    assert_true(is_sound(&stopping, (struct broken){.bell_stays = false}));
}

static void every_rule_is_missed_where_it_is_broken(void **state) {
    (void)state;
    const struct {
        const char *name;
        const struct model *model;
        struct broken how;
    } rules[] = {
        {"futex: who moves has no fence", &futex, {.mover_fence = true}},
        {"futex: who sleeps has no fence", &futex, {.sleeper_fence = true}},
        {"futex: no second look", &futex, {.second_look = true}},
        {"futex: the bell stays set", &futex, {.bell_stays = true}},
        {"doorbell: who moves has no fence", &bell, {.mover_fence = true}},
        {"doorbell: who sleeps has no fence", &bell, {.sleeper_fence = true}},
        {"doorbell: no second look", &bell, {.second_look = true}},
        {"doorbell: any turn's bell is cleared", &bell, {.clears_any_turn = true}},
        {"doorbell: the bell is cleared before the ring", &stopping, {.clears_first = true}},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (is_sound(rules[i].model, rules[i].how))
            fail_msg("not found: %s", rules[i].name);
    /* only a stop in between makes this one wrong */
    assert_true(is_sound(&bell, (struct broken){.clears_first = true}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(no_order_loses_a_wake_up_on_a_futex),
        CLEAN_TEST(no_order_loses_a_ring_of_the_doorbell),
        CLEAN_TEST(a_worker_that_is_stopped_half_way_delays_nobody_elses_ring),
        CLEAN_TEST(every_rule_is_missed_where_it_is_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
