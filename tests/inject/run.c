/* run: see run.h. */
#include "run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "names.h"

#define GONE_SECONDS 3 /* after which nothing may be left: the kernel takes a moment for each */
#define SHOWN_MAX    12

static char plan_path[4096], output_path[4096], work_path[4096];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void run_begin(const char *folder) {
    snprintf(plan_path, sizeof plan_path, "%s/plan", folder);
    snprintf(output_path, sizeof output_path, "%s/output", folder);
    snprintf(work_path, sizeof work_path, "%s/work", folder);
    int fd = open(plan_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(struct inject_plan)) < 0 || mkdir(work_path, 0700) < 0 ||
        prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
        perror(folder);
        exit(2);
    }
    close(fd);
    inject_use(plan_path);
}

/* ---- what is left ------------------------------------------------------------------------------------------ */

static void list_children(char *text, size_t size) {
    struct names list = {0};
    size_t at = 0;
    names_of_children(&list);
    text[0] = '\0';
    for (size_t i = 0; i < list.n && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%s", i > 0 ? ", " : "", list.at[i]);
    names_free(&list);
}

static void kill_children(void) {
    for (;;) {
        struct names list = {0};
        names_of_children(&list);
        for (size_t i = 0; i < list.n; i++)
            kill((pid_t)strtol(list.at[i] + strlen(NAMES_CHILD), NULL, 10), SIGKILL);
        names_free(&list);
        if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD)
            return;
    }
}

/* Orphans come to us, their subreaper. */
static bool nobody_is_left(char *text, size_t size) {
    for (double end = now() + GONE_SECONDS;;) {
        pid_t pid;
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (pid < 0)
            return true;
        if (now() > end)
            break;
        usleep(500);
    }
    list_children(text, size);
    kill_children();
    return false;
}

/* Files that the run made, but the results. Those beside them, when nobody could take them away, are no fault. */
static bool no_file_is_left(char *text, size_t size) {
    const struct inject_plan *p = inject_plan;
    bool excused = p->mode == INJECT_KILL || p->kind == SYS_unlink, fine = true;
    DIR *dir = opendir(work_path);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[8192];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (!excused && strcmp(entry->d_name, RESULTS) != 0) {
            snprintf(text, size, "a file: %s", entry->d_name);
            fine = false;
        }
        snprintf(path, sizeof path, "%s/%s", work_path, entry->d_name);
        unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
    return fine;
}

/* Old or new, and whole: braces that match, outside of strings. */
static bool results_are_whole(void) {
    static char text[1 << 20];
    char path[8192];
    snprintf(path, sizeof path, "%s/" RESULTS, work_path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return errno == ENOENT;
    text[n] = '\0';
    if (strcmp(text, OLD_RESULTS) == 0)
        return true;
    long depth = 0, ends = 0;
    bool quoted = false;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"')
            quoted = !quoted;
        else if (quoted && *c == '\\' && c[1] != '\0')
            c++;
        else if (!quoted && *c == '{')
            depth++;
        else if (!quoted && *c == '}')
            ends += --depth == 0;
    }
    return text[0] == '{' && ends == 1 && depth == 0 && !quoted && text[n - 1] == '\n';
}

/* ---- one run ----------------------------------------------------------------------------------------------- */

static _Noreturn void be_the_program(const struct program *p) {
    struct names before = {0}, after = {0}, more = {0};
    int fd = open(output_path, O_WRONLY | O_CREAT | O_TRUNC, 0600),
        none = open("/dev/null", O_RDONLY);
    dup2(none, 0);
    dup2(fd, 1);
    dup2(fd, 2);
    close(fd);
    close(none);
    if (chdir(work_path) < 0)
        _exit(2);
    names_of_all(&before);
    long live = inject_live();
    p->run(p->a, p->b);
    inject_arm(false);
    names_of_all(&after);
    names_minus(&more, &after, &before);
    if (more.n > 0)
        inject_violated("left behind in the process: %s", more.at[0]);
    if (inject_live() != live)
        inject_violated("%ld blocks of memory were not given back", inject_live() - live);
    sys_exit(0); /* not _exit: where lines are counted, it writes what this run executed */
}

