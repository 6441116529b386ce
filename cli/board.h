/* cli/board.h - the leaderboard of a search on standard error: redrawn in place on a terminal, a
 * line for each step of the work elsewhere. */
#ifndef ICL_CLI_BOARD_H
#define ICL_CLI_BOARD_H

#include <icl/search.h>

#include "progress.h"

typedef struct cli_board {
    bool shown, terminal;
    size_t lines; /* that stand on the terminal */
    cli_progress *progress;
} cli_board;

/* `progress` draws its line below the board. */
cli_board board_begin(bool shown, cli_progress *progress);
/* An icl_search_progress.say; `user` is a cli_board. */
void board_say(void *user, const icl_search *search, icl_search_event event);
/* Leaves the board where it stands. */
void board_end(cli_board *self);

#endif
