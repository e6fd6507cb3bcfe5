/* axes: the lists of what a pool can be put together from. See axes.h. */
#include "pool/axes.h"

#include <string.h>

const struct start_ops *const start_list[] = {&start_fork, &start_spawn, NULL};

const struct channel_ops *const channel_list[] = {&channel_socket, &channel_pipe, &channel_ring,
                                                  &channel_queue, NULL};

const struct deliver_ops *const deliver_list[] = {&deliver_inherit, &deliver_send, &deliver_queue,
                                                  &deliver_shm, NULL};

#define FIND(kind)                                                                \
    const struct kind##_ops *kind##_find(const char *name) {                      \
        for (const struct kind##_ops *const *at = kind##_list; *at != NULL; at++) \
            if (strcmp((*at)->name, name) == 0)                                   \
                return *at;                                                       \
        return NULL;                                                              \
    }

FIND(start)
FIND(channel)
FIND(deliver)
