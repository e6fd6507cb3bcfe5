/*
 * leaves_nothing [--seconds N] [--grace N] -- COMMAND...: runs one test from the outside and fails it for what it leaves.
 *
 * The test gets a scratch folder as its working directory and another, empty, as TMPDIR. Afterwards no process
 * of it may exist (this program is their subreaper, so none can hide), no file in TMPDIR, nothing of ours new in
 * /dev/shm, no System V segment. What is left is named, killed and removed. A test that takes too long is killed.
 * Not for what a test case does inside its own process: clean.h and rigtest.lua look there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "names.h"

#define SHM_FOLDER    "/dev/shm"
#define TIMED_OUT     124
#define LEFT_BEHIND   70
#define DYING_SECONDS 0.2

static char scratch[4096], scratch_tmp[4200], scratch_cwd[4200];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void nap(double seconds) {
    struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

static void fail(const char *what) {
    fprintf(stderr, "leaves_nothing: %s: %s\n", what, strerror(errno));
    exit(LEFT_BEHIND);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
    (void)st, (void)ftw;
    if (flag == FTW_DNR)
        chmod(path, 0700);
    remove(path);
    return 0;
}

static void scratch_remove(void) {
    nftw(scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void scratch_make(void) {
    const char *base = getenv("TMPDIR");
    snprintf(scratch, sizeof scratch, "%s/rig-test-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(scratch))
        fail(scratch);
    snprintf(scratch_tmp, sizeof scratch_tmp, "%s/tmp", scratch);
    snprintf(scratch_cwd, sizeof scratch_cwd, "%s/cwd", scratch);
    if (mkdir(scratch_tmp, 0700) || mkdir(scratch_cwd, 0700))
        fail(scratch);
}

/* Our files in /dev/shm. Others use that folder too, so only what is new and of our user counts. */
static void shm_list(struct names *list) {
    DIR *dir = opendir(SHM_FOLDER);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        struct stat st;
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_uid == getuid() && S_ISREG(st.st_mode))
            names_add(list, SHM_FOLDER "/%s", entry->d_name);
    }
    if (dir)
        closedir(dir);
}

static void sysv_list(struct names *list) {
    FILE *file = fopen("/proc/sysvipc/shm", "r");
    char line[512];
    while (file && fgets(line, sizeof line, file)) {
        long key, id;
        unsigned perms, uid;
        if (sscanf(line, "%ld %ld %o %*s %*s %*s %*s %u", &key, &id, &perms, &uid) == 4 &&
            uid == getuid())
            names_add(list, "System V segment %ld", id);
    }
    if (file)
        fclose(file);
}

static void shared_list(struct names *list) {
    shm_list(list);
    sysv_list(list);
}

/* In the child: nothing of the caller's but its standard output and error. A shell that runs this in
 * the background, for one, ignores SIGINT, and so would the test. */
static void run(char **command, pid_t parent) {
    struct rlimit no_core = {0, 0};
    sigset_t none;
    sigemptyset(&none);
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    /* should memory run out, the kernel is to take the test, not a bystander */
    FILE *file = fopen("/proc/self/oom_score_adj", "w");
    if (file) {
        fputs("1000", file);
        fclose(file);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(LEFT_BEHIND);
    setpgid(0, 0);
    setrlimit(RLIMIT_CORE, &no_core);
    setenv("TMPDIR", scratch_tmp, 1);
    if (!freopen("/dev/null", "r", stdin) || chdir(scratch_cwd))
        fail(scratch_cwd);
    close_range(3, ~0U, 0);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(command[0], command);
    fail(command[0]);
}

/* Kills everything that descends from us; a killed parent's children become ours and go next. */
static void kill_descendants(void) {
    for (;;) {
        struct names children = {0};
        names_of_children(&children);
        for (size_t i = 0; i < children.n; i++)
            kill((pid_t)strtol(children.at[i] + strlen(NAMES_CHILD), NULL, 10), SIGKILL);
        names_free(&children);
        if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD)
            return;
    }
}

/* Waits for the test and reaps what others leave to us meanwhile; gives its wait status, -1 after `seconds`, or
 * -2 when we were told to end. */
