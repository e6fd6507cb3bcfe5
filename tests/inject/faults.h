/* faults: what each call of the table may plausibly say, and for how long. What a call cannot say, or cannot go on saying
 * (EINTR for ever), is not here: a core that stood that would have code for nothing. */
#ifndef RIG_TESTS_FAULTS_H
#define RIG_TESTS_FAULTS_H

#include "inject.h"

struct fault {
    int err;
    bool lasts; /* once, and from there on; false: once */
};

#define FAULTS_MAX 8

/* Ended by one with err 0. */
extern const struct fault faults_of[SYS_KINDS][FAULTS_MAX];

/* "ENOMEM", "short", …; static. And the other way round: 0 for none. */
const char *fault_name(int err);
int fault_named(const char *name);

#endif
