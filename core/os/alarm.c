/* alarm: see alarm.h. */
#include "os/alarm.h"

#define LONGEST (100.0 * 365 * 86400)

int alarm_set(struct sys *s, double seconds) {
    struct itimerval t = {{0, 0}, {0, 0}};
    if (seconds > LONGEST)
        seconds = LONGEST;
    if (seconds > 0) {
        t.it_value.tv_sec = (time_t)seconds;
        t.it_value.tv_usec = (suseconds_t)((seconds - (double)t.it_value.tv_sec) * 1e6);
        if (t.it_value.tv_sec == 0 && t.it_value.tv_usec == 0)
            t.it_value.tv_usec = 1; /* zero would mean never */
    }
    return sys_timer(s, &t);
}
