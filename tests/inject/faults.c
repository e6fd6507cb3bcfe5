/* faults: see faults.h. */
#include "faults.h"

#include <errno.h>
#include <string.h>

#define FULL_TABLES                   \
    {EMFILE, true}, {ENFILE, true}, { \
        ENOMEM, true                  \
    }

/* Not here because they cannot fail for what the core gives them: kill of one's own child, futex_wake, sigaction,
 * mask_signals, timer, unmap; and continue_after, which only faults made on purpose call. What a call cannot say
 * of what it was given is in inject.c, fits_fd and below. */
const struct fault faults_of[SYS_KINDS][FAULTS_MAX] = {
    [SYS_read] =
        {{EINTR, false}, {EAGAIN, false}, {EIO, true}, {ECONNRESET, true}, {INJECT_SHORT, true}},
    [SYS_write] = {{EINTR, false},
                   {EAGAIN, false},
                   {EIO, true},
                   {ENOSPC, true},
                   {EPIPE, true},
                   {INJECT_SHORT, true}},
    [SYS_writev_quiet] = {{EINTR, false},
                          {EAGAIN, false},
                          {EIO, true},
                          {ENOSPC, true},
                          {EPIPE, true},
                          {INJECT_SHORT, true}},
    [SYS_sendmsg] = {{EINTR, false},
                     {EAGAIN, false},
                     {ENOMEM, true},
                     {ENOBUFS, true},
                     {EPIPE, true},
                     {ECONNRESET, true},
                     {INJECT_SHORT, true}},
    [SYS_recvmsg] =
        {{EINTR, false}, {EAGAIN, false}, {ENOMEM, true}, {ECONNRESET, true}, {INJECT_SHORT, true}},
    [SYS_pipe] = {FULL_TABLES},
    [SYS_socketpair] = {FULL_TABLES},
    [SYS_close] = {{EINTR, true}, {EIO, true}},
    [SYS_close_range] = {{ENOSYS, true}},
    [SYS_dup_to] = {{EINTR, false}, {EBUSY, true}},
    [SYS_fcntl] = {{EPERM, true}, {ENOMEM, true}, {EMFILE, true}, {EBUSY, true}},
    [SYS_set_owner_group] = {{ENOMEM, true}},
    [SYS_setsockopt] = {{EPERM, true}, {ENOMEM, true}},
    [SYS_poll] = {{EINTR, false}, {ENOMEM, true}},
    [SYS_eventfd] = {FULL_TABLES},
    [SYS_futex_wait] = {{EINTR, false}, {EAGAIN, false}, {INJECT_SPURIOUS, false}},
    [SYS_open] = {FULL_TABLES, {EACCES, true}, {EIO, true}, {ENOSPC, true}, {EROFS, true}},
    [SYS_mode] = {{EACCES, true}, {EIO, true}, {ENOMEM, true}},
    [SYS_readlink] = {{EACCES, true}, {EIO, true}, {ENOMEM, true}},
    [SYS_ioctl] = {{ENOTTY, true}},
    [SYS_fsync] = {{EIO, true}, {ENOSPC, true}, {EINVAL, true}},
    [SYS_rename] = {{EIO, true}, {ENOSPC, true}, {EACCES, true}},
    [SYS_unlink] = {{EIO, true}, {EACCES, true}},
    [SYS_chdir] = {{EACCES, true}, {EIO, true}},
    [SYS_fork] = {{EAGAIN, true}, {ENOMEM, true}},
    [SYS_exec] = {{ENOMEM, true}, {EACCES, true}, {ENOENT, true}, {ETXTBSY, false}, {EIO, true}},
    [SYS_pidfd_open] = {FULL_TABLES},
    [SYS_wait] = {{EINTR, false}, {INJECT_LOST, true}},
    [SYS_ended] = {{ECHILD, true}},
    [SYS_setpgid] = {{EACCES, true}},
    [SYS_threads] = {{EACCES, true}},
    [SYS_setaffinity] = {{EINVAL, true}, {EPERM, true}},
    [SYS_getaffinity] = {{EINVAL, true}},
    [SYS_cores] = {{EINVAL, true}, {ESRCH, true}},
    [SYS_nanosleep] = {{EINTR, false}},
    [SYS_map] = {{ENOMEM, true}},
    [SYS_remap] = {{ENOMEM, true}},
    [SYS_madvise] = {{ENOMEM, true}, {EINVAL, true}, {EAGAIN, true}},
    [SYS_memfd] = {FULL_TABLES},
    [SYS_fallocate] = {{EINTR, false}, {ENOSPC, true}, {ENOMEM, true}},
    [SYS_malloc] = {{ENOMEM, true}},
    [SYS_realloc] = {{ENOMEM, true}},
};

static const struct {
    int err;
    const char *name;
} names[] = {
#define X(e) {e, #e},
    X(EINTR) X(EAGAIN) X(EIO) X(ECONNRESET) X(ENOSPC) X(EPIPE) X(ENOMEM) X(EMFILE) X(ENFILE)
        X(ENOSYS) X(EBUSY) X(EPERM) X(EACCES) X(EROFS) X(ENOTTY) X(EINVAL) X(ENOENT) X(ETXTBSY)
            X(ECHILD) X(ESRCH) X(ENOBUFS)
#undef X
                {INJECT_SHORT, "short"},
    {INJECT_LOST, "lost"},
    {INJECT_SPURIOUS, "spurious"},
    {-1, "kill"},
};

const char *fault_name(int err) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].err == err)
            return names[i].name;
    return "?";
}

int fault_named(const char *name) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].err;
    return 0;
}
