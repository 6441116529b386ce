/* cli/outdir.h - the folder of a run or a comparison: results, meter.json, journal.sqlite.
 *
 * The folder itself carries the lock, so that a second writer is refused before any work and
 * nothing is left behind.
 */
#ifndef ICL_CLI_OUTDIR_H
#define ICL_CLI_OUTDIR_H

#include <stdbool.h>

#include "args.h"
#include "setup.h"

typedef struct cli_outdir {
    char *path, *journal; /* journal: path of the file */
    int lock;             /* descriptor that holds the folder's lock; -1 */
    bool made_folder;     /* by us, so that a run that never began can take it away */
    bool has_journal;     /* of an earlier run */
    bool has_aside;       /* an earlier run's files wait under other names */
    bool begun;           /* there is something to keep */
} cli_outdir;

/* Creates and locks the folder: `given`, or icl-out/<name> when NULL. An earlier run's journal is
 * refused in a given folder unless `resume`. False: it has said why. */
bool outdir_open(cli_outdir *self, const cli_verb *verb, const char *given, const char *name,
                 bool resume);

/* Model and engine, with the folder's journal. In the default folder an earlier run makes room, its
 * files set aside, but not one whose journal someone holds. */
icl_status outdir_open_engine(cli_outdir *self, cli_setup *setup, const setup_arguments *arguments,
                              bool resume, cli_progress *progress);

/* The new run is about to ask the model: what was set aside goes. */
void outdir_begin(cli_outdir *self);

/* Says what Ctrl-C left; exit code. */
int outdir_interrupted(const cli_outdir *self, const cli_verb *verb);

/* Unlocks. A run that never began leaves the folder as it found it; its journal must be closed. */
void outdir_close(cli_outdir *self);

#endif
