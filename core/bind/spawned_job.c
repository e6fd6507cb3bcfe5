/* spawned_job: see spawned_job.h. */
#include "bind/spawned_job.h"

#include <errno.h>
#include <string.h>

#include "bind/codec.h"
#include "bind/interrupt.h"
#include "bind/program.h"
#include "bind/worker_side.h"
#include "rig_build.h"

const char spawned_build[] = RIG_VERSION " (" RIG_COMMIT ", " RIG_COMPILER ")";

/* In front of the encoded table; followed by the paths, each with its zero. */
struct head {
    uint32_t lua_path; /* bytes; 0: none */
    uint32_t loaded;   /* bytes of the paths of shared objects that rig.load opened */
    uint8_t no_huge_pages, force;
    uint8_t spare[2];
};

static int put_head(struct rig *rig, struct buf *out) {
    struct head h = {.no_huge_pages = rig->opened && rig->alloc.big == SIZE_MAX,
                     .force = rig->state->force};
    if (rig->lua_path != NULL)
        h.lua_path = (uint32_t)strlen(rig->lua_path) + 1;
    h.loaded = (uint32_t)rig->loaded_size;
    int err = buf_add(out, &h, sizeof h);
    if (err == 0 && h.lua_path > 0)
        err = buf_add(out, rig->lua_path, h.lua_path);
    return err < 0 || h.loaded == 0 ? err : buf_add(out, rig->loaded, h.loaded);
}

void spawned_describe(lua_State *L, struct pool_config *c) {
    struct rig *rig = host_get(L);
    struct buf *scratch = &rig->state->scratch;
    struct codec_error error;
    if (lua_getfield(L, 1, "job") == LUA_TNIL)
        luaL_error(L, "pool: start=spawn needs `job`, which says what its workers are to load; "
                      "functions cannot cross into a fresh process");
    buf_clear(scratch);
    int err = put_head(rig, scratch);
    if (err == 0)
        err = codec_encode(L, -1, scratch, &error);
    if (err < 0) {
        buf_clear(scratch);
        codec_raise(L, err, &error, "job");
    }
    size_t size = buf_size(scratch);
    uint8_t *bytes = lua_newuserdatauv(L, size, 0);
    buf_copy(scratch, bytes);
    buf_clear(scratch);
    lua_remove(L, -2);
    const char *program = program_of(rig);
    if (program == NULL)
        luaL_error(L, "pool: start=spawn runs the executable rig, which is not beside rig.so: say "
                      "where it is, in RIG_WORKER or by rig.worker_program(path)");
    c->spawn = (struct pool_spawn){.program = program,
                                   .build = spawned_build,
                                   .job = bytes,
                                   .job_size = size};
}

static int take_head(const uint8_t *bytes, size_t size, struct head *h) {
    if (size < sizeof *h)
        return -EBADMSG;
    memcpy(h, bytes, sizeof *h);
    return (uint64_t)h->lua_path + h->loaded > size - sizeof *h ? -EBADMSG : 0;
}

/* The shared objects of the coordinator: a scenario may have loaded them in a hook that runs there. */
static int load_objects(struct rig *rig, const char *at, size_t size) {
    int err = 0;
    for (const char *end = at + size; at < end && err == 0; at += strlen(at) + 1)
        err = host_load(rig, at);
    return err;
}

int spawned_options(const uint8_t *bytes, size_t size, struct spawned_options *o) {
    struct head h;
    int err = take_head(bytes, size, &h);
    if (err < 0)
        return err;
    o->lua_path = h.lua_path > 0 ? (const char *)bytes + sizeof h : NULL;
    o->huge_pages = h.no_huge_pages ? 2 : 1;
    return 0;
}

struct loading {
    struct job *job;
    const uint8_t *bytes;
    size_t size;
};

static void keep(lua_State *L, const char *name, int *ref) {
    *ref = lua_getfield(L, -1, name) == LUA_TNIL ? LUA_NOREF : luaL_ref(L, LUA_REGISTRYINDEX);
    if (*ref == LUA_NOREF)
        lua_pop(L, 1);
}

/* require "rig.spawned".open(job) -> { map, init, finish, worker, p } */
static int load(lua_State *L) {
    const struct loading *l = lua_touserdata(L, 1);
    struct job *j = l->job;
    size_t used;
    lua_getglobal(L, "require");
    lua_pushliteral(L, "rig.spawned");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "open");
    if (codec_decode(L, l->bytes, l->size, NULL, &used) < 0)
        return luaL_error(L, "the job's bytes are damaged");
    lua_call(L, 1, 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    keep(L, "map", &j->map);
    keep(L, "init", &j->init);
    keep(L, "finish", &j->finish);
    keep(L, "worker", &j->worker);
    lua_getfield(L, -1, "p");
    j->params = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

int spawned_init(struct job *j, const struct spawned_start *start, const uint8_t *fixed, size_t len,
                 struct block *owner, struct buf *out) {
    struct rig *rig = start->rig;
    struct head h;
    if (take_head(start->bytes, start->size, &h) < 0)
        return -EBADMSG;
    size_t skip = sizeof h + h.lua_path + h.loaded;
    struct loading l = {.job = j, .bytes = start->bytes + skip, .size = start->size - skip};
    *j = (struct job){.state = rig->state,
                      .L = rig->L,
                      .init = LUA_NOREF,
                      .finish = LUA_NOREF,
                      .worker = LUA_NOREF,
                      .fixed = LUA_REFNIL};
    interrupt_remove(rig); /* its signals are those of any process */
    rig->state->force = h.force;
    side_begin(rig->L, start->worker); /* what the script prints while it is loaded is a worker's */
    if (load_objects(rig, (const char *)start->bytes + sizeof h + h.lua_path, h.loaded) < 0) {
        lua_pushstring(rig->L, rig->error != NULL ? rig->error : "out of memory");
        return job_say_top(rig->L, out);
    }
    lua_pushcfunction(rig->L, load);
    lua_pushlightuserdata(rig->L, &l);
    if (state_call(rig->L, 1, 0) != LUA_OK)
        return job_say_top(rig->L, out);
    return job_start(j, start->worker, fixed, len, owner, out);
}
