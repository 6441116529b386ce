/* cli/outfile.h - a file written beside its final place and renamed over it when complete; "-" is
 * standard output. */
#ifndef ICL_CLI_OUTFILE_H
#define ICL_CLI_OUTFILE_H

#include <stdbool.h>
#include <stdio.h>

#include "args.h"

typedef struct cli_outfile {
    FILE *stream;
    const char *path; /* borrowed */
    char *temporary;  /* NULL: standard output */
} cli_outfile;

/* Whether outfile_open would succeed, before work that takes long; nothing stays. False: it has
 * said why. */
bool outfile_check(const cli_verb *verb, const char *path);
/* False: it has said why. */
bool outfile_open(cli_outfile *self, const cli_verb *verb, const char *path);
/* Puts the file in its place, or takes it away when `complete` is false. False: it has said why. */
bool outfile_close(cli_outfile *self, const cli_verb *verb, bool complete);

#endif
