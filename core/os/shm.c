/* shm: see shm.h. */
#include "os/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "os/fds.h"

#define PAGE ((size_t)4096)

static size_t round_up(size_t n, size_t to) {
    return (n + to - 1) & ~(to - 1);
}

/* A reserved range of n bytes that starts on a huge page: maps more and gives the ends back. */
static int map_aligned(struct sys *s, size_t n, int prot, int flags, void **addr) {
    size_t whole;
    if (__builtin_add_overflow(n, SHM_HUGE, &whole))
        return -ENOMEM;
    void *got = NULL;
    int err = sys_map(s, &got, whole, prot, flags, -1);
    if (err < 0)
        return err;
    uintptr_t start = (uintptr_t)got;
    uintptr_t aligned = round_up(start, SHM_HUGE);
    if (aligned > start)
        sys_unmap(s, got, aligned - start);
    size_t tail = start + whole - (aligned + n);
    if (tail > 0)
        sys_unmap(s, (void *)(aligned + n), tail);
    *addr = (void *)aligned;
    return 0;
}

int map_open(struct sys *s, enum map_kind kind, size_t n, void **addr) {
    if (n == 0 || n > SIZE_MAX / 2)
        return -ENOMEM;
    n = round_up(n, PAGE);
    int flags = MAP_ANONYMOUS | (kind == MAP_KIND_SHARED ? MAP_SHARED : MAP_PRIVATE);
    if (kind == MAP_KIND_PRIVATE)
        flags |= MAP_NORESERVE; /* memory_available() is the check; see architecture.md */
    int prot = PROT_READ | PROT_WRITE;
    *addr = NULL;
    if (n < SHM_HUGE || kind == MAP_KIND_SHARED)
        return sys_map(s, addr, n, prot, flags, -1);
    int err = map_aligned(s, n, prot, flags, addr);
    if (err == 0)
        sys_madvise(s, *addr, n, MADV_HUGEPAGE);
    return err;
}

