/* Commands: what they are given, what they must not get, and that the failure to start one is told from its own. */
#include "os/pipe.h"
#include "os/proc.h"
#include "os_help.h"

/* Runs it to its end; its output comes back in text. */
static struct proc_end run(struct proc_command *c, char *text, size_t size) {
    struct proc p;
    struct proc_end end = {.exit_code = 77};
    int out[2];
    size_t got = 0;
    assert_int_equal(pipe_open(&sys, out, 0), 0);
    c->stdio[1] = out[1];
    assert_int_equal(proc_exec(&sys, &p, c), 0);
    fds_close(&sys, &out[1]);
    assert_int_equal(fd_read_full(&sys, out[0], text, size - 1, hang(), &got), -EPIPE);
    text[got] = '\0';
    fds_close(&sys, &out[0]);
    assert_int_equal(proc_reap(&sys, &p, hang(), &end), 1);
    return end;
}

static struct proc_end shell(const char *line, char *text, size_t size) {
    char *argv[] = {"sh", "-c", (char *)(uintptr_t)line, NULL};
    struct proc_command c = {.argv = argv, .stdio = {0, 1, 2}};
    return run(&c, text, size);
}

static void output_and_exit_code_come_back(void **state) {
    (void)state;
    char text[100];
    struct proc_end end = shell("echo some text; exit 7", text, sizeof text);
    assert_string_equal(text, "some text\n");
    assert_int_equal(end.exit_code, 7);
    end = shell("kill -9 $$", text, sizeof text);
    assert_int_equal(end.signal, SIGKILL);
}

static void folder_environment_and_arguments_are_as_asked(void **state) {
    (void)state;
    char text[200];
    char *argv[] = {"/bin/sh", "-c", "pwd; echo \"$ONE-$HOME-$0-$1\"", "zero", "a b", NULL};
    char *envp[] = {"ONE=1", NULL};
    struct proc_command c = {.argv = argv, .envp = envp, .cwd = "/", .stdio = {0, 1, 2}};
    assert_int_equal(run(&c, text, sizeof text).exit_code, 0);
    assert_string_equal(text, "/\n1--zero-a b\n");
}

static void the_reason_why_a_command_does_not_start_comes_back(void **state) {
    (void)state;
    struct {
        const char *file, *cwd;
        int err;
    } cases[] = {
        {"no-such-command-anywhere", NULL, -ENOENT},
        {"/etc/passwd", NULL, -EACCES},
        {"/", NULL, -EACCES},
        {"true", "/no/such/folder", -ENOENT},
        {"true", "/etc/passwd", -ENOTDIR},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proc p;
        char *argv[] = {(char *)(uintptr_t)cases[i].file, NULL};
        struct proc_command c = {.argv = argv, .cwd = cases[i].cwd, .stdio = {0, 1, 2}};
        assert_int_equal(proc_exec(&sys, &p, &c), cases[i].err);
        assert_int_equal(p.pid, -1);
    }
}

static void a_command_gets_no_descriptor_of_ours(void **state) {
    (void)state;
    char line[200], text[100];
    int ours[2], hosts = fcntl(0, F_DUPFD, 100);
    assert_int_equal(pipe_open(&sys, ours, 0), 0);
    snprintf(line, sizeof line, "cd /proc/$$/fd; for n in %d %d %d; do test -e $n && echo $n; done",
             ours[0], ours[1], hosts);
    shell(line, text, sizeof text);
    snprintf(line, sizeof line, "%d\n", hosts); /* what the host leaves open is its own affair */
    assert_string_equal(text, line);
    close(hosts);
    fds_close(&sys, &ours[0]);
    fds_close(&sys, &ours[1]);
}

