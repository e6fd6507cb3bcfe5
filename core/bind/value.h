/* value: a Lua value as a message, and back. Between codec (bytes) and the handles that send them. */
#ifndef RIG_BIND_VALUE_H
#define RIG_BIND_VALUE_H

#include "bind/state.h"
#include "pool/message.h"

/* The value at idx as a message of the caller's; raises with the path (from `root`) of what cannot
 * cross. */
struct message *value_message(lua_State *L, int idx, const char *root);

/* Pushes the value that came; returns 1, or 3 with nil, message, code when the bytes are damaged. */
int value_push(lua_State *L, const struct received *r, const char *from);

#endif
