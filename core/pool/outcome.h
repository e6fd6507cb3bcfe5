/* outcome: the account of a map. Every task ends exactly once, in one of five ways; whatever does not
 * add up is an error and never a number. Pools in C and in Lua report to the same account. */
#ifndef RIG_POOL_OUTCOME_H
#define RIG_POOL_OUTCOME_H

#include "os/sys.h"

enum outcome_kind {
    OUTCOME_OK,
    OUTCOME_ERROR,     /* its function failed */
    OUTCOME_TIMEOUT,   /* it took too long; its worker was stopped */
    OUTCOME_DIED,      /* its worker ended */
    OUTCOME_CANCELLED, /* the map ended before it did */
    OUTCOME_KINDS
};

extern const char *const outcome_names[OUTCOME_KINDS];

struct outcome {
    uint64_t task; /* from 0 */
    enum outcome_kind kind;
    unsigned worker;  /* from 1; 0: none had it */
    unsigned attempt; /* from 1 */
    bool retried;     /* this attempt failed, and the task has not ended: there is another one */
    int32_t pid;
    int signal, exit_code; /* of a worker that ended; 0 and -1 when they do not apply */
    const char *message;   /* why it is not ok; valid during the call */
    size_t message_len;
};

struct account {
    struct sys *sys;
    uint8_t
        *state; /* a byte a task, from `origin` on: all before it have ended and are forgotten */
    uint64_t origin, cap;
    uint64_t first_open; /* all tasks before it have ended */
    uint64_t n;
    uint64_t open; /* tasks that have not ended */
    uint64_t ended[OUTCOME_KINDS];
    uint64_t *by_worker; /* tasks that ended ok or in error, by worker - 1 */
    unsigned workers;
};

/* 0 or -ENOMEM. */
int account_init(struct account *a, struct sys *s, unsigned workers);
void account_free(struct account *a);

/* Starts a new map without tasks. */
void account_begin(struct account *a);

/* Adds `count` tasks; the number of the first is a->n before the call. 0 or -ENOMEM. What it takes in
 * memory grows with the distance from the oldest task that has not ended, not with all that ever were. */
int account_add(struct account *a, uint64_t count);

/* Notes that a worker has it. -ENOENT: no such task; -EALREADY: it has ended. */
int account_assign(struct account *a, uint64_t task, unsigned worker);

/* Ends a task. -ENOENT, or -EALREADY when it had ended: the caller drops the second end. */
int account_finish(struct account *a, uint64_t task, enum outcome_kind kind, unsigned worker);

bool account_is_open(const struct account *a, uint64_t task);

/* Whether all tasks have ended and the sums agree. */
bool account_balanced(const struct account *a);

#endif
