/* bind_queue: rig.queue: a queue of Lua values between processes. In the process that made it a put
 * never waits; in others it returns when the value is out. */
#include <errno.h>

#include "bind/codec.h"
#include "bind/handle.h"
#include "bind/open.h"
#include "bind/value.h"

static int l_queue(lua_State *L) {
    struct handle *h = handle_push(L, HANDLE_QUEUE);
    int err = queue_open(&h->u.queue, &h->state->sys);
    if (err < 0)
        return state_fail(L, err, "make a queue");
    h->open = true;
    h->next = h->state->queues;
    h->state->queues = h;
    return 1;
}

static bool is_maker(const struct handle *h) {
    for (const struct handle *q = h->state->queues; q != NULL; q = q->next)
        if (q == h)
            return true;
    return false;
}

/* q:put(value) -> true | nil, message, code */
static int l_put(lua_State *L) {
    struct handle *h = handle_check(L, 1, HANDLE_QUEUE);
    luaL_checkany(L, 2);
    struct queue *q = &h->u.queue;
    bool maker = is_maker(h), waiting = q->outbox.first != NULL;
    queue_put(q, value_message(L, 2, "value"));
    int got = 0;
    if (!maker)
        got = queue_flush_all(q, DEADLINE_NEVER);
    else if (!waiting && q->outbox.bytes <= QUEUE_PACKET_MAX)
        got = queue_flush(q); /* the large ones go while we wait for something anyway */
    if (got < 0)
        return state_fail(L, got, "put into a queue");
    lua_pushboolean(L, 1);
    return 1;
}

/* Waits until something has come in. 1, 0 at the deadline, -errno. */
static int wait_in(struct handle *h, int64_t deadline) {
    struct pollfd fds[17] = {{.fd = h->u.queue.in, .events = POLLIN}};
    size_t n = 1 + queue_part_fds(&h->u.queue, fds + 1, 16);
    return wait_flushing(h->state, fds, n, deadline);
}

static int timed_out(lua_State *L) {
    lua_pushnil(L);
    lua_pushliteral(L, "timed out: nothing came into the queue");
    lua_pushliteral(L, "ETIMEDOUT");
    return 3;
}

/* q:get([seconds]) -> value | nil, message, code */
static int l_get(lua_State *L) {
    struct handle *h = handle_check(L, 1, HANDLE_QUEUE);
    int64_t deadline = handle_deadline(L, 2);
    struct received r;
    int got;
    if (!is_maker(h)) {
        got = queue_get(&h->u.queue, deadline, NULL, &r);
    } else {
        while ((got = queue_poll(&h->u.queue, &r)) == 0 && (got = wait_in(h, deadline)) > 0)
            ;
    }
    if (got == 0)
        return timed_out(L);
    return got < 0 ? state_fail(L, got, "get from a queue") : value_push(L, &r, "queue");
}

static int push_pending(lua_State *L, const struct queue *q) {
    lua_pushinteger(L, (lua_Integer)q->outbox.n);
    lua_pushinteger(L, (lua_Integer)q->outbox.bytes);
    return 2;
}

/* q:pending() -> messages and bytes of this process that are not out yet */
static int l_pending(lua_State *L) {
    return push_pending(L, &handle_check(L, 1, HANDLE_QUEUE)->u.queue);
}

/* q:traffic() -> messages in, messages out, bytes in, bytes out, of this process */
static int l_traffic(lua_State *L) {
    const struct queue *q = &handle_check(L, 1, HANDLE_QUEUE)->u.queue;
    lua_pushinteger(L, (lua_Integer)q->messages_in);
    lua_pushinteger(L, (lua_Integer)q->messages_out);
    lua_pushinteger(L, (lua_Integer)q->bytes_in);
    lua_pushinteger(L, (lua_Integer)q->bytes_out);
    return 4;
}

/* q:flush([seconds]) -> true | nil, message, code */
static int l_flush(lua_State *L) {
    struct handle *h = handle_check(L, 1, HANDLE_QUEUE);
    int err = queue_flush_all(&h->u.queue, handle_deadline(L, 2));
    if (err < 0)
        return state_fail(L, err, "send what waits in a queue");
    lua_pushboolean(L, 1);
    return 1;
}

/* q:close() -> messages and bytes of this process that were never sent */
static int l_close(lua_State *L) {
    struct handle *h = handle_test(L, 1);
    if (h == NULL || h->kind != HANDLE_QUEUE)
        return luaL_typeerror(L, 1, "rig.queue");
    bool ours = h->open && h->owner == h->state->sys.pid;
    struct queue none = {0};
    push_pending(L, ours ? &h->u.queue : &none);
    handle_close(h);
    return 2;
}

void bind_queue(lua_State *L) {
    static const luaL_Reg methods[] = {
        {"put", l_put},     {"get", l_get},         {"pending", l_pending},
        {"flush", l_flush}, {"traffic", l_traffic}, {"close", l_close},
        {NULL, NULL}};
    static const luaL_Reg functions[] = {{"queue", l_queue}, {NULL, NULL}};
    handle_methods(L, HANDLE_QUEUE, methods);
    luaL_setfuncs(L, functions, 0);
}
