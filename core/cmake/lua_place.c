/* lua_place: where Lua's interpreter begins in an executable. Its code comes right behind this object, so it lies the same
 * way in the lines of the instruction cache however long our own code is. Where it lies by chance, the same script takes
 * up to a tenth longer after a change that has nothing to do with it, and one build of rig cannot be compared with
 * another. Of the four places that 16-byte steps allow, this is the fastest one (core/README.md). */
__asm__(".text\n"
        ".balign 64\n"
        ".skip 32\n"
        ".globl rig_lua_begins\n"
        ".hidden rig_lua_begins\n"
        "rig_lua_begins:\n");
