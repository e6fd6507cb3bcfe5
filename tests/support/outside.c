/* rigtest.outside: what tests do to processes from outside, and Lua alone cannot. Signals that never hit a process which
 * got the number of another; orphans taken in, to see that none is left; a storm of signals and small buffers, for
 * this process and those that it forks. Not for what rig itself offers to scripts. Neighbour: rig_lua.c. */
#include "outside.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "patience.h"

#define SMALL         4096
#define FDS_LOOKED_AT 1024

/* Whether `pid` is a child of `parent` and has not ended. */
static int lives_below(pid_t pid, pid_t parent) {
    char path[64], line[512] = "", state = 0;
    int above = -1;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    char *shut = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    fclose(file);
    return shut != NULL && sscanf(shut + 1, " %c %d", &state, &above) == 2 && above == parent &&
           state != 'Z' && state != 'X';
}

static int send_to(int pidfd, int sig) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

/* aim(pid, parent) -> descriptor | nil. First the descriptor, then the look at whose child it is, then whether it is
 * still there: its number cannot have been given to another in between. */
static int l_aim(lua_State *L) {
    pid_t pid = (pid_t)luaL_checkinteger(L, 1), parent = (pid_t)luaL_checkinteger(L, 2);
    int fd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (fd >= 0 && lives_below(pid, parent) && send_to(fd, 0) == 0) {
        lua_pushinteger(L, fd);
        return 1;
    }
    if (fd >= 0)
        close(fd);
    lua_pushnil(L);
    return 1;
}

/* hit(descriptor, signal) -> whether it was still there */
static int l_hit(lua_State *L) {
    lua_pushboolean(L, send_to((int)luaL_checkinteger(L, 1), (int)luaL_checkinteger(L, 2)) == 0);
    return 1;
}

static int l_drop(lua_State *L) {
    close((int)luaL_checkinteger(L, 1));
    return 0;
}

/* children([pid]) -> the numbers of its children */
static int l_children(lua_State *L) {
    char path[64];
    int pid, n = 0;
    int of = (int)luaL_optinteger(L, 1, getpid());
    lua_newtable(L);
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", of, of);
    FILE *file = fopen(path, "re");
    while (file != NULL && fscanf(file, "%d", &pid) == 1) {
        lua_pushinteger(L, pid);
        lua_rawseti(L, -2, ++n);
    }
    if (file != NULL)
        fclose(file);
    return 1;
}

/* adopt(yes): whoever loses its parent below this process becomes a child of it */
static int l_adopt(lua_State *L) {
    if (prctl(PR_SET_CHILD_SUBREAPER, lua_toboolean(L, 1)) != 0)
        return luaL_error(L, "cannot become a subreaper");
    return 0;
}

/* reap() -> whether children of this process are still running; those that have ended, adopted or not, are gone then.
 * Only this is sure: the kernel's list of children may miss one while others end. Not while rig has any to wait for. */
static int l_reap(lua_State *L) {
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0 || (pid < 0 && errno == EINTR))
        ;
    lua_pushboolean(L, pid == 0);
    return 1;
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig) {
    (void)sig;
    alarms++;
}

/* storm(yes) -> signals until now. At 1 kHz, to a handler that lets no call be restarted; forked children need one of
 * their own. Under valgrind, which would do nothing but deliver them, at 50 Hz. The handler stays: valgrind may
 * deliver the last one late. */
static int l_storm(lua_State *L) {
    int on = lua_toboolean(L, 1);
    int every_us = on ? many(1000, 20000) : 0;
    struct sigaction act = {.sa_handler = on_alarm};
    struct itimerval timer = {.it_interval = {0, every_us}, .it_value = {0, every_us}};
    sigaction(SIGALRM, &act, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    lua_pushinteger(L, alarms);
    return 1;
}

/* shrink() -> how many pipes and sockets of this process now hold as little as they can: 4 KiB, or what the kernel makes
 * of that wish */
static int l_shrink(lua_State *L) {
    int n = 0, small = SMALL;
    for (int fd = 3; fd < FDS_LOOKED_AT; fd++) {
        struct stat st;
        if (fstat(fd, &st) != 0)
            continue;
        if (S_ISFIFO(st.st_mode))
            n += fcntl(fd, F_SETPIPE_SZ, SMALL) == SMALL;
        else if (S_ISSOCK(st.st_mode))
            n += setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0 &&
                 setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0;
    }
    lua_pushinteger(L, n);
    return 1;
}

int outside_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"aim", l_aim},           {"hit", l_hit},       {"drop", l_drop},
        {"children", l_children}, {"adopt", l_adopt},   {"reap", l_reap},
        {"storm", l_storm},       {"shrink", l_shrink}, {NULL, NULL},
    };
    luaL_newlib(L, functions);
    return 1;
}
