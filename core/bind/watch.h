/* watch: workers of pools that are written in Lua, looked after while their coordinator waits for something, whatever
 * that is: who is at one task for too long, or stands still (was stopped), is ended, so that the wait has an
 * end. Not for what becomes of the task: the pool sees a worker that has ended, and asks why. The C core's pools
 * have limits of their own (pool/limits.c). */
#ifndef RIG_BIND_WATCH_H
#define RIG_BIND_WATCH_H

#include "bind/state.h"

/* Ends whoever is due in all watches of this process; returns when to look again. */
int64_t watch_look(struct state *st);

/* In a forked child: its workers are its parent's. */
void watch_forget(struct state *st);

#endif
