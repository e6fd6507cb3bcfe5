/* spawn: see spawn.h. */
#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "os/fds.h"

#define MARK "RIG_SPAWNED"

/* Where the kernel cannot close a range, so many are looked at. */
#define FDS_LOOKED_AT 65536

#define FIRST_OTHER 3 /* 0, 1 and 2 are everybody's */

extern char **environ;

static void close_between(struct sys *s, int lo, int hi) {
    if (lo > hi || sys_close_range(s, (unsigned)lo, (unsigned)hi) == 0)
        return;
    for (int fd = lo; fd <= hi && fd < FDS_LOOKED_AT; fd++)
        sys_close(s, fd);
}

/* The least of keep and until that is at least `from`, or INT_MAX. */
static int next_kept(const int *keep, size_t n, int until, int from) {
    int least = until >= from ? until : INT_MAX;
    for (size_t i = 0; i < n; i++)
        if (keep[i] >= from && keep[i] < least)
            least = keep[i];
    return least;
}

/* Descriptors of the host's too: a fresh process has nothing of ours that it was not given. */
static void close_all_but(struct sys *s, const int *keep, size_t n, int until) {
    for (int from = FIRST_OTHER;;) {
        int kept = next_kept(keep, n, until, from);
        close_between(s, from, kept - 1);
        if (kept == INT_MAX)
            return;
        from = kept + 1;
    }
}

static int keep_over_exec(struct sys *s, const int *keep, size_t n) {
    int err = 0;
    for (size_t i = 0; i < n && err >= 0; i++)
        if (keep[i] >= 0)
            err = sys_fcntl(s, keep[i], F_SETFD, 0);
    return err;
}

/* Our environment and the mark. */
static char **marked_environment(struct sys *s) {
    static char mark[] = MARK "=1";
    size_t n = 0;
    while (environ != NULL && environ[n] != NULL)
        n++;
    char **all = sys_malloc(s, (n + 2) * sizeof *all);
    if (all == NULL)
        return NULL;
    if (n > 0)
        memcpy(all, environ, n * sizeof *all);
    all[n] = mark;
    all[n + 1] = NULL;
    return all;
}

int spawn_exec(struct sys *s, const char *program, char *const argv[], const int *keep, size_t n,
               int until) {
    char **env = marked_environment(s);
    if (env == NULL)
        return -ENOMEM;
    close_all_but(s, keep, n, until);
    int err = keep_over_exec(s, keep, n);
    if (err >= 0)
        err = sys_exec(s, program, argv, env);
    sys_free(env);
    return err;
}

bool spawn_is_marked(void) {
    return getenv(MARK) != NULL;
}

void spawn_unmark(void) {
    unsetenv(MARK);
}

int spawn_adopt(struct sys *s, int fd) {
    int err = sys_fcntl(s, fd, F_SETFD, FD_CLOEXEC);
    if (err >= 0)
        err = fds_own(s, fd);
    return err < 0 ? err : 0;
}
