/*
 * Implementation of names.h. Allocation failures abort: this is test code, and a test without memory has failed.
 */
#include "names.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void names_add(struct names *list, const char *format, ...) {
    va_list args;
    char *text = NULL;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    char **grown = realloc(list->at, (list->n + 1) * sizeof *grown);
    if (length < 0 || !grown)
        abort();
    list->at = grown;
    list->at[list->n++] = text;
}

void names_free(struct names *list) {
    for (size_t i = 0; i < list->n; i++)
        free(list->at[i]);
    free(list->at);
    list->at = NULL;
    list->n = 0;
}

static int names_has(const struct names *list, const char *text) {
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->at[i], text) == 0)
            return 1;
    return 0;
}

void names_minus(struct names *out, const struct names *a, const struct names *b) {
    for (size_t i = 0; i < a->n; i++)
        if (!names_has(b, a->at[i]))
            names_add(out, "%s", a->at[i]);
}

/* One line about a process: pid, name, state. The name stands in brackets and may hold anything. */
static void add_process(struct names *list, pid_t pid) {
    char path[64], line[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file && !fgets(line, sizeof line, file))
        line[0] = 0;
    if (file)
        fclose(file);
    char *open = strchr(line, '('), *shut = strrchr(line, ')');
    if (open && shut && shut[1] == ' ')
        names_add(list, NAMES_CHILD "%d %.*s%s", (int)pid, (int)(shut - open + 1), open,
                  shut[2] == 'Z' ? ", ended but not waited for" : ", still running");
    else
        names_add(list, NAMES_CHILD "%d", (int)pid);
}

static pid_t parent_of(pid_t pid) {
    char path[64], line[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    if (!fgets(line, sizeof line, file))
        line[0] = 0;
    fclose(file);
    int parent = 0;
    char *shut = strrchr(line, ')');
    return shut && sscanf(shut + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

void names_of_children(struct names *list) {
    siginfo_t info;
    /* cheap and exact in the usual case: no child at all */
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
        return;
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    pid_t self = getpid();
    while (dir && (entry = readdir(dir))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && parent_of(pid) == self)
            add_process(list, pid);
    }
    if (dir)
        closedir(dir);
}

void names_of_descriptors(struct names *list) {
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char target[512];
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || fd == dirfd(dir))
            continue;
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        names_add(list, "descriptor %d: %.*s", fd, n < 0 ? 1 : (int)n, n < 0 ? "?" : target);
    }
    if (dir)
        closedir(dir);
}

/* calls `each` with the fields of every mapping */
static void mappings_walk(void (*each)(void *, size_t, const char *, const char *), void *context) {
    FILE *file = fopen("/proc/self/maps", "r");
    char *line = NULL;
    size_t size = 0;
    while (file && getline(&line, &size, file) > 0) {
        unsigned long from, to;
        char rights[8];
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3)
            each(context, to - from, rights, line);
    }
    free(line);
    if (file)
        fclose(file);
}

static void add_if_shared(void *list, size_t bytes, const char *rights, const char *line) {
    (void)bytes;
    if (rights[3] == 's')
        names_add(list, "mapping %s", line);
}

void names_of_shared_mappings(struct names *list) {
    mappings_walk(add_if_shared, list);
}

void names_of_all(struct names *list) {
    names_of_children(list);
    names_of_descriptors(list);
    names_of_shared_mappings(list);
}

struct tally {
    size_t n, bytes;
};

static void add_to_tally(void *tally, size_t bytes, const char *rights, const char *line) {
    (void)rights, (void)line;
    ((struct tally *)tally)->n++;
    ((struct tally *)tally)->bytes += bytes;
}

size_t mappings_count(size_t *bytes) {
    struct tally tally = {0, 0};
    mappings_walk(add_to_tally, &tally);
    if (bytes)
        *bytes = tally.bytes;
    return tally.n;
}
