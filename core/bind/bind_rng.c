/* bind_rng: rig.rng: a seeded generator, the same on every machine: xoshiro256** (Blackman and Vigna,
 * "Scrambled linear pseudorandom number generators", 2021), seeded through splitmix64 as they advise. Not
 * for secrets. */
#include <math.h>
#include <string.h>

#include "bind/open.h"
#include "bind/state.h"

struct rng {
    uint64_t s[4];
};

static const char rng_name[] = "rig.rng";

static uint64_t splitmix(uint64_t *x) {
    uint64_t z = *x += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static uint64_t rotl(uint64_t x, int k) {
    return x << k | x >> (64 - k);
}

static uint64_t next(struct rng *r) {
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

static uint64_t mix_in(uint64_t seed, const void *bytes, size_t n) {
    const uint8_t *at = bytes;
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, at + i, n - i < 8 ? n - i : 8);
        seed ^= word;
        seed = splitmix(&seed);
    }
    seed ^= n;
    return splitmix(&seed);
}

/* rig.rng(...) -> generator: seeded by any integers, numbers, booleans and strings, in order */
static int l_rng(lua_State *L) {
    int n = lua_gettop(L);
    uint64_t seed = UINT64_C(0x7269672d726e6731);
    for (int i = 1; i <= n; i++) {
        size_t len;
        lua_Integer number = lua_tointeger(L, i);
        if (lua_isinteger(L, i)) {
            seed = mix_in(seed, &number, sizeof number);
        } else {
            const char *text = luaL_tolstring(L, i, &len);
            seed = mix_in(seed, text, len);
            lua_pop(L, 1);
        }
    }
    struct rng *r = lua_newuserdatauv(L, sizeof *r, 0);
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix(&seed);
    luaL_setmetatable(L, rng_name);
    return 1;
}

static struct rng *check(lua_State *L) {
    return luaL_checkudata(L, 1, rng_name);
}

/* Uniform in [0, n): multiplication with rejection (Lemire, "Fast random integer generation in an
 * interval", 2019). n 0 stands for 2^64. */
static uint64_t below(struct rng *r, uint64_t n) {
    if (n == 0)
        return next(r);
    for (;;) {
        __uint128_t m = (__uint128_t)next(r) * n;
        if ((uint64_t)m >= -n % n)
            return (uint64_t)(m >> 64);
    }
}

/* r:int(lo, hi) -> uniform integer, both ends included */
static int l_int(lua_State *L) {
    struct rng *r = check(L);
    lua_Integer lo = luaL_checkinteger(L, 2), hi = luaL_checkinteger(L, 3);
    luaL_argcheck(L, lo <= hi, 3, "the upper end is below the lower one");
    uint64_t range = (uint64_t)hi - (uint64_t)lo + 1;
    lua_pushinteger(L, (lua_Integer)((uint64_t)lo + below(r, range)));
    return 1;
}

static double unit(struct rng *r) {
    return (double)(next(r) >> 11) * 0x1p-53;
}

/* r:float() -> uniform in [0, 1) */
static int l_float(lua_State *L) {
    lua_pushnumber(L, unit(check(L)));
    return 1;
}

/* r:normal([mean, [sd]]) -> normally distributed (Box and Muller, 1958) */
static int l_normal(lua_State *L) {
    struct rng *r = check(L);
    double mean = luaL_optnumber(L, 2, 0), sd = luaL_optnumber(L, 3, 1);
    double radius = sqrt(-2 * log(1 - unit(r)));
    lua_pushnumber(L, mean + sd * radius * cos(2 * 3.14159265358979323846 * unit(r)));
    return 1;
}

/* r:shuffle(list) -> the same list, its elements in random order */
static int l_shuffle(lua_State *L) {
    struct rng *r = check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    for (lua_Integer i = luaL_len(L, 2); i > 1; i--) {
        lua_Integer k = (lua_Integer)below(r, (uint64_t)i) + 1;
        lua_geti(L, 2, i);
        lua_geti(L, 2, k);
        lua_seti(L, 2, i);
        lua_seti(L, 2, k);
    }
    return 1;
}

void bind_rng(lua_State *L) {
    static const luaL_Reg methods[] = {{"int", l_int},
                                       {"float", l_float},
                                       {"normal", l_normal},
                                       {"shuffle", l_shuffle},
                                       {NULL, NULL}};
    luaL_newmetatable(L, rng_name);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushcfunction(L, l_rng);
    lua_setfield(L, -2, "rng");
}
