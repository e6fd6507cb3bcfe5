/* For clang-tidy only: tells its analyzer that these raise, or it follows paths that cannot be. */
#include <lauxlib.h>

__attribute__((noreturn)) int luaL_argerror(lua_State *L, int arg, const char *extramsg);
__attribute__((noreturn)) int luaL_typeerror(lua_State *L, int arg, const char *tname);
__attribute__((noreturn)) int luaL_error(lua_State *L, const char *fmt, ...);
__attribute__((noreturn)) int lua_error(lua_State *L);
