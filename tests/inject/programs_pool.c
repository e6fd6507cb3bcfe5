/* programs_pool: pools from C over every channel and delivery: open, wait until ready, map twice, close. Every task must
 * have ended once, right where it ended ok; what befalls a worker may cost one task and never the map. */
#include "../unit/pool_help.h"
#include "run.h"

#define TASKS 12

static void check_tasks(const struct rig_pool *r, int err) {
    const struct account *a = pool_account(r->pool);
    uint64_t sum = sum_of_fixed(), died = 0;
    if (!account_balanced(a) || (err == 0 && a->n != TASKS))
        inject_violated("the account of %d tasks does not balance", (int)a->n);
    for (uint64_t i = 0; i < map.at; i++) {
        const struct seen *s = &map.seen[i];
        enum op op = map.items[i].op;
        bool ok = s->outcome.kind == OUTCOME_OK;
        if (s->ends > 1 || (err == 0 && s->ends != 1))
            inject_violated("task %d ended %u times", (int)i, s->ends);
        if (s->ends == 1 && ok &&
            (op == LARGE_RESULT ? !s->right : op == FAIL || s->value != i * 3 + sum))
            inject_violated("task %d has a wrong value", (int)i);
        died += s->ends == 1 && s->outcome.kind == OUTCOME_DIED;
        if (s->ends == 1 && hits_another() &&
            (s->outcome.kind == OUTCOME_CANCELLED || s->outcome.kind == OUTCOME_TIMEOUT))
            inject_violated("task %d was cancelled because of a worker", (int)i);
    }
    if (hits_another() && died > 1)
        inject_violated("%d tasks died with one worker", (int)died);
}

/* Whatever fails has words. */
static int told(const struct rig_pool *r, const char *what, int err) {
    if (err < 0 && pool_why(r->pool)[0] == '\0')
        inject_violated("%s failed with %s and does not say why", what, strerrorname_np(-err));
    return err;
}

static int map_some(struct rig_pool *r) {
    map_begin(TASKS);
    map.items[3] = (struct item){.op = LARGE_RESULT, .n = 150000};
    map.items[5].ballast = 90000;
    map.items[7].op = FAIL;
    int err = told(r, "the map", map_run(r, true));
    if (err == -ENOMEM && map.at == 0)
        return err; /* not begun */
    check_tasks(r, err);
    if (err < 0 && hits_another())
        inject_violated("a worker's fault broke the map: %s: %s", strerror(-err),
                        pool_why(r->pool));
    return err;
}

static void use(struct rig_pool *r) {
    int err = told(r, "the start", pool_wait_ready(r->pool, hang()));
    if (err < 0 && hits_another())
        inject_violated("a worker's fault broke the start: %s: %s", strerror(-err),
                        pool_why(r->pool));
    if (err == 0)
        err = map_some(r);
    if (err == 0)
        err = map_some(r);
    int closed = told(r, "the close", pool_close(r->pool));
    if (closed > 0 && pool_why(r->pool)[0] == '\0')
        inject_violated("the pool closed badly and does not say why");
    if (err < 0 || closed < 0)
        fprintf(stderr, "%s: %s\n", strerror(err < 0 ? -err : -closed), pool_why(r->pool));
}

static void run_pool(const char *channel, const char *delivery) {
    sys_init(&sys, &sys_kernel);
    struct rig_pool r = prepared(channel, delivery, 2, 3);
    r.config.fixed = &r.fixed;
    inject_arm(true);
    int err = pool_open(&sys, &r.config, &r.pool, r.why, sizeof r.why);
    if (err < 0 && (r.pool != NULL || r.why[0] == '\0' || strstr(r.why, strerror(0)) != NULL))
        inject_violated("opening failed and does not say why: '%s'", r.why);
    if (err < 0 && hits_another())
        inject_violated("a worker's fault broke the opening: %s", r.why);
    if (err == 0)
        use(&r);
    else
        fprintf(stderr, "%s\n", r.why);
    pool_free(r.pool);
    inject_arm(false);
    r.pool = NULL;
    release(&r);
}

/* Open and close, with nothing between. */
static void run_open_close(const char *channel, const char *delivery) {
    sys_init(&sys, &sys_kernel);
    struct rig_pool r = prepared(channel, delivery, 3, 1);
    r.config.fixed = &r.fixed;
    inject_arm(true);
    if (pool_open(&sys, &r.config, &r.pool, r.why, sizeof r.why) == 0)
        pool_close(r.pool);
    pool_free(r.pool);
    inject_arm(false);
    r.pool = NULL;
    release(&r);
}

const struct program pool_programs[] = {
    {"open", run_open_close, "socket", "inherit", false},
    {"pool.pipe.send", run_pool, "pipe", "send", false},
    {"pool.socket.shm", run_pool, "socket", "shm", false},
    {"pool.ring.inherit", run_pool, "ring", "inherit", false},
    {"pool.ring.send", run_pool, "ring", "send", false},
    {"pool.queue.queue", run_pool, "queue", "queue", false},
    {"pool.socket.queue", run_pool, "socket", "queue", false},
    {0},
};
