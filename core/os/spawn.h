/* spawn: what a forked child does to become a fresh program: every descriptor closed but 0, 1, 2 and
 * those it is to have, and a mark in its environment, so that a program which does not know that it
 * is a worker cannot start workers of its own. For commands see proc_exec. */
#ifndef RIG_OS_SPAWN_H
#define RIG_OS_SPAWN_H

#include "os/sys.h"

/* This very program, whatever became of the file that it was started from. */
#define SPAWN_SELF "/proc/self/exe"

/* In a child of proc_fork: executes `program` (a path, not looked up) with the `n` descriptors in keep
 * (-1: none), which stay open under their numbers. `until` stays open too until it is executed, and is
 * closed then if it is not among keep. Returns only when that failed: -errno. */
int spawn_exec(struct sys *s, const char *program, char *const argv[], const int *keep, size_t n,
               int until);

/* Does this process carry the mark? */
bool spawn_is_marked(void);

/* For the program once it knows what it is: takes the mark away, so that what it starts has none. */
void spawn_unmark(void);

/* In the program: a descriptor that it was started with becomes one of ours: registered, close-on-exec.
 * 0 or -errno. */
int spawn_adopt(struct sys *s, int fd);

#endif
