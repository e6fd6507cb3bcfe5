/* run: one program, again and again, each time in processes of its own and with one fault, and what must hold after each:
 * it ended within its time, nobody saw a promise broken, and nothing is left of it. What a program does is in programs_*.c;
 * which faults there are in faults.h. */
#ifndef RIG_TESTS_INJECT_RUN_H
#define RIG_TESTS_INJECT_RUN_H

#include "faults.h"

struct program {
    const char *name;
    /* In a process of its own. Arms the plan for what is to be looked at, and gives back all it took. */
    void (*run)(const char *a, const char *b);
    const char *a, *b;
    bool command; /* run executes a program, which is looked at from its beginning: see EXITS */
};

extern const struct program pool_programs[], lua_programs[],
    command_programs[]; /* ended by a NULL name */

struct options {
    unsigned sample; /* so many ordinals of each call at most; 0: all */
    double seconds;  /* for one run */
    bool verbose;
    bool count;       /* only says how many points and runs there would be */
    int role;         /* faults of this process alone; -1: of all */
    const char *call; /* of this one alone; NULL: of all */
    const char *only; /* "role:kind:at:fault:mode", one run; NULL: all */
};

struct tally {
    uint64_t points; /* (role, kind, ordinal) at which something was made to fail */
    uint64_t runs, failed;
};

/* Once for the process that runs them; `folder` is the scratch folder. */
void run_begin(const char *folder);

/* Every fault of one program; prints what broke. */
void run_program(const struct program *p, const struct options *o, struct tally *t);

static inline void inject_arm(bool on) {
    if (inject_plan != NULL)
        atomic_store(&inject_plan->armed, on);
}

/* The fault hits another process than the one that the run began with: it must not become that one's. */
static inline bool hits_another(void) {
    return inject_plan->mode != INJECT_NOTHING && inject_plan->role != 0;
}

/* Where a command is to write its results, and what stands there before. */
#define RESULTS     "out.json"
#define OLD_RESULTS "the old results\n"

#endif