static pid_t await(pid_t pid, double seconds, int *status) {
    pid_t got;
    double end = now() + seconds;
    unsigned naps = 0;
    while ((got = waitpid(pid, status, WNOHANG)) == 0 && now() < end)
        usleep(++naps < 100 ? 100 : 2000);
    return got;
}

/* What a command may end with: passed, a check failed, refused, a task not ok, files; 70 is a mistake of rig's own. */
static bool is_fair_exit(int code) {
    return code >= 0 && code <= 5;
}

static bool ended_well(const struct program *p, int status, char *text, size_t size) {
    const struct inject_plan *plan = inject_plan;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && plan->mode == INJECT_KILL &&
        plan->role == 0 && atomic_load(&plan->hits) > 0)
        return true;
    if (WIFSIGNALED(status))
        snprintf(text, size, "ended by signal %d", WTERMSIG(status));
    else if (p->command && plan->mode != INJECT_NOTHING ? is_fair_exit(WEXITSTATUS(status))
                                                        : WEXITSTATUS(status) == 0)
        return true;
    else
        snprintf(text, size, "exit status %d", WEXITSTATUS(status));
    return false;
}

/* True when all that must hold does. */
static bool run_once(const struct program *p, double seconds, char *text, size_t size) {
    int status;
    inject_plan->violated = 0;
    inject_plan->hits = inject_plan->unfit = inject_plan->forks = 0;
    memset((void *)inject_plan->count, 0, sizeof inject_plan->count);
    inject_arm(false);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        be_the_program(p);
    if (pid < 0 || await(pid, seconds, &status) != pid) {
        char left[300];
        list_children(left, sizeof left);
        snprintf(text, size, "not done after %g s; there were %s", seconds, left);
        kill_children();
        no_file_is_left(left, sizeof left);
        return false;
    }
    bool whole = !p->command || results_are_whole();
    char files[300] = "";
    bool alone = nobody_is_left(text, size), tidy = no_file_is_left(files, sizeof files);
    inject_arm(false);
    if (!alone)
        return false;
    if (atomic_load(&inject_plan->violated)) {
        snprintf(text, size, "%s", inject_plan->violation);
        return false;
    }
    if (!ended_well(p, status, text, size))
        return false;
    if (!whole || !tidy)
        snprintf(text, size, "%s%s", whole ? "left behind: " : "the results are torn", files);
    return whole && tidy;
}

/* ---- all of them --------------------------------------------------------------------------------------------- */

static const char *const mode_names[] = {"nothing", "once", "from", "kill"};

static void show_output(void) {
    FILE *file = fopen(output_path, "r");
    char line[400];
    for (int i = 0; file != NULL && i < 12 && fgets(line, sizeof line, file) != NULL; i++)
        printf("    | %s%s", line, strchr(line, '\n') ? "" : "\n");
    if (file != NULL)
        fclose(file);
}

static void say_failed(const struct program *p, const char *text, uint64_t shown) {
    const struct inject_plan *plan = inject_plan;
    if (shown > SHOWN_MAX)
        return;
    printf("FAILED  %s --only %u:%s:%llu:%s:%s\n    %s\n", p->name, plan->role,
           plan->kind < SYS_KINDS ? sys_names[plan->kind] : "-", (unsigned long long)plan->at,
           fault_name(plan->mode == INJECT_KILL ? -1 : plan->err), mode_names[plan->mode], text);
    show_output();
    fflush(stdout);
}

/* Runs with the plan as it stands; false when its point was not come by. */
static bool try_plan(const struct program *p, const struct options *o, struct tally *t,
                     bool *hung) {
    char text[600] = "";
    bool fine = run_once(p, o->seconds, text, sizeof text);
    *hung = !fine && strncmp(text, "not done", 8) == 0;
    t->runs++;
    if (!fine)
        say_failed(p, text, ++t->failed);
    else if (o->verbose && o->only != NULL) {
        printf("    hits %u, unfit %u\n", inject_plan->hits, inject_plan->unfit);
        show_output();
    }
    return atomic_load(&inject_plan->hits) + atomic_load(&inject_plan->unfit) > 0 || *hung;
}