/* A pipe's ends may sit on any numbers: here they are moved out of each other's way. */
static void run_with_swapped_stdio(void *arg) {
    char text[10] = "";
    int out[2], in[2];
    struct proc p;
    struct proc_end end;
    (void)arg;
    close(0);
    close(1);
    CHILD_CHECK(pipe_open(&sys, out, 0) == 0 && out[0] == 0 && out[1] == 1);
    CHILD_CHECK(pipe_open(&sys, in, 0) == 0);
    char *argv[] = {"sh", "-c", "read word; echo $word >&2", NULL};
    struct proc_command c = {.argv = argv, .stdio = {in[0], out[0], out[1]}};
    CHILD_CHECK(proc_exec(&sys, &p, &c) == 0);
    CHILD_CHECK(fd_write_full(&sys, in[1], FD_PIPE, "hello\n", 6, hang()) == 0);
    CHILD_CHECK(fd_read_full(&sys, out[0], text, 6, hang(), NULL) == 0);
    CHILD_CHECK(strcmp(text, "hello\n") == 0);
    CHILD_CHECK(proc_reap(&sys, &p, hang(), &end) == 1 && end.exit_code == 0);
}

static void standard_ends_may_come_from_any_number(void **state) {
    (void)state;
    assert_int_equal(in_child(run_with_swapped_stdio, NULL), 0);
}

static void a_commands_ends_need_not_be_registered(void **state) {
    (void)state;
    struct proc p;
    struct proc_end end;
    int high = fcntl(2, F_DUPFD_CLOEXEC, 5000);
    char *argv[] = {"true", NULL};
    struct proc_command c = {.argv = argv, .stdio = {0, high, high}};
    assert_true(high >= 5000);
    assert_int_equal(proc_exec(&sys, &p, &c), 0);
    close(high);
    assert_int_equal(proc_reap(&sys, &p, hang(), &end), 1);
    assert_int_equal(end.exit_code, 0);
}

static void a_command_dies_when_its_lifeline_is_cut(void **state) {
    (void)state;
    struct proc p;
    struct proc_end end;
    int out[2];
    char c, text[20] = "";
    assert_int_equal(pipe_open(&sys, out, 0), 0);
    char *argv[] = {"sh", "-c", "sleep 1000 & echo $!; while :; do :; done", NULL};
    struct proc_command command = {.argv = argv, .stdio = {0, out[1], 2}};
    assert_int_equal(proc_exec(&sys, &p, &command), 0);
    fds_close(&sys, &out[1]);
    for (size_t n = 0; n < sizeof text - 1 && (n == 0 || text[n - 1] != '\n'); n++)
        assert_int_equal(fd_read_full(&sys, out[0], text + n, 1, hang(), NULL), 0);
    fds_close(&sys, &p.lifeline);
    /* the pipe ends when the last one that holds it is gone, the sleeping one too */
    assert_int_equal(fd_read_full(&sys, out[0], &c, 1, hang(), NULL), -EPIPE);
    fds_close(&sys, &out[0]);
    assert_int_equal(proc_reap(&sys, &p, hang(), &end), 1);
    assert_int_equal(end.signal, SIGKILL);
    assert_true(vanishes((pid_t)strtol(text, NULL, 10)));
}

static pid_t no_fork(unsigned flags) {
    (void)flags;
    return -ENOMEM;
}

static int no_pipe(int out[2], int flags) {
    (void)out, (void)flags;
    return -EMFILE;
}

static void a_command_that_cannot_be_forked_leaves_nothing(void **state) {
    (void)state;
    struct proc p = PROC_NONE;
    char *argv[] = {"true", NULL};
    struct proc_command c = {.argv = argv, .stdio = {0, 1, 2}};
    faulty_begin()->fork = no_fork;
    assert_int_equal(proc_exec(&faulty, &p, &c), -ENOMEM);
    faulty_begin()->pipe = no_pipe;
    assert_int_equal(proc_exec(&faulty, &p, &c), -EMFILE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(output_and_exit_code_come_back),
        CLEAN_TEST(folder_environment_and_arguments_are_as_asked),
        CLEAN_TEST(the_reason_why_a_command_does_not_start_comes_back),
        CLEAN_TEST(a_command_gets_no_descriptor_of_ours),
        CLEAN_TEST(standard_ends_may_come_from_any_number),
        CLEAN_TEST(a_commands_ends_need_not_be_registered),
        CLEAN_TEST(a_command_dies_when_its_lifeline_is_cut),
        CLEAN_TEST(a_command_that_cannot_be_forked_leaves_nothing),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
