/* value: see value.h. */
#include "bind/value.h"

#include <errno.h>

#include "bind/codec.h"

struct message *value_message(lua_State *L, int idx, const char *root) {
    struct codec_error error;
    struct message *m = message_new(&state_get(L)->sys, FRAME_VALUE);
    int err = m != NULL ? codec_encode(L, idx, &m->body, &error) : -ENOMEM;
    if (err < 0) {
        message_free(m);
        if (m == NULL)
            luaL_error(L, "not enough memory for a message");
        codec_raise(L, err, &error, root);
    }
    return m;
}

int value_push(lua_State *L, const struct received *r, const char *from) {
    size_t used;
    if (codec_decode(L, r->body, r->len, r->owner, &used) == 0)
        return 1;
    return state_fail(L, -EBADMSG, "a value that came through a %s", from);
}
