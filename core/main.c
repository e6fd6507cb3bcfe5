/* main: the executable `rig`, a thin user of rig.h: it is a worker if it was started as one, else it
 * hands signals to the rig, runs the command, and exits with its status. What the command does is
 * in lua/rig/cli.lua. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"

static rig_t *volatile rig; /* NULL: nothing is left to be stopped */
static volatile sig_atomic_t asked_to_stop;

/* The first signal asks for an orderly end: workers reaped, partial results written. The second
 * one ends us on the spot; the kernel then kills every worker, because its lifeline closes with
 * us. */
static void on_signal(int signo) {
    if (signo == SIGALRM && (asked_to_stop || rig == NULL))
        return; /* the end that the time limit asks for is under way */
    if (asked_to_stop || rig == NULL)
        _exit(128 + signo);
    asked_to_stop = signo != SIGALRM;
    rig_interrupt(rig, signo);
}

/* SA_RESTART: reads and writes of others (Lua's io) go on; our own waits end by the rig's
 * descriptor. */
static void handle(int signo) {
    struct sigaction now;
    memset(&now, 0, sizeof now);
    now.sa_handler = on_signal;
    now.sa_flags = SA_RESTART;
    sigemptyset(&now.sa_mask);
    sigaction(signo, &now, NULL);
}

/* nohup means that a run outlives its terminal. An ignored SIGINT only means that a script
 * started us in the background, and is no reason not to be stopped by one. */
static void handle_hang_up(void) {
    struct sigaction old;
    if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        handle(SIGHUP);
}

static void on_nothing(int signo) {
    (void)signo;
}

/* What a parent may have left us, and what would end us where a message is due: workers that cannot be
 * waited for, and a file that grew as large as it may (with a handler the write fails, with EFBIG;
 * unlike an ignored signal it is not handed on to the programs that scenarios start). */
static void set_dispositions(void) {
    struct sigaction now;
    memset(&now, 0, sizeof now);
    sigemptyset(&now.sa_mask);
    now.sa_handler = SIG_DFL;
    sigaction(SIGCHLD, &now, NULL);
    now.sa_handler = on_nothing;
    now.sa_flags = SA_RESTART;
    sigaction(SIGXFSZ, &now, NULL);
}

/* A closed standard descriptor would be given to the next file of ours, which prints would then go
 * into. Only for reading: what is written there fails, and is told. */
static void fill_standard_descriptors(void) {
    int fd;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0 && fd <= STDERR_FILENO)
        ;
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv) {
    rig_options_t options = {.size = sizeof options,
                             .signals = 1,
                             .worker_program = "/proc/self/exe"};
    rig_t *opened;
    int worker = rig_worker_main(argc, argv);
    if (worker >= 0) {
        fprintf(stderr, "rig: %s: rig starts its own workers so, with what they need\n", argv[1]);
        return worker;
    }
    fill_standard_descriptors();
    set_dispositions();
    if (rig_open(&opened, &options) != RIG_OK) {
        fprintf(stderr, "rig: %s\n", rig_error(opened));
        rig_close(opened);
        return 5;
    }
    rig = opened;
    handle(SIGINT);
    handle(SIGTERM);
    handle(SIGALRM);
    handle_hang_up();
    int status = rig_command(opened, argc, argv);
    rig = NULL;
    rig_close(opened);
    return status;
}
