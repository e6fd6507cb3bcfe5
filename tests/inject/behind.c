/* behind: core/os/sys.c once more, its table and its free under other names: the kernel behind the table of inject.c. */
#include "inject.h"

void sys_free_behind(void *p);

#define sys_kernel sys_behind
#define sys_free   sys_free_behind
#include "os/sys.c"
