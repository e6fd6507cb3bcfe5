/* dso: see dso.h. */
#include "os/dso.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* The linker gives a text and no number. A path that cannot be opened for reading is the one cause
 * worth telling apart: the others are all in the file. */
static int cause(struct sys *s, const char *path) {
    if (strchr(path, '/') == NULL)
        return -ENOENT;
    int fd = sys_open(s, path, O_RDONLY, 0);
    if (fd < 0)
        return fd;
    sys_close(s, fd);
    return -ENOEXEC;
}

int dso_open(struct sys *s, const char *path, void **handle, const char **why) {
    *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (*handle != NULL)
        return 0;
    *why = dlerror();
    if (*why == NULL)
        *why = "cannot be loaded";
    return cause(s, path);
}

void *dso_find(struct sys *s, void *handle, const char *name) {
    (void)s;
    return dlsym(handle, name);
}

const char *dso_file(const void *address) {
    Dl_info info;
    return dladdr(address, &info) != 0 ? info.dli_fname : NULL;
}

void dso_close(struct sys *s, void *handle) {
    (void)s;
    if (handle != NULL)
        dlclose(handle);
}