static int await(pid_t test, double seconds, const sigset_t *awaited) {
    double end = now() + seconds;
    for (;;) {
        int status;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
            if (pid == test)
                return status;
        double left = end - now();
        if (left <= 0)
            return -1;
        struct timespec t = {left < 1 ? 0 : 1, left < 1 ? (long)(left * 1e9) : 0};
        int signal_number = sigtimedwait(awaited, NULL, &t);
        if (signal_number > 0 && signal_number != SIGCHLD)
            return -2;
    }
}

/* What the test left running, one line each. What it killed may take a moment to be gone, and what ended
 * and nobody waits for is ours to reap as it would be init's; that the test waits for its own children
 * is checked inside of it. */
static bool report_processes(void) {
    double end = now() + DYING_SECONDS;
    for (;;) {
        pid_t pid;
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (pid < 0)
            return false;
        if (now() > end)
            break;
        nap(0.005);
    }
    struct names children = {0};
    names_of_children(&children);
    for (size_t i = 0; i < children.n; i++)
        fprintf(stderr, "leaves_nothing: left behind: %s\n", children.at[i]);
    names_free(&children);
    return true;
}

/* Valgrind makes one as it begins, and has no time to remove it where it is killed just then. */
static bool is_valgrinds(const char *name) {
    return getenv("RIG_VALGRIND") != NULL &&
           strncmp(name, "valgrind_proc_", strlen("valgrind_proc_")) == 0;
}

static bool report_files(void) {
    bool any = false;
    DIR *dir = opendir(scratch_tmp);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
            !is_valgrinds(entry->d_name)) {
            fprintf(stderr, "leaves_nothing: left behind: TMPDIR/%s\n", entry->d_name);
            any = true;
        }
    if (dir)
        closedir(dir);
    return any;
}

/* Tests run side by side: what another one has just made is given time to go. */
static bool report_shared(const struct names *before, double grace_seconds) {
    double end = now() + grace_seconds;
    for (;;) {
        struct names after = {0}, fresh = {0};
        shared_list(&after);
        names_minus(&fresh, &after, before);
        size_t n = fresh.n;
        bool last = n == 0 || now() > end;
        for (size_t i = 0; last && i < n; i++)
            fprintf(stderr, "leaves_nothing: left behind: %s\n", fresh.at[i]);
        names_free(&after);
        names_free(&fresh);
        if (last)
            return n > 0;
        nap(0.05);
    }
}

static int verdict(int status, double seconds) {
    if (status == -2) {
        fprintf(stderr, "leaves_nothing: told to end\n");
        return TIMED_OUT;
    }
    if (status == -1) {
        fprintf(stderr, "leaves_nothing: not done after %g s, killed\n", seconds);
        return TIMED_OUT;
    }
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "leaves_nothing: the test was ended by signal %d (%s)\n", WTERMSIG(status),
                strsignal(WTERMSIG(status)));
        return 128 + WTERMSIG(status);
    }
    return WEXITSTATUS(status);
}

int main(int argc, char **argv) {
    double seconds = 120, grace = 2;
    int i = 1;
    for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0)
            seconds = strtod(argv[i + 1], NULL);
        else if (strcmp(argv[i], "--grace") == 0)
            grace = strtod(argv[i + 1], NULL);
        else
            break;
    }
    if (i + 1 >= argc || strcmp(argv[i], "--") != 0 || seconds <= 0) {
        fprintf(stderr, "usage: leaves_nothing [--seconds N] [--grace N] -- command...\n");
        return 2;
    }
    i++;

    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGCHLD);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGTERM);
    sigprocmask(SIG_BLOCK, &awaited, NULL);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1))
        fail("become a subreaper");
    scratch_make();
    struct names before = {0};
    shared_list(&before);

    pid_t parent = getpid(), test = fork();
    if (test < 0)
        fail("fork");
    if (test == 0)
        run(argv + i, parent);
    int status = await(test, seconds, &awaited);
    int result = verdict(status, seconds);
    /* after a kill from here the leftovers are no news */
    bool left = status >= 0 && report_processes();
    kill_descendants();
    left = report_files() || left;
    left = report_shared(&before, grace) || left;
    names_free(&before);
    scratch_remove();
    return result == 0 && left ? LEFT_BEHIND : result;
}
