/*
 * Preloaded into what the full tier runs under valgrind; without valgrind it changes nothing. For tests only.
 *
 * Valgrind 3.19, which Debian 12 has, answers pidfd_open with ENOSYS, and without it no pool can start: here the
 * call is made by the real processor instead. And a forked child, which leaves by _exit in the middle of
 * things, need not give back what its parent holds: leaks are looked for in the programs that were started.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <valgrind/valgrind.h>

#ifdef __x86_64__
/* Runs outside of valgrind's simulation: nothing of libc may be used. The thread is valgrind's argument. */
static long native_pidfd_open(long thread, long pid, long flags) {
    long result;
    (void)thread;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_pidfd_open), "D"(pid), "S"(flags)
                     : "rcx", "r11", "memory");
    return result;
}
#endif

static void leaks_are_the_parents(void) {
    VALGRIND_CLO_CHANGE("--leak-check=no");
}

__attribute__((constructor)) static void begin(void) {
    if (RUNNING_ON_VALGRIND)
        pthread_atfork(NULL, NULL, leaks_are_the_parents);
}

long syscall(long number, ...) {
    va_list args;
    long a[6];
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
#ifdef __x86_64__
    if (number == SYS_pidfd_open && RUNNING_ON_VALGRIND) {
        long result = (long)VALGRIND_NON_SIMD_CALL2(native_pidfd_open, a[0], a[1]);
        if (result >= 0)
            return result;
        errno = (int)-result;
        return -1;
    }
#endif
    long (*next)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
