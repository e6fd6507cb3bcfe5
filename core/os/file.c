/* file: see file.h. */
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include "os/fds.h"
#include "os/pipe.h"

#define LINKS_MAX 16

int file_put(struct sys *s, int fd, const void *bytes, size_t n) {
    return fd_write_full(s, fd, FD_PIPE, bytes, n, DEADLINE_NEVER);
}

static size_t folder_len(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* One step from a link to what it names, in place. 1: it was a link, 0 not, -errno. */
static int follow_link(struct sys *s, char path[PATH_MAX]) {
    char to[PATH_MAX];
    mode_t mode;
    int err = sys_mode(s, path, false, &mode);
    if (err < 0 || !S_ISLNK(mode))
        return err == -ENOENT ? 0 : err;
    ssize_t n = sys_readlink(s, path, to, sizeof to - 1);
    if (n < 0)
        return (int)n;
    to[n] = '\0';
    size_t at = to[0] == '/' ? 0 : folder_len(path);
    if (at + (size_t)n >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(path + at, to, (size_t)n + 1);
    return 1;
}

static int put_and_close(struct sys *s, int fd, const void *bytes, size_t n, bool sync) {
    int err = file_put(s, fd, bytes, n);
    if (err == 0 && sync)
        err = sys_fsync(s, fd);
    int closed = sys_close(s, fd);
    return err < 0 ? err : closed;
}

static int sync_folder(struct sys *s, const char *path) {
    char folder[PATH_MAX] = ".";
    size_t n = folder_len(path);
    if (n > 0) {
        memcpy(folder, path, n);
        folder[n] = '\0';
    }
    int fd = sys_open(s, folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    int err = sys_fsync(s, fd);
    sys_close(s, fd);
    return err == -EINVAL ? 0 : err; /* some file systems cannot sync a folder */
}

/* The file beside `path` that its new contents go to first: a descriptor or -errno. */
static int open_temp(struct sys *s, const char *path, mode_t mode, char temp[PATH_MAX + 32]) {
    size_t at = folder_len(path);
    if (strlen(path) >= PATH_MAX)
        return -ENAMETOOLONG;
    snprintf(temp, PATH_MAX + 32, "%.*s.%s.%d.tmp", (int)at, path, path + at, (int)s->pid);
    int fd = sys_open(s, temp, O_WRONLY | O_CREAT | O_EXCL | O_TRUNC, mode);
    if (fd == -EEXIST) { /* left by a process of our number that was killed */
        sys_unlink(s, temp);
        fd = sys_open(s, temp, O_WRONLY | O_CREAT | O_EXCL | O_TRUNC, mode);
    }
    return fd;
}

static int replace(struct sys *s, const char *path, mode_t mode, const void *bytes, size_t n) {
    char temp[PATH_MAX + 32];
    int fd = open_temp(s, path, mode, temp);
    if (fd < 0)
        return fd;
    int err = put_and_close(s, fd, bytes, n, true);
    if (err == 0)
        err = sys_rename(s, temp, path);
    if (err < 0) {
        sys_unlink(s, temp);
        return err;
    }
    return sync_folder(s, path);
}

/* What writing to `path` means: `real` and its mode, a regular file's where there is none yet. Links to
 * what is no regular file are left to the kernel: those in /proc name pipes that have no path. */
static int resolve(struct sys *s, const char *path, char real[PATH_MAX], mode_t *mode) {
    *mode = S_IFREG | 0666;
    if (path[0] == '\0')
        return -ENOENT;
    if (strlen(path) >= PATH_MAX)
        return -ENAMETOOLONG;
    strcpy(real, path);
    int err = sys_mode(s, path, true, mode);
    if (err < 0 && err != -ENOENT)
        return err;
    if (!S_ISREG(*mode))
        return S_ISDIR(*mode) ? -EISDIR : 0;
    int step = 0;
    for (int i = 0; i < LINKS_MAX && (step = follow_link(s, real)) == 1; i++)
        ;
    return step > 0 ? -ELOOP : step;
}

int file_write(struct sys *s, const char *path, const void *bytes, size_t n) {
    char real[PATH_MAX];
    mode_t mode;
    int err = resolve(s, path, real, &mode);
    if (err < 0)
        return err;
    if (S_ISREG(mode))
        return replace(s, real, mode & 0777, bytes, n);
    int fd = sys_open(s, real, O_WRONLY, 0);
    return fd < 0 ? fd : put_and_close(s, fd, bytes, n, false);
}

int file_probe(struct sys *s, const char *path) {
    char real[PATH_MAX], temp[PATH_MAX + 32];
    mode_t mode;
    int err = resolve(s, path, real, &mode);
    if (err < 0 || !S_ISREG(mode))
        return err;
    int fd = open_temp(s, real, mode & 0777, temp);
    if (fd < 0)
        return fd;
    sys_close(s, fd);
    return sys_unlink(s, temp);
}

bool file_is_terminal(struct sys *s, int fd) {
    struct termios t;
    return sys_ioctl(s, fd, TCGETS, &t) >= 0;
}

int file_columns(struct sys *s, int fd) {
    struct winsize w;
    return sys_ioctl(s, fd, TIOCGWINSZ, &w) >= 0 ? w.ws_col : 0;
}
