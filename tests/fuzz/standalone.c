/* standalone: a main for the fuzz targets without libFuzzer: gives each of them the files that are named, or the files
 * in the folders that are named, once. With it the default tests replay the corpora, whatever the compiler. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

static size_t replayed;
static const char *current; /* the input that is being taken */

/* A finding aborts: which input it was is said then. */
static void on_abort(int signo) {
    (void)signo;
    if (write(STDERR_FILENO, "input: ", 7) > 0 &&
        write(STDERR_FILENO, current, strlen(current)) > 0)
        (void)!write(STDERR_FILENO, "\n", 1);
}

static int replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    struct stat st;
    if (file == NULL || fstat(fileno(file), &st) < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        if (file != NULL)
            fclose(file);
        return -1;
    }
    /* of its exact size, so that a sanitizer sees one byte too many */
    uint8_t *bytes = malloc((size_t)st.st_size + 1);
    size_t n = bytes == NULL ? 0 : fread(bytes, 1, (size_t)st.st_size, file);
    fclose(file);
    uint8_t *exact = bytes == NULL ? NULL : realloc(bytes, n ? n : 1);
    if (exact == NULL) {
        free(bytes);
        return -1;
    }
    current = path;
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    replayed++;
    return 0;
}

static int replay(const char *path) {
    DIR *folder = opendir(path);
    if (folder == NULL)
        return replay_file(path);
    int err = 0;
    for (struct dirent *entry; err == 0 && (entry = readdir(folder)) != NULL;) {
        char inner[4096];
        if (entry->d_name[0] == '.')
            continue;
        int n = snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        err = n < (int)sizeof inner ? replay_file(inner) : -1;
    }
    closedir(folder);
    return err;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s file or folder...\n", argv[0]);
        return 2;
    }
    LLVMFuzzerInitialize(&argc, &argv);
    signal(SIGABRT, on_abort);
    for (int i = 1; i < argc; i++)
        if (replay(argv[i]) < 0)
            return 2;
    printf("%zu inputs\n", replayed);
    return replayed > 0 ? 0 : 2;
}
