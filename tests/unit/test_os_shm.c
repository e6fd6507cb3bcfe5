/* Mappings: who sees whose writes after a fork, what sealing forbids, that a full memory is an error and no signal,
 * and how much memory there is to have. */
#include "os/shm.h"

#include <sys/mman.h>

#include "os_help.h"

static const size_t sizes[] = {1, 4095, 4097, SHM_HUGE - 1, SHM_HUGE, SHM_HUGE * 2 + 12345};
#define SIZES (sizeof sizes / sizeof *sizes)

static void mappings_are_zero_and_can_be_written_to_the_end(void **state) {
    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        for (enum map_kind kind = MAP_KIND_PRIVATE; kind <= MAP_KIND_SHARED; kind++) {
            void *addr = NULL;
            assert_int_equal(map_open(&sys, kind, sizes[i], &addr), 0);
            uint8_t *p = addr;
            assert_int_equal(p[0] | p[sizes[i] / 2] | p[sizes[i] - 1], 0);
            memset(p, 0xab, sizes[i]);
            map_close(&sys, addr, sizes[i]);
        }
    }
    map_close(&sys, NULL, 100);
}

static void large_private_ones_begin_on_a_huge_page(void **state) {
    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        void *addr = NULL;
        assert_int_equal(map_open(&sys, MAP_KIND_PRIVATE, sizes[i], &addr), 0);
        assert_int_equal((uintptr_t)addr % (sizes[i] >= SHM_HUGE ? SHM_HUGE : 4096), 0);
        map_close(&sys, addr, sizes[i]);
    }
}

static int too_late(int fd, off_t n) {
    (void)fd, (void)n;
    return -EFBIG; /* the kernel would go on until the machine has no memory left */
}

static void absurd_sizes_are_errors(void **state) {
    (void)state;
    faulty_begin()->fallocate = too_late;
    const size_t absurd[] = {0, SIZE_MAX, SIZE_MAX - 4096, SIZE_MAX / 2 + 1, (size_t)1 << 60};
    for (size_t i = 0; i < sizeof absurd / sizeof *absurd; i++) {
        void *addr;
        int fd;
        int no_memory = under_valgrind() && absurd[i] == (size_t)1 << 60 ? -EINVAL : -ENOMEM;
        assert_int_equal(map_open(&sys, MAP_KIND_PRIVATE, absurd[i], &addr), no_memory);
        assert_int_equal(map_open(&sys, MAP_KIND_SHARED, absurd[i], &addr), no_memory);
        assert_int_equal(shm_open_sealable(&faulty, "test", absurd[i], &fd, &addr), -ENOMEM);
    }
}

static void write_two(void *arg) {
    uint8_t **p = arg;
    p[0][5] = p[1][5] = 1;
}

static void a_childs_writes_are_its_own_in_private_memory_only(void **state) {
    (void)state;
    void *private, *shared;
    assert_int_equal(map_open(&sys, MAP_KIND_PRIVATE, 4096, &private), 0);
    assert_int_equal(map_open(&sys, MAP_KIND_SHARED, 4096, &shared), 0);
    uint8_t *both[] = {private, shared};
    assert_int_equal(in_child(write_two, both), 0);
    assert_int_equal(both[0][5], 0);
    assert_int_equal(both[1][5], 1);
    map_close(&sys, private, 4096);
    map_close(&sys, shared, 4096);
}

static void number(uint64_t *p, size_t n) {
    for (size_t i = 0; i < n / sizeof *p; i++)
        p[i] = i * 3;
}

static void check_numbered(const uint64_t *p, size_t n) {
    for (size_t i = 0; i < n / sizeof *p; i++)
        assert_int_equal(p[i], i * 3);
}

static void resizing_keeps_contents_and_alignment(void **state) {
    (void)state;
    const size_t way[] = {
        8,      4096, 10000, SHM_HUGE / 2, SHM_HUGE, SHM_HUGE * 3, SHM_HUGE * 5 + 8, SHM_HUGE * 2,
        100000, 8};
    void *addr;
    size_t n = way[0];
    assert_int_equal(map_open(&sys, MAP_KIND_PRIVATE, n, &addr), 0);
    number(addr, n);
    for (size_t i = 1; i < sizeof way / sizeof *way; i++) {
        assert_int_equal(map_resize(&sys, &addr, n, way[i]), 0);
        check_numbered(addr, n < way[i] ? n : way[i]);
        /* valgrind moves a mapping to where it likes, not where it is told */
        if (way[i] >= SHM_HUGE && way[i] > n && !under_valgrind())
            assert_int_equal((uintptr_t)addr % SHM_HUGE, 0);
        n = way[i];
        number(addr, n);
    }
    map_close(&sys, addr, n);
}

static int no_remap(void **addr, size_t old, size_t n, int flags, void *to) {
    (void)addr, (void)old, (void)n, (void)flags, (void)to;
    return -ENOMEM;
}

