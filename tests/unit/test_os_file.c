/* Files written whole: whoever looks sees the old contents or the new, whatever fails or is killed on the way. */
#include "os/file.h"

#include <dirent.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "os_help.h"

/* The working directory is this test's own and empty; each case tidies up after itself. */

static void put(const char *path, const char *text) {
    assert_int_equal(file_write(&sys, path, text, strlen(text)), 0);
}

static void check(const char *path, const char *text) {
    char got[200] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    got[fread(got, 1, sizeof got - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(got, text);
}

static int entries(const char *folder) {
    DIR *dir = opendir(folder);
    int n = 0;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return n;
}

static void new_and_old_files_get_the_contents(void **state) {
    (void)state;
    put("a", "first");
    check("a", "first");
    put("./a", "");
    check("a", "");
    put("a", "a longer text");
    check("a", "a longer text");
    assert_int_equal(entries("."), 1);
    unlink("a");
}

static void large_contents_are_whole(void **state) {
    (void)state;
    size_t n = 5000001;
    char *bytes = malloc(n), *got = malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 7 + i / 255);
    assert_int_equal(file_write(&sys, "large", bytes, n), 0);
    FILE *file = fopen("large", "r");
    assert_non_null(file);
    assert_int_equal(fread(got, 1, n, file), n);
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
    assert_memory_equal(got, bytes, n);
    free(bytes);
    free(got);
    unlink("large");
}

static void an_old_file_keeps_its_rights(void **state) {
    (void)state;
    struct stat st;
    put("a", "old");
    assert_int_equal(chmod("a", 0600), 0);
    put("a", "new");
    assert_int_equal(stat("a", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    check("a", "new");
    unlink("a");
}

static void a_link_is_followed_and_stays_a_link(void **state) {
    (void)state;
    struct stat st;
    char absolute[5000];
    assert_non_null(getcwd(absolute, 4096));
    strcat(absolute, "/folder/target");
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(symlink("target", "folder/near"), 0); /* relative to the link's folder */
    assert_int_equal(symlink(absolute, "far"), 0);
    assert_int_equal(symlink("folder/near", "chain"), 0);
    put("chain", "made through a dangling link");
    check("folder/target", "made through a dangling link");
    put("far", "by its full name");
    check("folder/target", "by its full name");
    put("folder/near", "near");
    check("far", "near");
    assert_true(lstat("chain", &st) == 0 && S_ISLNK(st.st_mode));
    assert_true(lstat("far", &st) == 0 && S_ISLNK(st.st_mode));
    assert_int_equal(entries("folder"), 2);
    const char *const made[] = {"folder/near", "folder/target", "folder", "far", "chain"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        assert_int_equal(remove(made[i]), 0);
}

static void what_is_no_regular_file_is_written_as_it_is(void **state) {
    (void)state;
    struct stat st;
    put("/dev/null", "gone");
    assert_true(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
    assert_int_equal(file_write(&sys, "/dev/full", "x", 1), -ENOSPC);
    assert_int_equal(symlink("/dev/null", "null"), 0);
    put("null", "gone");
    assert_int_equal(entries("."), 1);
    unlink("null");
}

static void a_path_that_cannot_be_is_an_error(void **state) {
    (void)state;
    static char endless[5000];
    memset(endless, 'x', sizeof endless - 1);
    assert_int_equal(symlink("loop", "loop"), 0);
    put("file", "");
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(file_write(&sys, "no/such/folder/x", "x", 1), -ENOENT);
    assert_int_equal(file_write(&sys, "file/x", "x", 1), -ENOTDIR);
    assert_int_equal(file_write(&sys, "folder", "x", 1), -EISDIR);
    assert_int_equal(file_write(&sys, "folder/", "x", 1), -EISDIR);
    assert_int_equal(file_write(&sys, "loop", "x", 1), -ELOOP);
    assert_int_equal(file_write(&sys, "", "x", 1), -ENOENT);
    assert_int_equal(file_write(&sys, endless, "x", 1), -ENAMETOOLONG);
    assert_int_equal(entries("."), 3);
    assert_int_equal(entries("folder"), 0);
    unlink("loop");
    unlink("file");
    rmdir("folder");
}

static ssize_t full(int fd, const struct iovec *iov, int n) {
    (void)fd, (void)iov, (void)n;
    return -ENOSPC;
}

static int no_sync(int fd) {
    (void)fd;
    return -EIO;
}

static int no_rename(const char *from, const char *to) {
    (void)from, (void)to;
    return -EROFS;
}

static int no_create(const char *path, int flags, mode_t mode) {
    return (flags & O_CREAT) != 0 ? -EMFILE : sys_kernel.open(path, flags, mode);
}

static int closes_badly(int fd) {
    sys_kernel.close(fd);
    return -EDQUOT;
}

/* The link's own folder is put before where it points. */
static void a_link_that_makes_the_path_too_long_is_an_error(void **state) {
    (void)state;
    char path[3000], to[2000];
    memset(path, '/', sizeof path);
    path[0] = '.';
    strcpy(path + sizeof path - sizeof "link", "link");
    for (size_t i = 0; i < sizeof to; i++)
        to[i] = i % 2 == 0 ? 'x' : '/';
    to[sizeof to - 1] = '\0';
    assert_int_equal(symlink(to, "link"), 0);
    assert_int_equal(file_write(&sys, path, "x", 1), -ENAMETOOLONG);
    assert_int_equal(entries("."), 1);
    unlink("link");
}

static void whatever_fails_the_old_contents_stay(void **state) {
    (void)state;
    put("a", "old");
    faulty_begin()->writev_quiet = full;
    assert_int_equal(file_write(&faulty, "a", "new", 3), -ENOSPC);
    faulty_begin()->fsync = no_sync;
    assert_int_equal(file_write(&faulty, "a", "new", 3), -EIO);
    faulty_begin()->rename = no_rename;
    assert_int_equal(file_write(&faulty, "a", "new", 3), -EROFS);
    faulty_begin()->open = no_create;
    assert_int_equal(file_write(&faulty, "a", "new", 3), -EMFILE);
    faulty_begin()->close = closes_badly;
    assert_int_equal(file_write(&faulty, "a", "new", 3), -EDQUOT);
    check("a", "old");
    assert_int_equal(entries("."), 1);
    unlink("a");
}

static void a_part_that_a_killed_one_left_is_no_hindrance(void **state) {
    (void)state;
    char temp[64];
    snprintf(temp, sizeof temp, ".a.%d.tmp", (int)getpid());
    FILE *file = fopen(temp, "w");
    assert_non_null(file);
    fclose(file);
    put("a", "new");
    check("a", "new");
    assert_int_equal(entries("."), 1);
    unlink("a");
}

#define BLOCK 20000

static void write_for_ever(void *arg) {
    static char bytes[BLOCK];
    (void)arg;
    for (char c = 'a';; c = c == 'z' ? 'a' : (char)(c + 1)) {
        memset(bytes, c, sizeof bytes);
        CHILD_CHECK(file_write(&sys, "whole", bytes, sizeof bytes) == 0);
    }
}

static void killed_at_any_moment_it_is_old_or_new_and_whole(void **state) {
    (void)state;
    static char got[BLOCK + 1];
    put("whole", "");
    assert_int_equal(truncate("whole", BLOCK), 0);
    for (int i = 0; i < 40; i++) {
        char temp[64];
        fflush(NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            sys_refresh_pid(&sys);
            write_for_ever(NULL);
        }
        nap_ms(1 + i % 7);
        kill(pid, SIGKILL);
        assert_int_equal(ended(pid), 128 + SIGKILL);
        snprintf(temp, sizeof temp, ".whole.%d.tmp", (int)pid);
        unlink(temp);
        FILE *file = fopen("whole", "r");
        assert_non_null(file);
        assert_int_equal(fread(got, 1, sizeof got, file), BLOCK);
        fclose(file);
        for (int k = 1; k < BLOCK; k++)
            assert_int_equal(got[k], got[0]);
    }
    unlink("whole");
}

static unsigned calls;

static ssize_t short_writev(int fd, const struct iovec *iov, int n) {
    struct iovec one = iov[0];
    (void)n;
    if (calls++ % 2 == 0)
        return -EINTR;
    one.iov_len = 1;
    return sys_kernel.writev_quiet(fd, &one, 1);
}

static void short_counts_change_nothing(void **state) {
    (void)state;
    faulty_begin()->writev_quiet = short_writev;
    assert_int_equal(file_write(&faulty, "a", "byte by byte", 12), 0);
    check("a", "byte by byte");
    unlink("a");
}

static void a_terminal_is_told_from_the_rest(void **state) {
    (void)state;
    int fd = open("/dev/null", O_RDWR), master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_false(file_is_terminal(&sys, fd));
    assert_int_equal(file_columns(&sys, fd), 0);
    assert_false(file_is_terminal(&sys, -1));
    close(fd);
    if (master < 0)
        skip(); /* a machine without pseudo-terminals */
    assert_int_equal(grantpt(master) | unlockpt(master), 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    struct winsize size = {.ws_col = 123, .ws_row = 40};
    assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
    assert_true(file_is_terminal(&sys, slave));
    assert_int_equal(file_columns(&sys, slave), 123);
    close(slave);
    close(master);
}

static void probing_writes_nothing_and_waits_for_nobody(void **state) {
    (void)state;
    put("a", "kept");
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(symlink("loop", "loop"), 0);
    assert_int_equal(symlink("none/b", "dangling"), 0);
    assert_int_equal(file_probe(&sys, "a"), 0);
    check("a", "kept");
    assert_int_equal(file_probe(&sys, "b"), 0);
    assert_int_equal(file_probe(&sys, "fifo"), 0);
    assert_int_equal(file_probe(&sys, "/dev/stdout"), 0);
    assert_int_equal(file_probe(&sys, ""), -ENOENT);
    assert_int_equal(file_probe(&sys, "none/b"), -ENOENT);
    assert_int_equal(file_probe(&sys, "dangling"), -ENOENT);
    assert_int_equal(file_probe(&sys, "a/b"), -ENOTDIR);
    assert_int_equal(file_probe(&sys, "loop"), -ELOOP);
    assert_int_equal(file_probe(&sys, "."), -EISDIR);
    assert_int_equal(entries("."), 4);
    unlink("a");
    unlink("fifo");
    unlink("loop");
    unlink("dangling");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(new_and_old_files_get_the_contents),
        CLEAN_TEST(large_contents_are_whole),
        CLEAN_TEST(an_old_file_keeps_its_rights),
        CLEAN_TEST(a_link_is_followed_and_stays_a_link),
        CLEAN_TEST(what_is_no_regular_file_is_written_as_it_is),
        CLEAN_TEST(a_path_that_cannot_be_is_an_error),
        CLEAN_TEST(a_link_that_makes_the_path_too_long_is_an_error),
        CLEAN_TEST(whatever_fails_the_old_contents_stay),
        CLEAN_TEST(a_part_that_a_killed_one_left_is_no_hindrance),
        CLEAN_TEST(killed_at_any_moment_it_is_old_or_new_and_whole),
        CLEAN_TEST(short_counts_change_nothing),
        CLEAN_TEST(probing_writes_nothing_and_waits_for_nobody),
        CLEAN_TEST(a_terminal_is_told_from_the_rest),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
