/* inject: one planned fault in the calls of the core's table (core/os/sys.h), for all processes of one run. The plan is
 * a file that all of them map: the coordinator, what it forks, and fresh processes, which find it by the environment.
 * A fault is (role, kind, ordinal): role 0 is the process that the run began with, k the k-th process that it forked.
 * Not for what plausibly fails: see faults.h; nor for running anything: see run.h. */
#ifndef RIG_TESTS_INJECT_H
#define RIG_TESTS_INJECT_H

#include <stdatomic.h>

#include "os/sys.h"

/* In the environment: where the plan lies, and the role of a process that executes a program. */
#define INJECT_PLAN "RIG_INJECT"
#define INJECT_ROLE "RIG_INJECT_ROLE"

/* The last role is all that others than role 0 forked, and those that do not fit. */
#define ROLES      12
#define ROLE_OTHER (ROLES - 1)

enum inject_mode { INJECT_NOTHING, INJECT_ONCE, INJECT_FROM, INJECT_KILL };

/* Instead of an errno. */
enum { INJECT_SHORT = 10000, INJECT_LOST, INJECT_SPURIOUS };

struct inject_plan {
    enum inject_mode mode;
    unsigned role;
    int kind;
    uint64_t at; /* from 1 */
    int err; /* an errno, INJECT_SHORT: fewer bytes than asked for, INJECT_LOST: it happened, and says
                    that it did not, INJECT_SPURIOUS: it did not happen, and says that it did */
    bool
        hands_over; /* the program passes ends of streams on: one that breaks tells of an end that is certain */
    _Atomic int armed;
    _Atomic uint32_t hits;  /* how often it came to pass */
    _Atomic uint32_t unfit; /* it would have, but cannot be for what that call was given */
    _Atomic uint32_t forks; /* of role 0 */
    _Atomic uint64_t count[ROLES][SYS_KINDS];
    _Atomic int violated;
    char violation[400];
};

extern struct inject_plan *inject_plan; /* NULL: none */

/* Maps the plan that the path names, in this process, and puts it into the environment. */
void inject_use(const char *path);

/* A promise was not kept: the first one is kept, for the driver. */
void inject_violated(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Blocks of memory that this process has from the table and not given back. */
long inject_live(void);

/* The kernel itself, behind what fails. */
extern const struct sys_table sys_behind;

#endif
