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
    a->n = a->cap = a->open = 0;
}

void account_begin(struct account *a) {
    a->n = a->open = 0;
    memset(a->ended, 0, sizeof a->ended);
    memset(a->by_worker, 0, a->workers * sizeof *a->by_worker);
}

int account_add(struct account *a, uint64_t count) {
    uint64_t need;
    if (__builtin_add_overflow(a->n, count, &need))
        return -ENOMEM;
    if (need > a->cap) {
        uint64_t cap = need + need / 2 + 64;
        uint8_t *more = sys_realloc(a->sys, a->state, cap);
        if (more == NULL)
            return -ENOMEM;
        a->state = more;
        a->cap = cap;
    }
    if (count > 0)
        memset(a->state + a->n, TASK_WAITING, count);
    a->n = need;
    a->open += count;
    return 0;
}

int account_assign(struct account *a, uint64_t task, unsigned worker) {
    if (task >= a->n || worker == 0 || worker > a->workers)
        return -ENOENT;
    if (a->state[task] == TASK_ENDED)
        return -EALREADY;
    a->state[task] = TASK_ASSIGNED;
    return 0;
}

int account_finish(struct account *a, uint64_t task, enum outcome_kind kind, unsigned worker) {
    if (task >= a->n || worker > a->workers || kind >= OUTCOME_KINDS)
        return -ENOENT;
    if (a->state[task] == TASK_ENDED)
        return -EALREADY;
    a->state[task] = TASK_ENDED;
    a->ended[kind]++;
    a->open--;
    if (worker > 0 && (kind == OUTCOME_OK || kind == OUTCOME_ERROR))
        a->by_worker[worker - 1]++;
    return 0;
}

bool account_is_open(const struct account *a, uint64_t task) {
    return task < a->n && a->state[task] != TASK_ENDED;
}

bool account_balanced(const struct account *a) {
    uint64_t sum = 0;
    for (int i = 0; i < OUTCOME_KINDS; i++)
        sum += a->ended[i];
    return a->open == 0 && sum == a->n;
}
