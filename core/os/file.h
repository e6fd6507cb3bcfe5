/* file: whole files, written so that whoever looks, whenever, sees the old contents or the new, never a
 * part; and what a terminal is. Not for pipes and sockets. */
#ifndef RIG_OS_FILE_H
#define RIG_OS_FILE_H

#include "os/sys.h"

/* Writes n bytes to `path`: a temporary file beside it, fsync, rename, fsync of the folder. A symbolic
 * link is followed; what is no regular file (a terminal, a FIFO, /dev/null) is written to as it is.
 * 0 or -errno, the old contents untouched then. */
int file_write(struct sys *s, const char *path, const void *bytes, size_t n);

/* Whether file_write could, as far as can be told without writing: 0 or -errno. What is no regular file
 * is not opened: that would wait for a FIFO's reader. */
int file_probe(struct sys *s, const char *path);

/* Writes all of it to a descriptor. 0 or -errno. */
int file_put(struct sys *s, int fd, const void *bytes, size_t n);

bool file_is_terminal(struct sys *s, int fd);

/* Width of the terminal in columns; 0 if it is none. */
int file_columns(struct sys *s, int fd);

#endif
