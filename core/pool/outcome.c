/* outcome: see outcome.h. */
#include "pool/outcome.h"

#include <errno.h>
#include <string.h>

enum { TASK_WAITING, TASK_ASSIGNED, TASK_ENDED };

const char *const outcome_names[OUTCOME_KINDS] = {"ok", "error", "timeout", "died", "cancelled"};

int account_init(struct account *a, struct sys *s, unsigned workers) {
    *a = (struct account){.sys = s, .workers = workers};
    a->by_worker = sys_malloc(s, workers * sizeof *a->by_worker);
    if (a->by_worker == NULL)
        return -ENOMEM;
    account_begin(a);
    return 0;
}

void account_free(struct account *a) {
    sys_free(a->state);
    sys_free(a->by_worker);
    a->state = NULL;
    a->by_worker = NULL;
    a->n = a->cap = a->open = a->origin = a->first_open = 0;
}

void account_begin(struct account *a) {
    a->n = a->open = a->origin = a->first_open = 0;
    memset(a->ended, 0, sizeof a->ended);
    memset(a->by_worker, 0, a->workers * sizeof *a->by_worker);
}

/* Room for states up to task `need`: what lies before the first open task is forgotten first. */
static int make_room(struct account *a, uint64_t need) {
    uint64_t past = a->first_open - a->origin;
    if (past > 0 && past >= a->cap / 2) {
        memmove(a->state, a->state + past, a->n - a->first_open);
        a->origin = a->first_open;
    }
    if (need - a->origin <= a->cap)
        return 0;
    uint64_t live = need - a->origin, cap;
    if (__builtin_add_overflow(live, live / 2 + 64, &cap))
        return -ENOMEM;
    uint8_t *more = sys_realloc(a->sys, a->state, cap);
    if (more == NULL)
        return -ENOMEM;
    a->state = more;
    a->cap = cap;
    return 0;
}

int account_add(struct account *a, uint64_t count) {
    uint64_t need;
    if (__builtin_add_overflow(a->n, count, &need))
        return -ENOMEM;
    if (need - a->origin > a->cap && make_room(a, need) < 0)
        return -ENOMEM;
    if (count == 1)
        a->state[a->n - a->origin] = TASK_WAITING;
    else if (count > 0)
        memset(a->state + (a->n - a->origin), TASK_WAITING, count);
    a->n = need;
    a->open += count;
    return 0;
}

static uint8_t *state_of(const struct account *a, uint64_t task) {
    return task < a->origin ? NULL : &a->state[task - a->origin];
}

int account_assign(struct account *a, uint64_t task, unsigned worker) {
    if (task >= a->n || worker == 0 || worker > a->workers)
        return -ENOENT;
    uint8_t *state = state_of(a, task);
    if (state == NULL || *state == TASK_ENDED)
        return -EALREADY;
    *state = TASK_ASSIGNED;
    return 0;
}

int account_finish(struct account *a, uint64_t task, enum outcome_kind kind, unsigned worker) {
    if (task >= a->n || worker > a->workers || kind >= OUTCOME_KINDS)
        return -ENOENT;
    uint8_t *state = state_of(a, task);
    if (state == NULL || *state == TASK_ENDED)
        return -EALREADY;
    *state = TASK_ENDED;
    while (a->first_open < a->n && a->state[a->first_open - a->origin] == TASK_ENDED)
        a->first_open++;
    a->ended[kind]++;
    a->open--;
    if (worker > 0 && (kind == OUTCOME_OK || kind == OUTCOME_ERROR))
        a->by_worker[worker - 1]++;
    return 0;
}

bool account_is_open(const struct account *a, uint64_t task) {
    return task >= a->first_open && task < a->n && *state_of(a, task) != TASK_ENDED;
}

bool account_balanced(const struct account *a) {
    uint64_t sum = 0;
    for (int i = 0; i < OUTCOME_KINDS; i++)
        sum += a->ended[i];
    return a->open == 0 && sum == a->n;
}
