/* alarm: the process's one real-time timer, which sends SIGALRM. Only for a program that says it
 * may be used (the executable): in a host it is the host's. Children do not inherit it. For the
 * deadline of one wait use clock's deadlines. */
#ifndef RIG_OS_ALARM_H
#define RIG_OS_ALARM_H

#include "os/sys.h"

/* SIGALRM once, `seconds` from now; 0 or less takes it back. More than 100 years count as 100. 0 or
 * -errno. */
int alarm_set(struct sys *s, double seconds);

#endif