static int move_aligned(struct sys *s, void **addr, size_t old, size_t n) {
    void *to;
    int err = map_aligned(s, n, PROT_NONE, MAP_ANONYMOUS | MAP_PRIVATE | MAP_NORESERVE, &to);
    if (err < 0)
        return err;
    err = sys_remap(s, addr, old, n, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    if (err < 0)
        sys_unmap(s, to, n);
    return err;
}

int map_resize(struct sys *s, void **addr, size_t old, size_t n) {
    if (n == 0 || n > SIZE_MAX / 2)
        return -ENOMEM;
    old = round_up(old, PAGE);
    n = round_up(n, PAGE);
    if (old == n)
        return 0;
    if (sys_remap(s, addr, old, n, 0, NULL) < 0) {
        int err = n < SHM_HUGE ? sys_remap(s, addr, old, n, MREMAP_MAYMOVE, NULL)
                               : move_aligned(s, addr, old, n);
        if (err < 0)
            return err;
    }
    if (n >= SHM_HUGE && n > old)
        sys_madvise(s, *addr, n, MADV_HUGEPAGE);
    return 0;
}

void map_close(struct sys *s, void *addr, size_t n) {
    if (addr != NULL)
        sys_unmap(s, addr, round_up(n, PAGE));
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

void map_prefault(struct sys *s, void *addr, size_t n) {
    uintptr_t lo = (uintptr_t)addr & ~(PAGE - 1);
    uintptr_t hi = round_up((uintptr_t)addr + n, PAGE);
    sys_madvise(s, (void *)lo, hi - lo, MADV_POPULATE_WRITE);
}

/* A memfd with room for all of n. */
static int reserve(struct sys *s, const char *name, size_t n, int *fd) {
    *fd = -1;
    /* What lies behind a memfd has no limit of its own: allocating more than there is would bring the
     * OOM killer, not an error. */
    if (n == 0 || n > SIZE_MAX / 2 || n > memory_available(s))
        return -ENOMEM;
    fds_hold(); /* a child of another thread would keep all of it */
    *fd = fds_own_held(s, sys_memfd(s, name));
    fds_release();
    return *fd < 0 ? *fd : sys_fallocate(s, *fd, (off_t)round_up(n, PAGE));
}

int shm_open_shared(struct sys *s, const char *name, size_t n, int *fd, void **addr) {
    *addr = NULL;
    int err = reserve(s, name, n, fd);
    if (err == 0)
        err = shm_map(s, *fd, n, true, addr);
    if (err < 0)
        fds_close(s, fd);
    return err;
}

/* A child that another thread forks would have the writable mapping too, and forbid the seal for as long as it lives. */
int shm_open_sealable(struct sys *s, const char *name, size_t n, int *fd, void **addr) {
    *addr = NULL;
    int err = reserve(s, name, n, fd);
    if (err == 0) {
        fds_hold();
        err = shm_map(s, *fd, n, true, addr);
        if (err == 0)
            sys_madvise(s, *addr, round_up(n, PAGE), MADV_DONTFORK);
        fds_release();
    }
    if (err < 0)
        fds_close(s, fd);
    return err;
}

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

int shm_seal_open(struct sys *s, int *fd, size_t n, void **addr) {
    map_close(s, *addr, n);
    *addr = NULL;
    int err = sys_fcntl(s, *fd, F_ADD_SEALS, SEALS);
    if (err >= 0)
        err = shm_map(s, *fd, n, false, addr);
    if (err < 0)
        fds_close(s, fd);
    return err;
}

int shm_seal(struct sys *s, int *fd, size_t n, void **addr) {
    int err = shm_seal_open(s, fd, n, addr);
    fds_close(s, fd);
    return err;
}

int shm_map(struct sys *s, int fd, size_t n, bool writable, void **addr) {
    *addr = NULL;
    return sys_map(s, addr, round_up(n, PAGE), PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED,
                   fd);
}

bool shm_is_sealed(struct sys *s, int fd) {
    int seals = sys_fcntl(s, fd, F_GET_SEALS, 0);
    return seals >= 0 && (seals & SEALS) == SEALS;
}

/* The file's beginning as a string; false if it cannot be read. */
static bool read_text(struct sys *s, const char *path, char *text, size_t size) {
    int fd = sys_open(s, path, O_RDONLY, 0);
    if (fd < 0)
        return false;
    ssize_t n = sys_read(s, fd, text, size - 1);
    sys_close(s, fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static uint64_t meminfo_available(struct sys *s) {
    char text[2048];
    const char *at =
        read_text(s, "/proc/meminfo", text, sizeof text) ? strstr(text, "MemAvailable:") : NULL;
    return at ? strtoull(at + strlen("MemAvailable:"), NULL, 10) * 1024 : UINT64_MAX;
}

#define GROUP_MAX 4096

/* The path of our cgroup (v2) in text; NULL: there is none. */
static char *own_group(struct sys *s, char text[GROUP_MAX]) {
    if (!read_text(s, "/proc/self/cgroup", text, GROUP_MAX) || strncmp(text, "0::", 3) != 0)
        return NULL;
    text[strcspn(text, "\n")] = '\0';
    return text + 3;
}

int64_t memory_oom_kills(struct sys *s) {
    char text[GROUP_MAX], path[GROUP_MAX + 64], events[512];
    const char *group = own_group(s, text), *at = NULL;
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.events", group != NULL ? group : "");
    if (group != NULL && read_text(s, path, events, sizeof events))
        at = strstr(events, "\noom_kill ");
    return at != NULL ? strtoll(at + strlen("\noom_kill "), NULL, 10) : -1;
}

/* cgroup v2 only: the limit of our own group and its parents is the least that is set on the way. */
static uint64_t cgroup_available(struct sys *s) {
    char text[GROUP_MAX], path[GROUP_MAX + 64], number[32];
    uint64_t least = UINT64_MAX;
    char *group = own_group(s, text);
    if (group == NULL)
        return least;
    while (*group != '\0') {
        uint64_t max, used;
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", group);
        if (read_text(s, path, number, sizeof number) && number[0] != 'm') {
            max = strtoull(number, NULL, 10);
            snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.current", group);
            used = read_text(s, path, number, sizeof number) ? strtoull(number, NULL, 10) : 0;
            if (max > used && max - used < least)
                least = max - used;
            else if (max <= used)
                least = 0;
        }
        *strrchr(group, '/') = '\0';
    }
    return least;
}

uint64_t memory_available(struct sys *s) {
    uint64_t machine = meminfo_available(s);
    uint64_t group = cgroup_available(s);
    return machine < group ? machine : group;
}