static void a_failed_resize_leaves_the_mapping_as_it_was(void **state) {
    (void)state;
    void *addr, *before;
    size_t count = mappings_count(NULL);
    faulty_begin()->remap = no_remap;
    assert_int_equal(map_open(&sys, MAP_KIND_PRIVATE, SHM_HUGE, &addr), 0);
    number(addr, SHM_HUGE);
    before = addr;
    assert_int_equal(map_resize(&faulty, &addr, SHM_HUGE, SHM_HUGE * 2), -ENOMEM);
    assert_int_equal(map_resize(&sys, &addr, SHM_HUGE, 0), -ENOMEM);
    assert_int_equal(map_resize(&sys, &addr, SHM_HUGE, SIZE_MAX), -ENOMEM);
    assert_ptr_equal(addr, before);
    check_numbered(addr, SHM_HUGE);
    map_close(&sys, addr, SHM_HUGE);
    assert_in_range(mappings_count(NULL), count - 2, count + 2); /* neighbours merge and part */
}

static void prefaulting_changes_no_byte(void **state) {
    (void)state;
    void *addr;
    assert_int_equal(map_open(&sys, MAP_KIND_PRIVATE, 100000, &addr), 0);
    number(addr, 40000);
    map_prefault(&sys, (uint8_t *)addr + 3, 99990);
    check_numbered(addr, 40000);
    assert_int_equal(((uint8_t *)addr)[99999], 0);
    map_close(&sys, addr, 100000);
}

static void write_sealed(void *arg) {
    *(volatile uint8_t *)arg = 1;
}

static void make_writable(void *arg) {
    CHILD_CHECK(mprotect(arg, 4096, PROT_READ | PROT_WRITE) < 0);
}

static void check_contents(void *arg) {
    uint64_t *p = arg;
    for (size_t i = 0; i < 10000 / sizeof *p; i++)
        CHILD_CHECK(p[i] == i * 3);
}

static void sealed_memory_is_read_only_for_good(void **state) {
    (void)state;
    void *addr;
    int fd;
    size_t before = fds_count();
    assert_int_equal(shm_open_sealable(&sys, "test", 10000, &fd, &addr), 0);
    number(addr, 10000);
    assert_int_equal(shm_seal(&sys, &fd, 10000, &addr), 0);
    assert_int_equal(fd, -1);
    assert_int_equal(fds_count(), before);
    check_numbered(addr, 10000);
    assert_int_equal(in_child(check_contents, addr), 0);
    assert_int_equal(in_child(make_writable, addr), 0);
    signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would say what is meant to happen */
    assert_int_equal(in_child(write_sealed, addr), 128 + SIGSEGV);
    check_numbered(addr, 10000);
    map_close(&sys, addr, 10000);
}

/* A host's thread may fork while another one fills memory that is to be sealed. */
static void a_child_that_was_forked_before_forbids_no_seal(void **state) {
    (void)state;
    void *addr;
    int fd, line[2];
    assert_int_equal(shm_open_sealable(&sys, "test", 10000, &fd, &addr), 0);
    assert_int_equal(pipe(line), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char byte;
        close(line[1]);
        CHILD_CHECK(read(line[0], &byte, 1) == 0);
        _exit(0);
    }
    number(addr, 10000);
    assert_int_equal(shm_seal(&sys, &fd, 10000, &addr), 0);
    assert_int_equal(in_child(check_contents, addr), 0);
    close(line[0]);
    close(line[1]);
    assert_int_equal(ended(pid), 0);
    map_close(&sys, addr, 10000);
}

static int no_memfd(const char *name) {
    (void)name;
    return -EMFILE;
}

static int full(int fd, off_t n) {
    (void)fd, (void)n;
    return -ENOSPC;
}

static int no_map(void **addr, size_t n, int prot, int flags, int fd) {
    (void)addr, (void)n, (void)prot, (void)flags, (void)fd;
    return -ENOMEM;
}

static void without_room_nothing_is_left(void **state) {
    (void)state;
    int fd = 7;
    void *addr;
    size_t before = fds_count();
    faulty_begin()->memfd = no_memfd;
    assert_int_equal(shm_open_sealable(&faulty, "test", 4096, &fd, &addr), -EMFILE);
    faulty_begin()->fallocate = full;
    assert_int_equal(shm_open_sealable(&faulty, "test", 4096, &fd, &addr), -ENOSPC);
    faulty_begin()->map = no_map;
    assert_int_equal(shm_open_sealable(&faulty, "test", 4096, &fd, &addr), -ENOMEM);
    assert_int_equal(map_open(&faulty, MAP_KIND_PRIVATE, 4096, &addr), -ENOMEM);
    assert_int_equal(map_open(&faulty, MAP_KIND_PRIVATE, SHM_HUGE, &addr), -ENOMEM);
    assert_int_equal(fd, -1);
    assert_int_equal(fds_count(), before);
}

static int no_seal(int fd, int cmd, long arg) {
    return cmd == F_ADD_SEALS ? -EBUSY : sys_kernel.fcntl(fd, cmd, arg);
}

