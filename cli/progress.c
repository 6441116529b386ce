#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR_CELLS = 28 };
static const double redraw_seconds = 0.1, plain_seconds = 5;

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

cli_progress progress_begin(bool wanted)
{
    return (cli_progress){ .shown = wanted && isatty(STDERR_FILENO) };
}

void progress_format_time(char *out, size_t capacity, double seconds)
{
    const unsigned long whole = (unsigned long)(seconds + 0.5);
    if (whole < 60)
        snprintf(out, capacity, "%lu s", whole);
    else if (whole < 3600)
        snprintf(out, capacity, "%lu min %02lu s", whole / 60, whole % 60);
    else
        snprintf(out, capacity, "%lu h %02lu min", whole / 3600, whole / 60 % 60);
}

static void draw(cli_progress *self, double now, uint64_t done, uint64_t total)
{
    char bar[BAR_CELLS + 1], left[32] = "";
    const double share = total > 0 ? (double)done / (double)total : 1;
    const size_t full = (size_t)(share * BAR_CELLS);
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', full > BAR_CELLS ? BAR_CELLS : full);
    bar[BAR_CELLS] = '\0';
    const double elapsed = now - self->start;
    const double rate = elapsed > 0 ? (double)(done - self->first_done) / elapsed : 0;
    if (rate > 0) progress_format_time(left, sizeof left, (double)(total - done) / rate);
    fprintf(stderr, "\r[%s] %3.0f %%  %.0f tokens/s%s%s\033[K", bar, share * 100, rate,
            left[0] != '\0' ? "  left: " : "", left);
    fflush(stderr);
    self->drawn = true;
    self->last = now;
}

void progress_update(void *user, uint64_t tokens_done, uint64_t tokens_total)
{
    cli_progress *self = user;
    if (!self->shown) return;
    const double now = seconds_now();
    if (self->start == 0 || tokens_done < self->first_done) { /* the first call, or another batch */
        self->start = self->last = now;
        self->first_done = tokens_done;
        return;
    }
    if (now - self->last >= redraw_seconds) draw(self, now, tokens_done, tokens_total);
}

void progress_say(cli_progress *self, const char *words)
{
    if (!self->shown) return;
    fprintf(stderr, "\r%s ...\033[K", words);
    self->drawn = true;
}

void progress_line(cli_progress *self, const char *line, bool plain)
{
    const double now = seconds_now();
    if (now - self->last < (self->shown ? redraw_seconds : plain_seconds)) return;
    self->last = now;
    if (self->shown) {
        fprintf(stderr, "\r%s\033[K", line);
        fflush(stderr);
        self->drawn = true;
    } else if (plain) {
        fprintf(stderr, "%s\n", line);
    }
}

void progress_count(cli_progress *self, const char *what, uint64_t done, uint64_t total)
{
    char line[160], left[32] = "";
    const double now = seconds_now();
    if (self->start == 0 || done < self->last_done) {
        self->start = now;
        self->first_done = done;
    }
    self->last_done = done;
    if (done > self->first_done)
        progress_format_time(left, sizeof left,
                             (now - self->start) * (double)(total - done) /
                                 (double)(done - self->first_done));
    snprintf(line, sizeof line, "%s: %" PRIu64 " of %" PRIu64 "%s%s", what, done, total,
             left[0] != '\0' ? "  left: " : "", left);
    progress_line(self, line, true);
}

void progress_clear(cli_progress *self)
{
    if (self->drawn) fprintf(stderr, "\r\033[K");
    self->drawn = false;
}
