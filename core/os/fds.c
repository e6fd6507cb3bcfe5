/* fds: see fds.h. A bitmap, so that runs of neighbours are closed by one call. */
#include "os/fds.h"

#include <errno.h>
#include <pthread.h>

#include <string.h>

#define BITS 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t *owned;
static size_t owned_words;

static bool is_owned(size_t fd) {
    return fd / BITS < owned_words && (owned[fd / BITS] >> (fd % BITS) & 1);
}

static bool grow_to(struct sys *s, size_t words) {
    if (words <= owned_words)
        return true;
    size_t n = words + words / 2 + 4;
    uint64_t *more = sys_realloc(s, owned, n * sizeof *owned);
    if (more == NULL)
        return false;
    memset(more + owned_words, 0, (n - owned_words) * sizeof *more);
    owned = more;
    owned_words = n;
    return true;
}

int fds_own_held(struct sys *s, int fd) {
    if (fd < 0)
        return fd;
    if (!grow_to(s, (size_t)fd / BITS + 1)) {
        sys_close(s, fd);
        return -ENOMEM;
    }
    owned[fd / BITS] |= UINT64_C(1) << (fd % BITS);
    return fd;
}

int fds_own(struct sys *s, int fd) {
    pthread_mutex_lock(&lock);
    fd = fds_own_held(s, fd);
    pthread_mutex_unlock(&lock);
    return fd;
}

static void forget(size_t fd) {
    if (fd / BITS < owned_words)
        owned[fd / BITS] &= ~(UINT64_C(1) << (fd % BITS));
}

void fds_close(struct sys *s, int *fd) {
    if (*fd < 0)
        return;
    pthread_mutex_lock(&lock);
    forget((size_t)*fd);
    sys_close(s, *fd);
    pthread_mutex_unlock(&lock);
    *fd = -1;
}

void fds_hold(void) {
    pthread_mutex_lock(&lock);
}
void fds_release(void) {
    pthread_mutex_unlock(&lock);
}

static void close_run(struct sys *s, size_t lo, size_t hi) {
    if (hi - lo > 1 && sys_close_range(s, (unsigned)lo, (unsigned)hi - 1) == 0)
        return;
    for (size_t fd = lo; fd < hi; fd++)
        sys_close(s, (int)fd);
}

void fds_close_others(struct sys *s, const int *keep, size_t n) {
    bool ours[n + 1]; /* what is kept of the host's stays the host's, and need not fit the bitmap */
    for (size_t i = 0; i < n; i++) {
        ours[i] = keep[i] >= 0 && is_owned((size_t)keep[i]);
        if (ours[i])
            forget((size_t)keep[i]);
    }
    size_t end = owned_words * BITS;
    for (size_t fd = 0; fd < end; fd++) {
        if (owned[fd / BITS] == 0) {
            fd |= BITS - 1;
            continue;
        }
        size_t lo = fd;
        while (is_owned(fd))
            fd++;
        if (fd > lo)
            close_run(s, lo, fd);
    }
    if (owned == NULL)
        return;
    memset(owned, 0, owned_words * sizeof *owned);
    for (size_t i = 0; i < n; i++)
        if (ours[i])
            owned[keep[i] / BITS] |= UINT64_C(1) << (keep[i] % BITS);
}

size_t fds_count(void) {
    size_t n = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < owned_words; i++)
        n += (size_t)__builtin_popcountll(owned[i]);
    pthread_mutex_unlock(&lock);
    return n;
}