/* Every ordinal, or a sample of them, other ones for each fault. */
static uint64_t try_ordinals(const struct program *p, const struct options *o, struct tally *t,
                             uint64_t usual) {
    uint64_t step = o->sample > 0 && usual > o->sample ? usual / o->sample : 1, points = 0;
    unsigned n = 0,
             mixed = (unsigned)inject_plan->err * 7 + inject_plan->role * 5 + inject_plan->mode * 3;
    bool hung = false;
    for (uint64_t at = 1 + mixed % step; !hung && (o->sample == 0 || n < o->sample);
         at += step, n++) {
        inject_plan->at = at;
        /* not come by this time: so many there were, or another order of things */
        if (!try_plan(p, o, t, &hung) && at >= usual)
            break;
        points += atomic_load(&inject_plan->hits) > 0;
    }
    return points;
}

/* Commands take long: of a sample every fourth. */
static bool is_left_out(const struct program *p, const struct options *o) {
    int mixed =
        inject_plan->kind + inject_plan->err + (int)inject_plan->mode + (int)inject_plan->role;
    return p->command && o->sample == 1 && mixed % 4 != 0;
}

static void try_kind(const struct program *p, const struct options *o, struct tally *t,
                     uint64_t usual) {
    uint64_t most = 0;
    for (const struct fault *f = faults_of[inject_plan->kind]; f->err != 0; f++)
        for (int lasts = 0; lasts <= f->lasts; lasts++) {
            inject_plan->mode = lasts ? INJECT_FROM : INJECT_ONCE;
            inject_plan->err = f->err;
            uint64_t points = is_left_out(p, o) ? 0 : try_ordinals(p, o, t, usual);
            most = points > most ? points : most;
        }
    inject_plan->mode = INJECT_KILL;
    uint64_t points = is_left_out(p, o) ? 0 : try_ordinals(p, o, t, usual);
    t->points += points > most ? points : most;
}

/* "1:recvmsg:3:EINTR:once" */
static bool parse(const char *only) {
    char kind[32], fault[32], mode[32];
    unsigned long long at;
    if (sscanf(only, "%u:%31[^:]:%llu:%31[^:]:%31s", &inject_plan->role, kind, &at, fault, mode) !=
        5)
        return false;
    inject_plan->at = at;
    inject_plan->err = fault_named(fault);
    inject_plan->kind = 0;
    while (inject_plan->kind < SYS_KINDS && strcmp(sys_names[inject_plan->kind], kind) != 0)
        inject_plan->kind++;
    inject_plan->mode = strcmp(mode, "kill") == 0   ? INJECT_KILL
                        : strcmp(mode, "once") == 0 ? INJECT_ONCE
                                                    : INJECT_FROM;
    return inject_plan->kind < SYS_KINDS && inject_plan->err != 0;
}

/* So many runs it takes when every call is made to fail: by the calls of one run with nothing wrong. */
static uint64_t runs_of(int kind, uint64_t usual) {
    uint64_t runs = usual; /* killed there */
    for (const struct fault *f = faults_of[kind]; f->err != 0; f++)
        runs += usual * (f->lasts ? 2 : 1);
    return runs;
}

void run_program(const struct program *p, const struct options *o, struct tally *t) {
    static uint64_t usual[ROLES][SYS_KINDS];
    bool hung;
    inject_plan->hands_over =
        strstr(p->name, "queue") != NULL || strcmp(p->name, "lua.custom") == 0;
    if (o->only != NULL) {
        if (!parse(o->only)) {
            printf("'%s' is no fault: role:call:ordinal:errno:once|from|kill\n", o->only);
            exit(2);
        }
        try_plan(p, o, t, &hung);
        return;
    }
    inject_plan->mode = INJECT_NOTHING;
    uint64_t failed = t->failed;
    try_plan(p, o, t, &hung);
    if (t->failed > failed)
        return; /* it does not even work with nothing wrong */
    memcpy(usual, (void *)inject_plan->count, sizeof usual);
    for (unsigned role = 0; role < ROLES; role++)
        for (int kind = 0; kind < SYS_KINDS; kind++) {
            if (usual[role][kind] == 0 || (o->role >= 0 && o->role != (int)role) ||
                (o->call != NULL && strcmp(o->call, sys_names[kind]) != 0))
                continue;
            if (o->count) {
                t->points += usual[role][kind];
                t->runs += runs_of(kind, usual[role][kind]);
                continue;
            }
            inject_plan->role = role;
            inject_plan->kind = kind;
            try_kind(p, o, t, usual[role][kind]);
        }
}
