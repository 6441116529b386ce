#include "board.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <icl/report.h>

enum { ROWS = 6, COLUMNS = 100 };

cli_board board_begin(bool shown, cli_progress *progress)
{
    return (
        cli_board){ .shown = shown, .terminal = isatty(STDERR_FILENO) != 0, .progress = progress };
}

static size_t terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return COLUMNS;
    return (size_t)size.ws_col - 1;
}

static void print_round(const icl_search *search, size_t round)
{
    const icl_search_round figures = icl_search_round_at(search, round);
    fprintf(stderr,
            "round %zu: %zu %s on %zu queries, for %" PRIu64 " of the %" PRIu64 " tokens left\n",
            round + 1, figures.candidate_count,
            figures.candidate_count == 1 ? "strategy" : "strategies", figures.query_count,
            figures.tokens_planned, figures.tokens_left);
}

static void print_leader(const icl_search *search, size_t round)
{
    const icl_search_candidate leader = icl_search_candidate_at(search, 0);
    fprintf(stderr, "round %zu: %.3f leads, %zu dropped: %s\n", round + 1, leader.value,
            icl_search_round_at(search, round).dropped_count, leader.brief);
}

/* Lines of `text`. */
static size_t print_text(const char *text)
{
    size_t lines = 0;
    for (const char *at = text; *at != '\0'; at++) lines += *at == '\n';
    fputs(text, stderr);
    return lines;
}

static void redraw(cli_board *self, const icl_search *search, size_t round)
{
    char *text = NULL;
    progress_clear(self->progress);
    if (self->lines > 0) fprintf(stderr, "\033[%zuA\033[J", self->lines);
    print_round(search, round);
    self->lines = 1;
    if (icl_report_search_lines(&text, search, ROWS, terminal_columns()) == ICL_OK)
        self->lines += print_text(text);
    free(text);
}

void board_say(void *user, const icl_search *search, icl_search_event event)
{
    cli_board *self = user;
    if (!self->shown) return;
    const size_t round = icl_search_get_summary(search)->round_count - 1;
    if (event == ICL_SEARCH_PREPARES)
        progress_say(self->progress, "choosing demonstrations");
    else if (self->terminal)
        redraw(self, search, round);
    else if (event == ICL_SEARCH_BEGINS)
        print_round(search, round);
    else
        print_leader(search, round);
}

void board_end(cli_board *self)
{
    if (!self->shown) return;
    progress_clear(self->progress);
    if (self->lines > 0) fputc('\n', stderr);
    self->lines = 0;
}
