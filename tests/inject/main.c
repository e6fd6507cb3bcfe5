/* inject [--sample N] [--seconds S] [--role N] [--call NAME] [--only FAULT] [--count] [--list] [PROGRAM...]: makes every call
 * of the core fail in small programs, one at a time, and looks whether what rig promises holds. Exits 1 when it does not. Is
 * its own worker of start=spawn. See tests/README.md; the full run is tests/inject/run. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/fds.h"
#include "os/pipe.h"
#include "rig.h"
#include "run.h"

static bool is_wanted(const struct program *p, char **names) {
    if (*names == NULL)
        return true;
    for (; *names != NULL; names++)
        if (fnmatch(*names, p->name, 0) == 0)
            return true;
    return false;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t run_list(const struct program *p, const struct options *o, char **names,
                         struct tally *all) {
    for (; p->name != NULL; p++) {
        struct tally t = {0};
        double before = now();
        if (!is_wanted(p, names))
            continue;
        run_program(p, o, &t);
        printf("%-24s %6llu points %7llu runs %5llu failed %6.1f s\n", p->name,
               (unsigned long long)t.points, (unsigned long long)t.runs,
               (unsigned long long)t.failed, now() - before);
        fflush(stdout);
        all->points += t.points;
        all->runs += t.runs;
        all->failed += t.failed;
    }
    return all->failed;
}

/* The registry of descriptors is never given back: it must not look like a leak of the first program. */
static void warm_up(void) {
    struct sys s;
    int fds[2];
    sys_init(&s, &sys_kernel);
    if (pipe_open(&s, fds, 0) == 0) {
        fds_close(&s, &fds[0]);
        fds_close(&s, &fds[1]);
    }
}

static void list(const struct program *p) {
    for (; p->name != NULL; p++)
        puts(p->name);
}

int main(int argc, char **argv) {
    int worker = rig_worker_main(argc, argv);
    if (worker >= 0)
        return worker;
    struct options o = {.sample = getenv("RIG_FULL") != NULL ? 0 : 1, .seconds = 20, .role = -1};
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            list(pool_programs), list(lua_programs), list(command_programs);
            return 0;
        }
        if (strcmp(argv[i], "-v") == 0)
            o.verbose = true;
        else if (strcmp(argv[i], "--count") == 0)
            o.count = true;
        else if (strcmp(argv[i], "--sample") == 0 && i + 1 < argc)
            o.sample = (unsigned)atoi(argv[++i]);
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            o.seconds = atof(argv[++i]);
        else if (strcmp(argv[i], "--role") == 0 && i + 1 < argc)
            o.role = atoi(argv[++i]);
        else if (strcmp(argv[i], "--call") == 0 && i + 1 < argc)
            o.call = argv[++i];
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            o.only = argv[++i];
        else
            return fprintf(stderr, "inject: %s?\n", argv[i]), 2;
    }
    char folder[] = "inject-XXXXXX", *path = mkdtemp(folder) ? realpath(folder, NULL) : NULL;
    if (path == NULL)
        return perror(folder), 2;
    warm_up();
    run_begin(path);
    struct tally all = {0};
    run_list(pool_programs, &o, argv + i, &all);
    run_list(lua_programs, &o, argv + i, &all);
    run_list(command_programs, &o, argv + i, &all);
    printf("%-24s %6llu points %7llu runs %5llu failed\n", "all", (unsigned long long)all.points,
           (unsigned long long)all.runs, (unsigned long long)all.failed);
    const char *const files[] = {"plan", "output", "work"};
    for (size_t k = 0; k < 3; k++) {
        char name[8192];
        snprintf(name, sizeof name, "%s/%s", path, files[k]);
        remove(name);
    }
    rmdir(path);
    free(path);
    return all.failed > 0;
}
