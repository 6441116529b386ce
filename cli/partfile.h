/* cli/partfile.h - FILE.part: the lines that are finished while FILE is in the making, so that a
 * program that is killed has them. Its first line says by which settings they were made. */
#ifndef ICL_CLI_PARTFILE_H
#define ICL_CLI_PARTFILE_H

#include <stdbool.h>
#include <stdio.h>

#include "args.h"

typedef struct cli_partfile {
    char *path;
    FILE *out;         /* new lines are appended to it; flush it */
    FILE *done;        /* the lines of an earlier call, read from its place on; NULL: none */
    size_t done_count; /* of them */
} cli_partfile;

/* Names the file; true where it exists. False without `path`: it has said why. */
bool partfile_name(cli_partfile *self, const cli_verb *verb, const char *final_path,
                   bool *out_exists);
/* Begins the file, or goes on with one of the same settings: a line that was not finished is cut
 * off. *out_anew: there was one of other settings, which are lost. False: it has said why. */
bool partfile_open(cli_partfile *self, const cli_verb *verb, const char *settings, bool *out_anew);
/* Appends all lines but the first to `to`. False: it has said why. */
bool partfile_copy(cli_partfile *self, const cli_verb *verb, FILE *to);
/* Takes the file away unless `keep`. Fine on what was never opened. */
void partfile_close(cli_partfile *self, bool keep);

#endif
