/* programs_command: the executable rig, built over the injected table, with whole scenarios and a file of results that
 * is there before: afterwards it is the old one or the new one, whole. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "run.h"

static void run_command(const char *scenario, const char *override) {
    char path[4096];
    snprintf(path, sizeof path, RIG_INJECT_SOURCE "/%s", scenario);
    FILE *file = fopen(RESULTS, "w");
    if (file == NULL || fputs(OLD_RESULTS, file) < 0 || fclose(file) != 0)
        _exit(2);
    setenv("PATH", "/usr/bin:/bin", 1); /* tens of thousands of runs look for git in all of it */
    inject_arm(true);
    execl(RIG_INJECT_EXECUTABLE, "rig", path, override, "-q", "--json", RESULTS, (char *)NULL);
    _exit(127);
}

const struct program command_programs[] = {
    {"rig.fork", run_command, "scenario.lua", "start=fork", true},
    {"rig.spawn", run_command, "scenario.lua", "start=spawn", true},
    {0},
};
