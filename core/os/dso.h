/* dso: shared objects opened while running. Their names stay to themselves, so that two builds of
 * one library can be open side by side; a missing symbol is an error at once, not in the middle
 * of a run. Not for what the object offers: see bind/workload. */
#ifndef RIG_OS_DSO_H
#define RIG_OS_DSO_H

#include "os/sys.h"

/* 0 and *handle, or -ENOENT (the file cannot be opened), -ENOEXEC (it cannot be loaded), and *why
 * is the linker's message, valid until the next call here in this thread. */
int dso_open(struct sys *s, const char *path, void **handle, const char **why);

/* The address of `name`, or NULL. */
void *dso_find(struct sys *s, void *handle, const char *name);

/* The file that this address was loaded from: an executable or a shared object; NULL: not known. */
const char *dso_file(const void *address);

/* Ends one dso_open; NULL is allowed. */
void dso_close(struct sys *s, void *handle);

#endif
