/* push_report: what a pool did, as Lua tables. Not for doing it: see bind_pool. */
#include <stdio.h>
#include <string.h>

#include "bind/bind_pool.h"

static void set_int(lua_State *L, const char *name, int64_t v) {
    lua_pushinteger(L, v);
    lua_setfield(L, -2, name);
}

static void set_seconds(lua_State *L, const char *name, int64_t ns) {
    lua_pushnumber(L, (lua_Number)ns / 1e9);
    lua_setfield(L, -2, name);
}

void push_failure(lua_State *L, const struct outcome *o) {
    lua_createtable(L, 0, 9);
    set_int(L, "task", (int64_t)o->task + 1);
    lua_pushstring(L, outcome_names[o->kind]);
    lua_setfield(L, -2, "outcome");
    set_int(L, "attempt", o->attempt);
    if (o->retried) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "retried");
    }
    if (o->worker > 0)
        set_int(L, "worker", o->worker);
    if (o->pid > 0)
        set_int(L, "pid", o->pid);
    if (o->signal > 0)
        set_int(L, "signal", o->signal);
    if (o->exit_code >= 0)
        set_int(L, "exit", o->exit_code);
    if (o->message != NULL) {
        lua_pushlstring(L, o->message, o->message_len);
        lua_setfield(L, -2, "message");
    }
}

void push_account(lua_State *L, const struct account *a, int failures) {
    lua_createtable(L, 0, 6);
    set_int(L, "n", (int64_t)a->n);
    lua_createtable(L, 0, OUTCOME_KINDS);
    for (int i = 0; i < OUTCOME_KINDS; i++)
        set_int(L, outcome_names[i], (int64_t)a->ended[i]);
    lua_setfield(L, -2, "outcomes");
    lua_createtable(L, (int)a->workers, 0);
    for (unsigned i = 0; i < a->workers; i++) {
        lua_pushinteger(L, (lua_Integer)a->by_worker[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "tasks_by_worker");
    lua_pushvalue(L, failures);
    lua_setfield(L, -2, "failures");
}

void push_report(lua_State *L, const struct pool *p, int failures) {
    push_account(L, pool_account(p), failures);
    set_int(L, "ready", pool_ready(p));
    struct chunk_stats chunks = pool_chunks(p);
    lua_createtable(L, 0, 4);
    set_int(L, "messages", (int64_t)chunks.messages);
    set_int(L, "least", chunks.least);
    set_int(L, "most", chunks.most);
    if (chunks.stolen >= 0)
        set_int(L, "stolen", chunks.stolen);
    lua_setfield(L, -2, "chunks");
    set_seconds(L, "longest_task_s", (int64_t)pool_longest_ns(p));
    unsigned workers = pool_account(p)->workers;
    lua_createtable(L, (int)workers, 0);
    for (unsigned i = 1; i <= workers; i++) {
        lua_pushnumber(L, (lua_Number)pool_busy_ns(p, i) / 1e9);
        lua_rawseti(L, -2, i);
    }
    lua_setfield(L, -2, "busy_by_worker_s");
}

static void set_exit(lua_State *L, const struct worker_report *r) {
    char text[64];
    if (r->fate == FATE_RUNNING)
        snprintf(text, sizeof text, "running");
    else if (r->fate == FATE_STOPPED)
        snprintf(text, sizeof text, "stopped");
    else if (r->end.signal > 0)
        snprintf(text, sizeof text, "signal %d", r->end.signal);
    else if (r->end.exit_code >= 0)
        snprintf(text, sizeof text, "exit %d", r->end.exit_code);
    else
        snprintf(text, sizeof text, "unknown: reaped by the host");
    lua_pushstring(L, text);
    lua_setfield(L, -2, "exit");
}

static void push_worker(lua_State *L, const struct worker_report *r) {
    lua_createtable(L, 0, 20);
    set_int(L, "id", r->id);
    set_int(L, "pid", r->pid);
    set_seconds(L, "started_s", r->started_ns);
    if (r->ready_ns > 0)
        set_seconds(L, "ready_s", r->ready_ns);
    set_int(L, "tasks", (int64_t)r->tasks);
    set_seconds(L, "busy_s", (int64_t)r->busy_ns);
    set_int(L, "bytes_in", (int64_t)r->bytes_in);
    set_int(L, "bytes_out", (int64_t)r->bytes_out);
    set_int(L, "messages_in", (int64_t)r->messages_in);
    set_int(L, "messages_out", (int64_t)r->messages_out);
    if (r->unique_bytes >= 0)
        set_int(L, "uss_bytes", r->unique_bytes);
    set_exit(L, r);
    if (r->fate == FATE_RUNNING)
        return;
    set_seconds(L, "user_s", r->end.user_ns);
    set_seconds(L, "sys_s", r->end.sys_ns);
    set_int(L, "minor_faults", r->end.minor_faults);
    set_int(L, "voluntary_switches", r->end.voluntary_switches);
    set_int(L, "involuntary_switches", r->end.involuntary_switches);
    set_int(L, "peak_rss_bytes", r->end.peak_rss_bytes);
}

static int by_id(const struct worker_report *a, const struct worker_report *b) {
    return a->id != b->id ? (a->id < b->id ? -1 : 1) : a->started_ns < b->started_ns ? -1 : 1;
}

int push_stats(lua_State *L, struct pool *p) {
    size_t n;
    struct pool_counters c;
    pool_count(p, &c);
    struct worker_report *r = pool_reports(p, &n);
    lua_createtable(L, 0, 5);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 1; i < n; i++) /* insertion sort: nearly in order, and few */
        for (size_t k = i; k > 0 && by_id(&r[k], &r[k - 1]) < 0; k--) {
            struct worker_report t = r[k];
            r[k] = r[k - 1];
            r[k - 1] = t;
        }
    for (size_t i = 0; i < n; i++) {
        push_worker(L, &r[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "workers");
    set_int(L, "replaced", (int64_t)c.replaced);
    set_int(L, "renewed", (int64_t)c.renewed);
    set_int(L, "retried", (int64_t)c.retried);
    lua_createtable(L, 0, 2);
    set_int(L, "workers", (int64_t)c.undelivered_workers);
    set_int(L, "bytes", (int64_t)c.undelivered_bytes);
    lua_setfield(L, -2, "undelivered");
    lua_createtable(L, 0, 4);
    set_int(L, "tasks", (int64_t)c.tasks);
    set_int(L, "messages", (int64_t)c.messages);
    set_int(L, "payload_bytes", (int64_t)c.payload_bytes);
    set_int(L, "forks", (int64_t)c.forks);
    lua_setfield(L, -2, "counters");
    return 1;
}
