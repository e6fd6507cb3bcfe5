/* Tasks that are taken back from a worker (core/pool/steal.c, may_begin in core/pool/worker.c), gone through in every
 * order (tso_model.h): a worker with two messages, and a coordinator that tries twice to take the second half of what is
 * not begun of one. No task may be run by the worker and be taken too. What the worker leaves and nobody took comes back
 * with its word; that needs no model. Each rule is then broken on purpose, and must be missed. */
#include "tso_model.h"

enum { PROGRESS, CURRENT, CUTS };
enum { MESSAGES = 2, EACH = 3, SHIFT = 8 };

static struct {
    bool worker_fence, coordinator_fence, second_look; /* left out */
    bool looks_first; /* the worker looks for a cut before it says what it begins */
    bool any_message; /* progress counts whatever message it is of */
    bool one_cut;     /* for all messages */
    int target[2];    /* of which message the coordinator's attempts are, from 0 */
} how;

static int cut_of(int message) {
    return CUTS + (how.one_cut ? 0 : message);
}

static int word(int message, int n) {
    return (message + 1) * SHIFT + n;
}

/* Thread 0: `a` is its message, `n` the task it is at, `seen` how many of each message it ran. */
static bool worker(struct state *s) {
    struct thread *t = &s->t[0];
    switch (t->pc) {
    case 0:
        if (t->n == EACH) {
            t->a++;
            t->n = 0;
        }
        if (t->a == MESSAGES)
            return go(t, DONE);
        t->turn = how.looks_first ? (uint8_t)load(s, t, cut_of(t->a)) : 0;
        return go(t, 1);
    case 1: return store(t, PROGRESS, word(t->a, t->n + 1)) && go(t, 2);
    case 2: return store(t, CURRENT, 1) && go(t, 3);
    case 3: {
        if (!how.worker_fence && !fenced(t))
            return false;
        int cut = how.looks_first ? t->turn : load(s, t, cut_of(t->a));
        bool left = cut / SHIFT == t->a + 1 && t->n + 1 > cut % SHIFT;
        t->seen[t->a] = (uint8_t)(t->seen[t->a] + !left);
        t->n = left ? EACH : (uint8_t)(t->n + 1);
        return go(t, 0);
    }
    default: return false;
    }
}

static int begun_of(int progress, int message, int count) {
    int later = progress / SHIFT - (message + 1), n = progress % SHIFT;
    if (!how.any_message)
        n = later < 0 ? 0 : later > 0 ? count : n;
    return n < count ? n : count;
}

/* Thread 1: `a` is its attempt, `n` how many tasks it means to leave, `seen` how many of each message it has taken. */
static bool coordinator(struct state *s) {
    struct thread *t = &s->t[1];
    if (t->pc == 0 && t->a == 2)
        return go(t, DONE);
    int message = how.target[t->a], count = EACH - t->seen[message];
    switch (t->pc) {
    case 0: {
        int left = count - begun_of(load(s, t, PROGRESS), message, count);
        t->n = (uint8_t)(count - (left - left / 2));
        return go(t, left > 0 ? 1 : 4);
    }
    case 1: return store(t, cut_of(message), word(message, t->n)) && go(t, 2);
    case 2: /* looks at `current`, which only makes it wait for its own store */
        return (how.coordinator_fence || fenced(t)) && go(t, 3);
    case 3:
        if (how.second_look || begun_of(load(s, t, PROGRESS), message, count) <= t->n)
            t->seen[message] = (uint8_t)(EACH - t->n);
        return go(t, 4);
    case 4:
        t->a++;
        t->n = 0;
        return go(t, 0);
    default: return false;
    }
}

static bool step(struct state *s, int me) {
    return me == 0 ? worker(s) : me == 1 && coordinator(s);
}

static bool nobody_has_both(const struct state *s) {
    for (int i = 0; i < MESSAGES; i++)
        if (s->t[0].seen[i] + s->t[1].seen[i] > EACH)
            return false;
    return s->t[0].pc == DONE && s->t[1].pc == DONE;
}

static const struct model steal = {.step = step, .fine = nobody_has_both};

/* Whichever messages the two attempts are of; the states that were seen. */
static bool is_sound(size_t *states) {
    struct state first = {0};
    bool sound = true;
    *states = 0;
    for (int i = 0; i < 4 && sound; i++) {
        how.target[0] = i / 2;
        how.target[1] = i % 2;
        sound = is_sound_from(&steal, &first);
        *states += n_seen;
    }
    return sound;
}

static void no_task_is_run_by_the_worker_and_taken_too(void **state) {
    (void)state;
    size_t states;
    memset(&how, 0, sizeof how);
    assert_true(is_sound(&states));
    assert_true(states > 1000); /* it went somewhere */
}

static void every_rule_is_missed_where_it_is_broken(void **state) {
    (void)state;
    const struct {
        const char *name;
        bool *rule;
    } rules[] = {
        {"the worker has no fence", &how.worker_fence},
        {"the coordinator has no fence", &how.coordinator_fence},
        {"no second look", &how.second_look},
        {"the worker looks first", &how.looks_first},
        {"progress of any message", &how.any_message},
        {"one cut for all messages", &how.one_cut},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        size_t states;
        memset(&how, 0, sizeof how);
        *rules[i].rule = true;
        if (is_sound(&states))
            fail_msg("not found: %s", rules[i].name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(no_task_is_run_by_the_worker_and_taken_too),
        CLEAN_TEST(every_rule_is_missed_where_it_is_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