static void when_sealing_fails_both_mapping_and_descriptor_are_gone(void **state) {
    (void)state;
    int fd;
    void *addr;
    size_t before = fds_count();
    assert_int_equal(shm_open_sealable(&sys, "test", 4096, &fd, &addr), 0);
    faulty_begin()->fcntl = no_seal;
    assert_int_equal(shm_seal(&faulty, &fd, 4096, &addr), -EBUSY);
    assert_int_equal(fd, -1);
    assert_int_equal(fds_count(), before);
    assert_int_equal(shm_open_sealable(&sys, "test", 4096, &fd, &addr), 0);
    faulty_begin()->map = no_map;
    assert_int_equal(shm_seal(&faulty, &fd, 4096, &addr), -ENOMEM);
    assert_int_equal(fds_count(), before);
}

/* ---- memory_available: the kernel's files, replaced by what the test says --------------------------- */

static const char *const (*files)[2]; /* path, contents; NULL ends */

static int open_files(const char *path, int flags, mode_t mode) {
    (void)flags, (void)mode;
    for (const char *const(*at)[2] = files; (*at)[0] != NULL; at++) {
        if (strcmp((*at)[0], path) != 0)
            continue;
        int fd = memfd_create("test", MFD_CLOEXEC);
        size_t n = strlen((*at)[1]);
        if (write(fd, (*at)[1], n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0)
            abort();
        return fd;
    }
    return -ENOENT;
}

#define MEMINFO                                                                             \
    {                                                                                       \
        "/proc/meminfo",                                                                    \
            "MemTotal:  9000 kB\nMemFree:  1 kB\nMemAvailable:    5000 kB\nBuffers: 1 kB\n" \
    }
#define GROUP(path) \
    { "/proc/self/cgroup", "0::" path "\n" }

static uint64_t available(const char *const (*said)[2]) {
    files = said;
    faulty_begin()->open = open_files;
    return memory_available(&faulty);
}

static void available_is_what_the_machine_says(void **state) {
    (void)state;
    const char *const said[][2] = {MEMINFO, {NULL, NULL}};
    assert_true(available(said) == 5000 * 1024);
    uint64_t real = memory_available(&sys);
    assert_true(real > 0 && real < UINT64_C(1) << 60);
}

static void a_limit_of_the_group_or_of_one_above_it_counts(void **state) {
    (void)state;
    const char *const own[][2] = {MEMINFO,
                                  GROUP("/a/b"),
                                  {"/sys/fs/cgroup/a/b/memory.max", "3000000\n"},
                                  {"/sys/fs/cgroup/a/b/memory.current", "1000000\n"},
                                  {"/sys/fs/cgroup/a/memory.max", "max\n"},
                                  {NULL, NULL}};
    assert_true(available(own) == 2000000);
    const char *const above[][2] = {MEMINFO,
                                    GROUP("/a/b"),
                                    {"/sys/fs/cgroup/a/b/memory.max", "max\n"},
                                    {"/sys/fs/cgroup/a/memory.max", "1500000\n"},
                                    {"/sys/fs/cgroup/a/memory.current", "1400000\n"},
                                    {NULL, NULL}};
    assert_true(available(above) == 100000);
    const char *const spent[][2] = {MEMINFO,
                                    GROUP("/a"),
                                    {"/sys/fs/cgroup/a/memory.max", "1000\n"},
                                    {"/sys/fs/cgroup/a/memory.current", "1001\n"},
                                    {NULL, NULL}};
    assert_true(available(spent) == 0);
}

static void what_cannot_be_read_sets_no_limit(void **state) {
    (void)state;
    const char *const none[][2] = {{NULL, NULL}};
    assert_true(available(none) == UINT64_MAX);
    const char *const old[][2] = {MEMINFO, {"/proc/self/cgroup", "9:memory:/x\n"}, {NULL, NULL}};
    assert_true(available(old) == 5000 * 1024);
    const char *const root[][2] = {MEMINFO, GROUP("/"), {NULL, NULL}};
    assert_true(available(root) == 5000 * 1024);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLEAN_TEST(mappings_are_zero_and_can_be_written_to_the_end),
        CLEAN_TEST(large_private_ones_begin_on_a_huge_page),
        CLEAN_TEST(absurd_sizes_are_errors),
        CLEAN_TEST(a_childs_writes_are_its_own_in_private_memory_only),
        CLEAN_TEST(resizing_keeps_contents_and_alignment),
        CLEAN_TEST(a_failed_resize_leaves_the_mapping_as_it_was),
        CLEAN_TEST(prefaulting_changes_no_byte),
        CLEAN_TEST(sealed_memory_is_read_only_for_good),
        CLEAN_TEST(a_child_that_was_forked_before_forbids_no_seal),
        CLEAN_TEST(without_room_nothing_is_left),
        CLEAN_TEST(when_sealing_fails_both_mapping_and_descriptor_are_gone),
        CLEAN_TEST(available_is_what_the_machine_says),
        CLEAN_TEST(a_limit_of_the_group_or_of_one_above_it_counts),
        CLEAN_TEST(what_cannot_be_read_sets_no_limit),
    };
    sys_init(&sys, &sys_kernel);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
