/* cli/progress.h - one line on standard error that tells how far a run is; silent when that is not
 * a terminal. */
#ifndef ICL_CLI_PROGRESS_H
#define ICL_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cli_progress {
    bool shown;         /* whether anything is drawn at all */
    bool drawn;         /* a line stands on the terminal */
    double start, last; /* seconds; 0 before the first call */
    uint64_t first_done, last_done;
} cli_progress;

/* `wanted` false: draws nothing. */
cli_progress progress_begin(bool wanted);
/* Says what happens now, while there is nothing to count. */
void progress_say(cli_progress *self, const char *words);
/* An icl_progress; `user` is a cli_progress. Draws at most ten times a second. */
void progress_update(void *user, uint64_t tokens_done, uint64_t tokens_total);
/* "what: 12 of 50  left: 3 s", as progress_line with `plain` draws it; a count that falls begins
 * another piece of work. */
void progress_count(cli_progress *self, const char *what, uint64_t done, uint64_t total);
/* Draws this line in place of the last one, at most ten times a second; where standard error is no
 * terminal and `plain` is set, writes a line every few seconds. */
void progress_line(cli_progress *self, const char *line, bool plain);
/* "3 min 05 s" into out[capacity]. */
void progress_format_time(char *out, size_t capacity, double seconds);
/* Clears the line. */
void progress_clear(cli_progress *self);

#endif
