/*
 * Preloaded into what the full tier runs under valgrind; without valgrind it changes nothing. For tests only.
 *
 * Valgrind 3.19, which Debian 12 has, answers pidfd_open and pidfd_send_signal with ENOSYS, and without them no pool
 * can start and no test can kill: here the calls are made by the real processor instead. And leaks are looked for only where a program that was started
 * ends by itself: a forked child, which leaves by _exit in the middle of things, need not give back what its
 * parent holds; and who is ended by a signal may be just about to keep what it has taken.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <valgrind/valgrind.h>

#ifdef __x86_64__
/* Runs outside of valgrind's simulation: nothing of libc may be used. The thread is valgrind's argument. */
static long native(long thread, long number, long first, long second) {
    register long fourth __asm__("r10") = 0;
    long result;
    (void)thread;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(first), "S"(second), "d"(0L), "r"(fourth)
                     : "rcx", "r11", "memory");
    return result;
}
#endif

static bool is_a_copy; /* of the program that was started */

static void leaks_are_the_parents(void) {
    is_a_copy = true;
}

__attribute__((constructor)) static void begin(void) {
    if (RUNNING_ON_VALGRIND)
        pthread_atfork(NULL, NULL, leaks_are_the_parents);
}

__attribute__((destructor)) static void end(void) {
    if (RUNNING_ON_VALGRIND && !is_a_copy)
        VALGRIND_CLO_CHANGE("--leak-check=full");
}

/* How workers leave, which may be programs of their own. From 128 on it is a signal's handler that leaves. */
_Noreturn void _exit(int status) {
    if (status < 128)
        end();
    void (*next)(int) = (void (*)(int))dlsym(RTLD_NEXT, "_exit");
    next(status);
    abort();
}

long syscall(long number, ...) {
    va_list args;
    long a[6];
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
#ifdef __x86_64__
    if ((number == SYS_pidfd_open || number == SYS_pidfd_send_signal) && RUNNING_ON_VALGRIND) {
        long result = (long)VALGRIND_NON_SIMD_CALL3(native, number, a[0], a[1]);
        if (result >= 0)
            return result;
        errno = (int)-result;
        return -1;
    }
#endif
    long (*next)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
