/* fds: the registry of descriptors that rigs in this process own. It is the only process-wide state
 * of the library: with it a child of one rig closes the descriptors of all, so that no worker keeps
 * another's channel or lifeline open. Descriptors of the host are never touched. */
#ifndef RIG_OS_FDS_H
#define RIG_OS_FDS_H

#include "os/sys.h"

/* Registers a descriptor; returns it, or -errno after closing it (an error given in is passed on). */
int fds_own(struct sys *s, int fd);

/* Closes a registered descriptor and sets *fd to -1; -1 is allowed. */
void fds_close(struct sys *s, int *fd);

/* Around a fork, so that the child finds the registry whole; and around what no fork of another thread may come between, as
 * opening a stream or memory and registering it (only one that arrives over a socket may be copied in between). Between the
 * two nothing else here may be called but fds_own_held. */
void fds_hold(void);
void fds_release(void);

/* fds_own for who holds the registry. */
int fds_own_held(struct sys *s, int fd);

/* In a fresh child: closes every registered descriptor but the `n` in keep. */
void fds_close_others(struct sys *s, const int *keep, size_t n);

/* How many descriptors are registered (for tests). */
size_t fds_count(void);

#endif
