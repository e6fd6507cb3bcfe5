/*
 * Lists of names, and the two inventories that the tests' clean-up checks compare before and after: this
 * process's children, its descriptors, its shared mappings. Each thing is one line of text that a failing test
 * can print. For tests only; reads /proc, so Linux only.
 */
#ifndef RIG_TESTS_NAMES_H
#define RIG_TESTS_NAMES_H

#include <stddef.h>

/* every child's line starts so, followed by its pid in decimal */
#define NAMES_CHILD "process "

struct names {
    char **at;
    size_t n;
};

void names_add(struct names *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
void names_free(struct names *list); /* empty afterwards, and usable again */

/* adds to `out` what `a` has and `b` has not */
void names_minus(struct names *out, const struct names *a, const struct names *b);

void names_of_children(struct names *list);        /* living and unreaped ones alike */
void names_of_descriptors(struct names *list);     /* "descriptor 5: pipe:[123]" */
void names_of_shared_mappings(struct names *list); /* "mapping 7f…-7f… rw-s …" */

/* All three inventories of this process. */
void names_of_all(struct names *list);

/* How many mappings of any kind this process has, and the bytes they span. */
size_t mappings_count(size_t *bytes);

#endif
